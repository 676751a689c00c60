"""Random numbers: named streams of random bits, and the distributions of durations drawn from them."""

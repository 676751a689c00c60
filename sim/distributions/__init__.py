"""Chance in the simulated world: named streams of random bits, and the laws of durations drawn from them."""

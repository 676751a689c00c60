"""Studies of many runs: compare, sweep, size, sensitivity, commitments."""

"""Intervals and tests of replicated figures."""

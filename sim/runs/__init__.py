"""ASKING: a scenario becomes replications, replications become answers with intervals."""

"""The plan of a fleet and the state machine that each group's VMs go through."""

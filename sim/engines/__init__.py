"""The engines: VMs move through the states of their state machines; listeners get every move."""

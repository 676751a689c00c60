"""The states of a VM and the transitions between them, compiled from lifecycle rows and a plan; one module per concern."""

"""Rating: what the hours cost. Reads usage and prices; knows nothing of how VMs move."""

"""MOTION: the only room with processes. VMs move through their lifecycle rows; listeners are told what has become true."""

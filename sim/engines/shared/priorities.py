"""What comes first at one instant: disruptions, then moves of VMs on their own, then releases, then requests.

SimPy itself gives interrupts priority 0, and ordinary events 1. Among releases, and among requests, VMs come in the order of
their rank, which is added.
"""

from __future__ import annotations

DISRUPTS = -1  # faults of hosts, maintenance
RELEASES = 2  # plus the rank of the VM: what is given back comes before what is asked for
REQUESTS = 1 << 62  # plus the rank of the VM

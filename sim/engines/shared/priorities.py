"""What comes first at one instant: faults, then looks of autoscalers, then interrupts, moves of VMs on their own, releases, requests.

SimPy itself gives interrupts priority 0, and ordinary events 1. What has a number comes in the order of it.
"""

FAULTS = -(1 << 61)  # of hosts, racks, zones, and maintenance; plus the number of the process
TICKS = -(1 << 60)  # of autoscalers; plus the number of the group
INTERRUPTS = 0
MOVES = 1
RELEASES = 2  # plus the rank of the VM: what is given back comes before what is asked for
REQUESTS = 1 << 62  # plus the rank of the VM
RANK_BITS = 32  # a rank is the number of the group, then that of the VM

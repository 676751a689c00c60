"""VMs that come and go as the number of VMs of a group does: when each of them is requested, and up to when.

Where the number falls, the highest numbers go; where it rises again, the same names come back. Each such request of a VM has
an end, and draws random numbers of its own; demand for the VM is that of its name. A name is one VM: a request waits until the VM
of the one before it is gone, and is dropped if its own end comes first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.distributions.streams import EARLIER_BITS


@dataclass(frozen=True, slots=True, kw_only=True)
class SteppedRequests:
    """The requests of a group's VMs, VM by VM, each VM's own in order of time."""

    born_s: NDArray[np.float64]
    lifetime_s: NDArray[np.float64]  # infinite: to the horizon
    vm: NDArray[np.int64]
    earlier: NDArray[np.int64]  # how many requests of the VM come before

    @property
    def vms(self) -> int:
        """How many VMs there are, each counted once."""
        return int(self.vm.max(initial=-1)) + 1

    @property
    def member(self) -> NDArray[np.int64]:
        """The numbers with which streams are keyed: that of the VM in its first request."""
        return self.vm + (self.earlier << EARLIER_BITS)

    def end_s(self, row: int) -> float:
        """When a request ends."""
        return float(self.born_s[row] + self.lifetime_s[row])


def stepped_requests(first_s: NDArray[np.float64], steps: Sequence[tuple[float, int]]) -> SteppedRequests:
    """The requests of VMs that are requested at *first_s*, and then of each step's number of VMs from its instant on."""
    # Of each request: when it is made, the instant of the step that asks for it, and the VM.
    parts = [(first_s, np.zeros(len(first_s)), np.arange(len(first_s), dtype=np.int64))]
    gone: list[tuple[float, int, int]] = []  # (instant, the VMs from, up to)
    there = len(first_s)
    for at_s, count in steps:
        if count > there:
            new = np.arange(there, count, dtype=np.int64)
            parts.append((np.full(len(new), at_s), np.full(len(new), at_s), new))
        elif count < there:
            gone.append((at_s, count, there))
        there = count
    born_s, asked_s, vm = (np.concatenate(part) for part in zip(*parts, strict=True))
    end_s = np.full(len(born_s), np.inf)
    for at_s, low, high in reversed(gone):  # an earlier end replaces a later one
        end_s[(vm >= low) & (vm < high) & (asked_s < at_s)] = at_s
    real = end_s > born_s
    born_s, end_s, vm = born_s[real], end_s[real], vm[real]
    order = np.lexsort((born_s, vm))
    vm = vm[order]
    earlier = np.arange(len(vm)) - np.searchsorted(vm, vm)
    return SteppedRequests(born_s=born_s[order], lifetime_s=(end_s - born_s)[order], vm=vm, earlier=earlier)

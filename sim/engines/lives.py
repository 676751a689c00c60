"""VMs that come and go as the number of VMs of a group does: from when to when each of them exists.

Where the number falls, the highest numbers go; where it rises again, the same names come back. Each such life of a VM is
requested at one instant, has an end, and draws random numbers of its own; demand for the VM is that of its name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LIFE_BITS = 32  # of the number with which a life's streams are keyed: the VM is below them, the life above


@dataclass(frozen=True, slots=True, kw_only=True)
class Lives:
    """The lives of a group's VMs in order of birth, then of VM."""

    born_s: NDArray[np.float64]
    lifetime_s: NDArray[np.float64]  # infinite: to the horizon
    vm: NDArray[np.int64]
    member: NDArray[np.int64]  # the number with which its streams are keyed: that of the VM in its first life

    @property
    def vms(self) -> int:
        """How many VMs there are, each counted once."""
        return int(self.vm.max(initial=-1)) + 1


def lives_of(first_s: NDArray[np.float64], steps: Sequence[tuple[float, int]]) -> Lives:
    """The lives of VMs that are requested at *first_s*, and then of each step's number of VMs from its instant on."""
    # Of each life: when it is requested, the instant of the step that asks for it, and the VM.
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
    order = np.lexsort((vm[real], born_s[real]))
    born_s, end_s, vm = born_s[real][order], end_s[real][order], vm[real][order]
    return Lives(born_s=born_s, lifetime_s=end_s - born_s, vm=vm, member=vm + (_life(vm) << LIFE_BITS))


def _life(vm: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often each VM of a list has come before in it."""
    order = np.argsort(vm, kind="stable")
    ranked = vm[order]
    first = np.ones(len(vm), dtype=np.bool_)
    first[1:] = ranked[1:] != ranked[:-1]
    place = np.arange(len(vm))
    found = np.empty(len(vm), dtype=np.int64)
    found[order] = place - np.maximum.accumulate(np.where(first, place, 0))
    return found

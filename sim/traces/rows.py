"""One VM of a trace: as a reader delivers it, and as a replay gets it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

ROW = np.dtype(
    [
        ("created_s", "f8"),  # from t = 0; 0 for a VM that was there already
        ("lifetime_s", "f8"),  # from created_s to its deletion; inf: still alive at the end of the window
        ("low_s", "f8"),  # its lifetime was at least this ...
        ("high_s", "f8"),  # ... and at most this; inf: its end was not seen
        ("vcpus", "f8"),  # nan: only the size is known
        ("memory_gib", "f8"),
        ("tenant", "u8"),  # a number for the tenant that asked for it; 0: unknown
        ("row", "i8"),  # of the file, the first one is 0: the order among VMs of one instant
        ("size", "i4"),  # index into the trace's vm_sizes
        ("priority", "i1"),  # 0 regular, 1 spot
        ("alive_at_start", "?"),  # it was there at t = 0, so only a part of its lifetime was seen
    ]
)
"""A VM as blocks of a trace hold it; times in seconds."""

RAW = np.dtype(
    [
        ("created_s", "f8"),  # on the file's own clock
        ("low_s", "f8"),
        ("high_s", "f8"),
        # no end was seen up to this age at most (and low_s at least); inf: to the end of the observation
        ("seen_s", "f8"),
        ("tenant", "u8"),
        ("row", "i8"),
        ("size", "i4"),
        ("priority", "i1"),
        ("alive_at_start", "?"),
    ]
)
"""A VM as a reader delivers it, before the trace's window is known."""

Rows = NDArray[np.void]

MOST_VM_SIZES = 100_000
"""More VM sizes than this means that a column was mistaken for another."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class VmSize:
    """A kind of VM in a trace by size: its vCPUs and memory, or a size by name, or both."""

    vcpus: float | None
    memory_gib: float | None
    size: str = ""

    def __str__(self) -> str:
        room = f"{self.vcpus:g} vCPU, {self.memory_gib:g} GiB" if self.vcpus and self.memory_gib else ""
        return " ".join(part for part in (self.size, f"({room})" if self.size and room else room) if part)


@dataclass(slots=True)
class VmSizeTable:
    """The kinds of VM met so far, numbered in the order they came."""

    numbers: dict[VmSize, int] = field(default_factory=dict)

    def number(
        self, vcpus: NDArray[np.float64], memory_gib: NDArray[np.float64], size: NDArray[np.str_]
    ) -> NDArray[np.int32]:
        """The number of each row's kind; nan and "" mean unknown."""

        import pandas as pd  # start-up: a scenario without a trace needs no pandas

        table = pd.DataFrame(
            {"vcpus": np.nan_to_num(vcpus), "memory_gib": np.nan_to_num(memory_gib), "size": size.astype(object)}
        )
        which = table.groupby(list(table), sort=False).ngroup().to_numpy()  # numbered in order of appearance
        kinds = table.drop_duplicates().itertuples(index=False)
        vm_sizes = (VmSize(vcpus=vcpu or None, memory_gib=memory or None, size=name) for vcpu, memory, name in kinds)
        numbers = np.array(
            [self.numbers.setdefault(vm_size, len(self.numbers)) for vm_size in vm_sizes], dtype=np.int32
        )
        return numbers[which]

    @property
    def vm_sizes(self) -> tuple[VmSize, ...]:
        """All kinds, by their number."""
        return tuple(self.numbers)

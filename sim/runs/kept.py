"""The replications of a run: in order, unpacked where they are looked at; figures read by column, some columns at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from sim.errors import ResultError
from sim.runs.blocks import Block, Damaged, Source, meaning
from sim.runs.replication import Replication

WINDOW = 4 * 2**20  # figures that are held at a time, of as many metrics as that makes
Key = tuple[str, str]
"""Group, metric."""


class Replications(Sequence[Replication]):
    """The *wanted* ones of the replications in some blocks. Raises ResultError where a file isn't any more what was written."""

    def __init__(self, blocks: Iterable[Block], wanted: range) -> None:
        self._blocks = tuple(blocks)
        self.numbers = wanted
        self._owner = np.zeros(len(wanted), dtype=np.int32)  # index of the block that a replication is in
        for index, block in enumerate(self._blocks):
            self._owner[[number - wanted.start for number in block.numbers if number in wanted]] = index
        self._open: tuple[int, dict[int, Replication]] = (-1, {})
        self._columns: dict[Key, NDArray[np.float64]] = {}

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, place: int) -> Replication: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[Replication, ...]: ...

    def __getitem__(self, place: int | slice) -> Replication | tuple[Replication, ...]:
        if isinstance(place, slice):
            return tuple(self[each] for each in range(*place.indices(len(self))))
        owner = int(self._owner[place])
        if self._open[0] != owner:
            self._open = owner, {}  # the last one's memory first
            self._open = owner, _whole(self._blocks[owner], Block.replications)
        return self._open[1][self.numbers[place]]

    @cached_property
    def heads(self) -> tuple[Mapping[str, Any], ...]:
        """Engine, why that one, and names of the metrics by group: of replications that differ in these, by their first numbers."""
        first: dict[str, int] = {}
        for block in self._blocks:
            for words, numbers in block.heads:
                for number in numbers:
                    if number in self.numbers:
                        first[words] = min(first.get(words, number), number)
        return tuple(meaning(words) for words in sorted(first, key=first.__getitem__))

    @cached_property
    def names(self) -> Mapping[str, tuple[str, ...]]:
        """The metrics of each group."""
        found: dict[str, dict[str, None]] = {group: {} for group in self.heads[0]["metrics"]}
        for head in self.heads:
            for group, own in found.items():
                own.update(dict.fromkeys(head["metrics"].get(group, ())))
        return {group: tuple(own) for group, own in found.items()}

    @cached_property
    def _keys(self) -> list[Key]:
        return [(group, name) for group, names in self.names.items() for name in names]

    def values(self, metric: str, group: str) -> NDArray[np.float64]:
        """A metric in each replication; NaN where it isn't defined."""
        if (group, metric) not in self._columns:
            at, width = self._keys.index((group, metric)), max(16, WINDOW // max(1, len(self)))
            self._columns = {}
            self._columns = self._read(self._keys[at - at % width :][:width])
        return self._columns[group, metric]

    def _read(self, keys: Sequence[Key]) -> dict[Key, NDArray[np.float64]]:
        found = np.full((len(keys), len(self)), math.nan)
        place = {key: index for index, key in enumerate(keys)}
        for block in self._blocks:
            alike, values = _whole(block, lambda each: each.section(0))
            at = 0
            for words, numbers, width in alike:
                columns = values[at : at + width * len(numbers)].reshape(width, len(numbers))
                at += columns.size
                names = [(group, name) for group, own in meaning(words)["metrics"].items() for name in own]
                own = [index for index, number in enumerate(numbers) if number in self.numbers]
                rows = [numbers[index] - self.numbers.start for index in own]
                for index, key in enumerate(names):
                    if key in place:
                        found[place[key], rows] = columns[index, own]
        return dict(zip(keys, found, strict=True))

    def events(self) -> Iterator[Source | None]:
        """The events of each replication, in order; None: none were kept."""
        opened: tuple[int, dict[int, Source]] = (-1, {})
        for number, owner in zip(self.numbers, self._owner.tolist(), strict=True):
            if opened[0] != owner:
                opened = owner, _whole(self._blocks[owner], Block.events)
            yield opened[1].get(number)


def _whole(block: Block, read: Any) -> Any:
    try:
        return read(block)
    except Damaged as wrong:
        raise ResultError(f"{block.file}: {wrong} since this run read it; run it again") from None
    except FileNotFoundError:
        raise ResultError(
            f"{block.file}: is gone, though this run still needs it; is another one writing the same result folder?"
        ) from None

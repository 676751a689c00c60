"""The replications of a run: in order, unpacked where they are looked at; figures read by column, some columns at a time."""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from sim.errors import ResultError
from sim.runs.blocks import Alike, Block, Damaged, Source, meaning
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
            own = block.numbers - wanted.start
            self._owner[own[(own >= 0) & (own < len(wanted))]] = index
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
                own = numbers[(numbers >= self.numbers.start) & (numbers < self.numbers.stop)]
                if own.size:
                    first[words] = min(first.get(words, own.min()), own.min())
        return tuple(meaning(words) for words in sorted(first, key=first.__getitem__))

    @cached_property
    def names(self) -> Mapping[str, tuple[str, ...]]:
        """The metrics of each group."""
        found: dict[str, dict[str, None]] = {group: {} for group in self.heads[0]["metrics"]}
        for head in self.heads:
            for group, own in found.items():
                own.update(dict.fromkeys(head["metrics"].get(group, ())))
        return {group: tuple(own) for group, own in found.items()}

    def values(self, metric: str, group: str) -> NDArray[np.float64]:
        """A metric in each replication; NaN where it isn't defined."""
        key = group, metric
        if key not in self._varying:
            return np.full(len(self), self._constants[key])
        if key not in self._columns:
            keys = [*self._varying]
            at, width = self._varying[key], max(16, WINDOW // max(1, len(self)))
            self._columns = {}  # the last ones' memory first
            self._columns = self._read(keys[at - at % width :][:width])
        return self._columns[key]

    @cached_property
    def _varying(self) -> Mapping[Key, int]:
        """Metrics that are read by column, numbered: those that differ between replications, or all where a window holds them."""
        keys = [(group, name) for group, names in self.names.items() for name in names]
        if len(keys) * len(self) > WINDOW:
            keys = [key for key in keys if key not in self._constants]
        return {key: place for place, key in enumerate(keys)}

    @cached_property
    def _constants(self) -> Mapping[Key, float]:
        """Metrics that are the same in every replication: most are."""
        found: dict[str, NDArray[np.float64]] = {}
        same: dict[str, NDArray[np.bool_]] = {}
        for words, _, rows in self.figures():
            first = found.setdefault(words, rows[0].copy())
            equal = (rows.view(np.int64) == first.view(np.int64)).all(axis=0)
            same[words] = same.get(words, True) & equal
        if len(found) != 1:  # of replications that differ in their metrics, few at a time
            return {}
        (words, values), (is_same,) = *found.items(), same.values()
        return {
            key: value
            for key, value, same in zip(_keys_of(words), values.tolist(), is_same.tolist(), strict=True)
            if same
        }

    def _read(self, keys: Sequence[Key]) -> dict[Key, NDArray[np.float64]]:
        found = np.full((len(keys), len(self)), math.nan)
        place = {key: index for index, key in enumerate(keys)}
        at = 0
        for words, numbers, rows in self.figures():
            own = [(place[key], index) for index, key in enumerate(_keys_of(words)) if key in place]
            to, of = np.array(own, dtype=np.int64).reshape(-1, 2).T
            found[to, at : at + len(numbers)] = rows.T[of]
            at += len(numbers)
        return dict(zip(keys, found, strict=True))

    def figures(self) -> Iterator[Alike]:
        """The figures of all replications in order, of as many at a time as follow one another in a block and have the same metrics."""
        return self._alike(0)

    def rest(self) -> Iterator[Alike]:
        """The same of all else: see `sim.runs.blocks.rest_of`."""
        return self._alike(1)

    def _alike(self, place: int) -> Iterator[Alike]:
        edges = [0, *(np.flatnonzero(np.diff(self._owner)) + 1).tolist(), len(self)]
        for first, last in itertools.pairwise(edges):
            if first < last:
                found = _whole(self._blocks[self._owner[first]], lambda block: block.section(place))
                yield from _in_order(found, self.numbers[first:last])

    def events(self) -> Iterator[Source | None]:
        """The events of each replication, in order; None: none were kept."""
        opened: tuple[int, dict[int, Source]] = (-1, {})
        for number, owner in zip(self.numbers, self._owner.tolist(), strict=True):
            if opened[0] != owner:
                opened = owner, _whole(self._blocks[owner], Block.events)
            yield opened[1].get(number)


def _in_order(found: Sequence[Alike], wanted: range) -> Iterator[Alike]:
    """The wanted ones of a block's replications by number."""
    numbers = np.concatenate([each.numbers for each in found])
    which = np.repeat(np.arange(len(found)), [len(each.numbers) for each in found])
    row = np.concatenate([np.arange(len(each.numbers)) for each in found])
    order = np.argsort(numbers)
    order = order[(numbers[order] >= wanted.start) & (numbers[order] < wanted.stop)]
    which, row = which[order], row[order]
    cuts = (np.flatnonzero((np.diff(which) != 0) | (np.diff(row) != 1)) + 1).tolist()
    for first, last in itertools.pairwise([0, *cuts, len(order)]):
        yield found[which[first]].part(row[first], row[last - 1] + 1)


@lru_cache(maxsize=64)
def _keys_of(words: str) -> Sequence[Key]:
    return [(group, name) for group, own in meaning(words)["metrics"].items() for name in own]


def _whole(block: Block, read: Any) -> Any:
    try:
        return read(block)
    except Damaged as wrong:
        raise ResultError(f"{block.file}: {wrong} since this run read it; run it again") from None
    except FileNotFoundError:
        raise ResultError(
            f"{block.file}: is gone, though this run still needs it; is another one writing the same result folder?"
        ) from None

"""Replications in blocks: compact columns that workers send, files keep and results read, so that memory doesn't grow with them.

A block is a header, two sections packed with zstd, and events. The first section has the figures, the second the rest (bill,
timelines ...). A section is a line of JSON, which says for replications that are alike what their numbers mean, and the numbers
themselves, all of one column after the other: most columns repeat one value, and pack to nothing. Nothing is ever unpickled.
"""

import hashlib
import itertools
import json
import math
import os
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sim.arrays import Floats
from sim.billing.daily_cost import DailyCost
from sim.billing.meters import BillLine
from sim.billing.money import NANO_PER_USD, to_usd
from sim.billing.sla import Deployment
from sim.billing.uptime import Uptime
from sim.lifecycle.power import PowerState
from sim.runs.replication import Replication, Timeline
from sim.runs.results import CommitmentHours
from sim.usage.ledger import UsedTicks

FORMAT = 8  # of blocks
MARK = b"vmfleet%d" % FORMAT
SIZES = struct.Struct("<8s5Q")  # mark; bytes of each section, packed and unpacked; of the events
HEADER = struct.Struct(f"{SIZES.size}s32s32s")  # and SHA-256 of these with each section
DIGEST_BYTES = 32  # SHA-256 of the events, after them
CODEC = "zstd"  # quicker than zip by far
MOST_UNPACKED = 4 * 2**30  # bytes of a section; a year of 1,000 groups by the hour has a sixth of it
MOST_IN_A_BLOCK = 500  # replications
MOST_HELD = 64 * 2**20  # bytes of timelines that wait to become a block
UPTIME_NUMBERS = 3  # of a deployment in a month: deployed, down, worst; credits follow
HALF = 2**62  # nano-dollars are a whole number of any length, kept as two of 64 bits

Arrays = Mapping[str, NDArray[Any]]


class Alike(NamedTuple):
    """Replications whose numbers mean the same: what they mean (JSON), which they are, a row of numbers each."""

    words: str
    numbers: NDArray[np.int64]
    rows: Floats

    def part(self, first: int, last: int) -> "Alike":
        """Some of them."""
        return Alike(self.words, self.numbers[first:last], self.rows[first:last])


Source = Path | memoryview
"""A Parquet file with the events of a replication: on the disk, or its bytes."""


class Damaged(Exception):
    """A kept file isn't what was written."""


@dataclass(frozen=True)
class Block:
    """Some replications, packed: in memory, or in a file from byte *at* on; their events in files of their own, or behind them."""

    content: bytes = field(default=b"", repr=False)
    file: Path | None = None
    at: int = 0
    loose: tuple[Source, ...] = ()  # the events of each replication, not yet kept with the block

    @cached_property
    def _header(self) -> tuple[Any, ...]:
        header = self._bytes(0, HEADER.size)
        if len(header) < HEADER.size:
            raise Damaged("it is cut off")
        sizes, *digests = HEADER.unpack(header)
        mark, *facts = SIZES.unpack(sizes)
        if mark != MARK:
            raise Damaged("it is no kept replication")
        if max(facts[1], facts[3]) > MOST_UNPACKED:
            raise Damaged(f"it unpacks to more than {MOST_UNPACKED:,} bytes")
        return *facts, *digests, sizes

    @property
    def size(self) -> int:
        """Bytes in its file. Raises Damaged or OSError, as everything that reads it does."""
        figures, _, rest, _, events, *_ = self._header
        return int(HEADER.size + figures + rest + events)

    def _bytes(self, at: int, size: int) -> bytes:
        if self.file is None:
            return self.content[at : at + size]
        with self.file.open("rb") as stream:
            stream.seek(self.at + at)
            return stream.read(min(size, os.fstat(stream.fileno()).st_size))

    def _packed(self, place: int) -> bytes:
        size = self._header[2 * place]
        content = self._bytes(HEADER.size + (self._header[0] if place else 0), size)
        if hashlib.sha256(self._header[-1] + content).digest() != self._header[5 + place]:
            raise Damaged("it has changed" if len(content) == size else "it is cut off")
        return content

    def section(self, place: int) -> list[Alike]:
        """The figures (0), or the rest (1)."""
        content = self._packed(place)
        with _damage():
            whole = pa.decompress(content, decompressed_size=self._header[2 * place + 1], codec=CODEC, asbytes=True)
            end = whole.index(b"\n") + 1
            values, at = np.frombuffer(whole, dtype=np.float64, offset=end), 0
            found = []
            for words, numbers, width in json.loads(whole[:end]):
                if width < 0 or {*map(type, numbers)} != {int}:
                    raise ValueError("numbers of replications are whole numbers")
                own = values[at : at + len(numbers) * width]
                found.append(Alike(sys.intern(words), np.array(numbers), own.reshape(width, len(numbers)).T))
                at += own.size
            if at != len(values):
                raise ValueError("numbers are missing")
        return found

    def check(self) -> None:
        """Raise Damaged where it isn't what was written."""
        self._packed(1)
        self.events()
        with _damage():
            for words in [words for words, _ in self.heads] or [""]:
                meaning(words)["engine"], meaning(words)["why"], meaning(words)["metrics"].values()

    @cached_property
    def heads(self) -> list[tuple[str, NDArray[np.int64]]]:
        """What the figures of its replications are (JSON), and the numbers of those replications."""
        return [(words, numbers) for words, numbers, _ in self.section(0)]

    @cached_property
    def numbers(self) -> NDArray[np.int64]:
        """Of its replications, in order; an array, for a list of them takes five times its memory in long runs."""
        return np.sort(np.concatenate([np.empty(0, dtype=np.int64), *(numbers for _, numbers in self.heads)]))

    def replications(self) -> dict[int, Replication]:
        """By number."""
        with _damage():
            figures = {
                number: (meaning(words), row)
                for words, numbers, rows in self.section(0)
                for number, row in zip(numbers.tolist(), rows.tolist(), strict=True)
            }
            return {
                number: _unpacked(number, *figures[number], meaning(each.words), row)
                for each in self.section(1)
                for number, row in zip(each.numbers.tolist(), np.ascontiguousarray(each.rows)[:, None], strict=True)
            }

    def write(self, stream: BinaryIO) -> None:
        """Append it, with its events, to a file."""
        stream.write(self.content)
        if self.loose:
            digest = hashlib.sha256()
            sizes = np.array([_size_of(each) for each in self.loose], dtype="<u8").tobytes()
            for part in itertools.chain([sizes], *map(_parts_of, self.loose)):
                digest.update(part)
                stream.write(part)
            stream.write(digest.digest())

    def events(self) -> dict[int, Source]:
        """The events of each replication, by number; empty: none were kept."""
        if self.file is None:
            return dict(zip(self.numbers.tolist(), self.loose, strict=False))
        if not self._header[4]:
            return {}
        start, size = self.at + self.size - self._header[4], self._header[4]
        behind = np.memmap(self.file, mode="r", offset=start, shape=(size,)).data
        if hashlib.sha256(behind[:-DIGEST_BYTES]).digest() != behind[-DIGEST_BYTES:]:
            raise Damaged("its events have changed")
        first = 8 * len(self.numbers)
        ends = first + np.cumsum(np.frombuffer(behind[:first], dtype="<u8")).astype(np.int64)
        starts = [first, *ends[:-1]]
        return {
            number: behind[start:end] for number, start, end in zip(self.numbers.tolist(), starts, ends, strict=True)
        }


def in_blocks(replications: Iterable[tuple[Replication, Source | None]]) -> Iterator[Block]:
    """Blocks of replications, with their events, that are cut by their content alone."""
    held: list[Replication] = []
    loose: list[Source] = []
    size = 0
    for each, events in replications:
        held.append(each)
        loose += [] if events is None else [events]
        size += sum(own.vms.nbytes for own in each.timeline.values())
        if len(held) == MOST_IN_A_BLOCK or size >= MOST_HELD:
            yield pack(held, loose)
            held, loose, size = [], [], 0
    if held:
        yield pack(held, loose)


def pack(replications: Sequence[Replication], loose: Sequence[Source] = ()) -> Block:
    """A block of some replications, in the order of their numbers; *loose* are their events."""
    sections: tuple[dict[str, tuple[list[int], list[Floats]]], ...] = ({}, {})
    for each in replications:
        for section, (words, values) in zip(sections, (_figures(each), _rest(each)), strict=True):
            numbers, rows = section.setdefault(json.dumps(words), ([], []))
            numbers.append(each.number)
            rows.append(values)
    facts: list[Any] = []
    packed = []
    for section in sections:
        alike = [(words, numbers, len(rows[0])) for words, (numbers, rows) in section.items()]
        whole = (
            json.dumps(alike).encode() + b"\n" + b"".join(np.array(rows).T.tobytes() for _, rows in section.values())
        )
        packed.append(pa.compress(whole, codec=CODEC, asbytes=True))
        facts += len(packed[-1]), len(whole)
    events = sum(8 + _size_of(each) for each in loose) + DIGEST_BYTES if loose else 0
    sizes = SIZES.pack(MARK, *facts, events)
    header = HEADER.pack(sizes, *(hashlib.sha256(sizes + each).digest() for each in packed))
    return Block(content=header + b"".join(packed), loose=tuple(loose))


@contextmanager
def _damage() -> Iterator[None]:
    """Whatever content without sense raises, as Damaged."""
    try:
        yield
    except (KeyError, ValueError, TypeError, AttributeError, IndexError, RecursionError, pa.ArrowException) as wrong:
        raise Damaged(f"it is no kept replication: {type(wrong).__name__}: {wrong}") from wrong


def _size_of(source: Source) -> int:
    return source.stat().st_size if isinstance(source, Path) else len(source)


def _parts_of(source: Source) -> Iterator[bytes]:
    if not isinstance(source, Path):
        yield bytes(source)
        return
    with source.open("rb") as stream:
        while part := stream.read(2**20):
            yield part


@lru_cache(maxsize=256)
def meaning(words: str) -> Any:
    """What the words of a section say; not to be changed."""
    return json.loads(words)


def _figures(each: Replication) -> tuple[dict[str, Any], Floats]:
    groups = each.metrics
    return (
        {"engine": each.engine, "why": each.engine_why, "metrics": {group: [*own] for group, own in groups.items()}},
        np.array([value for own in groups.values() for value in own.values()], dtype=np.float64),
    )


def _rest(each: Replication) -> tuple[dict[str, Any], Floats]:
    cost = each.daily_cost
    words = {
        "bill": [(line.group, line.meter, line.unit, line.counts, line.trusted) for line in each.bill],
        "used": [*each.used],
        "uptimes": [(own.month, own.name, own.deployment, [*own.credit_usd]) for own in each.uptimes],
        "daily_cost": (cost.first_day.isoformat(), cost.keys, cost.amounts.shape[1]),
        "ready_curve": {group: len(own) for group, own in each.ready_curve.items()},
        "timeline": {group: (own.first_hour, len(own.vms)) for group, own in each.timeline.items()},
        "commitments": [(own.name, own.unit, own.first_hour, len(own.used)) for own in each.commitment_hours],
        "vm_timelines": each.vm_timelines,
        "vms": each.vms,
    }
    whole = [
        *(part for line in each.bill for part in divmod(line.amount_nano, HALF)),
        *(part for own in each.used.values() for part in own),
        *(part for own in each.uptimes for part in (own.deployments, own.breaches)),
    ]
    numbers = [
        *(part for line in each.bill for part in (line.quantity, line.unit_price)),
        *(part for own in each.uptimes for part in (own.deployed_min, own.down_min, own.worst, *own.credit_usd.values())),
    ]  # fmt: skip
    arrays = [
        np.array(whole, dtype=np.int64).view(np.float64),
        np.array(numbers, dtype=np.float64),
        cost.amounts,
        *each.ready_curve.values(),
        *(own.vms for own in each.timeline.values()),
        *(part for own in each.commitment_hours for part in (own.used, own.bought)),
    ]
    return words, np.concatenate([array.reshape(-1) for array in arrays])


def rest_of(said: Any, rows: Floats) -> Arrays:
    """What `_rest` put into the numbers of replications, each array with a row for each of them."""
    lines, uptimes, (_, keys, days) = said["bill"], said["uptimes"], said["daily_cost"]
    shapes = {
        "nanos": (len(lines), 2),
        "used": (len(said["used"]), len(UsedTicks._fields)),
        "counts": (len(uptimes), 2),
        "prices": (len(lines), 2),
        "uptimes": (sum(UPTIME_NUMBERS + len(own[3]) for own in uptimes),),
        "costs": (len(keys), days),
        "ready": (sum(said["ready_curve"].values()), 3),
        "timeline": (sum(hours for _, hours in said["timeline"].values()), len(PowerState)),
        "commitments": (sum(2 * own[3] for own in said["commitments"]),),
    }
    at, found = 0, {}
    for name, shape in shapes.items():
        own = rows[:, at : at + math.prod(shape)].reshape(len(rows), *shape)
        found[name] = own.view(np.int64) if name in ("nanos", "used", "counts") else own
        at += math.prod(shape)
    return found


def dollars_of(nanos: NDArray[np.int64]) -> Floats:
    """The amounts of bill lines, as `BillLine.amount` gives them."""
    high, low = nanos[..., 0], nanos[..., 1]
    if not high.any() and low.max(initial=0) <= 2**53:
        return low / NANO_PER_USD
    exact = [to_usd(high * HALF + low) for high, low in nanos.reshape(-1, 2).tolist()]
    return np.array(exact, dtype=np.float64).reshape(low.shape)


def commitments_of(said: Any, numbers: Floats) -> tuple[CommitmentHours, ...]:
    """The commitments of one replication, from its own numbers of `rest_of`."""
    parts = _cut(numbers, [own[3] for own in said["commitments"] for _ in range(2)])
    return tuple(
        CommitmentHours(name=name, unit=unit, first_hour=first, used=next(parts), bought=next(parts))
        for name, unit, first, _ in said["commitments"]
    )


def _cut(rows: Floats, lengths: Iterable[int]) -> Iterator[Floats]:
    at = 0
    for length in lengths:
        yield rows[at : at + length]
        at += length


def _unpacked(number: int, head: Any, figures: Sequence[float], said: Any, row: Floats) -> Replication:
    """The replication of which `_figures` and `_rest` made these."""
    own = {name: each[0] for name, each in rest_of(said, row).items()}
    values, counted = iter(figures), iter(own["uptimes"].tolist())
    (first_day, keys, _), curves, hours = said["daily_cost"], said["ready_curve"], said["timeline"]
    return Replication(
        number=number,
        engine=head["engine"],
        engine_why=head["why"],
        metrics={group: dict(zip(names, values, strict=False)) for group, names in head["metrics"].items()},
        bill=tuple(
            BillLine(
                group=group, meter=meter, quantity=quantity, unit=unit, unit_price=price,
                amount_nano=high * HALF + low, counts=counts_, trusted=trusted,
            )
            for (group, meter, unit, counts_, trusted), (high, low), (quantity, price) in zip(
                said["bill"], own["nanos"].tolist(), own["prices"].tolist(), strict=True
            )
        ),
        used={group: UsedTicks(*ticks) for group, ticks in zip(said["used"], own["used"].tolist(), strict=True)},
        uptimes=tuple(
            Uptime(
                month=month, name=name, deployment=Deployment(deployment), deployments=count, breaches=breaches,
                deployed_min=next(counted), down_min=next(counted), worst=next(counted),
                credit_usd={group: next(counted) for group in groups},
            )
            for (month, name, deployment, groups), (count, breaches) in zip(said["uptimes"], own["counts"].tolist(), strict=True)
        ),
        daily_cost=DailyCost(
            first_day=date.fromisoformat(first_day), keys=tuple(map(tuple, keys)), amounts=own["costs"]
        ),
        ready_curve=dict(zip(curves, _cut(own["ready"], curves.values()), strict=True)),
        timeline={
            group: Timeline(first_hour=first, vms=vms)
            for (group, (first, _)), vms in zip(
                hours.items(), _cut(own["timeline"], (count for _, count in hours.values())), strict=True
            )
        },
        commitment_hours=commitments_of(said, own["commitments"]),
        vm_timelines=tuple(map(tuple, said["vm_timelines"])),
        vms=said["vms"],
    )  # fmt: skip

"""Kept replications, so that none is simulated twice: files named by their inputs, never by their time.

The name is a digest of the program, the inputs, the seed and the engine, so the same name always means the same
content, and a wrong hit is impossible. A file appears whole (written under a temporary name, then renamed) or not at
all, and ends with its digest: a damaged one is simulated again, with a warning. Nothing is ever unpickled.
"""

import hashlib
import io
import json
import os
import shutil
import time
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Mapping, ValuesView
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import date
from operator import attrgetter
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from sim.billing.daily_cost import DailyCost
from sim.billing.meters import BillLine
from sim.billing.sla import Deployment
from sim.billing.uptime import Uptime
from sim.errors import ResultError, VmfleetWarning
from sim.files import check_regular, write_whole
from sim.runs.provenance import input_digest, program_digest
from sim.runs.replication import Replication, Timeline
from sim.runs.results import CommitmentHours
from sim.runs.simulation_input import SimulationInput
from sim.usage.ledger import UsedTicks

FORMAT = 7  # of the files; part of every name
MOST_UNPACKED = 4 * 2**30  # bytes of a replication; a year of 1,000 groups by the hour has a sixth of it
CODEC = "zstd"  # quicker than zip by far
DIGEST_BYTES = 32  # SHA-256, at the end of every file
MOST_BYTES = 2 * 2**30  # size to which a cache is trimmed after a study, least recently used first ...
PLAIN = (
    "number",
    "engine",
    "engine_why",
    "metrics",
    "vm_timelines",
    "vms",
    "used",
)  # of a replication, written as they are
SPARED_S = 3_600.0  # ... but nothing used in the last hour: another study may be reading it


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheEntry:
    """Where the replications of one (program, inputs, seed, engine) are kept."""

    folder: Path

    def get(self, number: int) -> Replication | None:
        """Replication *number* if it was finished, else None; a damaged file is a warning."""
        try:
            found = self.read(number)
            os.utime(self.folder)  # used: trimmed last
            return found
        except FileNotFoundError:
            return None
        except (OSError, Damaged) as wrong:
            said = (
                f"{self._file(number)}: a kept replication is damaged or can't be read ({wrong}); it is simulated again"
            )
            warnings.warn(said, VmfleetWarning, stacklevel=2)
            return None

    def read(self, number: int) -> Replication:
        """Replication *number*. Raises OSError or Damaged."""
        try:
            found = _read(self._file(number))
        except (KeyError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as wrong:
            raise Damaged(f"it is no kept replication: {type(wrong).__name__}: {wrong}") from wrong
        if found.number != number:
            raise Damaged(f"it holds replication {found.number}")
        return found

    def put(self, replication: Replication) -> Replication:
        """Keep a finished replication; the one returned reads its timeline from the file, so memory stays small."""
        file = self._file(replication.number)
        self.folder.mkdir(parents=True, exist_ok=True)
        content = _packed(replication)
        write_whole(file, content + hashlib.sha256(content).digest(), sync=False)
        return replace(replication, timeline=KeptTimeline(file, tuple(replication.timeline)))

    def finished(self) -> int:
        """How many replications are kept here."""
        return len(list(self.folder.glob("[0-9]*.npz")))

    def forget(self) -> None:
        """Remove everything kept here."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _file(self, number: int) -> Path:
        return self.folder / f"{number:06d}.npz"


def keep_parts(folder: Path, replications: Iterable[Replication]) -> None:
    """Keep the replications of a shard, with their events, in a folder of its result."""
    entry = CacheEntry(folder=folder)
    folder.mkdir()
    for each in replications:
        events = each.events and shutil.copyfile(each.events, folder / each.events.name)
        entry.put(replace(each, events=events))


@dataclass(slots=True)
class RunCache:
    """A folder of kept replications, safe for several processes at once."""

    folder: Path
    reused: int = field(default=0, compare=False)  # replications found here instead of simulated

    def entry(self, inputs: SimulationInput, seed: int, *, engine: str = "auto", events: bool = False) -> CacheEntry:
        """Where replications with these inputs are kept; nothing is made on disk until one is."""
        content = f"{FORMAT}:{program_digest()}:{input_digest(inputs)}:{seed}:{engine}:{events}"
        name = hashlib.sha256(content.encode()).hexdigest()[:32]
        return CacheEntry(folder=self.folder / name[:2] / name)

    def forget(self) -> None:
        """Remove all entries, and the folder if nothing else is in it."""
        for entries in self.folder.glob("[0-9a-f][0-9a-f]"):
            shutil.rmtree(entries, ignore_errors=True)
        with suppress(OSError):  # absent, or with something of the user's
            self.folder.rmdir()

    def trim(self, most_bytes: int = MOST_BYTES, spared_s: float = SPARED_S) -> None:
        """Cut a cache that has grown too large: the entries used longest ago go first."""
        entries = []
        for entry in self.folder.glob("[0-9a-f][0-9a-f]/*"):
            with suppress(OSError):  # gone meanwhile: another process is trimming too
                size = sum(file.stat().st_size for file in entry.iterdir())
                entries.append((entry.stat().st_mtime, size, entry))
        total = sum(size for _, size, _ in entries)
        for used_at, size, entry in sorted(entries):
            if total <= most_bytes or used_at > time.time() - spared_s:
                return
            shutil.rmtree(entry, ignore_errors=True)
            total -= size

    def sign(self) -> None:
        """Mark the folder as a cache, so that git and backups skip it."""
        if not self.folder.is_dir():
            return
        signature = "Signature: 8a477f597d28d172789f06886806bc55\n# Made by vmfleet; may be deleted at any time.\n"
        for name, content in ((".gitignore", "*\n"), ("CACHEDIR.TAG", signature)):
            if not (self.folder / name).exists():
                (self.folder / name).write_text(content, encoding="utf-8")


class KeptTimeline(Mapping[str, Timeline]):
    """The timelines of a replication on disk, read when needed."""

    def __init__(self, file: Path, groups: tuple[str, ...]) -> None:
        self._file = file
        self._groups = groups

    def __getitem__(self, group: str) -> Timeline:
        if group not in self._groups:
            raise KeyError(group)
        return self._read()[group]

    def values(self) -> ValuesView[Timeline]:
        """The timelines of all groups; the file is read once."""
        return self._read().values()

    def _read(self) -> dict[str, Timeline]:
        try:
            with _content(self._file) as content:
                firsts, parts = content["first_hours"].tolist(), np.split(content["vms"], content["vms_ends"])
                timelines = (Timeline(first_hour=first, vms=vms) for first, vms in zip(firsts, parts, strict=True))
                return dict(zip(self._groups, timelines, strict=True))
        except Damaged as wrong:
            raise ResultError(f"{self._file}: {wrong} since this run read it; run it again") from None
        except FileNotFoundError:
            raise ResultError(
                f"{self._file}: is gone, though this run still needs it; is another one writing the same result folder?"
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._groups)

    def __len__(self) -> int:
        return len(self._groups)


_BILL_FIELDS = tuple(each.name for each in fields(BillLine))
_BILL_FIGURES = attrgetter(*_BILL_FIELDS)


def _packed(replication: Replication) -> bytes:
    described = {key: getattr(replication, key) for key in PLAIN} | {
        "bill": [*map(_BILL_FIGURES, replication.bill)],
        "groups": list(replication.timeline),
        "curves": list(replication.ready_curve),
        "uptimes": [asdict(each) for each in replication.uptimes],
        "commitments": [(each.name, each.unit, each.first_hour) for each in replication.commitment_hours],
        "daily_cost": (replication.daily_cost.first_day.isoformat(), replication.daily_cost.keys),
        "events": (replication.events.name, _digest(replication.events)) if replication.events is not None else None,
    }
    # JSON writes a float so that reading it gives the same bits, NaN included.
    arrays: dict[str, NDArray[Any]] = {
        "described": np.frombuffer(json.dumps(described, default=dict).encode(), dtype=np.uint8),
        "daily_cost": replication.daily_cost.amounts,
    }
    timelines = [*replication.timeline.values()]
    arrays["first_hours"] = np.array([timeline.first_hour for timeline in timelines], dtype=np.int64)
    for name, parts in (("vms", [each.vms for each in timelines]), ("curve", [*replication.ready_curve.values()])):
        arrays[f"{name}_ends"] = np.cumsum([len(part) for part in parts[:-1]], dtype=np.int64)
        arrays[name] = np.concatenate(parts) if parts else np.zeros((0, 3))
    for index, each in enumerate(replication.commitment_hours):
        arrays[f"used_{index}"], arrays[f"bought_{index}"] = each.used, each.bought
    written = pa.BufferOutputStream()
    with io.BytesIO() as whole, pa.CompressedOutputStream(written, CODEC) as packed:
        np.savez(whole, allow_pickle=False, **arrays)
        packed.write(whole.getbuffer())
    return bytes(written.getvalue())


class Damaged(Exception):
    """A kept file isn't what was written."""


def _content(file: Path) -> NpzFile:
    """The arrays that were written, without the digest at the file's end. Raises Damaged: the two don't fit."""
    check_regular(file, ResultError, most=MOST_UNPACKED)
    whole = file.read_bytes()
    content, digest = whole[:-DIGEST_BYTES], whole[-DIGEST_BYTES:]
    if hashlib.sha256(content).digest() != digest:
        raise Damaged("it has changed")
    arrays = pa.CompressedInputStream(pa.BufferReader(content), CODEC).read(MOST_UNPACKED + 1)
    if len(arrays) > MOST_UNPACKED:
        raise Damaged(f"it unpacks to more than {MOST_UNPACKED:,} bytes")
    return cast("NpzFile[Any]", np.load(io.BytesIO(arrays), allow_pickle=False))


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _read(file: Path) -> Replication:
    with _content(file) as content:
        curves = np.split(content["curve"], content["curve_ends"])
        described = json.loads(content["described"].tobytes())
        commitments = tuple(
            CommitmentHours(
                name=name, unit=unit, first_hour=first, used=content[f"used_{index}"], bought=content[f"bought_{index}"]
            )
            for index, (name, unit, first) in enumerate(described["commitments"])
        )
        first_day, keys = described["daily_cost"]
        daily_cost = DailyCost(
            first_day=date.fromisoformat(first_day), keys=tuple(map(tuple, keys)), amounts=content["daily_cost"]
        )
    events = None
    if described["events"] is not None:
        name, digest = described["events"]
        events = file.parent / Path(name).name  # never a file elsewhere
        if _digest(events) != digest:
            raise Damaged(f"{name} has changed")
    return Replication(
        **{key: described[key] for key in PLAIN}
        | {
            "vm_timelines": tuple(map(tuple, described["vm_timelines"])),
            "used": {group: UsedTicks(*ticks) for group, ticks in described["used"].items()},
        },
        ready_curve=dict(zip(described["curves"], curves, strict=False)),
        bill=tuple(BillLine(**dict(zip(_BILL_FIELDS, line, strict=True))) for line in described["bill"]),
        timeline=KeptTimeline(file, tuple(described["groups"])),
        uptimes=tuple(
            Uptime(**(each | {"deployment": Deployment(each["deployment"])})) for each in described["uptimes"]
        ),
        commitment_hours=commitments,
        daily_cost=daily_cost,
        events=events,
    )


def cache_beside(folder: Path) -> RunCache:
    """The cache shared by the studies whose results stand in the same folder."""
    return RunCache(folder.parent / ".vmfleet-cache")

"""Kept replications, so that none is simulated twice: named by their inputs, never by their time.

The name is a digest of the program, the inputs, the seed and the engine, so the same name always means the same content, and a
wrong hit is impossible. Blocks of replications are appended to part files, a few for a run: each process begins one of its own, and
each block has its digests. What a crash cut off, or a disk damaged, is simulated again, with a warning; what is whole before it counts.
"""

import hashlib
import os
import shutil
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from sim.errors import ResultError, VmfleetWarning
from sim.files import check_regular
from sim.runs.blocks import FORMAT, Block, Damaged, in_blocks
from sim.runs.kept import Replications
from sim.runs.provenance import input_digest, program_digest
from sim.runs.remote import Store, copy_of, new_place, url_of
from sim.runs.simulation_input import SimulationInput

if sys.platform != "win32":
    import fcntl

PART = "replications-{}.part"
PARTS = "replications-*.part"
SENT_EVERY_S = 60.0  # to a store
PART_BYTES = 512 * 2**20  # size at which a part file is full
MOST_BYTES = 2 * 2**30  # size to which a cache is trimmed after a study, least recently used first ...
SPARED_S = 3_600.0  # ... but nothing used in the last hour: another study may be reading it


@dataclass(slots=True, kw_only=True)
class CacheEntry:
    """Where the replications of one (program, inputs, seed, engine) are kept."""

    folder: Path
    _file: Path | None = None  # this process's own, to append to
    _begun_s: float = 0.0  # when its first block was appended
    _stage: Path | None = None  # of an entry in a store: where its files are until they are sent

    @property
    def place(self) -> Path:
        """A folder here, to write to."""
        if url_of(self.folder) is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            return self.folder
        self._stage = self._stage or new_place()
        return self._stage

    def blocks(self) -> Iterator[Block]:
        """What is kept, each replication once. A warning names what is damaged: it is simulated again."""
        seen: set[int] = set()
        with suppress(FileNotFoundError):
            os.utime(self.folder)  # used: trimmed last
        for file in sorted(copy_of(self.folder).glob(PARTS)):
            for block in _blocks_of(file):
                numbers = block.numbers.tolist()
                if seen.isdisjoint(numbers):  # two processes may have simulated the same
                    seen.update(numbers)
                    yield block

    def put(self, block: Block) -> Block:
        """Keep finished replications, and their events; the block returned reads them from the file, so memory stays small."""
        if self._file is None or self._file.stat().st_size >= PART_BYTES:
            self._file = self._new_file()
        with self._file.open("ab") as stream, _locked(stream, write=True):
            at = stream.seek(0, os.SEEK_END)
            try:
                block.write(stream)
                stream.flush()
            except BaseException:
                with suppress(OSError):
                    stream.truncate(at)
                raise
        for each in block.loose:
            if isinstance(each, Path):
                each.unlink(missing_ok=True)
        kept = Block(file=self._file, at=at)
        if time.monotonic() - self._begun_s > SENT_EVERY_S:
            self.send()
        return kept

    def send(self) -> None:
        """To a store: what it doesn't have yet. There, nothing can be appended to a file: each time it is another one."""
        url = url_of(self.folder)
        if url is not None and self._file is not None:
            Store(url).put(self._file, PART.format(token_hex(8)))
            self._file = None

    def _new_file(self) -> Path:
        self._begun_s = time.monotonic()
        for number in range(10**6):
            file = self.place / PART.format(f"{number:03d}")
            with suppress(FileExistsError):
                file.open("xb").close()
                return file
        raise AssertionError("a million part files")


def _blocks_of(file: Path) -> Iterator[Block]:
    """The blocks of a part file, as far as it is whole."""
    at = 0
    try:
        check_regular(file, ResultError)
        with file.open("rb") as stream, _locked(stream, write=False):
            size = os.fstat(stream.fileno()).st_size
        while at < size:
            block = Block(file=file, at=at)
            at += block.size
            if at > size:
                raise Damaged("its end is cut off")
            try:
                block.check()
            except Damaged as wrong:
                _warn(file, wrong)
            else:
                yield block
    except (OSError, ResultError, Damaged) as wrong:
        _warn(file, wrong)


def _warn(file: Path, wrong: Exception) -> None:
    said = f"{file}: kept replications are damaged or can't be read ({wrong}); they are simulated again"
    warnings.warn(said, VmfleetWarning, stacklevel=2)


@contextmanager
def _locked(stream: BinaryIO, *, write: bool) -> Iterator[None]:
    """Until a block is written whole, who reads waits."""
    if sys.platform != "win32":
        with suppress(OSError):  # a file system without locks: then a block that is being written looks cut off
            fcntl.flock(stream, fcntl.LOCK_EX if write else fcntl.LOCK_SH)
    yield


def read_parts(folder: Path) -> Iterator[Block]:
    """The blocks of a folder that must be whole. Raises Damaged or OSError."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", VmfleetWarning)
        try:
            yield from CacheEntry(folder=folder).blocks()
        except VmfleetWarning as wrong:
            raise Damaged(str(wrong)) from None


def keep_parts(folder: Path, replications: Replications) -> None:
    """Keep the replications of a shard, with their events, in a folder of its result: the same bytes however they were simulated."""
    entry = CacheEntry(folder=folder)
    for block in in_blocks(zip(replications, replications.events(), strict=True)):
        entry.put(block)


@dataclass(slots=True)
class RunCache:
    """A folder of kept replications, safe for several processes at once."""

    folder: Path  # or a text; an address as a text is checked
    reused: int = field(default=0, compare=False)  # replications found here instead of simulated

    def __post_init__(self) -> None:
        url_of(self.folder)
        self.folder = Path(self.folder)

    def entry(self, inputs: SimulationInput, seed: int, *, engine: str = "auto", events: bool = False) -> CacheEntry:
        """Where replications with these inputs are kept; nothing is made on disk until one is."""
        content = f"{FORMAT}:{program_digest()}:{input_digest(inputs)}:{seed}:{engine}:{events}"
        name = hashlib.sha256(content.encode()).hexdigest()[:32]
        return CacheEntry(folder=self.folder / name[:2] / name)

    def forget(self) -> None:
        """Remove all entries, and the folder if nothing else is in it."""
        if (url := url_of(self.folder)) is not None:
            Store(url).forget(lambda name: name.endswith(".part"))
            return
        for entries in self.folder.glob("[0-9a-f][0-9a-f]"):
            shutil.rmtree(entries, ignore_errors=True)
        with suppress(OSError):  # absent, or with something of the user's
            self.folder.rmdir()

    def is_empty(self) -> bool:
        """Whether nothing is kept."""
        url = url_of(self.folder)
        return not (self.folder.exists() if url is None else Store(url).names())

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


def cache_beside(folder: Path) -> RunCache:
    """The cache shared by the studies whose results stand in the same folder."""
    return RunCache(folder.parent / ".vmfleet-cache")

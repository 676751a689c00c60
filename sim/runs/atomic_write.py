"""Writes a result folder as a whole or not at all, and never over files that vmfleet didn't write.

The folder is made beside its place under a temporary name, flushed to the disk, and renamed; an earlier result there is
replaced. What a killed process left is repaired by the next one.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import os
import platform
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sim.errors import ResultError

PROGRAM = "vmfleet"
SUMMARY = "summary.json"
PROVENANCE = "provenance.json"
COMPARISON = "comparison.json"
OURS = frozenset(  # every name that may stand in a result folder; lives.parquet: version 0.1
    {
        SUMMARY,
        PROVENANCE,
        COMPARISON,
        "scenario.toml",
        "scenarios",
        "runs",
        "figures",
        "report.html",
        *(f"{table}.{form}" for table in ("replications", "bill", "sla") for form in ("parquet", "csv")),
        *(f"{table}.parquet" for table in ("timeline", "events", "vm_timelines", "lives", "commitments")),
        *(f"{table}.{form}" for table in ("sweep", "size", "sensitivity") for form in ("json", "csv", "parquet")),
    }
)


def check_folder(folder: str | Path) -> None:
    """Raise ResultError if no result can be written here; call it before a long run, not after it."""
    folder = Path(folder)
    _check_ours(folder)
    with _explained(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        clear_leftovers(folder)
        probe = beside(folder, "probe")
        probe.mkdir()
        probe.rmdir()


def unfinished_folder(folder: str | Path) -> Path:
    """Where the finished replications of an unfinished run are kept: beside its result folder."""
    folder = Path(folder)
    return folder.parent / f".{folder.name}.unfinished"


@contextmanager
def new_folder(folder: str | Path) -> Iterator[Path]:
    """A temporary folder to fill; it takes *folder*'s place once the block has ended well, else it is removed."""
    folder = Path(folder)
    _check_ours(folder)
    with _explained(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        clear_leftovers(folder)
        place = beside(folder, "new")
        place.mkdir()
        try:
            yield place
            _flush(place)
            _take_place(place, folder)
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise


def beside(folder: Path, what: str) -> Path:
    """A name beside a folder that holds machine and process, to tell leftovers from work in progress."""
    return folder.parent / f".{folder.name}.{what}-{_machine()}-{os.getpid()}-{secrets.token_hex(4)}"


def _machine() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def clear_leftovers(folder: Path) -> None:
    """Repair what a killed process left beside a folder: give an old result its name back, remove unfinished ones."""
    for entry in folder.parent.glob(f".{glob.escape(folder.name)}.*-{_machine()}-*-*"):
        what, _, pid, _ = entry.name.removeprefix(f".{folder.name}.").split("-")
        if _is_alive(int(pid)):
            continue
        if what == "old" and not folder.exists():
            entry.rename(folder)  # killed between the two renames of `_take_place`
        else:
            shutil.rmtree(entry, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    if os.name != "posix":
        return True  # elsewhere signal 0 isn't a test: leave the folder to the user
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # another user's
    return True


def _check_ours(folder: Path) -> None:
    """Refuse to replace what vmfleet didn't write."""
    try:
        if not folder.exists():
            return
        if not folder.is_dir():
            raise ResultError(f"{folder}: is a file; give a folder for the result")
        names = {entry.name for entry in folder.iterdir()}
    except OSError as refusal:
        raise _as_result_error(folder, refusal) from refusal
    if not names:
        return
    if PROVENANCE not in names or not _is_ours(folder / PROVENANCE):
        raise ResultError(f"{folder}: is not empty and holds no result of {PROGRAM}; give another folder")
    foreign = sorted(names - OURS)
    if foreign:
        raise ResultError(
            f"{folder}: holds {', '.join(foreign[:5])}, which {PROGRAM} didn't write; move it, or give another folder"
        )


def _is_ours(path: Path) -> bool:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    program = content.get("program") if isinstance(content, dict) else None
    return isinstance(program, dict) and program.get("name") == PROGRAM


def _flush(place: Path) -> None:
    """Flush every file and folder to the disk before any of it gets its name."""
    for root, _, names in os.walk(place, topdown=False):
        folders = (Path(root),) if os.name == "posix" else ()  # elsewhere a folder can't be opened
        for path in (*(Path(root) / name for name in names), *folders):
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def _take_place(place: Path, folder: Path) -> None:
    """Rename *place* to *folder*, moving what stood there out of the way and removing it last."""
    if not folder.exists():
        place.rename(folder)
        return
    old = beside(folder, "old")
    folder.rename(old)
    try:
        place.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Errors of the operating system (full disk, missing right) as ResultError, in words."""
    try:
        yield
    except OSError as refusal:
        raise _as_result_error(folder, refusal) from refusal


@contextmanager
def full_disk_explained(folder: str | Path) -> Iterator[None]:
    """A disk that fills up while replications are kept beside a folder, as ResultError with the folder's name."""
    try:
        yield
    except OSError as refusal:
        if refusal.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise _as_result_error(Path(folder), refusal) from refusal


def _as_result_error(folder: Path, refusal: OSError) -> ResultError:
    words = {
        errno.ENOSPC: "the disk is full",
        errno.EDQUOT: "the disk quota is used up",
        errno.EROFS: "the file system is read-only",
        errno.EACCES: "no right to write there",
        errno.EPERM: "no right to write there",
        errno.ENOTDIR: "a part of the path is a file, not a folder",
        errno.EEXIST: "a part of the path is a file, not a folder",
    }
    reason = words.get(refusal.errno or 0, refusal.strerror or str(refusal))
    kept = unfinished_folder(folder)
    resumed = f"; finished replications are kept in {kept}: --resume goes on from them" if _holds_any(kept) else ""
    return ResultError(f"{folder}: can't write the result: {reason}; nothing was left half written{resumed}")


def _holds_any(kept: Path) -> bool:
    """Whether any finished replication is kept in a folder that may not be there."""
    try:
        return next(kept.rglob("[0-9]*.npz"), None) is not None
    except OSError:
        return False

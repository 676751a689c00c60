"""Writes a result folder as a whole or not at all, and never over files that vmfleet didn't write.

The folder is made in a hidden workplace beside its place, flushed to the disk, and renamed; an earlier result there is
replaced, and what users have put into its subfolders is taken along. A workplace says in a file of its own what it is for,
and is locked while it is in use: what a killed process left is repaired by the next one.
"""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from sim.errors import ResultError
from sim.runs import remote
from sim.runs.digests import PROVENANCE, digests, facts_digest, is_drawn, read_provenance, recorded, write_provenance
from sim.runs.workplace import MARKER, PROGRAM, WORKPLACE, clear_leftovers, workplace

SUMMARY = "summary.json"
COMPARISON = "comparison.json"
OURS = frozenset(  # every name that may stand in a result folder; lives.parquet, .report.html.writing: version 0.1
    f"{SUMMARY} summary.csv {PROVENANCE} {COMPARISON} scenario.toml scenarios runs parts figures report.html .report.html.writing".split()
    + [
        f"{table}.{form}"
        for table in ("replications", "bill", "cost_by_month", "sla", "causes")
        for form in ("parquet", "csv")
    ]
    + [
        f"{table}.parquet"
        for table in ("timeline", "cost_timeline", "ready_curve", "events", "vm_timelines", "lives", "commitments")
    ]
    + [
        f"{table}.{form}"
        for table in ("sweep", "size", "sensitivity", "backtest", "recommend")
        for form in ("json", "csv", "parquet")
    ]
)

REFUSALS = {
    errno.ENOSPC: "the disk is full",
    errno.EFBIG: "the file would be larger than the system allows (ulimit -f)",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "no right to write there",
    errno.EPERM: "no right to write there",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EEXIST: "a part of the path is a file, not a folder",
}
"""What the operating system means."""


def check_folder(folder: str | Path) -> None:
    """Raise ResultError if no result can be written here; call it before a long run, not after it."""
    folder = _real(folder)
    _check_ours(folder)
    if url := remote.url_of(folder):
        remote.Store(url).check_writable()
        return
    with _explained(folder):
        if folder.parent.is_dir():
            clear_leftovers(folder)
        there = next(each for each in folder.parents if each.exists())
        Path(tempfile.mkdtemp(prefix=WORKPLACE, dir=there)).rmdir()


def unfinished_folder(folder: str | Path, command: str = "run") -> Path:
    """Where the finished replications of an unfinished run, or of a study, are kept: beside its result folder."""
    folder = _real(folder)
    return folder.parent / f".{folder.name}.unfinished{'' if command == 'run' else '-' + command}"


@contextmanager
def new_folder(folder: str | Path) -> Iterator[Path]:
    """A temporary folder to fill; it takes *folder*'s place once the block has ended well, else it is removed.

    A symbolic link is followed. `provenance.json` gets the digest of every file. In a store, see `sim.runs.remote`.
    """
    folder = _real(folder)
    _check_ours(folder)
    if url := remote.url_of(folder):
        with tempfile.TemporaryDirectory(prefix=WORKPLACE) as new:
            yield Path(new)
            _record(Path(new))
            remote.Store(url).publish(Path(new))
        return
    with _explained(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        clear_leftovers(folder)
        with workplace(folder.parent, folder) as work:
            place = work / "new"
            place.mkdir()
            yield place
            _record(place)
            _take_along(folder, place)
            _flush(place)
            if folder.exists():
                folder.rename(work / "old")
            place.rename(folder)


def move_result(folder: Path, goal: Path) -> None:
    """Give a result folder another name; a result there is replaced as by a new one. Raises ResultError: it holds other files."""
    _check_ours(goal)
    with _explained(goal), workplace(goal.parent, goal) as work:
        _take_along(goal, folder)
        if goal.exists():
            goal.rename(work / "old")
        folder.rename(goal)


def _real(folder: str | Path) -> Path:
    """The folder that a path, which may be a symbolic link, leads to; an address in a store stays one."""
    return Path(folder if remote.url_of(folder) else os.path.realpath(folder))


@contextmanager
def drawing_in(folder: Path) -> Iterator[Path]:
    """A place to draw a report in; its files go into the result folder, and its list of files, when the block ends."""
    clear_leftovers(folder)
    with workplace(folder, folder) as work:
        place = work / "new"
        place.mkdir()
        yield place
        drawn = digests(place)
        for name in drawn:
            (folder / name).parent.mkdir(exist_ok=True)
            (place / name).replace(folder / name)
        stated = recorded(folder)
        if stated is not None:
            tables = {name: digest for name, digest in stated.items() if not is_drawn(name)}
            write_provenance(place, read_provenance(folder) | {"files": tables | drawn})
            (place / PROVENANCE).replace(folder / PROVENANCE)
        remote.send_back(folder, drawn)


def _record(place: Path) -> None:
    """Put the digests of a new folder's files into its `provenance.json`."""
    if (place / PROVENANCE).exists():
        facts = read_provenance(place)
        write_provenance(place, facts | {"files": digests(place) | {PROVENANCE: facts_digest(facts)}})


def _take_along(folder: Path, place: Path) -> None:
    """Copy what users have put into the subfolders of the old result into the new one."""
    for path in _foreign(folder):
        goal = place / path.relative_to(folder)
        if os.path.lexists(goal):
            raise ResultError(
                f"{path}: would be replaced, and {PROGRAM} didn't write it; move it, or give another folder"
            )
        goal.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, goal, follow_symlinks=False)


def _foreign(folder: Path) -> list[Path]:
    """Files and links below a result folder's subfolders that vmfleet didn't write."""
    entries = [path for path in folder.rglob("*") if path.parent != folder and (path.is_symlink() or not path.is_dir())]
    entries = [path for path in entries if not path.relative_to(folder).parts[0].startswith(WORKPLACE)]
    stated = recorded(folder)
    if stated is not None:
        return [path for path in entries if path.relative_to(folder).as_posix() not in stated]
    # Version 0.1 kept no list: its scenarios are numbered, and each of its figures is three files.
    return [
        path
        for path in entries
        if not (path.parent.name == "scenarios" and path.name[:3].isdigit())
        and not all(path.with_suffix(form).exists() for form in (".svg", ".png", ".csv"))
    ]


def _check_ours(folder: Path) -> None:
    """Refuse to replace what vmfleet didn't write."""
    if url := remote.url_of(folder):
        names, facts = remote.Store(url).result()
    else:
        with _explained(folder):
            if not folder.exists():
                return
            if not folder.is_dir():
                raise ResultError(f"{folder}: is a file; give a folder for the result")
            names = {entry.name for entry in folder.iterdir() if not (entry / MARKER).is_file()}
        facts = read_provenance(folder)
    if not names:
        return
    program, said = facts.get("program"), url or folder
    if not isinstance(program, dict) or program.get("name") != PROGRAM:
        raise ResultError(f"{said}: is not empty and holds no result of {PROGRAM}; give another folder")
    foreign = sorted(names - OURS)
    if foreign:
        raise ResultError(
            f"{said}: holds {', '.join(foreign[:5])}, which {PROGRAM} didn't write; move it, or give another folder"
        )


def _flush(place: Path) -> None:
    """Flush every file and folder to the disk before any of it gets its name."""
    for root, _, names in os.walk(place, topdown=False):
        folders = (Path(root),) if os.name == "posix" else ()  # elsewhere a folder can't be opened
        for path in (*(Path(root) / name for name in names), *folders):
            if path.is_symlink():
                continue
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


@contextmanager
def _explained(folder: Path, only: tuple[int, ...] = ()) -> Iterator[None]:
    """Errors of the operating system (full disk, missing right) as ResultError, in words; all, or those of some numbers."""
    try:
        yield
    except OSError as refusal:
        if only and refusal.errno not in only:
            raise
        reason = REFUSALS.get(refusal.errno or 0, refusal.strerror or str(refusal))
        kept = unfinished_folder(folder)
        resumed = f"; finished replications are kept in {kept}: --resume goes on from them" if _holds_any(kept) else ""
        said = f"{folder}: can't write the result: {reason}; nothing was left half written{resumed}"
        raise ResultError(said) from refusal


def full_disk_explained(folder: str | Path) -> AbstractContextManager[None]:
    """A disk that fills up while replications are kept beside a folder, as ResultError with the folder's name."""
    return _explained(Path(folder), (errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


def _holds_any(kept: Path) -> bool:
    """Whether any finished replication is kept in a folder that may not be there."""
    try:
        return next(kept.rglob("*.part"), None) is not None
    except OSError:
        return False

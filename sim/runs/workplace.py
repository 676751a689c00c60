"""Hidden folders to make files in, which say in a file of their own what they are for, and are locked while in use.

What a killed process left in one is repaired by the next process that writes the same result folder.
"""

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

if sys.platform != "win32":
    import fcntl

PROGRAM = "vmfleet"
WORKPLACE = ".vmfleet-writing-"  # how a workplace's name begins; whose it is stands in its marker
MARKER = "owner.json"
ABANDONED_S = 3_600.0  # age of a workplace without a marker at which no process can still be about to write one


@contextmanager
def workplace(parent: Path, folder: Path) -> Iterator[Path]:
    """A new hidden folder in *parent* to make files for *folder* in; gone when the block ends."""
    work = Path(tempfile.mkdtemp(prefix=WORKPLACE, dir=parent))
    try:
        with (work / MARKER).open("x", encoding="utf-8") as marker:
            _lock(marker)  # before it says anything: without a word, no other process touches it
            json.dump({"program": PROGRAM, "folder": folder.name}, marker)
            marker.flush()
            yield work
    finally:
        _close(work, folder)


def clear_leftovers(folder: Path) -> None:
    """Repair what a killed process left beside a folder or in it: an old result gets its name back, the rest is removed."""
    for work in (*folder.parent.glob(f"{WORKPLACE}*"), *folder.glob(f"{WORKPLACE}*")):
        with suppress(OSError, ValueError):  # another process's, or not readable
            with (work / MARKER).open("r+", encoding="utf-8") as marker:
                if json.load(marker) == {"program": PROGRAM, "folder": folder.name} and _lock(marker):
                    _close(work, folder)
            continue
        with suppress(OSError):  # killed before it had a marker; rmdir takes only what is empty
            if work.stat().st_mtime < time.time() - ABANDONED_S:
                work.rmdir()


def _lock(marker: IO[str]) -> bool:
    """Lock a workplace for this process; False: another running one has it."""
    if sys.platform == "win32":
        return False  # there, leftovers stay until the user removes them
    try:
        fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _close(work: Path, folder: Path) -> None:
    """Remove a workplace; an old result in it whose place is empty goes back there."""
    if (work / "old").exists() and not folder.exists():
        (work / "old").rename(folder)
    shutil.rmtree(work, ignore_errors=True)

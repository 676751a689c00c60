"""Compiled machine code on disk: where it is kept, and whether it is there. Nothing here loads the compiler.

numba's own disk cache looks at the one file that a cached function stands in; machine code of ours comes from several. So a
file's name holds a digest of all of them, its content begins with a digest of the rest, and a file that doesn't fit its digest
counts as absent.
"""

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryFile

from sim.files import write_whole

PACKAGE = Path(__file__).resolve().parent.parent
SOURCES = (  # that end up in the machine code, with the constants they are built from
    "distributions/quantile_tables.py", "distributions/samplers.py", "distributions/streams.py", "engines/compiled/acquisition.py",
    "engines/compiled/compiler.py", "engines/compiled/demand.py", "engines/compiled/disruptions.py", "engines/compiled/event_loop.py", "engines/compiled/event_queue.py",
    "engines/compiled/kernel_cache.py", "engines/compiled/layout.py", "engines/compiled/scaling.py", "engines/compiled/vm_loop.py", "engines/shared/autoscale.py", "engines/shared/linked_list.py", "engines/shared/placement.py",
    "engines/shared/priorities.py", "engines/shared/quota.py", "engines/shared/room.py", "engines/shared/throttle.py", "engines/shared/work.py", "lifecycle/power.py", "model/state_machine.py", "units.py", "usage/ledger.py", "usage/ready.py",
)  # fmt: skip
SUFFIX = ".machine"
DIGEST_BYTES = hashlib.sha256().digest_size


def user_cache_folder() -> Path | None:
    """Where this program may keep things for the user, by the system's convention; None where there is no home."""
    named = os.environ.get("XDG_CACHE_HOME") or (os.environ.get("LOCALAPPDATA") if sys.platform == "win32" else None)
    try:
        return Path(named or Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")) / "vmfleet"
    except RuntimeError:
        return None


def folders() -> tuple[Path, ...]:
    """Where machine code is looked for: NUMBA_CACHE_DIR alone where it is set; else beside the kernels, then the user's cache."""
    mine = hashlib.sha256(os.fsencode(PACKAGE)).hexdigest()[:16]
    asked_for = os.environ.get("NUMBA_CACHE_DIR")
    if asked_for:
        return (Path(asked_for) / f"vmfleet-{mine}",)
    user = user_cache_folder()
    beside = PACKAGE / "engines" / "compiled" / "__pycache__"
    return (beside,) if user is None else (beside, user / "machine-code" / mine)


@cache
def stamp() -> str | None:
    """Digest of the sources, the compiler's version and Python's; None where there are no sources to read."""
    found = hashlib.sha256(f"{sys.implementation.cache_tag} numba {version('numba')}".encode())
    try:
        for name in SOURCES:
            found.update(hashlib.sha256((PACKAGE / name).read_bytes()).digest())
    except OSError:
        return None
    return found.hexdigest()[:16]


def is_compiled(kernel: str) -> bool:
    """Whether machine code of a kernel as it is now is on disk (for another processor, it may be: then it is compiled again)."""
    return any(True for folder in folders() for _ in _files(folder, f"{kernel}.{stamp()}.*"))


def read(kernel: str, key: str) -> tuple[bytes | None, bool]:
    """The machine code kept for a kernel and what it was compiled for, if there is any; and whether a file was damaged."""
    damaged = False
    for folder in folders():
        with suppress(OSError):
            content = (folder / _name(kernel, key)).read_bytes()
            if hashlib.sha256(content[DIGEST_BYTES:]).digest() == content[:DIGEST_BYTES]:
                return content[DIGEST_BYTES:], False
            damaged = True
    return None, damaged


def write(kernel: str, key: str, code: bytes) -> bool:
    """Keep machine code in the first folder that takes it, whole or not at all, instead of older code. False: none does."""
    if stamp() is None:
        return False
    for folder in folders():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            TemporaryFile(dir=folder).close()
            write_whole(folder / _name(kernel, key), hashlib.sha256(code).digest() + code, sync=False)
        except OSError:
            continue
        for file in _files(folder, f"{kernel}.*"):
            if not file.name.startswith(f"{kernel}.{stamp()}."):
                with suppress(OSError):
                    file.unlink()
        return True
    return False


def _name(kernel: str, key: str) -> str:
    return f"{kernel}.{stamp()}.{hashlib.sha256(key.encode()).hexdigest()[:16]}{SUFFIX}"


def _files(folder: Path, pattern: str) -> Iterator[Path]:
    with suppress(OSError):
        yield from folder.glob(pattern + SUFFIX)

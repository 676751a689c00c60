"""Result folders and kept replications in object stores, by fsspec: `s3://bucket/run`, `gs://...`, `az://...`, `memory://...`.

A folder there is read from a copy here. A store has no rename, so a new folder can't take its place in one step: the old
`provenance.json`, which has the digest of every file, goes first, then the files are written, and the new one comes last.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path, PurePosixPath
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import Any

from sim.errors import InputError, ResultError, VmfleetError
from sim.files import ADDRESS
from sim.runs.digests import PROVENANCE

OF_FILES = ("file", "local")
EXTRA = "vmfleet[remote]"


def url_of(path: str | Path) -> str | None:
    """The address that a path is; None: it is a path here. Raises InputError for a text that is no whole address.

    `Path` makes one slash of several, so only a text shows that `file://a/b` names a host `a` and no folder `/a` (RFC 8089,
    appendix B; one slash means the same as three): a command has to ask before it makes a `Path` of what it was given.
    """
    found = ADDRESS.fullmatch(str(path))
    if found is None:
        if isinstance(path, str) and "://" in path and not path[1:].startswith("://"):
            raise InputError(f"{path}: is no address; one is KIND://BUCKET/FOLDER, such as s3://bucket/run")
        return None
    kind, slashes, rest = found[1].lower(), len(found[2]), found[3].strip("/")
    is_here = kind in OF_FILES
    if isinstance(path, str):
        if not rest:
            raise InputError(
                f"{path}: names no folder; an address is {kind}://{'/FOLDER' if is_here else 'BUCKET/FOLDER'}"
            )
        if is_here and slashes == 2:
            raise InputError(
                f"{path}: has two slashes, so {rest.partition('/')[0]} would be a host; "
                f"write {kind}:///{rest} for the folder /{rest}, or {rest} for one in this folder"
            )
        if not is_here and slashes != 2:
            raise InputError(f"{path}: such an address has two slashes; write {kind}://{rest}")
    return f"{kind}://{'/' if is_here else ''}{found[3]}"


def here(path: str | Path) -> Path:
    """A path for figures. Raises InputError for an address: whole result folders are written to stores, single files aren't."""
    if ADDRESS.fullmatch(str(path)):
        raise InputError(f"{path}: figures are drawn into a folder here, not at an address; give a path")
    return Path(path)


class Store:
    """One folder of an object store. Raises InputError without fsspec or the store's library, ResultError where the store refuses."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        kind = url.partition(":")[0]
        try:
            from fsspec.core import url_to_fs  # start-up: fsspec is optional

            self._files, self._root = url_to_fs(self.url)
        except ImportError as missing:
            own = (missing.name or "").startswith("fsspec")
            hint = f"pip install '{EXTRA}'" if own else f"it stands in no extra of ours: {missing}"
            raise InputError(f"{url}: {kind}:// needs a library that is not installed; {hint}") from None
        except ValueError as wrong:
            raise InputError(f"{url}: no kind of store that fsspec knows ({wrong})") from None
        except Exception as wrong:
            raise ResultError(f"{url}: can't be opened: {type(wrong).__name__}: {wrong}") from wrong

    @contextmanager
    def _said(self, verb: str) -> Iterator[None]:
        try:
            yield
        except VmfleetError:
            raise
        except Exception as wrong:
            raise ResultError(f"{self.url}: can't {verb} there: {type(wrong).__name__}: {wrong}") from wrong

    def names(self) -> list[str]:
        """Its files, also those in folders."""
        with self._said("read"):
            self._files.invalidate_cache()
            found = [str(PurePosixPath(path).relative_to(self._root)) for path in self._files.find(self._root)]
            return [name for name in found if ".." not in name.split("/")]

    def copy(self, goal: Path) -> None:
        """Its files, as a folder here."""
        for name in self.names():
            (goal / name).parent.mkdir(parents=True, exist_ok=True)
            with self._said("read"):
                self._files.get_file(f"{self._root}/{name}", str(goal / name))

    def put(self, file: Path, name: str) -> None:
        """Write a file: it is there whole, or not at all."""
        with self._said("write"):
            goal = f"{self._root}/{name}"
            self._files.makedirs(goal.rpartition("/")[0], exist_ok=True)
            self._files.put_file(str(file), goal)

    def check_writable(self) -> None:
        """Raise ResultError if nothing can be written here."""
        missing = self._missing()
        with TemporaryDirectory() as place:
            probe = Path(place) / f".vmfleet-writing-{token_hex(8)}"
            probe.touch()
            self.put(probe, probe.name)
            self.remove([probe.name])
        self._remove_empty(missing)

    def _missing(self) -> list[str]:
        """Its folder and those above it that aren't there, innermost first."""
        above = [str(place) for place in PurePosixPath(self._root).parents][:-1]
        with self._said("read"):
            return list(takewhile(lambda place: not self._files.exists(place), (self._root, *above)))

    def _remove_empty(self, folders: Iterable[str]) -> None:
        """Remove folders that are empty, where a store has folders (sftp, hdfs, files here); never a bucket."""
        for folder in (each for each in folders if "/" in each.strip("/")):
            with suppress(OSError, NotImplementedError):
                self._files.rmdir(folder)

    def forget(self, kept: Callable[[str], bool]) -> None:
        """Remove the files whose names *kept* knows, and folders that are empty then, its own too."""
        names = [name for name in self.names() if kept(name)]
        self.remove(names)
        if names:
            self._remove_empty([self._root])

    def result(self) -> tuple[set[str], dict[str, Any]]:
        """What stands here, without what stands in folders, and the facts of its origin."""
        facts: Any = {}
        with self._said("read"), suppress(FileNotFoundError, ValueError, RecursionError):
            facts = json.loads(self._files.cat_file(f"{self._root}/{PROVENANCE}"))
        return {name.partition("/")[0] for name in self.names()}, facts if isinstance(facts, dict) else {}

    def publish(self, place: Path) -> None:
        """Write the files of a result; those of the result that was here, and isn't any more, go."""
        new = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}
        stated = self.result()[1].get("files")
        old = {PROVENANCE, *(stated if isinstance(stated, dict) else ())} & set(self.names())
        self.remove(sorted(old - new | old & {PROVENANCE}, key=lambda each: each != PROVENANCE))
        for name in sorted(new, key=lambda each: (each == PROVENANCE, each)):
            self.put(place / name, name)

    def remove(self, names: list[str]) -> None:
        """Remove files, and the folders in which they were that are empty then."""
        with self._said("write"):
            for name in names:
                self._files.rm_file(f"{self._root}/{name}")
        folders = {str(folder) for name in names for folder in [*PurePosixPath(name).parents][:-1]}
        self._remove_empty(f"{self._root}/{folder}" for folder in sorted(folders, key=lambda each: -each.count("/")))


_COPIES: dict[Path, str] = {}
"""Folders here that are copies, and of what."""
_PLACES: list[TemporaryDirectory[str]] = []  # they go with this process


def copy_of(path: str | Path) -> Path:
    """A path here, or a copy of the folder that it is there."""
    url = url_of(path)
    if url is None:
        return Path(path)
    copy = new_place() / PurePosixPath(url).name
    Store(url).copy(copy)
    _COPIES[copy] = url
    return copy


def new_place() -> Path:
    """An empty folder here, until this process ends."""
    _PLACES.append(TemporaryDirectory(prefix="vmfleet-store-"))
    return Path(_PLACES[-1].name)


def send_back(copy: Path, names: Iterable[str]) -> None:
    """Write what was changed in a copy back to where it came from, the list of its files last; a folder of our own stays."""
    if copy in _COPIES:
        store = Store(_COPIES[copy])
        for name in (*names, PROVENANCE):
            store.put(copy / name, name)


def shown(path: str | Path) -> str:
    """A path in a message: of a copy, what it is a copy of."""
    return _COPIES.get(Path(path)) or url_of(path) or str(path)

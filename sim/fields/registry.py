"""Registries: the members of one kind of thing (demand kinds, meters, metrics ...) by name, each added by its own module."""

import hashlib
import re
import secrets
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from inspect import getattr_static
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from sim.errors import PlugInError

T = TypeVar("T")
NAME = re.compile(r"[A-Za-z][\w-]*", re.ASCII)
"""What a plug-in's member may be called: a file, an option and a table can hold it."""
DOTTED = re.compile(r"[A-Za-z][\w.<>-]*", re.ASCII)
"""The same where names have parts, as those of metrics; <> is a placeholder."""


SOURCES: dict[str, str] = {}
"""Modules outside this package that have added members, each with a digest of its source when it did so."""


class Registry(Mapping[str, T]):
    """Members by name, in the order in which they were added.

    >>> colours = Registry[int]("colour")
    >>> colours.add("red", 1)
    1
    >>> list(colours), colours["red"]
    (['red'], 1)
    >>> colours["rad"]
    Traceback (most recent call last):
    KeyError: "no colour 'rad'; did you mean 'red'?"
    """

    every: ClassVar[list["Registry[Any]"]] = []

    def __init__(
        self,
        kind: str,
        *,
        base: type | None = None,
        own: Sequence[str] = (),
        texts: Sequence[str] = (),
        taken: Collection[str] = (),
        names: re.Pattern[str] = NAME,
    ) -> None:
        self.kind = kind
        self.base = base  # of every member, or its class
        self.own = own  # what a plug-in's member has, and not from its base
        self.texts = texts  # what is shown of a plug-in's member: labels, words
        self.taken = taken  # names with a meaning of their own, which are no members
        self.names = names  # of a plug-in's members
        self._members: dict[str, T] = {}
        self.origins: dict[str, str] = {}  # module that added each member
        self.every.append(self)
        self.version = 0  # changes with the members
        self._watchers: list[Callable[[str, T], None]] = []

    def add(self, name: str, member: T) -> T:
        """Register a member and return it; ValueError: the name is taken; PlugInError: by a plug-in, or a plug-in's member lacks something."""
        module, globals_of_module = _adding_module()
        if not is_ours(module):
            self._check_name(name, module)
        if name in self._members:
            own, other = sorted(
                (self.origins[name], module), key=is_ours
            )  # a plug-in may come before the module that it repeats
            said = f"{self.kind} {name!r} of {own} is registered twice; the other is of {other}"
            if own == other and not is_ours(own):
                said += ": a module can't be imported again, not even after a failed import; start Python anew"
            raise ValueError(said) if is_ours(own) else PlugInError(said)
        if not is_ours(module):
            self._check(f"{self.kind} {name!r} of {module}", name, member)
            note_source(module, globals_of_module.get("__file__"))
        self._members[name] = member
        self.origins[name] = module
        self.version += 1
        for watcher in self._watchers:
            watcher(name, member)
        return member

    def _check_name(self, name: object, module: str) -> None:
        """Raise PlugInError for a name that a file, an option or a table couldn't hold, or that means something already."""
        if not isinstance(name, str) or not self.names.fullmatch(name):
            more = ", '.' and a placeholder in <>" if self.names is DOTTED else ""
            raise PlugInError(
                f"{self.kind} {name!r} of {module}: a name is a letter, then letters, digits, '_', '-'{more}"
            )
        if name in self.taken:
            raise PlugInError(f"{self.kind} {name!r} of {module}: {name!r} means something already; take another name")

    def _check(self, which: str, name: str, member: Any) -> None:
        """Raise PlugInError unless a plug-in's member is what it is to be, and has what it needs."""
        base, is_class = self.base, isinstance(member, type)
        if base is not None and not (issubclass(member, base) if is_class else isinstance(member, base)):
            raise PlugInError(
                f"{which} is {member!r}; it is to be {'a subclass of' if is_class else 'a'} {base.__name__}"
            )
        lacks = [each for each in self.own if getattr_static(member, each, None) is getattr_static(base, each, None)]
        if lacks:
            raise PlugInError(f"{which} lacks {', '.join(lacks)}: it needs {', '.join(self.own)}")
        if getattr(member, "key", name) != name:
            raise PlugInError(f"{which} has the key {member.key!r}; both are to be the same")
        for each in self.texts:
            if not is_text(getattr(member, each)):
                raise PlugInError(f"{which} has {each} = {getattr(member, each)!r}; it is a text of one line")

    def watch(self, watcher: Callable[[str, T], None]) -> None:
        """Call *watcher* with the name and member of each that is added later."""
        self._watchers.append(watcher)

    def remove(self, name: str) -> None:
        """Take a member out again, as a test of a plug-in does."""
        del self._members[name], self.origins[name]
        self.version += 1

    def register(self, name: str) -> Callable[[T], T]:
        """A decorator that adds what it decorates."""
        return lambda member: self.add(name, member)

    def __getitem__(self, name: str) -> T:
        if name in self._members:
            return self._members[name]
        near = get_close_matches(name, self._members, n=1)
        known = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(self._members) or 'none'}"
        raise KeyError(f"no {self.kind} {name!r}; {known}")

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)


def is_ours(module: str) -> bool:
    """Whether a module, by its name, is of this package, and not a plug-in."""
    return module.partition(".")[0] == "sim"


def is_text(found: object) -> bool:
    """Whether something can stand in a line of an answer, and says something."""
    return isinstance(found, str) and bool(found.strip()) and len(found.splitlines()) == 1


def checked_sentence(found: object, member: object, call: str = "describe") -> str:
    """What a member's method says in a sentence. Raises PlugInError where that is none."""
    if not is_text(found):
        raise PlugInError(f"{name_of(member)}: {call}(...) gave {found!r}; it gives a sentence, a text of one line")
    return str(found)


def checked_sentences(found: object, member: object, call: str = "describe") -> list[str]:
    """What a member's method says in some sentences. Raises PlugInError where these are none."""
    if not isinstance(found, list | tuple) or not all(map(is_text, found)):
        raise PlugInError(
            f"{name_of(member)}: {call}(...) gave {found!r}; it gives a list of sentences, each a text of one line"
        )
    return list(found)


def name_of(member: object) -> str:
    """Module and class of what a plug-in made, or of its class."""
    kind = member if isinstance(member, type) else type(member)
    return f"{kind.__module__}.{kind.__qualname__}"


def _adding_module() -> tuple[str, dict[str, Any]]:
    """The module whose statement adds a member, also through functions of ours, and its names."""
    frame: Any = sys._getframe(2)
    while (
        frame.f_back and frame.f_code.co_name != "<module>" and frame.f_globals.get("__name__", "").startswith("sim.")
    ):
        frame = frame.f_back
    return str(frame.f_globals.get("__name__", "")), frame.f_globals


def note_source(module: str, file: str | None) -> str:
    """Have results name a module outside this package, with the digest of its source, which is returned."""
    if module not in SOURCES:
        SOURCES[module] = _source_digest(module, file)
    return SOURCES[module]


def _source_digest(module: str, file: str | None) -> str:
    """SHA-256 of a module's file; of every file of the whole package, data included, if it is part of one.

    In a zip file, of that file. Where there is no file (a notebook), of a random number: no result of another process may
    pass for one of this.
    """
    if file is None:
        return hashlib.sha256(secrets.token_bytes(32)).hexdigest()
    path, depth = Path(file), module.count(".") + (Path(file).stem == "__init__")
    found = hashlib.sha256()
    inside = sorted(path.parents[depth - 1].rglob("*")) if depth else [path]
    files = [each for each in inside if each.is_file() and each.parent.name != "__pycache__"]
    files = files or [each for each in path.parents if each.is_file()]  # an archive
    for each in files:
        found.update(f"{each.name}\0".encode() + each.read_bytes())
    return found.hexdigest() if files else hashlib.sha256(secrets.token_bytes(32)).hexdigest()

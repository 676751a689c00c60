"""Registries: the members of one kind of thing (demand kinds, meters, metrics ...) by name, each added by its own module."""

import sys
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, ClassVar, TypeVar

T = TypeVar("T")


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

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._members: dict[str, T] = {}
        self.origins: dict[str, str] = {}  # module that added each member
        self.every.append(self)
        self.version = 0  # changes with the members
        self._watchers: list[Callable[[str, T], None]] = []

    def add(self, name: str, member: T) -> T:
        """Register a member and return it; raises ValueError if the name is taken."""
        if name in self._members:
            raise ValueError(f"{self.kind} {name!r} is registered twice")
        self._members[name] = member
        self.origins[name] = _adding_module()
        self.version += 1
        for watcher in self._watchers:
            watcher(name, member)
        return member

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


def _adding_module() -> str:
    """The module whose statement adds a member, also through functions of ours."""
    frame: Any = sys._getframe(2)
    while (
        frame.f_back and frame.f_code.co_name != "<module>" and frame.f_globals.get("__name__", "").startswith("sim.")
    ):
        frame = frame.f_back
    return str(frame.f_globals.get("__name__", ""))

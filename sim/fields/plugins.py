"""Plug-ins: what other packages add to the registries, found by entry point (`vmfleet.plugins`) or imported by a script.

A plug-in is a module that adds its kinds when it is imported, as the modules of this package do. Results name every one that was
there, and its source is part of the digest of the program, so that a cache never mixes two versions.
"""

import hashlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, entry_points, packages_distributions, version
from pathlib import Path

from sim.errors import InputError
from sim.fields.registry import SOURCES, Registry

GROUP = "vmfleet.plugins"


@lru_cache(maxsize=1)
def load_plugins() -> None:
    """Import the plug-ins of all installed packages, once. Raises InputError for one that can't be."""
    if not _any_installed():
        return
    for point in sorted(entry_points(group=GROUP), key=lambda each: each.name):
        package = f"{point.dist.name} {point.dist.version}" if point.dist is not None else point.value
        try:
            point.load()
        except (Exception, SystemExit) as wrong:
            said = f"{type(wrong).__name__}: {' '.join(str(wrong).split())}"
            raise InputError(
                f"plug-in {point.name} of {package} can't be loaded ({said}); mend or uninstall it"
            ) from wrong
        if not _adds(point.module):
            raise InputError(
                f"plug-in {point.name} of {package} adds nothing: its entry point {point.value!r} is to name a module that adds to a "
                "registry when it is imported; a function is not called"
            )


def _adds(module: str) -> bool:
    """Whether a module, or another of its package, has added something."""
    return any(each.partition(".")[0] == module.partition(".")[0] for each in SOURCES)


def _any_installed() -> bool:
    """Whether a package on the path has an entry point of ours: the library's own search takes ten times as long."""
    named = f"[{GROUP}]".encode()
    files = (file for place in sys.path for file in Path(place or ".").glob("*.*-info/entry_points.txt"))
    return any(named in file.read_bytes() for file in files)


def import_again(modules: Iterable[str]) -> None:
    """Import the plug-ins of another process here. Raises InputError for one that this process can't import."""
    for module in modules:
        if module == "__main__":
            raise InputError(
                "a plug-in of the script itself isn't known to worker processes: put it into a module of its own"
            )
        try:
            import_module(module)
        except ImportError as wrong:
            raise InputError(f"a worker can't import the plug-in {module} ({wrong}); install it there too") from wrong


def modules() -> tuple[str, ...]:
    """The modules outside this package that have added something, in order of their names."""
    return tuple(sorted(SOURCES))


def listed() -> list[dict[str, object]]:
    """Each plug-in: module, package and version (None: of no package), digest of its source, and what it adds."""
    owners = packages_distributions() if modules() else {}
    found: list[dict[str, object]] = []
    for module in modules():
        package, number = _package_of(module, owners)
        added = [
            f"{registry.kind} {name}"
            for registry in Registry.every
            for name, origin in registry.origins.items()
            if origin == module
        ]
        found.append(
            {"module": module, "package": package, "version": number, "digest": SOURCES[module], "adds": added}
        )
    return found


def _package_of(module: str, owners: Mapping[str, Sequence[str]]) -> tuple[str | None, str | None]:
    package = next(iter(owners.get(module.partition(".")[0], ())), None)
    try:
        return package, version(package) if package is not None else None
    except PackageNotFoundError:
        return package, None


def blamed(error: BaseException) -> str:
    """The plug-in in whose code an exception came up, or that called what raised it: module, line, package; empty: none."""
    found, trace = "", error.__traceback__
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        if _adds(module):
            package, number = _package_of(module, packages_distributions())
            found = f"{module}, line {trace.tb_lineno}{f' ({package} {number})' if package else ''}"
        trace = trace.tb_next
    return found


def digest() -> str:
    """SHA-256 over all plug-ins; empty without any."""
    found = "".join(f"{module} {SOURCES[module]}\n" for module in modules())
    return hashlib.sha256(found.encode()).hexdigest() if found else ""

"""Where a result came from: enough to make it again, and to know whether two results can be compared.

Everything but `timing` is the same for the same scenario, options, program and kind of machine.
"""

import dataclasses
import enum
import hashlib
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from functools import cache, lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from sim.catalog.catalogue import Catalogue
from sim.errors import PlugInError
from sim.fields import plugins
from sim.runs.simulation_input import SimulationInput
from sim.runs.workplace import PROGRAM
from sim.version import __version__

LIBRARIES = ("simpy", "numpy", "scipy", "numba", "pandas", "pyarrow", "pydantic", "joblib", "holidays")
NO_FIGURES = ("cli", "report", "demo")  # packages that no figure depends on


def library_versions() -> dict[str, str]:
    """Installed version of every library that figures may depend on; those absent are left out."""
    found: dict[str, str] = {}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def package_folder() -> Path:
    """Where the program's own source lies."""
    return Path(__file__).resolve().parents[1]


def git_commit() -> str | None:
    """Commit of the checkout this program runs from, with "-dirty" if its source was changed; None without git."""
    root = package_folder().parent
    if not (root / ".git").exists():
        return None
    try:
        commit = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--", "sim")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit}-dirty" if changed else commit


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, timeout=10, check=True)
    return done.stdout.strip()


def program_digest() -> str:
    """Digest of the source that figures depend on, with that of plug-ins and the versions of Python, numpy and scipy.

    A cache only ever returns results of the program that made them.
    """
    added = plugins.digest()
    return hashlib.sha256(f"{_own_digest()} {added}".encode()).hexdigest() if added else _own_digest()


@lru_cache(maxsize=1)
def _own_digest() -> str:
    digest = hashlib.sha256()
    root = package_folder()
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root)
        if path.suffix in (".py", ".json", ".csv") and name.parts[0] not in NO_FIGURES and path.is_file():
            digest.update(f"{name.as_posix()}\0".encode())
            digest.update(path.read_bytes())
    versions = library_versions()
    digest.update(f"{platform.python_version()} {versions.get('numpy')} {versions.get('scipy')}".encode())
    return digest.hexdigest()


def input_digest(inputs: SimulationInput) -> str:
    """Digest of everything a replication's figures depend on besides seed and number: plan, prices, policy, commitments.

    Two scenario files that mean the same have the same digest, wherever they lie and however they are written.
    """
    if not _latest or _latest[0][0] is not inputs:  # one run asks three times
        _latest[:] = [(inputs, digest_of(inputs))]
    return _latest[0][1]


def digest_of(value: object) -> str:
    """SHA-256 over everything in a value, floats to their last bit."""
    digest = hashlib.sha256()
    for piece in pieces(value):
        digest.update(piece)
        digest.update(b"\0")
    return digest.hexdigest()


_latest: list[tuple[SimulationInput, str]] = []
_known: dict[int, tuple[object, bytes]] = {}  # parts of price lists, kept alive so that no other gets their number


def _known_digest(part: object) -> bytes:
    """Digest of a part of a price list; thousands of prices are read once, not for every point of a sweep."""
    found = _known.get(id(part))
    if found is None:
        if len(_known) > 1_000:
            _known.clear()
        found = _known[id(part)] = (part, hashlib.sha256(b"\0".join(pieces(part))).digest())
    return found[1]


def pieces(value: object) -> list[bytes]:
    """A value as an unambiguous row of byte strings; floats to their last bit."""
    found: list[bytes] = []
    _add_pieces(value, found)
    return found


def _add_pieces(value: Any, found: list[bytes]) -> None:
    if isinstance(value, float):
        found.append(b"f" + value.hex().encode())
    elif value is None or isinstance(value, str | int | bool | enum.Enum | datetime | date | time):
        found.append(f"{type(value).__name__}:{value}".encode())
    elif isinstance(value, list | tuple):
        found.append(b"[")
        for item in value:
            _add_pieces(item, found)
        found.append(b"]")
    elif isinstance(value, bytes):
        found.append(b"b" + value)
    elif isinstance(value, np.ndarray):
        found += (f"array:{value.dtype.str}:{value.shape}".encode(), np.ascontiguousarray(value).tobytes())
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        found.append(f"({type(value).__name__}".encode())
        for name in _figures_of(type(value)):
            found.append(name.encode())
            part = getattr(value, name)
            if isinstance(value, Catalogue):
                found += [_known_digest(each) for each in (part if isinstance(part, tuple) else (part,))]
            else:
                _add_pieces(part, found)
        found.append(b")")
    elif isinstance(value, Mapping):
        found.append(b"{")
        for key in sorted(value, key=str):
            _add_pieces(key, found)
            _add_pieces(value[key], found)
        found.append(b"}")
    elif isinstance(value, set | frozenset):
        _add_pieces(sorted(value, key=str), found)
    elif isinstance(value, np.generic):
        _add_pieces(value.item(), found)
    else:
        raise PlugInError(
            f"the inputs hold a {type(value).__module__}.{type(value).__name__}, which has no digest: {value!r}; parameters of a plug-in "
            "are numbers, texts, times, frozen dataclasses, and tuples and mappings of them"
        )


@cache
def _figures_of(kind: type) -> tuple[str, ...]:
    """The fields that say something: neither derived, nor where a price list was found."""
    own = (field.name for field in dataclasses.fields(kind) if field.compare)
    return tuple(name for name in own if not (issubclass(kind, Catalogue) and name == "name"))


def program() -> dict[str, Any]:
    """What made the result: program, commit, Python, libraries, platform."""
    added = plugins.listed()
    return {
        **({"plugins": added} if added else {}),
        "program": {"name": PROGRAM, "version": __version__, "commit": git_commit(), "digest": program_digest()},
        "python": platform.python_version(),
        "libraries": library_versions(),
        "platform": {"system": platform.system(), "machine": platform.machine()},
    }


def how_programs_differ(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """In what two provenances with unlike digests of the program differ, in words: versions, plug-ins, else its source.

    >>> how_programs_differ({"python": "3.12.1", "plugins": [{"module": "a", "digest": "1"}]}, {"python": "3.11.7"})
    'Python 3.12.1, not 3.11.7; the plug-in a, which is missing'
    """
    found = []
    for name, of in {"vmfleet": "program", "Python": "python", "numpy": "libraries", "scipy": "libraries"}.items():
        key = "version" if of == "program" else name
        one, other = (facts.get(of) if of == "python" else facts.get(of, {}).get(key) for facts in (theirs, ours))
        if one != other:
            found.append(f"{name} {one}, not {other}")
    had, have = ({each["module"]: each for each in facts.get("plugins", [])} for facts in (theirs, ours))
    for module in sorted({*had, *have}):
        if module not in have:
            found.append(f"the plug-in {_plugin_words(had[module])}, which is missing")
        elif module not in had:
            found.append(f"without the plug-in {_plugin_words(have[module])}")
        elif had[module]["digest"] != have[module]["digest"]:
            found.append(f"another plug-in {_plugin_words(had[module])}, not {_plugin_words(have[module])}")
    return "; ".join(found) or "another source"


def _plugin_words(facts: Mapping[str, Any]) -> str:
    package = " ".join(str(facts[key]) for key in ("package", "version") if facts.get(key))
    return f"{facts['module']} ({package})" if package else str(facts["module"])


def timing(wall_s: float) -> dict[str, Any]:
    """How long the replications took, and when the result was written."""
    return {"wall_s": round(wall_s, 3), "written": datetime.now(UTC).isoformat(timespec="seconds")}


def closed_days(inputs: SimulationInput) -> dict[str, list[str]]:
    """The local days without demand of each group that has a calendar, holidays as they were read."""
    return {
        group.name: [f"{day:%Y-%m-%d}" for day in sorted(group.demand.closed_days)]
        for group in inputs.plan.groups
        if group.demand.closed_days
    }


def catalogue_facts(inputs: SimulationInput) -> dict[str, Any]:
    """Which price list was used, and where each block of prices for the fleet's regions came from, and when."""
    regions = {group.region for group in inputs.rated_groups}
    catalogue = inputs.catalogue
    sources = [block.provenance for block in catalogue.price_blocks if block.per_h and block.region in regions]
    sources += [block.provenance for block in catalogue.disk_blocks if regions & {*block.regions}]
    sources += [block.provenance for block in catalogue.address_blocks if regions & {*block.regions}]
    return {
        "name": catalogue.name,
        "currency": catalogue.currency,
        **({"adjusted": catalogue.adjusted} if catalogue.adjusted else {}),
        "sources": [dataclasses.asdict(source) for source in dict.fromkeys(sources)],
    }

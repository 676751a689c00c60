"""Digests of a result folder's files, in its `provenance.json`: whether what is read is what was written."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sim.errors import ResultError
from sim.files import refused_in_words

PROVENANCE = "provenance.json"


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder but `provenance.json`, by its path there."""
    found = {}
    for path in sorted(each for each in folder.rglob("*") if each.is_file() and each.name != PROVENANCE):
        with path.open("rb") as stream:
            found[path.relative_to(folder).as_posix()] = hashlib.file_digest(stream, "sha256").hexdigest()
    return found


def write_provenance(place: Path, facts: Mapping[str, Any]) -> None:
    """Write the facts of a result's origin."""
    text = json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False)
    (place / PROVENANCE).write_text(text + "\n", encoding="utf-8")


def read_provenance(folder: Path) -> dict[str, Any]:
    """The facts of a result's origin; empty: there are none, or none that can be read."""
    try:
        facts = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}


def recorded(folder: Path) -> dict[str, str] | None:
    """The digests that a folder's `provenance.json` states; None: none, or none that can be read."""
    found = read_provenance(folder).get("files")
    return found if isinstance(found, dict) else None


def facts_digest(facts: Mapping[str, Any]) -> str:
    """SHA-256 of what `provenance.json` says besides its list of files and the time: the same for the same result."""
    own = {key: value for key, value in facts.items() if key not in ("files", "timing")}
    return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()


def check_files(folder: Path) -> bool:
    """Whether a folder states digests, and they hold; a table that was changed since is a ResultError with its name."""
    stated = recorded(folder)
    if stated is None:
        return False
    tables = {name: digest for name, digest in stated.items() if not is_drawn(name)}
    with refused_in_words(folder, ResultError):
        found = digests(folder)
        found[PROVENANCE] = facts_digest(read_provenance(folder))
    wrong = [name for name, digest in tables.items() if found.get(name) != digest]
    if wrong:
        gone = [name for name in wrong if name not in found]
        said = ", ".join(f"{name} is {'not there' if name in gone else 'not as it was written'}" for name in wrong[:5])
        raise ResultError(f'{folder}: {said} (see "files" in {PROVENANCE}); run the scenario again')
    return True


def is_drawn(name: str) -> bool:
    """Whether `vmfleet report` writes a file, and so may write it again."""
    return name == "report.html" or name.startswith("figures/")

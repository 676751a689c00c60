"""What is wrong in a scenario file, by its place in the document."""

from dataclasses import dataclass

Path = tuple[str | int, ...]
"""A place in a document: keys, and positions in arrays, from the top."""


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing wrong; no rule reports on a place that a known issue is about or relates to."""

    path: Path
    problem: str
    hint: str = ""
    value: object = None
    related_paths: tuple[Path, ...] = ()  # other places that the rule looked at, or that can't be relied on

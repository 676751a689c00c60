"""The scenario as a commented file: every number with what it rests on."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sim.azure.facts import LOG

MEASURED, DEFAULT, ASSUMED, STATED = "measured", "default", "assumed", "stated"
WIDTH = 44  # where comments begin


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of the file: where it stands, its value as TOML, and what it rests on."""

    key: str  # dotted, below its group, commitment or the file
    toml: str
    rests_on: str = ""
    source: str = ""  # kind of input
    trust: str = STATED
    shown: str = ""  # the value in words, where it is not the TOML

    def evidence(self) -> dict[str, str]:
        """As the JSON answer has it."""
        value = self.shown or self.toml.strip('"')
        return {"key": self.key, "value": value, "rests_on": self.rests_on, "source": self.source, "trust": self.trust}

    def comment(self) -> str:
        """What stands behind the value."""
        if self.trust == STATED and not self.rests_on:
            return ""
        if self.trust == STATED:
            return self.rests_on
        return f"{self.trust} ({self.rests_on})" if self.rests_on else self.trust


def measured(key: str, toml: str, rests_on: str, source: str = "", shown: str = "") -> Setting:
    """A value that some file shows."""
    return Setting(key, toml, rests_on, source, MEASURED, shown)


def logged(key: str, toml: str, rests_on: str, shown: str = "") -> Setting:
    """A value measured from the Activity Log."""
    return measured(key, toml, rests_on, LOG, shown)


def assumed(key: str, toml: str, rests_on: str, source: str = "") -> Setting:
    """A value that no file shows."""
    return Setting(key, toml, rests_on, source, ASSUMED)


@dataclass(slots=True)
class Block:
    """A table of the file: its header, its keys, and remarks above it."""

    header: str  # [[group]], [prices], ...
    settings: list[Setting] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    windows: list[list[Setting]] = field(default_factory=list)  # [[group.schedule]] tables


def render(remarks: Sequence[str], blocks: Sequence[Block]) -> str:
    """The whole file."""
    lines = [f"# {line}".rstrip() for line in remarks]
    for block in blocks:
        lines.append("")
        lines += [f"# {line}" for line in block.remarks]
        lines += _block(block)
    return "\n".join(lines).lstrip("\n") + "\n"


def _block(block: Block) -> list[str]:
    root = block.header.strip("[]")
    lines = [block.header] if block.header else []
    tables: dict[str, list[Setting]] = {}
    for each in block.settings:
        table, _, _ = each.key.rpartition(".")
        tables.setdefault(table, []).append(each)
    for table, settings in tables.items():
        names = ".".join(part for part in (root, table) if part)
        indent = "  " if table else ""
        if table:
            lines += ["", f"{indent}[{names}]"]
        for each in settings:
            lines += _setting(each, each.key.rpartition(".")[2], indent)
    for window in block.windows:
        lines += ["", f"  [[{root}.schedule]]"]
        for each in window:
            lines += _setting(each, each.key.rpartition(".")[2], "  ")
    return lines


def _setting(each: Setting, name: str, indent: str) -> list[str]:
    said = each.comment()
    if "\n" in each.toml:
        above = [f"{indent}# {said}"] if said else []
        return [*above, *(indent + line for line in f"{name} = {each.toml}".split("\n"))]
    line = f"{indent}{name} = {each.toml}"
    return [f"{line:<{WIDTH}}  # {said}" if said else line]


def number(value: float, digits: int = 4) -> str:
    """A TOML float."""
    shown = f"{value:.{digits}g}"
    return shown if any(mark in shown for mark in ".e") else shown + ".0"


def seconds(value: float) -> str:
    """A duration of so many seconds."""
    return f'"{value:.0f}s"' if value >= 10 else f'"{value:.3g}s"'

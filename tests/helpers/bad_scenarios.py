"""Mistakes in scenario files: each is a change to a right file, with the line (marked `#!`), the field and the words of its fault."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from sim.errors import Fault, ScenarioError
from sim.scenario.scenario import load

RIGHT = """\
name = "office"
start = 2026-01-05T00:00:00Z
horizon = "28d"
seed = 1
replications = 20
[prices]
region = "westeurope"
[[group]]
name = "dev"
size = "Standard_D4s_v5"
count = 200
disks = ["P10"]
[group.schedule]
days = "Mon-Fri"
on = 08:00:00
off = 19:00:00
time_zone = "Europe/Amsterdam"
[group.durations]
starting = { dist = "lognormal", median = "25s", sigma = 0.5 }
[group.failures]
OSProvisioningTimedOut = 0.01
[group.retry]
attempts = 5
[[commitment]]
name = "ri"
kind = "reservation"
size = "Standard_D4s_v5"
quantity = 100
term = "1y"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bad:
    """One mistake: what is written in place of what, and what the fault must say."""

    old: str
    new: str
    field: str
    says: tuple[str, ...]
    tail: str = ""  # sound tables added at the end, which make it one

    @property
    def text(self) -> str:
        assert RIGHT.count(self.old) >= 1, f"{self.old!r} is not in the right file"
        return RIGHT.replace(self.old, self.new, 1) + self.tail

    def with_tail(self, tail: str) -> Bad:
        """The same mistake in a file with more in it."""
        return replace(self, tail=tail)

    @property
    def line(self) -> int:
        return self.text[: self.text.index("#!")].count("\n") + 1


def bad(old: str, new: str, field: str, *says: str) -> Bad:
    """A mistake in short."""
    return Bad(old=old, new=new, field=field, says=says)


HEADER = "[[group]]\n"
ON = "on = 08:00:00\n"
SCHEDULE = RIGHT[RIGHT.index("[group.schedule]") : RIGHT.index("[group.durations]")]
STARTING = 'starting = { dist = "lognormal", median = "25s", sigma = 0.5 }'
COMMITMENT = RIGHT[RIGHT.index("[[commitment]]") :]


def starting(value: str) -> str:
    """The line of `starting` with another value, marked."""
    return f"starting = {value} #!"


def group_key(line: str) -> tuple[str, str]:
    """A line added right under `[[group]]`, marked."""
    return HEADER, f"{HEADER}{line} #!\n"


def demand(section: str) -> tuple[str, str]:
    """Another section in place of the schedule; the mark is in it."""
    return f'count = 200\ndisks = ["P10"]\n{SCHEDULE}', section


DAY = [1.0] * 24
RULES = "scale_out = { above = 0.7 }\nscale_in = { below = 0.3 }\n"
HOST = '[platform]\n[[platform.hosts]]\nname = "rack-a"\nzone = 1\ncount = 2\nvcpus = 64\nmemory_gib = 512\n'


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(part)}" for key, part in value.items()) + " }"
    return f'"{value}"' if isinstance(value, str) else str(value)


def scaled(line: str, *, rules: str = RULES, **others: object) -> tuple[str, str]:
    """A load in place of count and schedule, with one line marked."""
    if line.startswith(("scale_out", "scale_in")):
        rules = "" if rules == RULES else rules
    keys = "".join(f"{key} = {_toml(value)}\n" for key, value in others.items())
    return f'count = 200\ndisks = ["P10"]\n{SCHEDULE}', f"[group.autoscale]\n{line} #!\n{keys}{rules}\n"


def traced(line: str, **others: str) -> tuple[str, str]:
    """A record in place of count and schedule, with one line marked."""
    keys = "".join(f"{key} = {_toml(value)}\n" for key, value in others.items())
    return (f'size = "Standard_D4s_v5"\ncount = 200\ndisks = ["P10"]\n{SCHEDULE}', f"[group.trace]\n{line} #!\n{keys}")


def platform(lines: str) -> tuple[str, str]:
    """A platform in place of the commitment; the mark is in it."""
    return COMMITMENT, f"[platform]\n{lines}\n"


def hosts(line: str, *, more: bool = False) -> tuple[str, str]:
    """A cluster of hosts with one line marked, in place of another line of its or as a second one."""
    key = line.split(" = ")[0]
    marked = "".join(f"{line} #!\n" if own.startswith(f"{key} =") else own for own in HOST.splitlines(keepends=True))
    if f"{line} #!" not in marked:
        marked += f"{line} #!\n"
    return COMMITMENT, HOST + marked.replace("[platform]\n", "") if more else marked


def faulty(lines: str) -> tuple[str, str]:
    """Hosts, and their faults; the mark is in it."""
    return COMMITMENT, f"{HOST}{lines}\n"


def capacity(line: str) -> tuple[str, str]:
    """A capacity reservation with one line marked, in place of the reservation."""
    rest = "" if line.startswith("quantity") else "quantity = 1\n"
    return COMMITMENT, (
        f'[[commitment]]\nname = "ri"\nkind = "capacity-reservation"\nsize = "Standard_D4s_v5"\n{rest}{line} #!\n'
    )


def faults_of(path: Path) -> tuple[Fault, ...]:
    """What is wrong in a scenario file."""
    with pytest.raises(ScenarioError) as caught:
        load(path)
    return caught.value.faults


def check_mistake(mistake: Bad, folder: Path) -> None:
    """One mistake is one fault of one line, at the line and field of the mistake, with the words that help."""
    path = folder / "scenario.toml"
    path.write_bytes(mistake.text.encode())
    (fault,) = faults_of(path)
    said = str(fault)
    assert "\n" not in said
    assert said.startswith(f"{path}:{mistake.line if '#!' in mistake.text else fault.line}: ")
    assert fault.field == mistake.field
    for words in mistake.says:
        assert words in said

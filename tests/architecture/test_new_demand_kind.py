"""A demand kind is added in one file: the scenario file, its schema, messages, words and both engines then know it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ONE_FILE = '''
"""VMs that are wanted every other day."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import ClassVar

from sim.fields.defaults import Sourced, Trust
from sim.fields.issues import Issue
from sim.fields.types import Seconds, PositiveSeconds, default_field
from sim.model.demand import DEMAND_KINDS, Calendar, Demand, DemandSection
from sim.model.demand.base import otherwise
from sim.units import format_duration

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EveryOtherDay(Demand):
    """Wanted from the same time on, for as long, on every second day from the first."""

    turns_off: ClassVar[bool] = True
    on_s: float
    length_s: float

    def calendar(self, start: datetime, horizon_s: float) -> Calendar:
        edges, day_s = [], 0.0
        while day_s < horizon_s:
            edges += [day_s + self.on_s, day_s + self.on_s + self.length_s]
            day_s += 2 * DAY_S
        return Calendar(wanted_first=False, edges_s=tuple(edge for edge in edges if edge < horizon_s))

    def expected_rounds(self, horizon_s: float) -> float:
        return horizon_s / (2 * DAY_S)


@DEMAND_KINDS.register("every_other_day")
class EveryOtherDaySection(DemandSection):
    """VMs are wanted on every second day."""

    key = "every_other_day"
    demand = EveryOtherDay
    stand_ins = MappingProxyType({"length": "1h"})

    on: Seconds = default_field(
        "group.every_other_day.on", "After midnight.",
        row=Sourced(value="8h", unit="duration", source="office hours", trust=Trust.CONVENTION),
    )
    length: PositiveSeconds

    def to_demand(self) -> EveryOtherDay:
        return EveryOtherDay(on_s=self.on, length_s=self.length)

    def describe(self, group) -> str:
        return f"Wanted every other day for {format_duration(self.length)}; {otherwise(group)}."

    def check(self, group, place):
        if self.on + self.length > 2 * DAY_S:
            yield Issue((*place, "length"), "the next one would begin before it has ended", "make it shorter")
'''

SCENARIO = """
name = "every other day"
horizon = "14d"
replications = 2
[[group]]
name = "dev"
count = 3
[group.every_other_day]
length = "9h"
when_off = "stop"
"""

ASKED = """
import json
import sys
from pathlib import Path

import every_other_day
import sim
from sim.scenario.schema import json_schema

def answer(engine):
    result = sim.run(scenario, engine=engine, jobs=1)
    return result.engine, [str(replication.metrics) for replication in result.replications]

def faults(text):
    Path("bad.toml").write_text(text)
    try:
        sim.load("bad.toml")
    except sim.ScenarioError as error:
        return str(error)

text = Path("scenario.toml").read_text()
scenario = sim.load("scenario.toml")
found = {
    "words": scenario.describe(),
    "again": scenario.to_toml(),
    "overridden": sim.load("scenario.toml", ["group.dev.every_other_day.length=4h"]).describe(),
    "schema": json_schema()["$defs"],
    "typing error": faults(text.replace("length", "lenght")),
    "too long": faults(text.replace('"9h"', '"47h"')),
    "no duration": faults(text.replace('"9h"', "9")),
    "two": faults(text + '[group.cycle]\\non = "1h"\\noff = "1h"\\n'),
    "simpy": answer("simpy"),
    "compiled": answer("compiled"),
}
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a process that has imported the new kind says of it; a kind that is registered stays so."""
    folder = tmp_path_factory.mktemp("kind")
    (folder / "every_other_day.py").write_text(ONE_FILE, encoding="utf-8")
    (folder / "scenario.toml").write_text(SCENARIO, encoding="utf-8")
    (folder / "ask.py").write_text(ASKED, encoding="utf-8")
    root = Path(__file__).parents[2]
    code = f"import sys; sys.path[:0] = [{str(root)!r}, {str(folder)!r}]; exec(open('ask.py').read())"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_scenario_file_takes_its_section(answers: dict[str, Any]) -> None:
    """Read, described with its default, changed by a path, and written again."""
    words = "\n".join(answers["words"])
    assert "Wanted every other day for 9h; otherwise powered off (its host is kept)." in words
    assert "group.every_other_day.on = 8h: convention; office hours" in words
    assert "for 4h" in "\n".join(answers["overridden"])
    assert "[group.every_other_day]" in answers["again"]


def test_the_schema_has_it(answers: dict[str, Any]) -> None:
    """Editors complete it, `when_off` below its header included."""
    assert set(answers["schema"]["EveryOtherDay"]["properties"]) == {"on", "length", "when_off"}
    assert "every_other_day" in answers["schema"]["Group"]["properties"]


@pytest.mark.parametrize(
    ("mistake", "says"),
    [
        ("typing error", ("bad.toml:9: group.dev.every_other_day.lenght", 'did you mean "length"?')),
        ("too long", ("bad.toml:9: group.dev.every_other_day.length", "would begin before it has ended")),
        ("no duration", ("bad.toml:9: group.dev.every_other_day.length", 'write "9s"')),
        (
            "two",
            ("cycle and every_other_day contradict each other", "schedule, cycle, arrivals, trace, every_other_day"),
        ),
    ],
)
def test_mistakes_are_reported_as_anywhere(answers: dict[str, Any], mistake: str, says: tuple[str, ...]) -> None:
    """One line with the place and what would be right."""
    (line,) = answers[mistake].splitlines()
    assert all(words in line for words in says), line


def test_both_engines_simulate_it_alike(answers: dict[str, Any]) -> None:
    """The compiled engine needs nothing but the calendar."""
    (simpy, slow), (compiled, fast) = answers["simpy"], answers["compiled"]
    assert (simpy, compiled) == ("simpy", "compiled")
    assert len(slow) == 2
    assert slow == fast

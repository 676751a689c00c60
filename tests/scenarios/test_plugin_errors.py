"""Plug-ins as a stranger writes them: installed as a package, with keys of their own, and what is said of those that are wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from plug_ins import PLUGINS, ROOT, answered

FLEET = 'name = "f"\nhorizon = "2d"\n[[group]]\nname = "web"\ncount = 2\n'


def installed(folder: Path, code: str, fleet: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A command where a package with the entry point `kinds` is installed, whose module is *code*."""
    site = folder / "site"
    about = site / "fleet_kinds-1.2.dist-info"
    about.mkdir(parents=True, exist_ok=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: fleet-kinds\nVersion: 1.2\n")
    (about / "top_level.txt").write_text("fleet_kinds\n")
    (about / "entry_points.txt").write_text("[vmfleet.plugins]\nkinds = fleet_kinds\n")
    (site / "fleet_kinds.py").write_text(code)
    (folder / "fleet.toml").write_text(fleet)
    return subprocess.run(
        [sys.executable, "-m", "sim", *words], cwd=folder, env={**os.environ, "PYTHONPATH": f"{ROOT}:{site}"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


KINDS = "\n".join((PLUGINS / f"{name}.py").read_text() for name in ("month_end", "wrong_switch_off", "log_logistic"))
OWN = '[group.month_end]\ndays = 28\n[group.wrong_switch_off]\ntime_between = "9d"\nnotice = "1h"\n'
OWN_DURATION = '[group.durations]\nstarting = { dist = "log-logistic", median = "20s", shape = 0 }\n'


def test_wrong_values_of_own_keys_are_named_with_file_and_line(tmp_path: Path) -> None:
    """As those of the built-in ones: range, typing error, missing key, and a parameter of a distribution."""
    done = installed(tmp_path, KINDS, FLEET + OWN + OWN_DURATION, "validate", "fleet.toml")
    assert done.returncode == 2
    assert "fleet.toml:7: group.web.month_end.days: 28: out of range (must be 1 or more and at most 27)" in done.stderr
    assert (
        'fleet.toml:10: group.web.wrong_switch_off.notice: there is no such key (did you mean "noticed"?)'
        in done.stderr
    )
    assert "fleet.toml:12: group.web.durations.starting.shape: 0: out of range (must be more than 0" in done.stderr


def test_own_keys_are_in_the_reference_and_in_the_schema(tmp_path: Path) -> None:
    """`vmfleet keys`, and the schema that editors read."""
    done = installed(tmp_path, KINDS, FLEET, "keys", "group.wrong_switch_off", "--json")
    rows = {row["path"]: row for row in json.loads(done.stdout)}
    assert rows["group[].wrong_switch_off.noticed"]["type"] == "duration"
    assert rows["group[].wrong_switch_off.noticed"]["is_required"]
    done = installed(tmp_path, KINDS, FLEET, "keys", "group.month_end")
    assert "whole number from 1 to 27" in done.stdout
    assert "a common close of the books" in done.stdout
    schema = json.loads(installed(tmp_path, KINDS, FLEET, "schema").stdout)["$defs"]
    assert schema["MonthEnd"]["properties"]["days"]["maximum"] == 27
    assert "month_end" in schema["Group"]["properties"]
    mapping = schema["Durations"]["properties"]["starting"]["oneOf"][1]["discriminator"]["mapping"]
    assert mapping["log-logistic"] == "#/$defs/LogLogisticSpec"


def test_the_answer_says_what_needs_simpy(tmp_path: Path) -> None:
    """A fault of a plug-in; without it nothing is said."""
    fleet = FLEET + '[group.wrong_switch_off]\ntime_between = "9d"\nnoticed = "1h"\n'
    done = installed(tmp_path, KINDS, fleet, "run", "fleet.toml", "--no-report", "-n", "2")
    assert "Not all is simulated in the compiled engine: fault WrongSwitchOff needs SimPy." in done.stdout
    summary = json.loads((tmp_path / "results" / "f" / "summary.json").read_text())
    assert summary["needs_simpy"] == "fault WrongSwitchOff"
    done = installed(tmp_path, KINDS, FLEET, "run", "fleet.toml", "--no-report", "-n", "2")
    assert done.returncode == 0
    assert "SimPy" not in done.stdout


RAISES = (
    KINDS
    + """
def calendar(self, start, horizon_s):
    return self.dayz
MonthEnd.calendar = calendar
"""
)
TWICE = "from sim.fields.metrics import *\nadd_metrics(Metric(name='evictions', label='e', unit=Unit.COUNT, section='events', definition='', compute=len))"


@pytest.mark.parametrize(
    ("code", "fleet", "says"),
    [
        (TWICE, FLEET, "vmfleet: metric 'evictions' of fleet_kinds is registered twice; the other is of sim.runs.metrics"),
        ("raise SystemExit('go away')", FLEET, "plug-in kinds of fleet-kinds 1.2 can't be loaded (SystemExit: go away)"),
        (RAISES, FLEET + "[group.month_end]\n", "the plug-in fleet_kinds, line"),
        (RAISES, FLEET + "[group.month_end]\n", "(fleet-kinds 1.2) failed (AttributeError: 'MonthEnd' object has no attribute 'dayz')"),
    ],
)  # fmt: skip
def test_a_plug_in_that_fails_is_named_with_its_package(tmp_path: Path, code: str, fleet: str, says: str) -> None:
    """At its import or in the run; exit status 2, for it is not a defect of vmfleet."""
    done = installed(tmp_path, code, fleet, "run", "fleet.toml", "--quiet", "--no-report")
    assert done.returncode == 2
    assert says in done.stderr


BROKEN = """
from dataclasses import dataclass
from types import MappingProxyType
from sim.engines.shared.placement import FIRST, POLICIES, PlacementPolicy
from sim.fields.metrics import METRICS, Metric, Unit
from sim.model.demand import DEMAND_KINDS, Demand, DemandSection
from sim.model.faults import GROUP_FAULTS, PLATFORM_FAULTS, GroupFault
from sim.model.faults.fall_back import FALL_BACKS

import sim.scenario.file_model
said = {}
def tried(name, what):
    try:
        what()
        said[name] = "nothing"
    except Exception as error:
        said[name] = f"{type(error).__name__}: {error}"

def run(**group):
    platform = group.pop("platform", None)
    fleet = {"name": "f", "horizon": "2d", "replications": 1, "group": [{"name": "web", "count": 2} | group]}
    return sim.run(sim.from_dict(fleet | ({"platform": platform} if platform else {})))

class Dumb(DemandSection):
    key = "dumb"
tried("lacks", lambda: DEMAND_KINDS.add("dumb", Dumb))
tried("base", lambda: DEMAND_KINDS.add("dumb", dict))
tried("instance", lambda: POLICIES.add("dumb", "first"))
class Count(DemandSection):
    key = "count"
    demand = Demand
    to_demand = describe = lambda self, *group: Demand()
tried("other key", lambda: DEMAND_KINDS.add("counts", Count))
tried("taken", lambda: DEMAND_KINDS.add("count", Count))
@dataclass(frozen=True)
class Fall:
    words: str = "x"
tried("fall back", lambda: FALL_BACKS.add("fall", Fall()))

@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong(Demand):
    turns_off = True
    def calendar(self, start, horizon_s): return [(0.0, 1.0)]
@DEMAND_KINDS.register("wrong")
class WrongSection(DemandSection):
    key, demand = "wrong", Wrong
    def to_demand(self): return Wrong()
    def describe(self, group): return "wrong"
tried("calendar", lambda: run(wrong={}))

@dataclass(frozen=True, slots=True, kw_only=True)
class Behaves(Demand):
    behaves = True
    how: str
    def behave(self, fleet, group):
        if self.how == "list": return [1]
        return self.process(fleet, group)
    def process(self, fleet, group):
        yield fleet.env.timeout(5400)
        if self.how == "number": yield 7
        if self.how == "raises": {}["lost"]
        if self.how == "busy": yield fleet.request("web-0000", "start")
        if self.how == "no such": yield fleet.request("web-0009", "start")
@DEMAND_KINDS.register("behaves")
class BehavesSection(DemandSection):
    key, demand = "behaves", Behaves
    how: str
    def to_demand(self): return Behaves(how=self.how)
    def describe(self, group): return "behaves"
for how in ("list", "number", "raises", "busy", "no such"):
    tried(how, lambda: run(behaves={"how": how}))

@GROUP_FAULTS.register("odd_fault")
class OddFault(GroupFault):
    key = "odd_fault"
    def to_plan(self): return "x"
    def words(self): return "odd"
tried("no behave", lambda: run(odd_fault={}))

class Chooser:
    def __init__(self, platform): self.choose = {}.__getitem__
POLICIES.add("half", PlacementPolicy(words="x", search=FIRST, chooser=Chooser))
hosts = [{"name": "a", "count": 3, "vcpus": 8, "memory_gib": 32}]
tried("chooser", lambda: run(platform={"hosts": hosts, "placement": "half"}))
class Raises(Chooser):
    placed = left = choose = lambda self, *vm: 1 / 0
    def __init__(self, platform): pass
POLICIES.add("raises", PlacementPolicy(words="x", search=FIRST, chooser=Raises))
tried("chooser raises", lambda: run(platform={"hosts": hosts, "placement": "raises"}))

@dataclass(frozen=True)
class Late:
    words: str = "x"
    def goes_on_at(self, now_s, request, changeover_s, capacity_from): return "soon"
    returns_at = goes_on_at
FALL_BACKS.add("late", Late())
spot = {"eviction_per_hour": 0.5, "restart_after": "1h", "fall_back": "late"}
tried("instant", lambda: run(count=0, priority="spot", spot=spot, arrivals={"rate": 2, "lifetime": "5h", "lifetime_counts": "running", "deadline": "9h"}))

from sim.billing.meter_kinds import METERS, MeterKind, Service, existing_lines
service = Service(category="c", subcategory="s", name="n", resource="r")
METERS.add("rent", MeterKind(kind="rent", label="rent", unit="h", prices=lambda *_: [("a", "1.0")], lines=existing_lines, service=service))
tried("prices", run)
METERS.remove("rent")
METERS.add("fee", MeterKind(kind="fee", label="fee", unit="h", prices=lambda *_: [("a", 1.0)], lines=lambda *_: [("fee", 1.0)], service=service))
tried("lines", run)
METERS.remove("fee")
for name, compute in {"words": lambda rated: "12", "fails": lambda rated: rated.hours}.items():
    METRICS.add(name, Metric(name=name, label="x", unit=Unit.COUNT, section="events", definition="", compute=compute))
    tried(name, run)
    METRICS.remove(name)
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What is said of each broken plug-in."""
    return answered(BROKEN, tmp_path_factory.mktemp("broken"))


@pytest.mark.parametrize(
    ("which", "says"),
    [
        ("lacks", "PlugInError: demand kind 'dumb' of __main__ lacks demand, to_demand, describe: it needs key, demand, to_demand, describe"),
        ("base", "PlugInError: demand kind 'dumb' of __main__ is <class 'dict'>; it is to be a subclass of DemandSection"),
        ("instance", "PlugInError: placement policy 'dumb' of __main__ is 'first'; it is to be a PlacementPolicy"),
        ("other key", "PlugInError: demand kind 'counts' of __main__ has the key 'count'; both are to be the same"),
        ("taken", "PlugInError: demand kind 'count' of __main__: groups have another key of this name"),
        ("fall back", "PlugInError: fall-back policy 'fall' of __main__ lacks goes_on_at, returns_at: it needs words, goes_on_at, returns_at"),
        ("calendar", "PlugInError: __main__.Wrong: calendar(...) returned [(0.0, 1.0)]; it returns a Calendar, or None"),
        ("list", "PlugInError: __main__.Behaves returned [1]; it is to be a generator: a function with a `yield`"),
        ("number", "PlugInError: __main__.Behaves yielded 7; it waits for fleet.env.timeout(...) or fleet.request(...)"),
        ("raises", "PlugInError: __main__.Behaves failed at 1.500 h (KeyError: 'lost')"),
        ("busy", "PlugInError: __main__.Behaves failed at 1.500 h (OperationNotAllowed: start: the VM is running;"),
        ("no such", "PlugInError: __main__.Behaves failed at 1.500 h (KeyError: 'web-0009 at 1.500 h: there is no such VM"),
        ("no behave", "PlugInError: fault of a group 'odd_fault' of __main__ came to 'x', which has no method behave"),
        ("chooser", 'PlugInError: placement "half": <__main__.Chooser object at'),
        ("chooser raises", 'PlugInError: placement "raises" failed for web-0000 at '),
        ("instant", "PlugInError: __main__.Late: goes_on_at failed for web-0000 at "),
        ("prices", "PlugInError: meter rent of __main__: prices(...) gave [('a', '1.0')]; it gives a list of (detail, USD per unit)"),
        ("lines", "PlugInError: meter fee of __main__: lines(...) gave [('fee', 1.0)]; it gives a list of BillLine"),
        ("words", "PlugInError: metric words of __main__ gave '12'; it gives a number, or None"),
        ("fails", "PlugInError: metric fails of __main__ failed (AttributeError: 'RatedUsage' object has no attribute 'hours')"),
    ],
)  # fmt: skip
def test_what_breaks_its_contract_is_named(said: Any, which: str, says: str) -> None:
    """Which plug-in, what it did, and what it was to do; nothing else is simulated."""
    assert said[which].startswith(says)

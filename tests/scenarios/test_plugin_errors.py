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
NO_FIELD = "from sim.model.faults import GroupFault\nclass Wrong(GroupFault):\n    words = 'x'\n"
TWICE = "from sim.fields.metrics import *\nadd_metrics(Metric(name='evictions', label='e', unit=Unit.COUNT, section='events', definition='', compute=len))"


@pytest.mark.parametrize(
    ("code", "fleet", "says"),
    [
        (TWICE, FLEET, "vmfleet: metric 'evictions' of fleet_kinds is registered twice; the other is of sim.runs.metrics"),
        ("raise SystemExit('go away')", FLEET, "plug-in kinds of fleet-kinds 1.2 can't be loaded (SystemExit: go away)"),
        ("VALUE = 1", FLEET, "plug-in kinds of fleet-kinds 1.2 adds nothing: its entry point 'fleet_kinds' is to name a module"),
        (NO_FIELD, FLEET, "can't be loaded (PydanticUserError: A non-annotated attribute was detected: `words = 'x'`"),
        (RAISES, FLEET + "[group.month_end]\n", "the plug-in fleet_kinds, line"),
        (RAISES, FLEET + "[group.month_end]\n", "(fleet-kinds 1.2) failed (AttributeError: 'MonthEnd' object has no attribute 'dayz')"),
    ],
)  # fmt: skip
def test_a_plug_in_that_fails_is_named_with_its_package(tmp_path: Path, code: str, fleet: str, says: str) -> None:
    """At its import or in the run; exit status 2, for it is not a defect of vmfleet."""
    done = installed(tmp_path, code, fleet, "run", "fleet.toml", "--quiet", "--no-report")
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.startswith("Traceback") or len(done.stderr.splitlines()) == 1
    assert not [path for path in tmp_path.rglob("results/**/*") if path.is_file()]


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
    platform, engine = group.pop("platform", None), group.pop("engine", "auto")
    fleet = {"name": "f", "horizon": "2d", "replications": 1, "group": [{"name": "web", "count": 2} | group]}
    return sim.run(sim.from_dict(fleet | ({"platform": platform} if platform else {})), engine=engine)

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
        ("chooser raises", 'PlugInError: placement "raises": choose failed for web-0000 at '),
        ("instant", "PlugInError: __main__.Late: goes_on_at failed for web-0000 at "),
        ("prices", "PlugInError: meter rent of __main__: prices(...) gave [('a', '1.0')]; it gives a list of (detail, USD per unit from 0 on)"),
        ("lines", "PlugInError: meter fee of __main__: lines(...) gave [('fee', 1.0)]; it gives a list of BillLine"),
        ("words", "PlugInError: metric words of __main__ gave '12'; it gives a number, or None"),
        ("fails", "PlugInError: metric fails of __main__ failed (AttributeError: 'RatedUsage' object has no attribute 'hours')"),
    ],
)  # fmt: skip
def test_what_breaks_its_contract_is_named(said: Any, which: str, says: str) -> None:
    """Which plug-in, what it did, and what it was to do; nothing else is simulated."""
    assert said[which].startswith(says)


VALUES = (
    BROKEN[: BROKEN.index("class Dumb")]
    + """
import dataclasses
from typing import Any, Literal
import numpy as np
from sim.billing.meter_kinds import METERS, MeterKind, Service, existing_lines
from sim.distributions.from_quantiles import FromQuantiles
from sim.distributions.specs import Spec, add_distribution
from sim.engines.simpy import processes
from sim.fields.tables import GROUP_TABLES
from sim.fields.types import Section
from sim.model.demand import Calendar
from sim.model.demand.base import OwnEdges
from sim.model.faults import PlatformFault
hosts = [{"name": "a", "count": 3, "vcpus": 8, "memory_gib": 32}]
@dataclass(frozen=True)
class Never:
    words: str = "x"
    goes_on_at = returns_at = lambda *args: math.inf

def kind(name, **own):
    made = dataclass(frozen=True, slots=True, kw_only=True)(type("Own", (Demand,), {"__module__": __name__} | own))
    made.__qualname__ = name
    is_to = {"key": name, "demand": made, "to_demand": lambda self: made(), "describe": lambda self, group: "x"}
    DEMAND_KINDS.add(name, type(name, (DemandSection,), {"__module__": __name__, "__annotations__": {}} | is_to | own.get("section", {})))

def process(name, behave, **platform):
    kind(name, behaves=True, behave=behave)
    tried(name, lambda: run(**{name: {}}, **platform))

nan = math.nan
for name, edges in {"edge_nan": (3600.0, nan), "edge_back": (7200.0, 3600.0), "edge_early": (-5.0, 9.0), "edge_word": ("a",)}.items():
    kind(name, turns_off=True, calendar=lambda self, start, horizon_s, edges=edges: Calendar(wanted_first=False, edges_s=edges))
    tried(name, lambda: run(**{name: {}}))
blocks = {"born_list": [1.0], "born_back": np.array([5.0, 3.0]), "born_early": np.array([-5.0]), "born_late": np.array([1e9]),
          "born_nan": np.array([nan]), "born_whole": np.array([1, 2])}
for name, block in blocks.items():
    kind(name, request_times=lambda self, context, block=block: iter([block]))
    tried(name, lambda: run(**{name: {}}))
def edged(name, **wrong):
    def own_edges(self, context, members):
        count = len(members)
        sound = {"first": np.arange(count + 1) * 2, "edges_s": np.tile([3600.0, 7200.0], count), "turns_to": np.tile([1, 0], count)}
        return OwnEdges(**(sound | {key: make(sound[key]) for key, make in wrong.items()}))
    kind(name, turns_off=True, has_own_edges=True, own_edges=own_edges)
    for engine in ("simpy", "compiled"):
        tried(f"{name}.{engine}", lambda: run(engine=engine, **{name: {}}))
edged("own_sound")
edged("own_none")
DEMAND_KINDS["own_none"].demand.own_edges = lambda self, context, members: None
tried("own_none", lambda: run(own_none={}))
edged("own_list", first=lambda found: found.tolist())
edged("own_whole", edges_s=lambda found: found.astype(np.int64))
edged("own_short", first=lambda found: found[:-1])
edged("own_beyond", first=lambda found: found + (np.arange(len(found)) == 2))
edged("own_three", turns_to=lambda found: found * 3)
edged("own_few", turns_to=lambda found: found[:-1])
edged("own_nan", edges_s=lambda found: found * np.where(np.arange(4) == 2, nan, 1.0))
edged("own_back", edges_s=lambda found: found[::-1].copy())
edged("own_early", edges_s=lambda found: found - 4000.0)

def says(name, **own):
    kind(name, section=own)
    tried(name, lambda: sim.from_dict(fleet_of({name: {}})).describe())
def fleet_of(group, **more):
    return {"name": "f", "horizon": "2d", "group": [{"name": "web", "count": 2} | group]} | more
for name, found in {"words_number": 7, "words_empty": " ", "words_lines": "a\\nb"}.items():
    says(name, describe=lambda self, group, found=found: found)
says("warns", warn=lambda self: "careful")
class Quiet(GroupFault):
    key = "quiet"
    def to_plan(self): return None
    def words(self): return None
GROUP_FAULTS.add("quiet", Quiet)
tried("fault words", lambda: sim.from_dict(fleet_of({"quiet": {}})).describe())
class Mute(PlatformFault):
    key = "mute"
    needs_hosts = False
    def to_plan(self): return None
    def describe(self, platform): return ["", "a"]
PLATFORM_FAULTS.add("mute", Mute)
tried("platform words", lambda: sim.from_dict(fleet_of({}, platform={"mute": {}})).describe())
tried("policy words", lambda: POLICIES.add("wordless", PlacementPolicy(words=7, search=FIRST)))
tried("fall words", lambda: FALL_BACKS.add("wordless", dataclasses.replace(Never(), words="")))
tried("label", lambda: METRICS.add("wordless", Metric(name="wordless", label="", unit=Unit.COUNT, section="events", definition="")))
tried("meter unit", lambda: METERS.add("wordless", MeterKind(kind="wordless", label="x", unit=None, prices=len, lines=len, service=None)))
kind("no_demand", section={"to_demand": lambda self: None})
tried("no_demand", lambda: run(no_demand={}))
class Odd: pass
kind("no_digest", section={"to_demand": lambda self: Parameter(what=Odd())})
@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter(Demand):
    what: Any
tried("no_digest", lambda: run(no_digest={}).write("odd"))

def waits(delay):
    def behave(self, fleet, group):
        yield fleet.env.timeout(5400)
        yield fleet.env.timeout(delay)
    return behave
process("wait_nan", waits(nan))
process("wait_back", waits(-1))
def for_ever(self, fleet, group):
    while True:
        yield fleet.env.timeout(0)
processes.MOST_AT_ONCE = 1000
process("for_ever", for_ever)
def busy(self, fleet, group):
    for _ in range(3):
        yield fleet.env.timeout(3600)
        for _ in range(900):
            yield fleet.env.timeout(0)
process("not_for_ever", busy)
def calls(what):
    def behave(self, fleet, group):
        yield fleet.env.timeout(5400)
        what(fleet, group)
    return behave
def starts(inner):
    def behave(self, fleet, group):
        yield fleet.env.timeout(3600)
        fleet.env.process(inner(fleet))
        yield fleet.env.timeout(9000)
    return behave
def inner(fleet):
    yield fleet.env.timeout(1800)
    raise LookupError("lost")
def outer(fleet):
    yield fleet.env.process(inner(fleet))
def inner_number(fleet):
    yield fleet.env.timeout(1800)
    yield 7
def inner_for_ever(fleet):
    while True:
        yield fleet.env.timeout(0)
def awaits(self, fleet, group):
    try:
        yield fleet.env.process(inner(fleet))
    except LookupError:
        assert (yield fleet.env.process(gives(fleet))) == 5
def gives(fleet):
    yield fleet.env.timeout(1)
    return 5
def fails_an_event(self, fleet, group):
    yield fleet.env.timeout(5400)
    fleet.env.event().fail(LookupError("lost"))
    yield fleet.env.timeout(1)
process("sub_raises", starts(inner))
process("sub_of_sub", starts(outer))
process("sub_number", starts(inner_number))
process("sub_for_ever", starts(inner_for_ever))
process("sub_awaited", awaits)
process("event", fails_an_event)
process("no_hosts", calls(lambda fleet, group: fleet.fail_hosts([0])))
for name, numbers in {"host_before": [0, -1], "host_beyond": [0, 3], "host_real": [1.0]}.items():
    process(name, calls(lambda fleet, group, numbers=numbers: fleet.fail_hosts(numbers)), platform={"hosts": hosts})
process("repaired", calls(lambda fleet, group: fleet.repair_hosts([0])), platform={"hosts": hosts})
process("repaired_twice", calls(lambda fleet, group: [fleet.fail_hosts([0, 1]), fleet.repair_hosts([0, 0])]), platform={"hosts": hosts})
process("failed_and_repaired", calls(lambda fleet, group: [fleet.fail_hosts([0, 0]), fleet.repair_hosts([0]), fleet.repair_hosts([0])]), platform={"hosts": hosts})
process("counted", calls(lambda fleet, group: fleet.count(group, "no_such")))
process("no_group", calls(lambda fleet, group: fleet.vms("dev")))
process("operation", calls(lambda fleet, group: fleet.request("web-0000", "explode")))

class First:
    def __init__(self, platform): pass
    def choose(self, vm, hosts): return hosts[0]
    def placed(self, vm, host): pass
    def left(self, group, number, host): pass
def policy(name, **own):
    POLICIES.add(name, PlacementPolicy(words="x", search=FIRST, chooser=type(name, (First,), own)))
    tried(name, lambda: run(platform={"hosts": hosts, "placement": name}))
policy("true", choose=lambda self, vm, hosts: True)
policy("real", choose=lambda self, vm, hosts: 1.0)
policy("pops", choose=lambda self, vm, hosts: hosts.pop())
policy("cheats", choose=lambda self, vm, hosts: [hosts.append(9), 9][1])
policy("not-placed", placed=lambda self, vm, host: 1 / 0)
policy("not-made", __init__=lambda self: None)
tried("search", lambda: PlacementPolicy(words="x", search=7))

for name in ("never", "deadline", "3", "two words", "a.b", ""):
    tried(f"fall {name}", lambda: FALL_BACKS.add(name, Never()))
tried("fall 5", lambda: FALL_BACKS.add(5, Never()))
tried("table", lambda: GROUP_TABLES.add("a.b", type("T", (Section,), {"__module__": __name__, "__annotations__": {}})))

def metric(name, compute, **more):
    row = {"name": name, "label": "x", "unit": Unit.COUNT, "section": "events", "definition": ""} | more
    METRICS.add(name, Metric(compute=compute, **row))
    tried(name, run)
    METRICS.remove(name)
metric("endless", lambda rated: math.inf)
metric("negative", lambda rated: -5.0)
metric("signed", lambda rated: -5.0, is_signed=True)
metric("undefined", lambda rated: nan)
metric("share", lambda rated: 1.5, unit=Unit.SHARE)
metric("nothing", None, ratio_of=("no_such", "cost.total"))
tried("metric name", lambda: metric("a b", lambda rated: 1.0))

service = Service(category="c", subcategory="s", name="n", resource="r")
def meter(name, prices, lines=existing_lines):
    METERS.add(name, MeterKind(kind=name, label="x", unit="h", prices=lambda *_: prices, lines=lines, service=service))
    tried(name, run)
    METERS.remove(name)
    METRICS.remove(f"cost.{name}")
meter("price_nan", [("a", nan)])
meter("price_below", [("a", -1.0)])
meter("price_none", None)
meter("line_none", [("a", 1.0)], lambda kind, metered: None)
meter("line_below", [("a", 1.0)], lambda kind, metered: [kind.line(metered, "a", -5.0, 1.0, "existing")])
meter("line_other", [("a", 1.0)], lambda kind, metered: [METERS["compute"].line(metered, "a", 5.0, 1.0, "existing")])

def distribution(name, quantile, of=FromQuantiles, **keys):
    made = dataclass(frozen=True)(type("Made", (of,), {"__module__": __name__, "quantile": quantile, "describe": lambda self: "x"}))
    spec = type("MadeSpec", (Spec,), {"__module__": __name__, "__annotations__": {"dist": Literal[name]}, "made": made} | keys)
    add_distribution(spec)
    tried(name, lambda: run(durations={"starting": {"dist": name}}))
chance = __import__("random").Random(1)
distribution("by-chance", lambda self, u, q: (1 + u) * chance.random())
distribution("stumbles", lambda self, u, q: 1 / 0)
distribution("one-end", lambda self, u, q: 7200 * np.sqrt(-2 * np.log(q)))
distribution("both-ends", lambda self, u, q: 7200 * np.sqrt(-2 * np.where(u < 0.5, np.log1p(-u), np.log(q))))
distribution("no-distribution", lambda self, u, q: u, of=object)
tried("no dist", lambda: add_distribution(type("Bare", (Spec,), {"__module__": __name__, "__annotations__": {}, "made": Odd})))
print(json.dumps(said))
"""
)


@pytest.fixture(scope="module")
def of_values(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What is said of plug-ins of the right shape that give values without sense."""
    return answered(
        "import warnings; warnings.simplefilter('error', RuntimeWarning)\n" + VALUES, tmp_path_factory.mktemp("values")
    )


ENGINES = ("simpy", "compiled")
FAILED = "PlugInError: __main__.{} failed at 1.500 h ({}"


@pytest.mark.parametrize(
    ("which", "says"),
    [
        ("edge_nan", "PlugInError: __main__.edge_nan: calendar(...) returned the edges (3600.0, nan); they are seconds from 0 on, in order"),
        ("edge_back", "PlugInError: __main__.edge_back: calendar(...) returned the edges (7200.0, 3600.0);"),
        ("edge_early", "PlugInError: __main__.edge_early: calendar(...) returned the edges (-5.0, 9.0);"),
        ("edge_word", "PlugInError: __main__.edge_word: calendar(...) returned the edges ('a',);"),
        *((name, f"PlugInError: __main__.{name}: request_times(...) gave ") for name in ("born_list", "born_back", "born_early", "born_late", "born_nan", "born_whole")),
        *((f"own_sound.{engine}", "nothing") for engine in ENGINES),
        ("own_none", "PlugInError: __main__.own_none: own_edges(...) returned None; it returns OwnEdges"),
        *((f"own_list.{engine}", "PlugInError: __main__.own_list: own_edges(...) returned first = [0, 2, 4]; it is an array (int64) with one axis") for engine in ENGINES),
        *((f"own_whole.{engine}", "PlugInError: __main__.own_whole: own_edges(...) returned edges_s = array([3600, 7200, 3600, 7200]); it is an array (float64)") for engine in ENGINES),
        *((f"own_{name}.{engine}", f"PlugInError: __main__.own_{name}: own_edges(...) returned first = array({first}) for 4 edges; it has 3 numbers, one more than VMs") for name, first in (("short", [0, 2]), ("beyond", [0, 2, 5])) for engine in ENGINES),
        *((f"own_{name}.{engine}", f"PlugInError: __main__.own_{name}: own_edges(...) returned turns_to = array({turns}); it has 0, 1 or 2 for each of the 4 edges") for name, turns in (("three", [3, 0, 3, 0]), ("few", [1, 0, 1])) for engine in ENGINES),
        *((f"own_nan.{engine}", "PlugInError: __main__.own_nan: own_edges(...) returned the edges array([  nan, 7200.]) for the VM at place 1; they are seconds") for engine in ENGINES),
        *((f"own_back.{engine}", "PlugInError: __main__.own_back: own_edges(...) returned the edges array([7200., 3600.]) for the VM at place 0; they are seconds") for engine in ENGINES),
        *((f"own_early.{engine}", "PlugInError: __main__.own_early: own_edges(...) returned the edges array([-400., 3200.]) for the VM at place 0; they are seconds") for engine in ENGINES),
        ("words_number", "PlugInError: __main__.words_number: describe(...) gave 7; it gives a sentence, a text of one line"),
        ("words_empty", "PlugInError: __main__.words_empty: describe(...) gave ' '; it gives a sentence"),
        ("words_lines", "PlugInError: __main__.words_lines: describe(...) gave 'a\\nb'; it gives a sentence"),
        ("warns", "PlugInError: __main__.warns: warn(...) gave 'careful'; it gives a list of sentences, each a text of one line"),
        ("fault words", "PlugInError: __main__.Quiet: describe(...) gave [None]; it gives a list of sentences"),
        ("platform words", "PlugInError: __main__.Mute: describe(...) gave ['', 'a']; it gives a list of sentences"),
        ("policy words", "PlugInError: placement policy 'wordless' of __main__ has words = 7; it is a text of one line"),
        ("fall words", "PlugInError: fall-back policy 'wordless' of __main__ has words = ''; it is a text of one line"),
        ("label", "PlugInError: metric 'wordless' of __main__ has label = ''; it is a text of one line"),
        ("meter unit", "PlugInError: kind of meter 'wordless' of __main__ has unit = None; it is a text of one line"),
        ("no_demand", "PlugInError: demand kind 'no_demand' of __main__: to_demand() gave None; it gives a Demand"),
        ("no_digest", "PlugInError: the inputs hold a __main__.Odd, which has no digest"),
        ("wait_nan", FAILED.format("wait_nan", "ValueError: timeout(nan): a delay is 0 or more seconds)")),
        ("wait_back", FAILED.format("wait_back", "ValueError: timeout(-1): a delay is 0 or more seconds)")),
        ("for_ever", "PlugInError: __main__.for_ever has gone on 1,000 times at 0.000 h, and no time passes"),
        ("not_for_ever", "nothing"),
        ("sub_raises", "PlugInError: __main__.inner, which __main__.sub_raises started, failed at 1.500 h (LookupError: lost)"),
        ("sub_of_sub", "PlugInError: __main__.outer, which __main__.sub_of_sub started, failed at 1.500 h (LookupError: lost)"),
        ("sub_number", "PlugInError: __main__.inner_number, which __main__.sub_number started, yielded 7; it waits for"),
        ("sub_for_ever", "PlugInError: __main__.inner_for_ever, which __main__.sub_for_ever started, has gone on 1,000 times at 1.000 h"),
        ("sub_awaited", "nothing"),
        ("event", "PlugInError: an event that nobody waits for was made to fail at 1.500 h (LookupError: lost)"),
        ("no_hosts", FAILED.format("no_hosts", "ValueError: the fleet has no hosts")),
        ("host_before", FAILED.format("host_before", "ValueError: there is no host -1: there are 0 to 2)")),
        ("host_beyond", FAILED.format("host_beyond", "ValueError: there is no host 3: there are 0 to 2)")),
        ("host_real", FAILED.format("host_real", "ValueError: there is no host 1.0: there are 0 to 2)")),
        ("repaired", FAILED.format("repaired", "ValueError: host 0 is to be repaired more often than it has failed by fail_hosts)")),
        ("repaired_twice", FAILED.format("repaired_twice", "ValueError: host 0 is to be repaired more often")),
        ("failed_and_repaired", "nothing"),
        ("counted", FAILED.format("counted", "ValueError: no metric is called 'no_such'")),
        ("no_group", FAILED.format("no_group", "KeyError: \"there is no group 'dev' here: there are web\")")),
        ("operation", FAILED.format("operation", "ValueError: there is no operation 'explode': there are create, ")),
        ("true", 'PlugInError: placement "true" chose host True for web-0000 at '),
        ("real", 'PlugInError: placement "real" chose host 1.0 for web-0000 at '),
        ("pops", "nothing"),
        ("cheats", 'PlugInError: placement "cheats" chose host 9 for web-0000 at '),
        ("not-placed", 'PlugInError: placement "not-placed": placed failed for web-0000 at '),
        ("not-made", 'PlugInError: placement "not-made": chooser(platform) failed (TypeError: '),
        ("search", "ValueError: search is 7; it is FIRST, LEAST_FREE or MOST_FREE"),
        *((f"fall {name}", f"PlugInError: fall-back policy '{name}' of __main__: '{name}' means something already") for name in ("never", "deadline")),
        *((f"fall {name}", f"PlugInError: fall-back policy '{name}' of __main__: a name is a letter, then") for name in ("3", "two words", "a.b", "")),
        ("fall 5", "PlugInError: fall-back policy 5 of __main__: a name is a letter, then letters, digits, '_', '-'"),
        ("table", "PlugInError: table of a group 'a.b' of __main__: a name is a letter, then"),
        ("endless", "PlugInError: metric endless of __main__ gave inf; it gives no negative number, or NaN where there is none"),
        ("negative", "PlugInError: metric negative of __main__ gave -5.0; it gives no negative number"),
        ("signed", "nothing"),
        ("undefined", "nothing"),
        ("share", "PlugInError: metric share of __main__ gave 1.5; it gives no negative number up to 1"),
        ("nothing", "PlugInError: metric nothing: is no_such over cost.total, and there is no no_such"),
        ("metric name", "PlugInError: metric 'a b' of __main__: a name is a letter, then letters, digits, '_', '-', '.' and a placeholder in <>"),
        ("price_nan", "PlugInError: meter price_nan of __main__: prices(...) gave [('a', nan)]; it gives a list of (detail, USD per unit from 0 on)"),
        ("price_below", "PlugInError: meter price_below of __main__: prices(...) gave [('a', -1.0)];"),
        ("price_none", "PlugInError: meter price_none of __main__: prices(...) gave None;"),
        ("line_none", "PlugInError: meter line_none of __main__: lines(...) gave None; it gives a list of BillLine"),
        ("line_below", "PlugInError: meter line_below of __main__: lines(...) gave BillLine("),
        ("line_other", "PlugInError: meter line_other of __main__: lines(...) gave BillLine("),
        ("by-chance", "PlugInError: distribution __main__.Made: quantile(u, q) returned other durations when it was asked again"),
        ("stumbles", "PlugInError: distribution __main__.Made: ZeroDivisionError: division by zero; it is a frozen dataclass"),
        ("one-end", "ScenarioError: group.web.durations.starting: its quantile function has a jump or a kink, is too steep, or loses digits near an end"),
        ("both-ends", "nothing"),
        ("no-distribution", "PlugInError: distribution __main__.MadeSpec: made(...) gave "),
        ("no dist", "PlugInError: distribution __main__.Bare: it needs a field"),
    ],
)  # fmt: skip
def test_values_without_sense_are_named(of_values: Any, which: str, says: str) -> None:
    """None is simulated with, and none hangs or ends the process; what only looks odd, and isn't wrong, runs."""
    assert of_values[which].startswith(says)


def test_the_digest_of_a_plug_in_is_of_its_code_wherever_it_lies(tmp_path: Path) -> None:
    """In a zip file, or compiled without a source: another version has another digest, the same version the same."""
    import py_compile
    import zipfile

    code = "import backups\nfrom sim.fields.registry import SOURCES\nprint(json.dumps(SOURCES['backups']))"
    found: dict[str, list[str]] = {"zip": [], "pyc": []}
    for version in ("1", "1", "2"):
        source = tmp_path / "source.py"
        source.write_text((PLUGINS / "backup_meter.py").read_text() + f"VERSION = {version}\n")
        with zipfile.ZipFile(tmp_path / "plug.zip", "w") as archive:
            archive.writestr(zipfile.ZipInfo("backups.py"), source.read_text())
        found["zip"].append(answered(code, tmp_path, PYTHONPATH=str(tmp_path / "plug.zip")))
        place = tmp_path / "compiled"
        place.mkdir(exist_ok=True)
        py_compile.compile(
            str(source),
            cfile=str(place / "backups.pyc"),
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
        found["pyc"].append(answered(code, tmp_path, PYTHONPATH=str(place)))
    for first, again, other in found.values():
        assert first == again != other


def test_a_module_that_is_imported_again_is_told_to_start_anew(tmp_path: Path) -> None:
    """As in a notebook, by `reload` or after an import that failed half-way."""
    code = """
import importlib, backup_meter
try:
    importlib.reload(backup_meter)
except sim.InputError as error:
    print(json.dumps(str(error)))
"""
    said = answered(code, tmp_path)
    assert said.startswith(
        "table of a group 'backup' of backup_meter is registered twice; the other is of backup_meter: a module can't"
    )

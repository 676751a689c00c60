"""The plug-ins in `scenarios/plugins`, each in a process of its own: what is registered stays so."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from plug_ins import PLUGINS, ROOT, answered

HOURS_IN_USE = """
import lifetime_placement
from sim.engines.shared.placement import FIRST, POLICIES, PlacementPolicy
made = []
class Watched(lifetime_placement.LifetimeAware):
    def __init__(self, platform):
        super().__init__(platform)
        made.append(self)
        self.used_h, self.since_s = 0.0, 0.0
    def choose(self, vm, hosts):
        self.used_h += sum(1 for vms in self.ends_s.values() if vms) * (vm.now_s - self.since_s) / 3600
        self.since_s = vm.now_s
        return super().choose(vm, hosts)
class BestFit(Watched):
    def choose(self, vm, hosts):
        super().choose(vm, hosts)
        return max(hosts, key=lambda host: (len(self.ends_s.get(host, ())), -host))
class WorstFit(Watched):
    def choose(self, vm, hosts):
        super().choose(vm, hosts)
        return min(hosts, key=lambda host: (len(self.ends_s.get(host, ())), host))
fleet = {
    "name": "batches", "horizon": "10d", "seed": 5,
    "platform": {"hosts": [{"name": "rack", "count": 40, "vcpus": 32, "memory_gib": 128}]},
    "group": [
        {"name": "short", "size": "Standard_D4s_v5", "arrivals": {"rate": 0.25, "batch": {"sizes": [40], "weights": [1.0]},
                                                                   "lifetime": {"dist": "exponential", "mean": "2h"}}},
        {"name": "long", "size": "Standard_D4s_v5", "arrivals": {"rate": 0.8, "lifetime": {"dist": "exponential", "mean": "40h"}}},
    ],
}
for policy in (Watched, BestFit, WorstFit):
    POLICIES.add(policy.__name__, PlacementPolicy(words="any", search=FIRST, chooser=policy))
    fleet["platform"]["placement"] = policy.__name__
    sim.run(sim.from_dict(fleet), replications=1)
print(json.dumps([each.used_h for each in made]))
"""


def test_lifetime_aware_placement_empties_hosts(tmp_path: Path) -> None:
    """The same VMs at the same times, all of one size: fewer hosts in use than with best-fit, and far fewer than with worst-fit."""
    aware, best, worst = answered(HOURS_IN_USE, tmp_path)
    assert aware < 0.95 * best < 0.5 * worst


SAME = """
from sim.engines.shared.placement import FIRST, POLICIES, PlacementPolicy
class FirstFit:
    def __init__(self, platform): self.calls = []
    def choose(self, vm, hosts): return hosts[0]
    def placed(self, vm, host): pass
    def left(self, group, number, host): pass
class Wrong(FirstFit):
    def choose(self, vm, hosts): return hosts[-1] + 1000
POLICIES.add("own-first-fit", PlacementPolicy(words="the first host", search=FIRST, chooser=FirstFit))
POLICIES.add("wrong", PlacementPolicy(words="any", search=FIRST, chooser=Wrong))
fleet = {
    "name": "mixed", "horizon": "6d", "replications": 2,
    "platform": {"placement": "first-fit", "hosts": [{"name": "a", "count": 6, "vcpus": 8, "memory_gib": 32, "zone": 1},
                 {"name": "b", "count": 6, "vcpus": 8, "memory_gib": 32, "zone": 2}],
                 "host_failures": {"time_between": "3d"}},
    "group": [
        {"name": "web", "count": 9, "zones": [1, 2], "schedule": {"days": "mon-sun", "on": "08:00:00", "off": "18:00:00"}},
        {"name": "spot", "count": 12, "priority": "spot", "spot": {"eviction_per_hour": 0.02, "restart_after": "1h"}},
        {"name": "jobs", "arrivals": {"rate": 2, "lifetime": "3h"}},
    ],
}
def figures(policy, engine="auto"):
    fleet["platform"]["placement"] = policy
    result = sim.run(sim.from_dict(fleet), engine=engine)
    return result.engine, result.engine_why, [str(each.metrics) for each in result.replications]
own = figures("own-first-fit")
try:
    figures("wrong")
    said = ""
except sim.InputError as error:
    said = str(error)
print(json.dumps({"same": own[2] == figures("first-fit", "simpy")[2], "engine": own[0], "why": own[1], "wrong": said,
                  "validated": sim.from_dict(fleet | {"platform": fleet["platform"] | {"placement": "own-first-fit"}}).describe()}))
"""


def test_a_policy_of_a_plug_in_sees_what_the_built_in_one_does(tmp_path: Path) -> None:
    """First-fit written as a plug-in: the same bits, with zones, failures, evictions and deallocation; SimPy, and it says why."""
    found = answered(SAME, tmp_path)
    assert found["same"]
    assert found["engine"] == "simpy"
    assert 'placement "own-first-fit"' in found["why"]
    assert any("a VM gets the first host." in line for line in found["validated"])


def test_a_policy_that_breaks_its_contract_is_named(tmp_path: Path) -> None:
    """The VM, the hour, what was chosen, and what could have been."""
    said = answered(SAME, tmp_path)["wrong"]
    assert 'placement "wrong" chose host 1' in said
    assert "for web-" in said
    assert "it was to be one of [" in said


def test_month_end_hours_are_those_of_the_calendar(tmp_path: Path) -> None:
    """Two VMs, the last 3 days of January and February 2026: 2 x 6 days, in both engines; kept otherwise they would be all hours."""
    code = """
import month_end
still = {each: "0s" for each in ("allocating", "starting", "deallocating")}
fleet = {"name": "close", "start": __import__("datetime").datetime(2026, 1, 1, tzinfo=__import__("datetime").timezone.utc), "horizon": "59d",
         "group": [{"name": "books", "count": 2, "image": "specialized", "durations": still, "month_end": {"days": 3}}]}
hours = [sim.run(sim.from_dict(fleet), replications=1, engine=engine).estimate("hours.running").mean for engine in ("simpy", "compiled")]
print(json.dumps([hours, sim.from_dict(fleet).describe()]))
"""
    hours, words = answered(code, tmp_path)
    assert hours == [2 * 6 * 24.0] * 2
    assert any("Wanted on the last 3 days of each month" in line for line in words)


def test_the_backup_meter_bills_every_instance(tmp_path: Path) -> None:
    """730 h of 4 VMs at 10 a month each: 40, a line of its own, part of the total, and a metric."""
    code = """
import backup_meter
fleet = {"name": "kept", "horizon": "730h", "group": [{"name": "web", "count": 4, "backup": {"per_month": 10.0}}, {"name": "bare", "count": 2}]}
result = sim.run(sim.from_dict(fleet), replications=1)
lines = [(line.meter, line.amount) for line in result.replications[0].bill if line.meter.startswith("backup")]
costs = {name: result.estimate(name).mean for name in ("cost.backup", "cost.total", "cost.compute", "cost.disk")}
print(json.dumps([lines, costs, result.provenance()["plugins"]]))
"""
    lines, costs, plugins = answered(code, tmp_path)
    ((meter, amount),) = lines
    assert (meter, costs["cost.backup"]) == ("backup.instance", amount)
    assert amount == pytest.approx(40.0, rel=1e-6)
    assert costs["cost.total"] == pytest.approx(costs["cost.backup"] + costs["cost.compute"] + costs["cost.disk"])
    assert [each["module"] for each in plugins] == ["backup_meter"]
    assert "kind of meter backup" in plugins[0]["adds"]
    assert len(plugins[0]["digest"]) == 64


RANDOM = """
import random
from sim.engines.shared.placement import FIRST, POLICIES, PlacementPolicy
class HOW:
    def __init__(self, platform): self.seen = {str(number) for number in range(50)}
    def choose(self, vm, hosts): return hosts[CHOICE % len(hosts)]
    def placed(self, vm, host): pass
    def left(self, group, number, host): pass
POLICIES.add("odd", PlacementPolicy(words="any", search=FIRST, chooser=HOW))
"""
CHECKED = """
import odd
fleet = {"name": "odd", "horizon": "3d",
         "platform": {"placement": "odd", "hosts": [{"name": "a", "count": 9, "vcpus": 8, "memory_gib": 32}], "host_failures": {"time_between": "1d"}},
         "group": [{"name": "web", "count": 9}]}
try:
    said = sim.check_determinism(sim.from_dict(fleet))
except sim.VmfleetError as error:
    said = str(error)
print(json.dumps(said))
"""


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ("random.randrange(99)", "differs when it is simulated again in one process; look for"),
        ("__import__('time').perf_counter_ns()", "differs when it is simulated again in one process; look for"),
        ("int(next(iter(self.seen)))", "differs in another process with other hashes; look for"),
        ("vm.number", None),
        ("(vm.number, print('placing'))[0]", None),
    ],
)
def test_a_plug_in_that_is_not_deterministic_is_found(tmp_path: Path, choice: str, says: str | None) -> None:
    """Random numbers of its own, a clock, the order of a set; and one that is as it should be."""
    (tmp_path / "odd.py").write_text(RANDOM.replace("HOW", "Odd").replace("CHOICE", choice))
    said = answered(CHECKED, tmp_path, PYTHONPATH=str(tmp_path), PYTHONHASHSEED="1")
    assert len(said) == 64 if says is None else says in said
    assert (says is None) == ("in odd" not in said)


def test_installed_plug_ins_are_found_and_named_with_their_version(tmp_path: Path) -> None:
    """By their entry point, without an import: in the schema, in worker processes, in provenance; one that breaks is named."""
    site = tmp_path / "site"
    about = site / "fleet_backups-1.2.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: fleet-backups\nVersion: 1.2\n")
    (about / "top_level.txt").write_text("fleet_backups\n")
    (about / "entry_points.txt").write_text("[vmfleet.plugins]\nbackup = fleet_backups\n")
    (site / "fleet_backups.py").write_text((PLUGINS / "backup_meter.py").read_text())
    (tmp_path / "fleet.toml").write_text(
        'name = "f"\nhorizon = "1d"\n[[group]]\nname = "web"\ncount = 2\n[group.backup]\nper_month = 10.0\n'
    )
    command = [
        sys.executable,
        "-m",
        "sim",
        "run",
        "fleet.toml",
        "--engine",
        "simpy",
        "-n",
        "4",
        "--jobs",
        "2",
        "--no-report",
        "--quiet",
    ]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{site}"}

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    done = run()
    assert done.returncode == 0, done.stderr
    facts = json.loads((tmp_path / "results" / "f" / "provenance.json").read_text())
    (plugin,) = facts["plugins"]
    assert (plugin["module"], plugin["package"], plugin["version"]) == ("fleet_backups", "fleet-backups", "1.2")
    assert "backup.instance" in (tmp_path / "results" / "f" / "bill.csv").read_text()
    for words in (["report", "results/f"], ["run", "fleet.toml", "-n", "0..1", "--out", "a"], ["run", "fleet.toml", "-n", "2..3", "--out", "b"],
                  ["merge", "a", "b", "-n", "4", "--no-report", "--out", "c"], ["report", "c"]):  # fmt: skip
        also = subprocess.run(
            [sys.executable, "-m", "sim", *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert also.returncode == 0, also.stderr
    before = facts["program"]["digest"]
    (site / "fleet_backups.py").write_text((PLUGINS / "backup_meter.py").read_text() + "# 1.3\n")
    assert run().returncode == 0
    changed = json.loads((tmp_path / "results" / "f" / "provenance.json").read_text())["program"]["digest"]
    assert changed != before  # so that no cache takes the replications of the other version
    (site / "fleet_backups.py").write_text("import no_such_module\n")
    done = run()
    assert done.returncode == 2
    assert "plug-in backup of fleet-backups 1.2 can't be loaded (ModuleNotFoundError" in done.stderr


RESTARTED = """
import rolling_restart
still = {each: "0s" for each in ("allocating", "starting", "os_provisioning")} | {"restarting": "6min"}
fleet = {"name": "rolling", "horizon": "481h", "replications": 2,
         "group": [{"name": "web", "count": 5, "image": "specialized", "durations": still, "rolling_restart": {"every": "47.5h"}}]}
OTHERS
result = sim.run(sim.from_dict(fleet), engine="ENGINE", replications=1)
web = result.replications[0].metrics["web"]
print(json.dumps([result.engine, result.engine_why, web["operations.restart.succeeded"], web["availability"],
                  sim.check_determinism(sim.from_dict(fleet))]))
"""


def test_a_behaviour_as_a_process_restarts_every_vm_in_turn(tmp_path: Path) -> None:
    """A round of 5 x 6 min begins every 48 h from 47.5 h on: 10 rounds in 481 h, 50 restarts, 5 h without service of 2,405."""
    code = RESTARTED.replace("OTHERS", "").replace("ENGINE", "auto")
    engine, _, restarts, availability, digest = answered(code, tmp_path)
    assert engine == "simpy"
    assert restarts == 50
    assert availability == pytest.approx(1 - 5 / 2405, abs=1e-12)
    assert len(digest) == 64


def test_groups_beside_a_behaviour_stay_compiled(tmp_path: Path) -> None:
    """The group alone is simulated in SimPy, and the run says so."""
    others = 'fleet["group"].append({"name": "many", "count": 50, "cycle": {"on": "2h", "off": "1h"}})'
    code = RESTARTED.replace("OTHERS", others).replace("ENGINE", "compiled")
    engine, why, restarts, *_ = answered(code, tmp_path)
    assert (engine, restarts) == ("compiled", 50)
    assert "rollingrestart needs SimPy" in why


PROGRESS = """
import uniform_progress
found = []
for rule in ("own-uniform-progress", "uniform-progress", "deadline"):
    scenario = sim.load("FOLDER/spot_deadline.toml", [f"group.job.spot.fall_back={rule}", "group.job.arrivals.deadline=72h"])
    result = sim.run(scenario, engine="simpy" if rule != "own-uniform-progress" else "auto", replications=2)
    found.append([result.engine, result.engine_why, [str(each.metrics) for each in result.replications], scenario.describe()])
print(json.dumps(found))
"""


def test_uniform_progress_as_a_plug_in_has_the_bits_of_the_built_in_rule(tmp_path: Path) -> None:
    """Every figure of two replications, and another rule has others; validate has its words, the summary says why SimPy."""
    own, built_in, other = answered(PROGRESS.replace("FOLDER", str(ROOT / "scenarios")), tmp_path)
    assert own[2] == built_in[2] != other[2]
    assert own[0] == "simpy"
    assert "spot.fall_back UniformProgress" in own[1]
    assert any("while it is behind" in line for line in own[3])


def test_a_worker_imports_the_plug_ins_before_it_says_who_it_is(tmp_path: Path) -> None:
    """Another process that has imported none would be taken for another program."""
    code = """
import backup_meter, cloudpickle, pathlib, subprocess
from sim.fields.plugins import modules
from sim.runs.cluster import input_for_worker, who_am_i
ask = "import pickle, sys, json; sys.path[:0] = PATHS; print(json.dumps(pickle.load(open('ask', 'rb'))()))".replace("PATHS", repr(sys.path[:2]))
said = []
for named in (modules(), ()):
    pathlib.Path("ask").write_bytes(cloudpickle.dumps(input_for_worker(named)))
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    said.append(json.loads(done.stdout) == who_am_i())
print(json.dumps(said))
"""
    assert answered(code, tmp_path) == [True, False]


def test_what_a_plug_in_imports_is_part_of_its_digest(tmp_path: Path) -> None:
    """A helper and a data file of its package: a cache must not take one version's results for the other's."""
    pack = tmp_path / "pack"
    pack.mkdir()
    (pack / "__init__.py").write_text("")
    (pack / "meter.py").write_text("from pack import helper\n" + (PLUGINS / "backup_meter.py").read_text())
    code = "import pack.meter\nfrom sim.runs.provenance import program_digest\nprint(json.dumps(program_digest()))"
    found = set()
    for helper, data in (("PRICE = 1", "a"), ("PRICE = 2", "a"), ("PRICE = 2", "b")):
        (pack / "helper.py").write_text(helper)
        (pack / "prices.csv").write_text(data)
        found.add(answered(code, tmp_path, PYTHONPATH=str(tmp_path)))
    assert len(found) == 3


REPAIRED = """
import log_logistic
import numpy as np
from sim.distributions.samplers import compile_samplers, evaluate
from sim.distributions.streams import LAST
repair = {"dist": "log-logistic", "median": "10min", "shape": 2.5}
fleet = {"name": "repaired", "horizon": "60d", "replications": 2, "group": [
    {"name": "web", "count": 40, "guest_crash": {"time_between": {"dist": "log-logistic", "median": "20h", "shape": 3.0}, "detection": repair}},
    {"name": "cut", "count": 5, "cycle": {"on": repair | {"shape": 0.9, "max": "9h"}, "off": {"dist": "mixture", "weights": [1, 2], "of": ["1h", repair]}}}]}
scenario = sim.from_dict(fleet)
found = [[str(each.metrics) for each in sim.run(scenario, engine=engine).replications] for engine in ("simpy", "compiled")]
ours = log_logistic.LogLogistic(median=600.0, shape=2.5)
n = (np.arange(200_000) * (LAST // 200_000)).astype(np.int64)
drawn = evaluate(compile_samplers([ours]), 0, n)
wrong = {}
for key, changed in {"shape": {"shape": "2"}, "typo": {"shap": 2.5}, "mean": {"shape": 1.0}}.items():
    fleet["group"][0]["guest_crash"]["detection"] = repair | changed
    try:
        sim.from_dict(fleet)
    except sim.ScenarioError as error:
        wrong[key] = str(error)
print(json.dumps({"same": found[0] == found[1], "mean": ours.mean, "deviation": ours.variance**0.5, "drawn": float(drawn.mean()),
                  "below": float((drawn < 1200).mean()), "cdf": float(ours.cdf(1200)), "wrong": wrong, "words": scenario.describe()}))
"""


def test_a_distribution_of_a_plug_in_has_the_same_bits_in_both_engines(tmp_path: Path) -> None:
    """Mean and deviation of a log-logistic by their formulas; in a mixture, cut, as detection and between crashes; exponential differs."""
    found = answered(REPAIRED, tmp_path)
    assert found["same"]
    ratio = math.pi / 2.5
    mean = 600 * ratio / math.sin(ratio)
    assert found["mean"] == pytest.approx(mean, rel=1e-9)
    assert found["deviation"] == pytest.approx(600 * math.sqrt(2 * ratio / math.sin(2 * ratio) - (ratio / math.sin(ratio)) ** 2), rel=1e-6)  # fmt: skip
    assert found["drawn"] == pytest.approx(mean, rel=2e-3)
    below = 1 / (1 + (1200 / 600) ** -2.5)
    assert found["cdf"] == pytest.approx(below, abs=1e-12)
    assert found["below"] == pytest.approx(below, abs=2e-5)
    assert abs(found["below"] - (1 - math.exp(-1200 / mean))) > 0.02  # an exponential of that mean
    assert any("log-logistic, median 10min, shape 2.5" in line for line in found["words"])


def test_wrong_parameters_of_a_plug_ins_distribution_are_named(tmp_path: Path) -> None:
    """By place and value, as those of the built-in ones; a shape of 1 has no mean."""
    wrong = answered(REPAIRED, tmp_path)["wrong"]
    assert wrong["shape"] == 'group.web.guest_crash.detection.shape: "2": this is not a number without quotes (write 2)'
    assert 'shap: there is no such key (did you mean "shape"?)' in wrong["typo"]
    assert "this distribution has no finite mean" in wrong["mean"]


BROKEN = """
from dataclasses import dataclass
from typing import Literal
import numpy as np
from sim.distributions.from_quantiles import FromQuantiles
from sim.distributions.specs import Spec, add_distribution
@dataclass(frozen=True)
class Odd(FromQuantiles):
    how: str
    def quantile(self, u, q):
        return {"jump": np.where(u < 0.3, 5.0, 9.0) + u, "falls": 60 * q, "list": list(u), "endless": 1 / (1 - np.round(u, 3)), "short": u[:2]}[self.how]
    def describe(self): return "odd"
@add_distribution
class OddSpec(Spec):
    made = Odd
    dist: Literal["odd"]
    how: str
with np.errstate(all="ignore"):
    found = {}
    for how in ("jump", "falls", "list", "endless", "short"):
        fleet = {"name": "odd", "horizon": "1d", "group": [{"name": "web", "durations": {"starting": {"dist": "odd", "how": how}}}]}
        try:
            sim.from_dict(fleet)
        except sim.InputError as error:
            found[how] = str(error)
print(json.dumps(found))
"""


def test_a_distribution_that_breaks_its_contract_is_refused(tmp_path: Path) -> None:
    """A jump, a quantile function that falls or is infinite, another shape; a list is as good as an array."""
    found = answered(BROKEN, tmp_path)
    assert "group.web.durations.starting" in found["jump"]
    assert "has a jump or a kink" in found["jump"]
    assert "is not finite, is negative, or falls" in found["falls"]
    assert "is not finite" in found["endless"]
    assert "distribution __main__.Odd: quantile(u, q) returned float64 of shape (2,)" in found["short"]
    assert "list" not in found


OWN_TABLE = """
from typing import Annotated
from pydantic import Field
from sim.engines.shared.placement import FIRST, POLICIES, PlacementPolicy
from sim.fields.tables import PLATFORM_TABLES
from sim.fields.types import Section, Whole
@PLATFORM_TABLES.register("crowd")
class Crowd(Section):
    '''How many VMs a host may have before others are asked.'''
    most: Annotated[Whole, Field(ge=1)] = Field(2, description="VMs.")
class Crowded:
    def __init__(self, platform):
        self.most, self.on = platform.own["crowd"]["most"], {}
    def choose(self, vm, hosts):
        return next((host for host in hosts if self.on.get(host, 0) < self.most), hosts[-1])
    def placed(self, vm, host): self.on[host] = self.on.get(host, 0) + 1
    def left(self, group, number, host): self.on[host] -= 1
POLICIES.add("crowded", PlacementPolicy(words="a host that is not crowded", search=FIRST, chooser=Crowded))
def fleet(**crowd):
    return sim.from_dict({"name": "f", "horizon": "2d", "group": [{"name": "web", "count": 12}], "platform": {"placement": "crowded", "crowd": crowd,
                          "hosts": [{"name": "a", "count": 12, "vcpus": 64, "memory_gib": 256}]}})
try:
    fleet(most=0, least=1)
except sim.ScenarioError as error:
    said = str(error)
used = [sim.run(fleet(**crowd), replications=1).estimate("hosts.peak_used").mean for crowd in ({}, {"most": 3}, {"most": 12})]
print(json.dumps([used, said, fleet(most=3).describe(), sim.run(fleet(most=3).replace("platform.crowd.most", 4), replications=1).estimate("hosts.peak_used").mean]))
"""


def test_a_placement_policy_reads_a_table_of_its_own(tmp_path: Path) -> None:
    """Twelve VMs at two, three, twelve a host; its keys are checked, described, and set as any other's."""
    used, said, words, replaced = answered(OWN_TABLE, tmp_path)
    assert used == [6, 4, 1]
    assert replaced == 3
    assert "platform.crowd.most: 0: out of range (must be 1 or more)" in said
    assert "platform.crowd.least: there is no such key" in said
    assert "  crowd: most = 3." in words

"""What plug-ins and scripts run beside the VMs, in `scenarios/plugins` and passed in from Python, and who listens."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from plug_ins import answered

SWITCHED_OFF = """
import wrong_switch_off, unit_cost
still = {each: "0s" for each in ("allocating", "starting", "stopping")}
fleet = {"name": "mistakes", "horizon": "200d", "replications": 20, "warm_up": "10d",
         "group": [{"name": "web", "count": 20, "image": "specialized", "durations": still,
                    "wrong_switch_off": {"time_between": "11h", "noticed": "1h"}}, {"name": "calm", "count": 2}]}
scenario = sim.from_dict(fleet)
result = sim.run(scenario)
mixed = sim.run(scenario, engine="compiled", replications=1)
names = ("wrong_switch_offs", "wanted_hours", "served_hours", "operations.power_off.succeeded", "starts_per_day", "cost.total", "cost.per_served_hour")
print(json.dumps({"web": {name: result.values(name, "web") for name in names}, "calm": result.estimate("wrong_switch_offs", "calm").mean,
                  "cost": result.estimate("cost.per_served_hour", "web").mean,
                  "mixed": [mixed.engine, mixed.engine_why, mixed.values("served_hours") == result.values("served_hours")[:1]],
                  "words": scenario.describe(), "digest": sim.check_determinism(scenario)}))
"""


@pytest.fixture(scope="module")
def switched_off(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the example of a fault and of metrics came to."""
    return answered(SWITCHED_OFF, tmp_path_factory.mktemp("switched_off"))


def test_a_fault_of_a_plug_in_asks_for_operations_and_counts_what_it_did(switched_off: Any) -> None:
    """A renewal process of 12 h: 190 d have 380 mistakes, each an hour without service; not 415, as if they were noticed at once."""
    found = switched_off
    web = found["web"]
    mistakes = math.fsum(web["wrong_switch_offs"]) / 20
    deviation = math.sqrt(190 * 24 * 11**2 / 12**3 / 20)  # of the mean: Cox (1962), Renewal Theory, section 4.2
    assert abs(mistakes - 380) < 4 * deviation < 415 - 380
    lost = [wanted - served for wanted, served in zip(web["wanted_hours"], web["served_hours"], strict=True)]
    assert all(abs(lost_h - times) < 1.0 for lost_h, times in zip(lost, web["wrong_switch_offs"], strict=True))
    assert web["operations.power_off.succeeded"] == web["wrong_switch_offs"]
    assert found["calm"] == 0
    assert "  Every 11h a VM is switched off by mistake." in found["words"]
    assert len(found["digest"]) == 64


def test_its_group_alone_is_simulated_in_simpy(switched_off: Any) -> None:
    """The run says so, and has the same figures."""
    engine, why, same = switched_off["mixed"]
    assert engine == "compiled"
    assert "fault WrongSwitchOff needs SimPy" in why
    assert same


def test_metrics_of_a_plug_in_are_ratios_of_means_or_computed(switched_off: Any) -> None:
    """The cost over the hours of service, both over all replications; a start for each mistake, over 190 days."""
    found = switched_off
    web = found["web"]
    assert found["cost"] == pytest.approx(math.fsum(web["cost.total"]) / math.fsum(web["served_hours"]), rel=1e-12)
    per_day = [each * 190 for each in web["starts_per_day"]]
    assert all(abs(starts - times) < 1.5 for starts, times in zip(per_day, web["wrong_switch_offs"], strict=True))


FED = """
import power_feed
fleet = {"name": "fed", "horizon": "200d", "replications": 4, "group": [{"name": "web", "count": 8}],
         "platform": {"hosts": [{"name": "a", "count": 10, "vcpus": 8, "memory_gib": 64}],
                      "power_feed": {"time_between": "9d", "repair": "1d", "share": SHARE}}}
scenario = sim.from_dict(fleet)
result = sim.run(scenario, engine="ENGINE")
print(json.dumps([result.engine, result.engine_why, scenario.describe(), {name: result.values(name) for name in
                  ("host_failures", "service_healings", "availability", "sla.uptime")}]))
"""


def test_a_fault_of_the_platform_of_a_plug_in_fails_hosts(tmp_path: Path) -> None:
    """Three of ten hosts at a time, about every ten days; VMs are started on other hosts, and the SLA counts it."""
    engine, why, words, found = answered(FED.replace("SHARE", "0.3").replace("ENGINE", "auto"), tmp_path)
    assert engine == "simpy"
    assert "fault PowerFeed" in why
    assert "  Every 9d a power feed fails, with 30 % of the hosts." in words
    outages = [failures / 3 for failures in found["host_failures"]]
    assert all(each == round(each) for each in outages)
    assert abs(math.fsum(outages) / 4 - 20) < 4 * math.sqrt(200 * 81 / 1000 / 4)
    assert all(
        0 < healed < failed for healed, failed in zip(found["service_healings"], found["host_failures"], strict=True)
    )
    assert all(0.999 < uptime < 1 for uptime in found["sla.uptime"])


def test_with_all_hosts_down_vms_wait_for_the_repair(tmp_path: Path) -> None:
    """A tenth of the time; the whole fleet is in SimPy also where the compiled engine is asked for."""
    engine, _, _, found = answered(FED.replace("SHARE", "1.0").replace("ENGINE", "compiled"), tmp_path)
    assert engine == "simpy"
    assert 0.85 < math.fsum(found["availability"]) / 4 < 0.95


BESIDE = """
from dataclasses import dataclass
NIGHTLY = '''
from dataclasses import dataclass
@dataclass(frozen=True)
class Restarts:
    every_h: float
    def __call__(self, fleet):
        while True:
            yield fleet.env.timeout(self.every_h * 3600)
            for name in fleet.vms("web"):
                state = yield fleet.request(name, "restart")
                assert state.power == "running"
def idle(fleet):
    yield fleet.env.timeout(60)
def made_in():
    def inner(fleet):
        yield fleet.env.timeout(60)
    return inner
'''
open("nightly.py", "w").write(NIGHTLY)
import sys; sys.path.insert(0, ".")
import nightly
still = {each: "0s" for each in ("allocating", "starting", "os_provisioning")} | {"restarting": "6min"}
plain = sim.from_dict({"name": "rolling", "horizon": "481h", "replications": 2, "group": [
    {"name": "web", "count": 5, "image": "specialized", "durations": still}, {"name": "cycled", "count": 3, "cycle": {"on": {"dist": "exponential", "mean": "5h"}, "off": "1h"}}]})
scenario = plain.with_processes(nightly.Restarts(every_h=47.5))
result = sim.run(scenario, jobs=2)
refused = []
for wrong in (nightly.made_in(), lambda fleet: None, "nightly.idle", nightly.Restarts):
    try:
        plain.with_processes(wrong)
    except sim.InputError as error:
        refused.append(str(error))
other = scenario.replace("horizon", "97h")
cache = sim.RunCache("kept")
kept = [sim.run(plain.with_processes(nightly.Restarts(every_h=h)), cache=cache, replications=1).estimate("operations.restart.succeeded").mean for h in (47.5, 100.0, 47.5)]
print(json.dumps({"engine": [result.engine, result.engine_why], "web": [result.values("operations.restart.succeeded"), result.values("availability", "web")],
    "idle": str(sim.run(plain.with_processes(nightly.idle), engine="simpy").replications[1].metrics) == str(sim.run(plain, engine="compiled").replications[1].metrics),
    "compiled": sim.run(scenario, engine="compiled", replications=1).engine, "refused": refused, "digest": sim.check_determinism(scenario),
    "provenance": [result.provenance()["processes"], [each["module"] for each in result.provenance()["plugins"]]],
    "after": sim.run(other, replications=1).estimate("operations.restart.succeeded").mean, "kept": [kept, cache.reused], "words": scenario.describe()[0]}))
"""


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a script's own processes came to."""
    return answered(BESIDE, tmp_path_factory.mktemp("beside"))


def test_a_process_passed_in_from_python_asks_for_operations(beside: Any) -> None:
    """Rounds of 5 x 6 min every 48 h: 50 restarts in 481 h; in worker processes, after `replace`, named in provenance."""
    found = beside
    assert found["engine"][0] == found["compiled"] == "simpy"
    assert "process nightly.Restarts" in found["engine"][1]
    restarts, availability = found["web"]
    assert restarts == [50, 50]
    assert availability == pytest.approx([1 - 5 / 2405] * 2, abs=1e-12)
    assert found["provenance"] == [["nightly.Restarts"], ["nightly"]]
    assert found["after"] == 10
    assert found["words"] == "Beside the VMs: nightly.Restarts."
    assert len(found["digest"]) == 64


def test_a_process_that_asks_for_nothing_changes_no_bit(beside: Any) -> None:
    """The fleet takes requests then, and has the figures of the compiled engine."""
    assert beside["idle"]


def test_two_processes_are_told_apart_by_their_parameters(beside: Any) -> None:
    """A cache keeps them apart; what can't be told apart, such as closures, is refused."""
    found = beside
    assert found["kept"] == [[50, 20, 50], 1]
    assert len(found["refused"]) == 4
    assert "it is to be a function of a module, or an object of a frozen dataclass" in found["refused"][0]


LISTENED = """
fleet = {"name": "heard", "horizon": "12d", "replications": 3, "group": [
    {"name": "web", "count": 3, "schedule": {"days": "Mon-Fri", "on": "08:00:00", "off": "18:00:00"}},
    {"name": "jobs", "arrivals": {"rate": 0.5, "lifetime": {"dist": "exponential", "mean": "3h"}}, "failures": {"OSProvisioningTimedOut": 0.2}}],
    "platform": {"hosts": [{"name": "a", "count": 4, "vcpus": 16, "memory_gib": 64}], "host_failures": {"time_between": "4d"}}}
scenario = sim.from_dict(fleet)
heard, figures = [], []
for way in ({"engine": "simpy"}, {"engine": "compiled"}, {"jobs": 2, "engine": "simpy"}, {"cache": sim.RunCache("kept")}, {"cache": sim.RunCache("kept")}):
    heard.append([])
    result = sim.run(scenario, listeners=[heard[-1].append], **way)
    figures.append([str(each.metrics) for each in result.replications])
rows = [tuple(each) for each in heard[0]]
sim.run(scenario, events=True, engine="simpy").write("out")
import pyarrow.parquet as pq
table = pq.read_table("out/events.parquet").to_pydict()
sim.run(scenario, listeners=[lambda event: None]).write("quiet")
def stumbles(event):
    if event.kind == "power" and event.to_state == "deallocated":
        raise LookupError("no such dashboard")
said = ""
try:
    sim.run(scenario, listeners=[stumbles])
except sim.VmfleetError as error:
    said = str(error)
try:
    sim.run(scenario, listeners=["print"])
except sim.InputError as error:
    said += "|" + str(error)
import os
print(json.dumps({"same": len({*map(str, heard)}), "figures": len({*map(str, figures)}), "n": len(rows),
    "as written": rows == list(zip(*table.values())),
    "ordered": [(row[0], row[1]) for row in rows] == sorted((row[0], row[1]) for row in rows), "said": said, "quiet": os.path.exists("quiet/events.parquet")}))
"""


@pytest.fixture(scope="module")
def listened(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What listeners heard."""
    return answered(LISTENED, tmp_path_factory.mktemp("listened"))


def test_listeners_get_the_events_of_a_run_in_order(listened: Any) -> None:
    """The rows of `events.parquet`: the same of both engines, from workers and from kept replications; they change no figure."""
    found = listened
    assert (found["same"], found["figures"]) == (1, 1)
    assert found["as written"]
    assert found["ordered"]
    assert found["n"] > 1000
    assert not found["quiet"]


def test_a_listener_that_fails_is_named_with_the_event(listened: Any) -> None:
    """Its name, what it was told of, and what it raised; what is no function is refused before the run."""
    failed, refused = listened["said"].split("|")
    assert failed.startswith("listener __main__.stumbles failed at power of web-0000, ")
    assert failed.endswith("h of replication 0 (LookupError: no such dashboard)")
    assert "'print' is no function" in refused

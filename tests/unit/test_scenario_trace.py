"""Real fleets replayed: what a scenario makes of a record."""

from __future__ import annotations

import math
import pickle
from pathlib import Path

import pytest

from sim.billing.commitments import CapacityReservation
from sim.distributions.kinds import Constant, Lognormal
from sim.engines.simulate import simulate
from sim.errors import ScenarioError
from sim.fields.metrics import trace_sentence
from sim.scenario.scenario import load
from sim.traces.trace import open_trace

REAL_DAY = Path(__file__).parents[3] / "shared" / "data" / "traces" / "azure2017_vms_one_day.csv.gz"

RECORD = """\
created_s,deleted_s,vcpu,memory_gib,priority
0,3600,4,16,regular
600,7200,2,8,regular
1200,,4,16,spot
1800,9000,4,16,regular
"""

TEXT = """\
name = "replay"
horizon = "150min"
[[group]]
name = "real"
[group.trace]
file = "vms.csv"
format = "columns"
sizes = ["Standard_D2s_v5", "Standard_D4s_v5"]
"""


SIZES = '["Standard_D2s_v5", "Standard_D4s_v5"]'


@pytest.fixture
def write(tmp_path):
    """Writes a record and a scenario that replays it, and gives the scenario's path."""

    def _write(record: str = RECORD, text: str = TEXT) -> Path:
        (tmp_path / "vms.csv").write_text(record)
        path = tmp_path / "scenario.toml"
        path.write_text(text)
        return path

    return _write


def _faults(path, overrides=()):
    with pytest.raises(ScenarioError) as caught:
        load(path, overrides)
    return caught.value.faults


def test_a_trace_is_simulated_as_one_group_for_each_size(write):
    """Usage and money are counted by size, and spot VMs pay another price than regular ones."""
    made = load(write())
    regular, spot, small = (
        next(group for group in made.fleet_plan().groups if group.name == name)
        for name in ("real-D4s_v5", "real-D4s_v5-spot", "real-D2s_v5")
    )
    assert len(made.fleet_plan().groups) == 3
    assert (regular.demand.born_s, regular.demand.lifetime_s) == ((0.0, 1800.0), (3600.0, 7200.0))
    assert (small.demand.born_s, small.demand.lifetime_s) == ((600.0,), (6600.0,))
    assert (spot.demand.born_s, spot.demand.lifetime_s) == ((1200.0,), (math.inf,))
    assert {rated.name: (rated.size, rated.priority) for rated in made.rated_groups()} == {
        "real-D2s_v5": ("Standard_D2s_v5", "regular"),
        "real-D4s_v5": ("Standard_D4s_v5", "regular"),
        "real-D4s_v5-spot": ("Standard_D4s_v5", "spot"),
    }
    assert made.group_names == tuple(group.name for group in made.fleet_plan().groups)
    sizes = {"real-D2s_v5": "Standard_D2s_v5", "real-D4s_v5": "Standard_D4s_v5", "real-D4s_v5-spot": "Standard_D4s_v5"}
    assert made.trace_sizes() == sizes
    assert trace_sentence(sizes, most=2).endswith("Standard_D4s_v5 for real-D4s_v5 and 1 more.")


def test_steps_take_no_time_unless_the_file_gives_them_some(write):
    """The record's hours hold them already; a user who wants boot times on top says so."""
    path = write()
    assert set(load(path).fleet_plan().groups[0].durations_s.values()) == {Constant(value=0.0)}
    some = load(path, ["group.real.durations.starting=25s"]).fleet_plan().groups[0].durations_s
    assert (some["starting"], some["deleting"]) == (Constant(value=25.0), Constant(value=0.0))
    used = {default.key for default in load(path).defaults_in_use()}
    assert "group.trace.durations" in used
    assert not any(key.startswith("group.durations") for key in used)
    without = load(path).replace("group.real.trace", None).fleet_plan().groups[0].durations_s["starting"]
    assert isinstance(without, Lognormal)


def test_hours_replayed_are_hours_recorded(write):
    """By hand: 3600 + 6600 + 7800 (alive at the end) + 7200 seconds."""
    run = simulate(load(write()).fleet_plan(), seed=1, replication=0, engine="simpy")
    assert run.fleet.existing_h == pytest.approx((3600 + 6600 + 7800 + 7200) / 3600, abs=1e-9)
    assert {name: usage.existing_h for name, usage in run.usages.items()}["real-D2s_v5"] == pytest.approx(6600 / 3600)


@pytest.mark.slow
@pytest.mark.skipif(not REAL_DAY.exists(), reason="the shared data is not here")
def test_hours_of_a_real_day_replayed_are_the_hours_in_its_file(tmp_path):
    """87,550 VMs of one day: the lifetimes in the file are the hours that the fleet exists, to rounding."""
    trace = open_trace(REAL_DAY, "columns")
    path = tmp_path / "real.toml"
    path.write_text(
        f'name = "real"\nhorizon = "{trace.window_s}s"\n[[group]]\nname = "real"\n[group.trace]\nfile = "{REAL_DAY}"\nformat = "columns"\n'
    )
    plan = load(path).fleet_plan()
    assert sum(len(group.demand.born_s) for group in plan.groups) == 87_550
    run = simulate(plan, seed=1, replication=0, engine="simpy")
    assert run.fleet.existing_h == pytest.approx(trace.vm_h, rel=1e-9)


@pytest.mark.parametrize(
    ("override", "names"),
    [
        ("group.real.size=Standard_E8s_v5", {"real-E8s_v5", "real-E8s_v5-spot"}),
        ("group.real.priority=regular", {"real-D4s_v5", "real-D2s_v5"}),
        ('group.real.trace.sizes={ "4/16" = "Standard_E8s_v5" }', {"real-E8s_v5", "real-E8s_v5-spot", "real-B2as_v2"}),
    ],
)
def test_sizes_and_priority_may_be_the_users(write, override, names):
    """One size for all, one for a kind of VM, or a priority that the trace does not contain."""
    path = write(text=TEXT.replace(f"sizes = {SIZES}\n", "") if "size=" in override else TEXT)
    assert set(load(path, [override]).group_names) == names


def test_a_size_by_the_records_own_word(write):
    """A record of another cloud is replayed by translating its sizes."""
    record = "created,lifetime,size\n0,3600,m5.xlarge\n0,3600,m5.large\n"
    text = TEXT.replace(SIZES, '{ "m5.xlarge" = "Standard_D4s_v5", "m5.large" = "d2s v5" }')
    assert load(write(record, text)).group_names == ("real-D2s_v5", "real-D4s_v5")
    (host_failed,) = _faults(write(record), ['group.real.trace.sizes={ "m5.xlarge" = "Standard_D4s_v5" }'])
    assert "m5.large" in str(host_failed)


@pytest.mark.parametrize(
    ("record", "line", "says"),
    [
        ("created_s,vcpu,memory_gib\n0,4,16\n", 6, "no column for deleted or lifetime"),
        ("created_s,deleted_s,vcpu,memory_gib\n0,x,4,16\n", 6, "line 2: deleted_s: 'x' is not a number"),
        ("created_s,deleted_s,vcpu,memory_gib\n0,60,4000,16\n", 8, "no size in westeurope has room for 4000 vCPU"),
    ],
)
def test_a_wrong_trace_is_reported_at_the_line_that_names_it(write, record, line, says):
    """With its own line, because that is what must be fixed."""
    (host_failed,) = _faults(write(record))
    assert (host_failed.line, says in str(host_failed)) == (line, True), str(host_failed)


@pytest.mark.parametrize(
    ("old", "new", "field", "says"),
    [
        (SIZES, '["Standard_Q*"]', "group.real.trace.sizes", "Standard_Q*"),
        (SIZES, '{ "4/17" = "Standard_D4s_v5" }', "group.real.trace.sizes", "it has 4/16 and 2/8"),
        (SIZES, '{ "4/16" = "Standard_D4s_v55" }', "group.real.trace.sizes", "did you mean"),
        ('"real"', '"real"\nsize = "Standard_D4s_v5"', "group.real.trace.sizes", "contradict each other"),
        ('"real"', '"real"\ncount = 3', "group.real.count", "count and trace contradict each other"),
        ('"real"', '"real"\ncreate_over = "1h"', "group.real.create_over", "contradict each other"),
        ('"columns"', '"azure-2017"\ncolumns = { created = "x" }', "group.real.trace.columns", "are known"),
        ('"columns"', '"columns"\ncolumns = { created = "x" }', "group.real.trace.file", "no column 'x' for created"),
        ("[[group]]", '[[group]]\nname = "real-D4s_v5"\n[[group]]', "group.real.name", "is there already"),
    ],
)
def test_contradictions_about_a_trace_are_reported(write, old, new, field, says):
    """One issue each, with a helpful message."""
    found = _faults(write(text=TEXT.replace(old, new, 1)))
    assert [host_failed.field for host_failed in found] == [field]
    assert says in str(found[0])


def test_groups_made_of_a_record_are_meant_by_its_name(write):
    """Hosts and reservations name the group of the file."""
    more = """\
[platform]
[[platform.hosts]]
name = "own"
count = 4
vcpus = 64
memory_gib = 512
only_groups = ["real"]
[[commitment]]
name = "cr"
kind = "capacity-reservation"
size = "Standard_D4s_v5"
quantity = 0
groups = ["real"]
"""
    made = load(write(text=TEXT.replace('"real"', '"real"\npriority = "regular"') + more))
    parts = ("real-D2s_v5", "real-D4s_v5")
    assert made.fleet_plan().platform.hosts[0].only_groups == parts
    (held,) = made.billed_commitments()
    assert isinstance(held, CapacityReservation)
    assert held.groups == parts
    assert {group.vcpus for group in made.fleet_plan().groups} == {2, 4}


def test_a_replay_travels_and_is_read_again_by_a_variant(write):
    """Workers get what was checked; a change of any other key keeps the record."""
    made = load(write())
    assert pickle.loads(pickle.dumps(made)).fleet_plan() == made.fleet_plan()
    assert made.replace("seed", 7).fleet_plan().groups == made.fleet_plan().groups


def test_what_was_read_is_reported(write):
    """Rows, window, who is still alive, which sizes, and what was assumed."""
    output = "\n".join(load(write(), ["horizon=1d"]).describe())
    for words in ("4 VMs", "1 still at the end", "real-D4s_v5 (2)", "The trace ends after 2h 30min", "assumed:"):
        assert words in output.replace("1 were there at the start, ", "")

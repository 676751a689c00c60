"""Work on spot VMs, by hand: recorded capacity, work that is lost at evictions, and deadlines."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from fleets import DAY, RunOutput, always, fleet, group, run_until

from sim.engines.group_setup import set_up
from sim.engines.shared.work import (
    Record,
    Request,
    capacity_until,
    falls_back_at,
    late_ticks,
    must_go_on_at,
    returns_at,
)
from sim.errors import ScenarioError
from sim.model.demand import AlwaysOn, Arrivals
from sim.model.faults import FallBack, FallBackRule, GuestCrash, Maintenance, Spot
from sim.model.faults.availability import Availability, AvailabilitySection
from sim.model.machine_view import machine_rows
from sim.model.plan import FleetPlan, HostPool, Platform, Retry
from sim.model.states.compile import compile_state_machine
from sim.scenario.scenario import from_dict
from tests.helpers.operation_rows import DURATION_KEYS

AT_ONCE = dict.fromkeys(DURATION_KEYS, always(0))
HOUR, PAUSE = 3600.0, 600.0
BY_TURNS = Availability(length_s=3 * HOUR, runs_s=((0.0, HOUR),))  # an hour with capacity, two without
SPOT = Spot(
    eviction_per_hour=0.0, policy="delete", notice_s=always(0), restart_after_s=always(PAUSE), availability=BY_TURNS, lost_work_s=900.0
)  # fmt: skip
PATIENT = Retry(attempts=1000, backoff_s=PAUSE, multiplier=1.0, max_backoff_s=PAUSE)
WORK_S, DUE_AFTER_S = 1.5 * HOUR, 4 * HOUR
WORKING = fleet(
    group(
        "g", count=0, steps=AT_ONCE, generalized=False, spot=SPOT, retry=PATIENT,
        demand=Arrivals(rate_per_h=(1.0,), lifetime_s=always(WORK_S), lifetime_counts="running", due_after_s=DUE_AFTER_S),
    ),
    hours=100,
)  # fmt: skip


def edges_of(plan: FleetPlan) -> tuple[bool, tuple[float, ...]]:
    """Whether there is capacity at first, and when it comes and goes."""
    capacity = set_up(plan, seed=1, replication=0)[0].capacity
    assert capacity is not None
    return capacity.wanted_first, capacity.edges_s


def test_recorded_capacity_is_shifted_by_a_draw_and_repeated() -> None:
    """An hour with, two hours without, for ever; another replication begins at another instant of the record."""
    first, edges = edges_of(WORKING)
    gaps = [round(after - before, 6) for before, after in pairwise(edges)]
    assert set(gaps[::2]) | set(gaps[1::2]) == {HOUR, 2 * HOUR}
    assert gaps[0] == (2 * HOUR if first else HOUR)
    assert 0 < edges[0] <= (HOUR if first else 2 * HOUR)
    other = set_up(WORKING, seed=1, replication=1)[0].capacity
    assert other is not None
    assert other.edges_s[0] != edges[0]


def test_there_is_capacity_until_it_goes() -> None:
    """Before the first edge, at one, between two, and after the last."""
    edges = [10.0, 20.0, 30.0]
    until = [capacity_until(edges, 0, 3, True, now_s) for now_s in (0.0, 9.9, 10.0, 19.0, 20.0, 29.0, 30.0, 99.0)]
    assert until == [10.0, 10.0, 10.0, 19.0, 30.0, 30.0, 30.0, 99.0]
    assert capacity_until([9.0, *edges], 1, 4, False, 35.0) == float("inf")
    assert capacity_until([], 0, 0, True, 5.0) == float("inf")
    assert late_ticks(10.0, 10.0) == 0
    assert late_ticks(10.0, 12.0) == 2 * 65536


def by_hand(plan: FleetPlan, born_s: float) -> tuple[float, float, int]:
    """When a request's work is done (s), how much of it was lost, and how often its VM was evicted."""
    first, edges = edges_of(plan)
    spans = list(pairwise([0.0, *edges, 1e9]))[0 if first else 1 :: 2]
    now_s, left_s, lost_s, evicted = born_s, WORK_S, 0.0, 0
    while True:
        span = next((span for span in spans if span[0] <= now_s < span[1]), None)
        if span is None:  # no capacity: it is asked for again after the pause
            now_s += PAUSE
            continue
        if now_s + left_s < span[1]:
            return now_s + left_s, lost_s, evicted
        done_s = span[1] - now_s
        lost_s += min(done_s, 900.0)
        left_s += min(done_s, 900.0) - done_s
        now_s, evicted = span[1] + PAUSE, evicted + 1


@pytest.mark.parametrize("engine", ["simpy", "compiled"])
def test_work_that_is_lost_is_made_up_and_may_be_late(engine: str) -> None:
    """Every request, by hand: an hour of capacity in three, of which a quarter of an hour is lost each time."""
    output: RunOutput = run_until(WORKING, engine)
    born = [float(born_s) for block in set_up(WORKING, seed=1, replication=0)[0].births() for born_s in block]
    horizon_s = 100 * HOUR
    known = [by_hand(WORKING, born_s) for born_s in born]
    over = [
        (born_s, done_s, lost_s) for born_s, (done_s, lost_s, _) in zip(born, known, strict=True) if done_s < horizon_s
    ]
    assert output.count("vms.deleted") - output.count("evictions") == len(over)
    due = [(born_s + DUE_AFTER_S, done_s) for born_s, (done_s, *_) in zip(born, known, strict=True) if born_s + DUE_AFTER_S < horizon_s]  # fmt: skip
    in_time = sum(done_s <= due_s for due_s, done_s in due)
    assert 5 < in_time < len(due) - 5
    assert output.count("deadline.due") == len(due)
    assert output.count("deadline.met") == in_time
    assert output.count("deadline.missed") == len(due) - in_time
    late_s = sum(max(0.0, min(done_s, horizon_s) - due_s) for due_s, done_s in due)
    assert output.usage.amounts["deadline.late_s"] == pytest.approx(late_s)
    assert output.usage.amounts["lost_work_hours"] * HOUR >= sum(lost_s for *_, lost_s in over) - 1e-6


UP_S, RESTS_S = 1140.0, 300.0


def lost_with_crashes(spans: list[tuple[float, float]], born_s: float, horizon_s: float) -> float:
    """The work that a request loses when its guest crashes after every 19 min of running and is up again 5 min later (s)."""
    now_s, left_s, crash_left_s, lost_s = born_s, WORK_S, UP_S, 0.0
    while now_s < horizon_s:
        end_s = next((end_s for begin_s, end_s in spans if begin_s <= now_s < end_s), now_s)
        done_s = 0.0  # since the guest last came up
        while now_s < end_s:
            step_s = min(left_s, crash_left_s, end_s - now_s)
            now_s, left_s, crash_left_s, done_s = (
                now_s + step_s,
                left_s - step_s,
                crash_left_s - step_s,
                done_s + step_s,
            )
            if left_s == 0.0:
                return lost_s
            if crash_left_s == 0.0:
                now_s, crash_left_s, done_s = now_s + RESTS_S, UP_S, 0.0
        if now_s < horizon_s:
            lost_s, left_s = lost_s + min(done_s, 900.0), left_s + min(done_s, 900.0)
        now_s += PAUSE
    return lost_s


@pytest.mark.parametrize("engine", ["simpy", "compiled"])
def test_an_eviction_loses_the_work_since_the_last_start_not_since_the_last_eviction(engine: str) -> None:
    """Guests are up for 19 min at most, so most evictions lose less than the quarter of an hour that was done since the last one."""
    crash = GuestCrash(time_between_s=always(UP_S), detection_s=always(RESTS_S))
    plan = replace(WORKING, groups=(replace(WORKING.groups[0], guest_crash=crash),))
    first, edges = edges_of(plan)
    spans = list(pairwise([0.0, *edges, 1e9]))[0 if first else 1 :: 2]
    born = [float(born_s) for block in set_up(plan, seed=1, replication=0)[0].births() for born_s in block]
    by_hand_s = sum(lost_with_crashes(spans, born_s, 100 * HOUR) for born_s in born)
    output = run_until(plan, engine)
    assert output.usage.amounts["lost_work_hours"] * HOUR == pytest.approx(by_hand_s, abs=0.01)
    assert by_hand_s < 0.7 * 900 * output.count("evictions")


def test_work_goes_on_from_a_checkpoint_after_a_start_a_restart_or_a_reboot_but_not_after_a_freeze() -> None:
    """Where the state machine begins to count work anew."""
    crash = GuestCrash(time_between_s=always(UP_S), detection_s=always(RESTS_S))
    begins = {}
    for impact in ("freeze", "reboot", "redeploy"):
        platform = Platform(
            hosts=(HostPool(name="p", vcpus=64, memory_gib=256, count=1),),
            maintenance=Maintenance(every_s=DAY, impact=impact, freeze_s=always(10)),
        )
        machine = compile_state_machine(
            replace(WORKING.groups[0], guest_crash=crash, spot=replace(SPOT, policy="deallocate")), platform
        )
        begins[impact] = {each.source.name for each in machine.transitions if each.starts_work}
    up = {"create@absent.extensions", "start@deallocated.starting", "restart@running.restarting"}
    assert begins["freeze"] == up
    assert begins["reboot"] == up | {"maintenance.reboot"}
    assert begins["redeploy"] > up


def test_vms_are_evicted_where_capacity_goes_and_none_comes_before_it_is_back() -> None:
    """A VM that is always wanted serves while there is capacity, from the first request after it has come."""
    alone = replace(
        WORKING.groups[0], demand=AlwaysOn(), count=1, spot=replace(SPOT, policy="deallocate", lost_work_s=0.0)
    )
    plan = replace(WORKING, groups=(alone,))
    first, edges = edges_of(plan)
    output = run_until(plan)
    gone = edges[0 if first else 1 :: 2]
    assert [move[0] for move in output.timeline("g-0000") if move[1] == "deallocating"] == pytest.approx(list(gone))
    assert output.count("evictions") == len(gone)
    assert output.count("failures.AllocationFailed") > 5 * len(gone), "each pause of ten minutes in two hours"


def falling_back(rule: FallBackRule, evictions: int = 0, changeover_s: float = 0.0) -> FleetPlan:
    """The same requests, that may go on with regular VMs."""
    spot = replace(WORKING.groups[0], fall_back=FallBack(rule=rule, evictions=evictions, changeover_s=changeover_s))
    return replace(WORKING, groups=(spot, replace(spot, name="g-regular", priority="regular", spot=None, part_of="g")))


def test_after_an_eviction_work_goes_on_with_a_regular_vm_until_it_is_done() -> None:
    """What the first stretch on spot leaves, and the quarter of an hour that the eviction loses, is done without a break."""
    output = run_until(falling_back(FallBackRule.AFTER, 1))
    first, edges = edges_of(WORKING)
    spans = list(pairwise([0.0, *edges, 1e9]))[0 if first else 1 :: 2]
    regular_s = 0.0
    for born_s in (float(born_s) for block in set_up(WORKING, seed=1, replication=0)[0].births() for born_s in block):
        now_s = born_s
        while not any(begin_s <= now_s < end_s for begin_s, end_s in spans):
            now_s += PAUSE
        evicted_s = next(end_s for begin_s, end_s in spans if begin_s <= now_s < end_s)
        done_s = evicted_s - now_s
        left_s = WORK_S - done_s + min(done_s, 900.0)
        if evicted_s < 100 * HOUR:
            regular_s += min(left_s, 100 * HOUR - evicted_s)
    assert output.run.usages["g-regular"].served_h * HOUR == pytest.approx(regular_s)
    assert output.run.usages["g-regular"].counts["vms.created"] == output.count("evictions")


def test_work_that_falls_back_is_in_time_where_it_was_late() -> None:
    """Both rules of the paper meet every deadline; without them a good part is late."""
    late = run_until(WORKING).count("deadline.missed")
    assert late > 5
    for rule in (FallBackRule.DEADLINE, FallBackRule.PROGRESS):
        output = run_until(falling_back(rule))
        assert output.count("deadline.missed") == 0
        assert output.count("deadline.met") == output.count("deadline.due") > 50
        assert output.run.usages["g-regular"].counts["vms.created"] > 5


def test_no_moment_of_waiting_is_counted_twice_when_work_moves_on() -> None:
    """A request is waited for once, until the first of its VMs is ready, or until it ends."""
    for rule in FallBackRule:
        usages = run_until(falling_back(rule, 1)).run.usages
        assert 85 < sum(usage.ready.ready + usage.ready.never for usage in usages.values()) <= 94


def test_when_work_falls_back_and_returns_by_hand() -> None:
    """Four hours of work in ten, three of them left, a quarter of an hour for a changeover (times in hours)."""
    always_, never = Record((), 0, 0, True), Record((), 0, 0, False)
    request = Request(0.0, 10.0, 4.0, 3.0)
    assert must_go_on_at(request, 0.25) == 10 - 3 - 2 * 0.25
    assert falls_back_at(FallBackRule.DEADLINE, False, 1.0, request, 0.25, never) == 6.5
    assert falls_back_at(FallBackRule.PROGRESS, False, 1.0, request, 0.25, never) == 2.5, (
        "a quarter done, a quarter over"
    )
    assert falls_back_at(FallBackRule.PROGRESS, False, 4.0, request, 0.25, never) == 4.0, "behind already"
    assert falls_back_at(FallBackRule.PROGRESS, False, 1.0, request, 0.25, always_) == 6.5, "spot is asked for"
    assert falls_back_at(FallBackRule.AFTER, True, 1.0, request, 0.25, always_) == 1.0
    assert falls_back_at(FallBackRule.AFTER, False, 1.0, request, 0.25, always_) == float("inf")
    half = request._replace(left_s=2.0)
    # Half of it is done at 5.0, and 2.2 h should be done half an hour later; the gap of 0.2 h closes at 0.6 h an hour.
    assert returns_at(5.0, half, 0.25, always_) == pytest.approx(5 + 0.2 / 0.6)
    assert returns_at(5.0, half, 0.25, Record((4.0, 7.0), 0, 2, True)) == 7.0, "when there is capacity again"
    assert returns_at(8.0, half, 0.25, always_) == float("inf"), "too late for another changeover"
    # Where the two meet, at 10 - 2 - 2 * 0.25, the work must go on at once with a VM that isn't evicted: no spot VM, though it would
    # be ahead at 7.5 + (8 * 0.4 - 2) / 0.6, as the time left of 2.5 h less two changeovers is just that of the work.
    assert must_go_on_at(half, 0.25) == 7.5
    assert returns_at(7.5, half, 0.25, always_) == float("inf"), "just too late"
    assert returns_at(7.25, half, 0.25, always_) == pytest.approx(7.25 + (7.75 * 0.4 - 2.0) / 0.6)
    assert returns_at(5.0, request._replace(work_s=10.0), 0.25, always_) == float("inf"), "it is never ahead"


def test_the_state_machine_shows_where_work_goes_on_and_where_there_is_no_capacity() -> None:
    """Every transition of both machines is one of the exits that `vmfleet states --machine` lists."""
    for setup in set_up(falling_back(FallBackRule.PROGRESS), seed=1, replication=0):
        rows = {row.state: row for row in machine_rows(setup.state_machine)}
        for transition in setup.state_machine.transitions:
            exits = {exit_.target for exit_ in rows[transition.source.name].transitions}
            assert transition.target.name in exits, f"{transition.source.name} -> {transition.target.name}"
        causes = {exit_.cause for row in rows.values() for exit_ in row.transitions}
        assert "work goes on with a VM of the other priority" in causes


FILE = "trace,from_s,to_s,value\na,0,100,1\na,100,250,0\na,250,300,1\nb,0,50,2\n"


def read(folder: Path, text: str, **keys: object) -> Availability:
    """The record in a file."""
    (folder / "runs.csv").write_text(text, encoding="utf-8")
    return AvailabilitySection.model_validate({"file": "runs.csv"} | keys, context={"folder": folder}).plan


def test_a_record_is_read_by_its_name(tmp_path: Path) -> None:
    """The runs of one trace, and the value that means capacity."""
    assert read(tmp_path, FILE, trace="a") == Availability(length_s=300.0, runs_s=((0.0, 100.0), (250.0, 300.0)))
    assert read(tmp_path, FILE, trace="a", available=0) == Availability(length_s=300.0, runs_s=((100.0, 250.0),))
    assert read(tmp_path, "from_s,to_s,spot\n50,80,1\n", column="spot").length_s == 30.0


@pytest.mark.parametrize(
    ("text", "keys", "says"),
    [
        (FILE, {}, "2 traces, so one must be named; trace is one of a and b"),
        (FILE, {"trace": "c"}, 'no trace "c"'),
        (FILE, {"trace": "a", "available": 7}, "there is never capacity"),
        (FILE, {"trace": "a", "column": "values"}, 'no column "values"; did you mean "value"'),
        ("from_s,to_s,value\n0,10,1\n5,20,0\n", {}, "row 3 of"),
        ("from_s,to_s,value\n0,10,1\n", {"trace": "a"}, 'no column "trace"'),
        ("from_s,to_s,value\n0,x,1\n", {}, "row 2 of"),
        ("from_s,to_s,value\n0,0.000001,1\n", {}, "lasts 1e-06 s and is repeated for ever"),
    ],
)
def test_a_record_that_cannot_be_read_is_refused(tmp_path: Path, text: str, keys: dict[str, object], says: str) -> None:
    """With its file, its row and what would be right."""
    with pytest.raises(ValueError, match=says):
        read(tmp_path, text, **keys)


def test_validate_says_what_spot_work_is(tmp_path: Path) -> None:
    """The record, its share of the time, what an eviction loses, and when the work is due."""
    (tmp_path / "runs.csv").write_text(FILE, encoding="utf-8")
    group_ = {
        "name": "g", "priority": "spot",
        "spot": {"restart_after": "5min", "lost_work": "15min", "fall_back": "deadline", "availability": {"file": "runs.csv", "trace": "a"}},
        "arrivals": {"rate": 1.0, "lifetime": "2h", "lifetime_counts": "running", "deadline": "12h"},
    }  # fmt: skip
    made = from_dict({"name": "n", "horizon": "2d", "group": [group_]}, folder=tmp_path)
    at_once = group_ | {"spot": group_["spot"] | {"restart_after": "0s"}}  # type: ignore[operator]
    with pytest.raises(ScenarioError, match="for ever without time passing"):
        from_dict({"name": "n", "horizon": "2d", "group": [at_once]}, folder=tmp_path)
    words = "\n".join(made.describe())
    assert "Its work is due 12h after the request." in words
    assert "Spot capacity as recorded in a, 50 % of the time" in words
    assert "An eviction loses the work done since the VM last started, at most 15min of it, which is made up." in words
    assert "Work goes on with a regular VM when the time left is only just enough." in words
    assert "Evicted where the recorded capacity goes (deallocate); requested again: after 5min." in words
    assert "Counted as g (spot) and g-regular (regular)." in words
    plan, regular = made.fleet_plan().groups
    assert plan.spot is not None
    assert (regular.name, regular.part_of, regular.spot, regular.fall_back) == ("g-regular", "g", None, plan.fall_back)
    assert plan.fall_back is not None
    steps = ("allocating", "starting", "os_provisioning", "extensions", "deleting")
    assert plan.fall_back.changeover_s == pytest.approx(900 + sum(plan.durations_s[step].mean for step in steps))
    assert [group.priority for group in made.rated_groups()] == ["spot", "regular"]
    assert (plan.spot.lost_work_s, plan.demand.deadline_s) == (900.0, 12 * HOUR)
    assert run_until(made.fleet_plan()).count("deadline.due") > 10


def test_validate_says_what_a_spot_hour_costs_and_only_evictions_that_can_come() -> None:
    """The price of its size in its region with its trust; room is needed only where there are hosts."""
    spot: dict[str, object] = {"size": "Standard_D4s_v5", "priority": "spot", "spot": {"restart_after": "5min"}}
    groups = [spot | {"name": "g", "region": "eastus", "os": "windows"}, spot | {"name": "h"}]
    hosts = {"name": "r", "count": 9, "vcpus": 96, "memory_gib": 768}
    made = from_dict({"name": "n", "horizon": "2d", "group": groups, "platform": {"hosts": [hosts]}})
    endless, housed = "\n".join(made.describe()).split("Group h:")
    assert "Never evicted: eviction_per_hour is 0." in endless
    assert (
        "A spot hour of Standard_D4s_v5 in eastus costs 0.079373 USD, 79% below pay as you go (estimate; no Windows price"
        in endless
    )
    assert "Evicted when regular VMs need the room (deallocate); requested again: after 5min." in housed
    assert "in westeurope costs 0.042504 USD, 82% below pay as you go (list price; Retail Prices API" in housed

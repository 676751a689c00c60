"""Uptime of fleets: which VMs are one deployment, what is downtime and what is not, and the credit for a missed SLA."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fleets import always, fleet, group

from sim.billing.commitments import Reservation
from sim.billing.meters import RatedGroup
from sim.billing.sla import Deployment
from sim.billing.uptime import MonitoredGroup, fleet_uptime
from sim.catalog import load_bundled
from sim.distributions.kinds import Distribution, Uniform
from sim.engines.simulate import simulate
from sim.engines.stays import DOWN, StayRecorder, can_be_down, reach_of
from sim.model.demand import AlwaysOn, Cycle
from sim.model.faults import Failing, Maintenance
from sim.model.plan import HostPool, Platform, Retry
from sim.runs.blocks import pack
from sim.runs.cache import RunCache
from sim.runs.replication import replicate
from sim.runs.simulation_input import SimulationInput
from sim.units import TICKS_PER_SECOND
from tests.helpers.monthly_uptime import monthly_uptime

JUNE = datetime(2026, 6, 1, tzinfo=UTC)  # 30 days
MINUTE = 60 * TICKS_PER_SECOND
MONTH = 30 * 24 * 60  # minutes
SIZE = "Standard_D4s_v5"


def watched(name: str, *spans: tuple[int, float, float, bool], **how: Any) -> MonitoredGroup:
    """A group from (VM, from, to in minutes, down) rows."""
    rows = sorted(spans)
    rated = how.pop("rated", {})
    return MonitoredGroup(
        group=RatedGroup(name=name, size=SIZE, region="westeurope", **rated),
        vm=np.array([row[0] for row in rows], dtype=np.int32),
        start=np.array([round(row[1] * MINUTE) for row in rows], dtype=np.int64),
        end=np.array([round(row[2] * MINUTE) for row in rows], dtype=np.int64),
        down=np.array([row[3] for row in rows], dtype=bool),
        **how,
    )


def one_failure(vm: int, at: float, minutes: float) -> list[tuple[int, float, float, bool]]:
    """A VM of June that is down once."""
    return [(vm, 0, at, False), (vm, at, at + minutes, True), (vm, at + minutes, MONTH, False)]


def test_single_vms_are_a_deployment_each() -> None:
    """Two VMs, one of which is down for an hour: 99.86 % is below 99.9 %, and worth a tenth of that VM's fee alone."""
    (row,) = fleet_uptime(
        [watched("a", *one_failure(0, 100, 60), (1, 0, MONTH, False), fee_usd=500.0)], JUNE, (0, MONTH * MINUTE)
    )
    assert (row.deployments, row.breaches, row.deployment) == (2, 1, Deployment.SINGLE_PREMIUM)
    assert row.worst == pytest.approx(1 - 60 / MONTH)
    assert row.uptime == pytest.approx(1 - 30 / MONTH)
    assert row.credit_usd["a"] == pytest.approx(0.10 * 250.0)


@pytest.mark.parametrize(("minutes", "breaches", "credit"), [(43.2, 0, 0.0), (43.3, 1, 10.0)])
def test_an_uptime_at_its_level_is_no_breach(minutes: float, breaches: int, credit: float) -> None:
    """43.2 of the 43,200 minutes of June leave 99.9 %; a credit of a tenth is for less than 99.9 %."""
    june = watched("a", *one_failure(0, 100, minutes), fee_usd=100.0)
    (row,) = fleet_uptime([june], JUNE, (0, MONTH * MINUTE))
    assert row.breaches == breaches
    assert row.credit_usd["a"] == pytest.approx(credit)


@pytest.mark.parametrize("together", [True, False])
def test_zones_are_down_only_while_no_vm_is_up(together: bool) -> None:
    """Two VMs over two zones, each down for an hour: at once it is downtime, one after the other it isn't."""
    rows = [*one_failure(0, 100, 60), *one_failure(1, 100 if together else 500, 60)]
    (row,) = fleet_uptime([watched("a", *rows, zones=2, fee_usd=500.0)], JUNE, (0, MONTH * MINUTE))
    assert row.deployment is Deployment.ZONES
    assert row.down_min == pytest.approx(60.0 if together else 0.0)
    assert row.credit_usd["a"] == pytest.approx(50.0 if together else 0.0)


def test_groups_share_an_availability_set() -> None:
    """One deployment of two groups: the one that is up meets the SLA of the other, and a credit goes to both."""
    apart = [
        watched("a", *one_failure(0, 100, 60), availability_set="s", fee_usd=100.0),
        watched("b", *one_failure(0, 400, 60), availability_set="s", fee_usd=300.0),
    ]
    (row,) = fleet_uptime(apart, JUNE, (0, MONTH * MINUTE))
    assert (row.name, row.deployment, row.down_min) == ("s", Deployment.AVAILABILITY_SET, 0.0)
    at_once = [apart[0], watched("b", *one_failure(0, 100, 60), availability_set="s", fee_usd=300.0)]
    (row,) = fleet_uptime(at_once, JUNE, (0, MONTH * MINUTE))
    assert row.credit_usd == pytest.approx({"a": 10.0, "b": 30.0})


def test_what_is_in_no_set_is_a_deployment_by_its_own_group() -> None:
    """Two groups without a set are two rows; a group over two zones is its own deployment whatever its set, and so is a spot one."""
    up = [(0, 0, MONTH, False), (1, 0, MONTH, False)]
    fleet = [
        watched("a", *up), watched("b", *up), watched("c", *up, availability_set="s", zones=2), watched("d", *up, availability_set="s", zones=1),
        watched("e", *up, availability_set="s", rated={"priority": "spot"}), watched("f", *up, availability_set="s"),
    ]  # fmt: skip
    found = {
        row.name: (row.deployment, row.deployments, sorted(row.credit_usd))
        for row in fleet_uptime(fleet, JUNE, (0, MONTH * MINUTE))
    }
    single = Deployment.SINGLE_PREMIUM
    assert found == {
        "a": (single, 2, ["a"]), "b": (single, 2, ["b"]), "c": (Deployment.ZONES, 1, ["c"]), "e": (Deployment.SPOT, 2, ["e"]),
        "s": (Deployment.AVAILABILITY_SET, 1, ["d", "f"]),
    }  # fmt: skip


def test_a_vm_that_was_there_for_a_part_of_a_month_counts_for_that_part() -> None:
    """VM 0 for ten days, down for one; VM 1 from the 21st on, up: 20 days deployed, the worst at 90 %, in June; 1 July not at all."""
    day = 24 * 60
    spans = [(0, 0, 9 * day, False), (0, 9 * day, 10 * day, True), (1, 20 * day, 30 * day, False)]
    (row,) = fleet_uptime([watched("a", *spans, fee_usd=200.0)], JUNE, (0, 31 * day * MINUTE))
    assert (row.month, row.name, row.deployments, row.deployed_min, row.down_min) == ("2026-06", "a", 2, 20 * day, day)
    assert (row.uptime, row.worst, row.breaches) == (pytest.approx(0.95), pytest.approx(0.9), 1)
    assert row.credit_usd == {"a": pytest.approx(100.0)}  # below 95 %: all of the fee of its half of the time
    (zones,) = fleet_uptime([watched("a", *spans, zones=3, fee_usd=200.0)], JUNE, (0, 31 * day * MINUTE))
    assert (zones.deployed_min, zones.down_min, zones.uptime, zones.worst, zones.breaches) == (
        20 * day,
        day,
        0.95,
        0.95,
        1,
    )
    assert zones.credit_usd == {"a": pytest.approx(50.0)}  # exactly 95 % is below 99 %, not below 95 %


def test_months_are_calendar_months_and_spot_has_no_sla() -> None:
    """A window from mid-June to mid-July: two rows; for spot VMs there is an uptime but no credit."""
    half = MONTH / 2
    start = datetime(2026, 6, 16, tzinfo=UTC)
    spans = [(0, 0, half, True), (0, half, MONTH, False)]
    rows = fleet_uptime([watched("a", *spans, rated={"priority": "spot"}, fee_usd=9.0)], start, (0, MONTH * MINUTE))
    assert [(row.month, row.uptime, row.credit_usd["a"]) for row in rows] == [
        ("2026-06", 0.0, 0.0),
        ("2026-07", 1.0, 0.0),
    ]
    regular = fleet_uptime([watched("a", *spans, fee_usd=9.0)], start, (0, MONTH * MINUTE))
    assert [row.credit_usd["a"] for row in regular] == pytest.approx([4.5, 0.0])


@pytest.mark.parametrize("seed", range(5))
def test_arrays_say_what_the_plain_rule_says(seed: int) -> None:
    """`monthly_uptime` goes through one deployment interval by interval; the arrays must find the same minutes."""
    chance = np.random.default_rng(seed)
    rows: list[tuple[int, float, float, bool]] = []
    for vm in range(4):
        cuts = np.sort(chance.integers(0, 2 * MONTH, 41)).tolist()
        rows += [
            (vm, a, b, bool(chance.random() < 0.6))
            for a, b in itertools.pairwise(cuts)
            if b > a and chance.random() < 0.8
        ]
    found = fleet_uptime([watched("a", *rows, zones=3)], JUNE, (0, 2 * MONTH * MINUTE))
    deployed = {str(vm): [(60.0 * a, 60.0 * b) for v, a, b, _ in rows if v == vm] for vm in range(4)}
    down = {str(vm): [(60.0 * a, 60.0 * b) for v, a, b, failed in rows if v == vm and failed] for vm in range(4)}
    plain = monthly_uptime(Deployment.ZONES, JUNE, deployed, down)
    assert [(row.month, row.deployed_min, row.down_min) for row in found] == [
        (each.month, pytest.approx(each.deployed_min), pytest.approx(each.down_min)) for each in plain
    ]
    assert any(each.down_min for each in plain)


# --- what the simulation calls downtime ---------------------------------------------------------------------------------

HOSTS = (HostPool(name="h", count=3, vcpus=8, memory_gib=64.0),)


def reach(plan: Any, seed: int = 1) -> dict[str, list[tuple[int, float, float, bool]]]:
    """(VM, from, to in seconds, down) by group."""
    recorder = StayRecorder(reach_of)
    simulate(plan, seed=seed, replication=0, engine="simpy", listeners=[recorder.listen])
    return {
        name: [
            (vm, a / TICKS_PER_SECOND, b / TICKS_PER_SECOND, what == DOWN)
            for vm, a, b, what in zip(
                own.vm.tolist(), own.start.tolist(), own.end.tolist(), own.what.tolist(), strict=True
            )
        ]
        for name, own in recorder.stays(plan.horizon_s).items()
    }


def shared(platform: Platform, hours: float = 24.0, **changes: Any) -> Any:
    """One VM on a platform."""
    vm = group(size=SIZE, family="f", vcpus=4, memory_gib=16.0, **changes)
    plain = fleet(vm, hours=hours)
    return type(plain)(start=plain.start, horizon_s=plain.horizon_s, groups=plain.groups, platform=platform)


def failing(distribution: Distribution) -> Platform:
    """Hosts fail, and are repaired an hour later; healing takes ten minutes where another host has room."""
    failures = Failing(time_between_s=distribution, repair_s=always(3600))
    return Platform(hosts=HOSTS, host_failures=failures, healing_s=always(600))


def test_a_lost_host_is_downtime_until_the_vm_runs_elsewhere() -> None:
    """Ten minutes of healing and 25 s of starting: the platform's doing, so it is downtime."""
    rows = reach(shared(failing(Uniform(low=18_000.0, high=400_000.0)), hours=400.0))["g"]
    down = [b - a for _, a, b, failed in rows if failed]
    assert len(down) > 1
    assert set(down) == {625.0}


def test_no_room_elsewhere_is_downtime_too() -> None:
    """All hosts fail at once: the VM waits the hour until they are repaired, and starts."""
    (first, down, *_) = reach(shared(failing(always(36_000)), hours=15.0))["g"]
    assert first == (0, 35.0, 36_000.0, False)
    assert down == (0, 36_000.0, 36_000.0 + 3600 + 25, True)


def test_what_the_user_stops_is_no_downtime() -> None:
    """Off for sixteen hours of a day, and the host fails meanwhile: the VM was not wanted."""
    plan = shared(failing(always(36_000)), hours=15.0, demand=Cycle(on_s=always(8 * 3600), off_s=always(16 * 3600)))
    assert [row[3] for row in reach(plan)["g"]] == [False]


@pytest.mark.parametrize("seed", range(1, 7))
def test_a_lost_vm_that_cannot_even_be_switched_off_stays_down(seed: int) -> None:
    """No room elsewhere for an hour, unwanted meanwhile, and half of the attempts to deallocate fail, a minute apart.

    Between the attempts no one can reach it either: the downtime goes on to the one that succeeds.
    """
    plan = shared(
        failing(always(36_000)),
        hours=11.0,
        demand=Cycle(on_s=always(36_300), off_s=always(10**6)),
        retry=Retry(attempts=50, backoff_s=60, multiplier=1.0, max_backoff_s=60),
        failures={"InternalOperationError": 0.5},
    )
    counts = simulate(plan, seed=seed, replication=0, engine="simpy").usages["g"].counts
    refused = counts.get("operations.deallocate.failed", 0)
    down = [row[1:3] for row in reach(plan, seed)["g"] if row[3]]
    assert all(before[1] == after[0] for before, after in itertools.pairwise(down)), "no gap between the attempts"
    assert (down[0][0], down[-1][1]) == (36_000.0, 36_600.0 + 60 * refused)


def test_maintenance_is_downtime() -> None:
    """Frozen or rebooting, it could not be reached."""
    work = Maintenance(every_s=6 * 3600.0, impact="freeze", freeze_s=always(9))
    rows = reach(shared(Platform(hosts=HOSTS, maintenance=work), hours=24.0, demand=AlwaysOn()))["g"]
    assert {round(b - a, 6) for _, a, b, down in rows if down} == {9.0}


def test_a_replication_reports_uptime_and_credit() -> None:
    """An hour and 25 s lost of sixty hours less the 35 s before it ran: below 99 %, a quarter of the fee, by the table."""
    plan = shared(failing(always(40 * 3600)), hours=60.0)
    question = SimulationInput(
        plan=plan,
        rated_groups=(RatedGroup(name="g", size=SIZE, region="westeurope"),),
        catalogue=load_bundled(),
        billing_policy="2018-08",
    )
    found = replicate(question, 1, 0)
    deployed_s = 60 * 3600 - 35.0
    uptime = 1 - 3625 / deployed_s
    assert found.metrics[""]["sla.uptime"] == pytest.approx(uptime, abs=1e-9)
    assert 0.95 < uptime < 0.99
    assert found.metrics["g"]["sla.credit"] == pytest.approx(0.25 * found.metrics["g"]["cost.compute"], rel=1e-9)
    (row,) = found.uptimes
    assert (row.month, row.breaches) == ("2026-01", 1)


def test_nothing_can_be_down_without_a_platform() -> None:
    """Then it is not reachable for its user, and the SLA is met."""
    assert not can_be_down(fleet(hours=1.0))
    question = SimulationInput(
        plan=fleet(hours=1.0),
        rated_groups=(RatedGroup(name="g", size=SIZE, region="westeurope"),),
        catalogue=load_bundled(),
        billing_policy="2018-08",
    )
    found = replicate(question, 1, 0)
    assert (found.metrics[""]["sla.uptime"], found.metrics[""]["sla.credit"], found.uptimes) == (1.0, 0.0, ())


def test_kept_replications_keep_their_service_levels(tmp_path: Path) -> None:
    """Uptimes, and commitments by hour, come back from the disk to the last bit."""
    question = SimulationInput(
        plan=shared(failing(always(40 * 3600)), hours=60.0),
        rated_groups=(RatedGroup(name="g", size=SIZE, region="westeurope"),),
        catalogue=load_bundled(),
        billing_policy="2018-08",
        commitments=(Reservation(name="ri", size=SIZE, quantity=2, term="1y", region="westeurope"),),
    )
    made = replicate(question, 1, 0)
    entry = RunCache(tmp_path).entry(question, 1)
    entry.put(pack([made]))
    (kept,) = (found for block in entry.blocks() for found in block.replications().values())
    assert kept.uptimes == made.uptimes
    assert repr(kept.metrics[""]) == repr(made.metrics[""])  # some are no numbers, which equal nothing
    (one,), (other,) = made.commitment_hours, kept.commitment_hours
    assert (one.name, one.unit, one.first_hour) == (other.name, other.unit, other.first_hour)
    assert np.array_equal(one.used, other.used)
    assert np.array_equal(one.bought, other.bought)
    assert one.used.any()

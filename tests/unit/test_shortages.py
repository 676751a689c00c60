"""Shortages of hardware: when they are, whom they refuse, and that they strike all VMs at once."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fleets import BORN, HOUR, STARTED, always, fleet, group, run_both, run_until

from sim import load
from sim.distributions import streams
from sim.distributions.kinds import Constant, Exponential
from sim.engines.shared.shortages import refusal, shortages_of
from sim.errors import ScenarioError
from sim.model.demand import Arrivals, Cycle
from sim.model.faults import Failing, Shortage
from sim.model.plan import FleetPlan, HostPool, Platform, Reserved, Retry

PATIENT = Retry(attempts=10_000, backoff_s=60.0, multiplier=1.0, max_backoff_s=60.0)
D4: dict[str, Any] = {"size": "D4", "family": "fD", "vcpus": 4, "memory_gib": 16.0}


def short(*groups: str, **changes: Any) -> Shortage:
    """From 1000 s on, for 1000 s, for ever; everything is refused meanwhile."""
    fields = {
        "name": "s",
        "groups": groups or ("g",),
        "time_between_s": always(1000),
        "lasts_s": always(1000),
        "refuses": 1.0,
    }
    return Shortage(**(fields | changes))


def on(plan: FleetPlan, *shortages: Shortage, **changes: Any) -> FleetPlan:
    """The fleet on a platform that is short of hardware now and again."""
    return replace(plan, platform=Platform(shortages=shortages or (short(),), **changes))


def test_none_at_t_0_and_the_time_between_runs_from_the_end_of_one_to_the_begin_of_the_next() -> None:
    """On from 1000 to 1250 s, from 2250 to 2500 s, ...; it begins at its first instant and is over at its last."""
    plan = on(fleet(hours=2.0), short(lasts_s=always(250), refuses=0.75))
    found = shortages_of(plan, streams.replication_key(1, 0))
    chances = [
        refusal(found, 0, 0, t_s) for t_s in (0.0, 999.9, 1000.0, 1249.9, 1250.0, 2249.9, 2250.0, 2499.9, 2500.0)
    ]
    assert chances == [0.0, 0.0, 0.75, 0.75, 0.0, 0.0, 0.75, 0.75, 0.0]


def test_shortages_at_once_refuse_independently_and_only_those_that_they_concern() -> None:
    """1 - (1 - 0.5)(1 - 0.8); VM 1 of the group is in zone 2, which only the first one concerns; group b, none."""
    a, b = group("a", count=2, zones=(1, 2)), group("b", count=1)
    both = short("a", refuses=0.5), short("a", name="zone", zones=(1, 3), refuses=0.8)
    found = shortages_of(on(fleet(a, b, hours=2.0), *both), streams.replication_key(1, 0))
    assert refusal(found, 0, 0, 1500.0) == pytest.approx(0.9, abs=1e-15)
    assert refusal(found, 0, 1, 1500.0) == 0.5
    assert refusal(found, 1, 0, 1500.0) == 0.0


def test_a_create_waits_for_the_end_of_the_shortage() -> None:
    """Asked for at 1500 s, refused at 1510 s and each 70 s from then on, before 2000 s; the eighth attempt finds hardware."""
    later = fleet(count=2, create_over_s=3000.0, hours=2.0, retry=PATIENT)
    found = run_both(on(later))
    assert found.count("failures.AllocationFailed") == found.count("allocation.failures") == 7
    assert found.count("allocation.attempts") == 9
    assert [wait / 65536 for wait in sorted(found.usage.ready.waits.tolist())] == [BORN, BORN + 7 * 70.0]


def test_a_start_from_stopped_asks_for_nothing_and_one_from_deallocated_does() -> None:
    """Wanted anew in the middle of a shortage: a stopped VM kept its hardware."""
    demand = Cycle(on_s=Constant(value=800.0), off_s=Constant(value=500.0))  # wanted again at 1300 s
    stopped = run_both(on(fleet(hours=0.6, demand=demand, when_off="stop", retry=PATIENT)))
    assert stopped.count("allocation.failures") == 0
    for off in ("deallocate", "hibernate"):
        found = run_both(on(fleet(hours=0.6, demand=demand, when_off=off, retry=PATIENT)))
        assert found.count("allocation.failures") == 10  # at 1310, 1380, ... 1940 s
        assert sorted(found.usage.ready.waits.tolist())[1] == (10 * 70 + STARTED) * 65536


def test_the_code_is_zonal_for_a_vm_in_a_zone() -> None:
    """As for a zone whose hosts are full."""
    found = run_both(
        on(fleet(count=2, zones=(1, 2), create_over_s=3000.0, hours=1.0, retry=PATIENT), short(zones=(2,)))
    )
    assert found.count("failures.ZonalAllocationFailed") == 7
    assert run_both(on(fleet(count=2, zones=(1, 3), create_over_s=3000.0, hours=1.0), short(zones=(2,)))).count("allocation.failures") == 0  # fmt: skip


@pytest.mark.parametrize("with_hosts", [False, True])
def test_vms_inside_a_capacity_reservation_find_hardware(with_hosts: bool) -> None:
    """Of four VMs that are asked for in the shortage two find reserved room, wherever hosts are modelled or not."""
    reserved = Reserved(name="r", **D4, quantity=2)
    held = HostPool(name="r", count=1, vcpus=8, memory_gib=32.0, holds="r")
    hosts = (HostPool(name="h", count=2, vcpus=16, memory_gib=64.0),) if with_hosts else (held,)
    plan = fleet(**D4, count=8, create_over_s=8 * 360.0, hours=0.9, retry=Retry(attempts=1))  # at 0, 360, ... 2520 s
    found = run_both(on(plan, hosts=hosts, reserved=(reserved,)))
    assert found.count("operations.create.accepted") == 8
    assert found.count("allocation.failures") == 3  # at 1090, 1450 and 1810 s; the reservation was full by then
    first = replace(plan, groups=(replace(plan.groups[0], count=6, create_over_s=6 * 150.0),))
    late = short(time_between_s=always(250))  # the third and later ones are refused: the first two took the room
    assert run_both(on(first, late, hosts=hosts, reserved=(reserved,))).count("allocation.failures") == 4
    freed = fleet(
        **D4, count=2, hours=3.0, retry=PATIENT, demand=Cycle(on_s=Constant(value=700.0), off_s=Constant(value=500.0))
    )
    assert run_both(on(freed, hosts=hosts, reserved=(reserved,))).count("allocation.failures") == 0


def test_healing_is_refused_too() -> None:
    """The VM of a failed host looks for another one in a shortage: the platform tries again each minute."""
    hosts = (HostPool(name="h", count=2, vcpus=16, memory_gib=64.0),)
    failing = Failing(time_between_s=Constant(value=1100.0), repair_s=Constant(value=100.0))
    plan = on(fleet(**D4, hours=0.55), hosts=hosts, host_failures=failing, healing_s=always(60))
    found = run_both(plan)
    calm = run_both(replace(plan, platform=replace(plan.platform, shortages=())))  # type: ignore[type-var]
    # All hosts are down from 1100 to 1200 s, so the looks at 1160 s fail in both; the next one finds room, but not in a shortage.
    assert (calm.count("allocation.platform_looks"), found.count("allocation.platform_looks")) == (2, 14)


def test_a_shortage_changes_no_other_draw() -> None:
    """One that refuses nothing is no shortage, to the last bit."""
    plan = fleet(count=5, hours=20.0, demand=Cycle(on_s=Exponential(mean=3000.0), off_s=Exponential(mean=2000.0)))
    calm, idle = run_both(replace(plan, platform=Platform(quota=None))), run_both(on(plan, short(refuses=0.0)))
    assert calm.events == idle.events


# --- closed forms -----------------------------------------------------------------------------------------------------


def share_short(t: np.ndarray, between: float, lasts: float) -> np.ndarray:
    """The probability that an exponential on/off process that is off at 0 is on at t."""
    rate = 1 / between + 1 / lasts
    return lasts / (between + lasts) * (1 - np.exp(-rate * t))


def test_the_share_of_time_in_shortage_is_that_of_an_on_off_process() -> None:
    """Exponential times: on at t with probability l / (b + l) (1 - exp(-t (1/b + 1/l))), at each instant."""
    between, lasts, replications = 8 * HOUR, 2 * HOUR, 4000
    law = short(time_between_s=Exponential(mean=between), lasts_s=Exponential(mean=lasts), refuses=1.0)
    plan = on(fleet(hours=30.0), law)
    at = np.array([0.5, 2.0, 6.0, 29.0]) * HOUR
    found = [shortages_of(plan, streams.replication_key(1, number)) for number in range(replications)]
    share = np.mean([[refusal(one, 0, 0, t) for t in at] for one in found], axis=0)
    expected = share_short(at, between, lasts)
    assert (abs(share - expected) <= 4.5 * np.sqrt(expected * (1 - expected) / replications)).all()
    stationary = np.full_like(at, lasts / (between + lasts))
    assert not (abs(share - stationary) <= 4.5 * np.sqrt(stationary * (1 - stationary) / replications)).all()


def test_as_many_attempts_are_refused_as_come_in_shortages() -> None:
    """Poisson requests that are asked for once: rate x refused share x the time in shortage."""
    between, lasts, hours, rate, replications = 8 * HOUR, 4 * HOUR, 48.0, 6.0, 120
    demand = Arrivals(rate_per_h=(rate,), lifetime_s=Constant(value=60.0))
    plan = on(
        fleet(count=0, hours=hours, demand=demand, retry=Retry(attempts=1)),
        short(time_between_s=Exponential(mean=between), lasts_s=Exponential(mean=lasts), refuses=0.6),
    )
    refused = [run_until(plan, replication=number).count("allocation.failures") for number in range(replications)]
    grid = np.linspace(0, hours * HOUR, 20_001)
    expected = rate / HOUR * 0.6 * np.trapezoid(share_short(grid, between, lasts), grid)
    sem = np.std(refused, ddof=1) / math.sqrt(replications)
    assert abs(np.mean(refused) - expected) <= 4 * sem
    assert abs(np.mean(refused) - expected / 0.6) > 4 * sem, "a shortage that refuses all must be refused"


@pytest.mark.slow
def test_a_shared_shortage_has_far_longer_tails_than_independent_ones_of_equal_mean() -> None:
    """Unavailability from missing hardware: the 95th percentile is at least 4 times, the 99th at least 8 times as high.

    Each VM of the one fleet has a shortage of its own, each of the other shares one; a VM sees the same law in both.
    """
    law = {"time_between_s": Exponential(mean=380 * 24 * HOUR), "lasts_s": Constant(value=3 * 24 * HOUR)}
    demand = Cycle(on_s=Constant(value=11 * HOUR), off_s=Constant(value=13 * HOUR))
    plan = on(fleet(count=1, hours=28 * 24.0, demand=demand, retry=PATIENT), short(**law))
    vms, fleets = 100, 2000
    one = np.array(
        [missing(plan, number) for number in range(fleets)]
    )  # all VMs of a shared shortage have the same fate
    independent = np.random.default_rng(1).choice(one, (fleets, vms)).mean(axis=1)
    assert abs(one.mean() - independent.mean()) <= 4 * one.std() / math.sqrt(fleets)
    for percent, times in ((95, 4), (99, 8)):
        assert np.percentile(one, percent) >= times * np.percentile(independent, percent)


def missing(plan: FleetPlan, replication: int) -> float:
    """The share of wanted time in which a VM isn't there."""
    usage = run_until(plan, replication=replication).usage
    return 1 - usage.served_h / usage.wanted_h


# --- what users write -------------------------------------------------------------------------------------------------

FILE = """
name = "short"
horizon = "7d"
[[group]]
name = "dev"
count = 3
zones = [1, 2]
[[platform.shortage]]
name = "scarce"
KEYS
time_between = "60d"
lasts = "2d"
refuses = "90 %"
"""


def scenario(tmp_path: Path, keys: str) -> Path:
    """A scenario whose shortage names somebody."""
    path = tmp_path / "short.toml"
    path.write_text(FILE.replace("KEYS", keys))
    return path


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ('regions = ["eastus"]', r"short\.toml:10: platform\.shortage\.scarce\.regions.*concerns no group.*westeurope"),
        (
            'regions = ["westeurope", "easus"]',
            r"short\.toml:10: platform\.shortage\.scarce\.regions.*easus.*concerns no group",
        ),
        ("zones = [3]", r"short\.toml:10: platform\.shortage\.scarce\.zones.*concerns no group.*1 and 2"),
        (
            'families = ["standardNCFamily"]',
            r"short\.toml:10: platform\.shortage\.scarce\.families.*standardDSv5Family",
        ),
        ("refuse = 1", r"short\.toml:10: platform\.shortage\.scarce\.refuse.*refuses"),
    ],
)
def test_a_shortage_that_names_nobody_is_refused_in_words(tmp_path: Path, keys: str, words: str) -> None:
    """With file, line, and whom it could name."""
    with pytest.raises(ScenarioError, match=words):
        load(scenario(tmp_path, keys))


def test_a_shortage_is_described_and_its_keys_can_be_set(tmp_path: Path) -> None:
    """Whom it concerns, in a sentence of `validate`; `--set` reaches it by its name."""
    path = scenario(tmp_path, 'families = ["StandardDSv5Family"]')
    said = " ".join(load(path).describe())
    assert (
        "Shortage scarce of hardware of StandardDSv5Family (dev): begins after 60d, lasts 2d; 90.0\N{NO-BREAK SPACE}%"
        in said
    )
    assert "25.0" in " ".join(load(path, ["platform.shortage.scarce.refuses=25 %"]).describe())

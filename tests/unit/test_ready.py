"""How long VMs are waited for: from each moment at which one is wanted until it is ready; by hand, in both engines."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from fleets import BORN, STARTED, always, fleet, group, run_both, run_until, with_groups

from sim import load, run
from sim.distributions.kinds import Constant, Exponential
from sim.errors import ScenarioError
from sim.model.demand import Arrivals, Cycle, Schedule
from sim.model.faults import GuestCrash
from sim.model.plan import Retry
from sim.report import folder
from sim.report.ready import ready_after
from sim.usage import ready
from sim.usage.ready import NEVER, ReadyTimes, Waits

TICKS = 65536
OFFICE = Schedule(days=(0, 1, 2, 3, 4), on=time(8), off=time(19), time_zone="UTC")


def waits_of(times: ReadyTimes) -> list[float]:
    """Every wait (s), in order of length."""
    return sorted((times.waits / TICKS).tolist())


def test_a_moment_is_every_change_from_not_wanted_to_wanted() -> None:
    """Two mornings of three VMs that are created at midnight and deallocated: each morning each of them is started."""
    found = run_both(fleet(count=3, hours=48.0, demand=OFFICE)).usage.ready
    assert waits_of(found) == [STARTED] * 6
    assert (found.late, found.never) == (0, 0)


def test_a_vm_that_is_always_wanted_is_waited_for_once() -> None:
    """From its request on; neither a guest crash nor its end makes another moment."""
    crash = GuestCrash(time_between_s=Constant(value=1000.0), detection_s=always(300))
    found = run_both(fleet(count=2, hours=3.0, guest_crash=crash))
    assert found.count("guest_crashes") > 2
    assert waits_of(found.usage.ready) == [BORN] * 2


def test_a_vm_that_is_ready_when_it_is_wanted_counts_with_nothing() -> None:
    """Kept running at night: no one waits for it in the morning."""
    found = run_both(fleet(count=2, hours=48.0, demand=OFFICE, when_off="keep"))
    assert waits_of(found.usage.ready) == [0.0] * 4


def test_late_is_strictly_later_than_the_limit() -> None:
    """35 s is not later than 35 s, whatever fraction of a second the window begins at; it is later than 34.9 s."""
    demand = replace(OFFICE, jitter_s=Constant(value=0.1))
    plan = fleet(count=3, hours=48.0, demand=demand, ready_within_s=STARTED)
    assert run_both(plan).usage.ready.late == 0
    one = run_both(with_groups(plan, replace(plan.groups[0], ready_within_s=STARTED - 0.1))).usage.ready
    assert (one.late, one.late_share) == (6, 1.0)


def test_each_group_has_its_own_limit_and_percentiles_are_over_all_vms() -> None:
    """Fleet-wide: one of four moments is late by its own limit; the median is an order statistic, no mean of groups."""
    slow = group("slow", count=1, steps={"starting": always(100)}, ready_within_s=60.0)
    patient = group("patient", count=1, steps={"starting": always(200)}, ready_within_s=600.0)
    found = run_both(fleet(group("quick", count=2, ready_within_s=600.0), slow, patient, hours=1.0)).usage.ready
    assert waits_of(found) == [BORN, BORN, BORN + 75.0, BORN + 175.0]
    assert (found.late, found.late_share) == (1, 0.25)
    assert [found.percentile_s(p) for p in (50, 51, 75, 76, 100)] == [80.0, 155.0, 155.0, 255.0, 255.0]
    assert found.mean_s == (80 + 80 + 155 + 255) / 4


def test_a_vm_that_is_not_wanted_before_it_is_ready_was_never_ready() -> None:
    """Wanted for 20 s, a start takes 35 s: of six cycles the first meets the create, too. Not waited for at the end: no moment."""
    demand = Cycle(on_s=Constant(value=20.0), off_s=Constant(value=580.0))
    found = run_both(fleet(hours=1.0, demand=demand))
    assert (found.usage.ready.ready, found.usage.ready.never) == (0, 6)
    assert found.usage.ready.late_share == 1.0
    # At the horizon, in the middle of the seventh moment.
    longer = run_both(fleet(hours=(3600.0 + 10) / 3600, demand=demand)).usage.ready
    assert (longer.ready, longer.never) == (0, 6)


def test_a_lost_arrival_was_never_ready() -> None:
    """A request whose create fails for good is a moment, and its VM never comes."""
    plan = fleet(
        count=0, hours=10.0, demand=Arrivals(rate_per_h=(2.0,), lifetime_s=Constant(value=600.0)),
        failures={"AllocationFailed": 1.0}, retry=Retry(attempts=1),
    )  # fmt: skip
    found = run_both(plan)
    assert found.usage.ready.never == found.count("operations.create.failed") > 5
    assert found.usage.ready.ready == 0


def test_moments_of_the_warm_up_are_left_out() -> None:
    """The moment counts, not its end: the first morning is left out though its VMs are ready after the warm-up."""
    plan = fleet(count=3, hours=48.0, demand=OFFICE, warm_up_s=8 * 3600.0 + 10)
    assert waits_of(run_both(plan).usage.ready) == [STARTED] * 3


def test_a_retry_is_part_of_the_wait() -> None:
    """Two refused attempts, their pauses of 60 and 120 s, and the third: the wait is the time that people waited."""
    plan = fleet(
        hours=1.0,
        failures={"AllocationFailed": 0.7},
        retry=Retry(attempts=9, backoff_s=60.0, multiplier=2.0, max_backoff_s=1e6),
    )
    for seed in range(1, 9):
        found = run_both(plan, seed=seed)
        failed = found.count("operations.create.failed")
        if found.usage.ready.ready:
            assert waits_of(found.usage.ready) == [BORN + 10.0 * failed + 60.0 * (2**failed - 1)]


def test_the_longest_wait_is_the_largest_of_n_boots() -> None:
    """Its mean, of n exponential times of mean m: m (1 + 1/2 + ... + 1/n), and the 10 s and 45 s that nothing changes."""
    vms, mean_s, replications = 30, 60.0, 150
    plan = fleet(count=vms, hours=3.0, steps={"starting": Exponential(mean=mean_s)})
    longest, means = [], []
    for replication in range(replications):
        found = run_until(plan, replication=replication).run.fleet.ready
        longest.append(found.percentile_s(100) - BORN + 25.0)
        means.append(found.mean_s - BORN + 25.0)
    expected_s = mean_s * sum(1 / k for k in range(1, vms + 1))
    sem_s = mean_s * math.sqrt(sum(1 / k**2 for k in range(1, vms + 1)) / replications)
    assert abs(np.mean(longest) - expected_s) <= 4 * sem_s
    assert abs(np.mean(longest) - mean_s * math.log(vms)) > 4 * sem_s, "the 97 % quantile of one boot must be refused"
    assert abs(np.mean(means) - mean_s) <= 4 * mean_s / math.sqrt(vms * replications)


def test_the_curve_of_equal_boots_is_a_step() -> None:
    """All are ready at once, 35 s after the window begins."""
    started = run_both(fleet(count=50, hours=24.0, demand=OFFICE)).usage.ready
    assert started.percentile_s(100) == STARTED
    assert started.curve(4).tolist() == [[k, 50, STARTED] for k in (13, 25, 38, 50)]


def test_a_replication_in_which_none_is_ready_counts_in_the_report(tmp_path: Path) -> None:
    """One VM that fails for good in about half of the replications: "100 % ready" is then never reached on average."""
    (tmp_path / "half.toml").write_text(
        'name = "half"\nhorizon = "1d"\n[[group]]\nname = "a"\ncycle = { on = "2h", off = "30d" }\n'
        "[group.failures]\nAllocationFailed = 0.5\n[group.retry]\nattempts = 1\n"
    )
    found = run(load(tmp_path / "half.toml"), replications=20)
    found.write(tmp_path / "out")
    assert 0 < sum(found.values("ready.never")) < 20
    assert np.isnan(ready_after(folder.read(tmp_path / "out"))[""]).all()


# --- the collector by itself ------------------------------------------------------------------------------------------


def test_percentiles_are_order_statistics_of_rank_ceil_p_n() -> None:
    """Against a sorted list, with ties, for every percentage."""
    ticks = np.array([5, 1, 1, 8, 8, 8, 13, 21, 0, 3], dtype=np.int64) * TICKS
    waits = Waits(late_after_ticks=8 * TICKS)
    for part in (ticks[:3], np.array([NEVER]), ticks[3:]):
        waits.add(part)
    found, plain = waits.times(), sorted((ticks / TICKS).tolist())
    assert [found.percentile_s(p) for p in range(1, 101)] == [plain[-(-p * 10 // 100) - 1] for p in range(1, 101)]
    assert (found.late, found.never, found.late_share) == (2, 1, 3 / 11)
    assert found.mean_s == 6.8
    assert found.curve(11)[-1].tolist() == [10, 11, 21.0]


def test_so_many_waits_that_they_are_rounded_give_the_same_in_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded: waits are rounded down by less than one in two thousand; late, never and the mean are exact."""
    monkeypatch.setattr(ready, "MOST_KEPT", 1000)
    monkeypatch.setattr(ready, "ROUNDED_AT_ONCE", 300)
    ticks = np.random.default_rng(1).integers(0, 10**9, 5000)
    found = []
    for order in (ticks, np.sort(ticks), ticks[::-1]):
        waits = Waits(late_after_ticks=10**8)
        for part in np.array_split(order, 7):
            waits.add(part)
        found.append(waits.times())
    exact = Waits(late_after_ticks=10**8)
    monkeypatch.setattr(ready, "MOST_KEPT", 10**9)
    exact.add(ticks)
    one = exact.times()
    for other in found:
        assert other.times is not None
        assert other.times.sum() == len(ticks)
        assert (other.waits == found[0].waits).all()
        assert (other.mean_s, other.late, other.ready) == (one.mean_s, one.late, one.ready)
        for p in (1, 50, 95, 99, 100):
            assert one.percentile_s(p) * (1 - 2**-11) <= other.percentile_s(p) <= one.percentile_s(p)


def test_short_waits_are_not_rounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Below 4,096 ticks every bit is kept, however many waits there are."""
    monkeypatch.setattr(ready, "MOST_KEPT", 10)
    waits = Waits(late_after_ticks=10**8)
    waits.add(np.arange(4096))
    found = waits.times()
    assert found.waits.tolist() == list(range(4096))
    assert found.times is not None
    assert found.times.tolist() == [1] * 4096


# --- what users see ---------------------------------------------------------------------------------------------------

STORM = """
name = "storm"
horizon = "2d"
replications = 2
[[group]]
name = "dev"
count = 10
ready = { within = "10s" }
schedule = { days = "Mon-Fri", on = 08:00:00, off = 19:00:00 }
[group.durations]
allocating = "10s"
starting = "25s"
[[group]]
name = "parked"
wanted = false
"""


def scenario(tmp_path: Path, text: str = STORM) -> Path:
    """The file of a scenario."""
    path = tmp_path / "storm.toml"
    path.write_text(text)
    return path


def test_metrics_by_group_and_a_group_without_moments_has_no_times(tmp_path: Path) -> None:
    """Where no one waits there is no mean; late and never are 0."""
    found = run(load(scenario(tmp_path)), engine="simpy")
    metrics = found.summary()["metrics"]
    assert {name: metrics[name]["mean"] for name in metrics if name.startswith("ready.")} == {
        "ready.mean_s": 35.0, "ready.p50_s": 35.0, "ready.p95_s": 35.0, "ready.p99_s": 35.0, "ready.max_s": 35.0,
        "ready.moments": 20.0, "ready.late_share": 1.0, "ready.never": 0.0,
    }  # fmt: skip
    parked = found.summary()["groups"]["parked"]["metrics"]
    assert {name for name in parked if name.startswith("ready.")} == {
        "ready.moments",
        "ready.late_share",
        "ready.never",
    }
    assert parked["ready.late_share"]["mean"] == parked["ready.never"]["mean"] == 0.0


def test_the_curve_says_when_k_of_n_are_ready(tmp_path: Path) -> None:
    """Of each replication and group, the fleet under ""."""
    run(load(scenario(tmp_path)), engine="simpy").write(tmp_path / "out")
    rows = pq.read_table(tmp_path / "out" / "ready_curve.parquet").to_pylist()
    assert {(row["replication"], row["group"]) for row in rows} == {(0, ""), (1, ""), (0, "dev"), (1, "dev")}
    assert [(row["k"], row["n"], row["wait_s"]) for row in rows if not row["replication"] and row["group"] == "dev"] == [
        (k, 20, 35.0) for k in range(1, 21)
    ]  # fmt: skip


def test_what_late_means_is_said_in_words_and_checked(tmp_path: Path) -> None:
    """A sentence in `validate`; a limit that is no duration names its line."""
    assert any("is late that is not ready 10s after" in line for line in load(scenario(tmp_path)).describe())
    with pytest.raises(ScenarioError, match=r"storm\.toml:8.*ready\.within"):
        load(scenario(tmp_path, STORM.replace('"10s" }', "10 }", 1)))

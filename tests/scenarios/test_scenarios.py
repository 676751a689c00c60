"""The scripts in `scenarios` find what their headers expect, to what can be written down by hand."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest

from sim.catalog import get_default

SCENARIOS = Path(__file__).parents[2] / "scenarios"

Z = 5.0  # a false alarm in some two million runs, were the seed not fixed


def lognormal_default(step: str) -> tuple[float, float]:
    """Mean and standard deviation of a default, in seconds, from its median m and its sigma s: m exp(s^2 / 2) is the mean."""
    value = get_default(f"group.durations.{step}").value
    assert isinstance(value, Mapping)
    sigma = float(value["sigma"])
    mean = float(str(value["median"]).removesuffix("s")) * math.exp(sigma**2 / 2)
    return mean, mean * math.sqrt(math.expm1(sigma**2))


ALLOCATING_S, ALLOCATING_SD_S = lognormal_default("allocating")
STARTING_S, STARTING_SD_S = lognormal_default("starting")
ASKED_SD_S = math.hypot(ALLOCATING_SD_S, STARTING_SD_S)
OS_PROVISIONING_S, _ = lognormal_default("os_provisioning")
DEALLOCATING_S, _ = lognormal_default("deallocating")
ASKED_TO_RUNNING_H = (ALLOCATING_S + STARTING_S) / 3600
VMS, MONTH_H, WINDOWS, WINDOW_H = 200, 672.0, 20, 11.0
JITTER_SD_H = (20 / 60) / math.sqrt(6)  # of off minus on, both uniform over 20 minutes


def script(name: str) -> ModuleType:
    """One scenario script as a module."""
    spec = importlib.util.spec_from_file_location(f"scenario_{name}", SCENARIOS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_script_is_run_by_a_test_here() -> None:
    """A script that no test runs can break unnoticed."""
    scripts = sorted(path.stem for path in SCENARIOS.glob("*.py"))
    assert scripts
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    for name in scripts:
        assert f'script("{name}")' in tests, f"no test here runs {name}.py"


def test_one_vm_for_one_day_is_billed_as_worked_out_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    """Every duration is a constant, so the sum is exact to the ticks of the ledger."""
    day = script("one_vm_one_day")
    found = day.main()
    for policy, by_hand_h in day.BY_HAND.items():
        assert found[policy] == pytest.approx(by_hand_h, abs=4 / 65536 / 3600)
    assert found["2023-10"] - found["2018-08"] == pytest.approx(100 / 3600, abs=1e-7)
    assert "by hand" in capsys.readouterr().out


def test_office_hours_cost_what_can_be_worked_out(capsys: pytest.CaptureFixture[str]) -> None:
    """Mean hours billed under each habit, from the schedule and the means of the default durations."""
    replications = 3
    found = script("office_hours").main(replications)
    billed_h = {habit: result.estimate("billed_hours").mean for habit, result in found.items()}

    kept_h = VMS * (MONTH_H - ASKED_TO_RUNNING_H)
    kept_sem_h = math.sqrt(VMS / replications) * ASKED_SD_S / 3600
    assert abs(billed_h["keep"] - kept_h) <= Z * kept_sem_h
    assert abs(billed_h["keep"] - VMS * MONTH_H) > Z * kept_sem_h, "a model that forgets Starting must be refused"

    deallocated_h = VMS * (WINDOWS * (WINDOW_H - ASKED_TO_RUNNING_H) + OS_PROVISIONING_S / 3600)
    sem_h = math.sqrt(VMS * WINDOWS / replications) * math.hypot(JITTER_SD_H, ASKED_SD_S / 3600)
    assert abs(billed_h["deallocate"] - deallocated_h) <= Z * sem_h
    wrong_h = deallocated_h + VMS * WINDOWS * DEALLOCATING_S / 3600
    assert abs(billed_h["deallocate"] - wrong_h) > Z * sem_h, "a model that bills Deallocating must be refused"

    # A stopped VM is billed, except for the moments of Starting each morning (not billed under 2018-08).
    mornings_h = VMS * WINDOWS * STARTING_S / 3600
    mornings_sem_h = math.sqrt(VMS * WINDOWS / replications) * STARTING_SD_S / 3600
    for habit in ("stop", "guest-shutdown"):
        assert abs(billed_h["keep"] - billed_h[habit] - mornings_h) <= Z * math.hypot(kept_sem_h, mornings_sem_h)

    disks = [result.estimate("cost.disk").mean for result in found.values()]
    assert max(disks) - min(disks) <= 1e-9 * max(disks), "disks are billed whatever the power state"
    compute = found["deallocate"].estimate("cost.compute").mean
    assert compute == pytest.approx(billed_h["deallocate"] * 0.23, rel=1e-12)
    assert "Deallocating at night saves" in capsys.readouterr().out


def test_failed_provisioning_wastes_what_the_header_says(capsys: pytest.CaptureFixture[str]) -> None:
    """Failures are binomial; each wastes the time-out and the reaction."""
    replications = 8
    rollout = script("failed_provisioning")
    found = rollout.main(replications)
    failures_sem = math.sqrt(rollout.FAILURES / (1 - rollout.FAILING) / replications)  # negative binomial
    assert abs(found["failures"] - rollout.FAILURES) <= Z * failures_sem
    assert abs(found["failures"] - 2 * rollout.FAILURES) > Z * failures_sem, "twice the rate must be refused"
    each_h = rollout.TIMEOUT_H + rollout.REACTION_H
    reaction_sd_h = rollout.REACTION_H * math.sqrt(math.expm1(1.0))
    sem_h = math.sqrt(rollout.FAILURES * (each_h**2 + reaction_sd_h**2) / replications)
    assert abs(found["wasted_h"] - rollout.WASTED_H) <= Z * sem_h
    assert abs(found["wasted_h"] - rollout.FAILURES * rollout.TIMEOUT_H) > Z * sem_h, "a model that reacts at once"
    assert "wasted:" in capsys.readouterr().out


def test_forgotten_evenings_cost_what_the_binomial_distribution_says(tmp_path: Path) -> None:
    """Forgotten hours are a sum of independent evenings, each forgotten or not; a stop at 22:00 cuts each to three hours."""
    page, replications = script("forgotten_evenings"), 3
    found = page.main(replications, tmp_path)
    gaps_h = [page.NIGHT_H] * 16 + [page.WEEKEND_H] * 3 + [page.LAST_WEEKEND_H]
    for (share, auto_off), result in found.items():
        hours = result.estimate("forgotten_hours").mean
        mean, square = (3.0 * 20, 9.0 * 20) if auto_off else (sum(gaps_h), sum(gap**2 for gap in gaps_h))
        sem = math.sqrt(page.VMS * share * (1 - share) * square / replications)
        assert abs(hours - page.VMS * share * mean) <= Z * sem
        if share >= 0.05:
            assert abs(hours - page.VMS * share * mean * 1.5) > Z * sem, "another habit must be refused"
        assert result.estimate("forgotten_cost").mean == pytest.approx(hours * page.USD_PER_H, rel=1e-9)
        assert result.estimate("wanted_hours").mean == page.VMS * page.WANTED_H
    assert (tmp_path / "figures" / "cost_of_forgotten_evenings.svg").exists()


def test_vms_are_ready_by_nine_as_the_rate_limit_and_the_boots_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Starts accepted at once, after one minute and after three, each with its own chance of a slow boot."""
    page, replications = script("ready_by_nine"), 4
    found, needed = page.main(replications, tmp_path)
    for point in found.rows(["ready.late_share"]):
        if point["group"] != "dev":
            continue
        lead = int(str(point["group.dev.ready.within"]).removesuffix("s"))
        parts = [(vms, page.longer(lead - after_s)) for after_s, vms in page.ACCEPTED.items()]
        sem = math.sqrt(sum(vms * p * (1 - p) for vms, p in parts) / (5 * replications)) / page.VMS
        assert abs(point["mean"] - page.late(lead)) <= Z * sem + 1e-12
        if lead == 120:
            wrong = page.longer(lead)  # everything is accepted at once
            assert abs(point["mean"] - wrong) > Z * sem, "a platform without a rate limit must be refused"
    assert page.late(255) <= 0.005 < page.late(254)
    assert page.late_at_burst(2298) <= 0.005 < page.late_at_burst(2297)
    assert needed.value is None or needed.value >= 2298 - 20
    assert "late at nine" in capsys.readouterr().out


def test_a_capacity_shortage_costs_as_many_mornings_as_the_on_off_process_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exponential shortages: the mean by hand for each number of reservations; and tails that no independent failures have."""
    page = script("capacity_shortage")
    found, by_chance, needed = page.main(120, tmp_path)
    for reserved, result in found.items():
        share = result.estimate("ready.late_share")
        sem = share.sd / math.sqrt(share.n)
        assert abs(share.mean - page.late(reserved)) <= Z * sem
        assert abs(share.mean - page.late(reserved) * 3) > Z * sem, (
            "shortages that last three times as long must be refused"
        )
        assert share.mean == pytest.approx(
            found[0].estimate("ready.late_share").mean * (1 - reserved / page.VMS), abs=1e-12
        )
    for p, times in ((0.95, 4), (0.99, 8)):
        alone = by_chance.quantile("ready.late_share", p)[0]
        assert found[0].quantile("ready.late_share", p)[0] >= times * alone
    assert page.late(64) <= 0.01 < page.late(63)
    assert needed.value is None or needed.value >= 60
    assert "each VM by itself" in capsys.readouterr().out


def test_two_regions_admit_and_cost_what_their_quota_and_prices_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Constants only: VMs exactly, the cost to a rounded tick of each VM; a quota shared by both regions must be refused."""
    page = script("two_regions")
    found = page.main(1, tmp_path)
    for moved, result in found.items():
        created, cost = page.by_hand(moved)
        assert result.estimate("vms.created").mean == created
        assert result.estimate("cost.total").mean == pytest.approx(cost, abs=1e-3)
    assert page.by_hand(30)[0] == page.VMS != page.FIT, "one quota for both would admit 50"
    assert "in East US" in capsys.readouterr().out


def test_growth_and_commitments_cost_what_the_months_add_up_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every number of reservations to the seconds that new VMs take to start; the cheapest is the one worked out by hand."""
    page = script("growth_and_commitments")
    found = page.main(1, tmp_path)
    created_s = ALLOCATING_S + 100.0  # a create takes longer than its mean, but rarely so long
    for name, vms in (("growth goes on", page.GROWING), ("40 VMs go in September", page.ENDING)):
        costs = {}
        for reserved, result in found[name].items():
            costs[reserved] = cost = result.estimate("cost.total").mean
            by_hand = page.by_hand(vms, reserved)
            assert by_hand - max(vms) * created_s / 3600 * page.USD_PER_H <= cost <= by_hand + 1.0
            months = [month.mean for month in result.cost_by_month().values()]
            assert len(months) == page.MONTHS
            assert math.fsum(months) == pytest.approx(cost, abs=1e-6)
        assert min(costs, key=costs.get) == min(costs, key=lambda each, vms=vms: page.by_hand(vms, each))
    wrong = [round(page.COUNT * (1 + page.GROWTH * month)) for month in range(page.MONTHS)]
    assert abs(page.by_hand(wrong, 100) - page.by_hand(page.GROWING, 100)) > 1_000, (
        "growth that isn't compounded must be refused"
    )
    assert "113 reservations are the cheapest" in capsys.readouterr().out

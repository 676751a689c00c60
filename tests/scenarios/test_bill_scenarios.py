"""The scripts about bills find what their headers expect, to what can be written down by hand."""

from __future__ import annotations

import importlib.util
import math
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

SCENARIOS = Path(__file__).parents[2] / "scenarios"

Z = 5.0  # a false alarm in some two million runs, were the seed not fixed
D4, D4_WINDOWS, D4_RESERVED_3Y = 0.230, 0.184, 0.08508  # USD an hour, westeurope
STARTING_S = 25 * math.exp(0.5**2 / 2)  # mean of the default lognormal distribution
STARTING_SD_S = STARTING_S * math.sqrt(math.expm1(0.5**2))


def script(name: str) -> ModuleType:
    """One scenario script as a module."""
    spec = importlib.util.spec_from_file_location(f"scenario_{name}", SCENARIOS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_cheapest_number_of_reservations_is_the_newsvendors_quantile(capsys: pytest.CaptureFixture[str]) -> None:
    """The search rates bills, the quantile does not. Cost by quantity is convex, so no other quantity is cheaper."""
    shop = script("how_many_reservations")
    found, quantile = shop.main(3)
    costs = {
        point.settings[shop.QUANTITY]: run.estimate("cost.total").mean
        for point, run in zip(found.points, found.runs, strict=True)
    }
    best = min(costs, key=costs.__getitem__)
    assert best in (math.floor(quantile), math.ceil(quantile))
    by_hour = [4, 3, 3, 3, 4, 5, 8, 12, 18, 22, 24, 25, 25, 24, 23, 22, 22, 21, 18, 15, 12, 9, 7, 5]
    mean_use = 2.0 * sum(by_hour) / 24  # VMs at once: requests per hour times mean lifetime in hours
    assert abs(best - mean_use) > 2, "the mean, a common rule, would give another answer"
    slopes = [(costs[b] - costs[a]) / (b - a) for a, b in pairwise(sorted(costs))]
    assert slopes == sorted(slopes)
    printed = capsys.readouterr().out
    assert [line.split()[0] for line in printed.splitlines() if "<- lowest" in line] == [str(best)]


def test_a_reservation_is_cheaper_for_steady_work_and_a_plan_for_work_that_moves(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Half of a reservation is unused if the work is elsewhere half of the time; the commitment is billed to the cent."""
    choice = script("savings_plan_or_reservation")
    found = choice.main(2)

    def total(case: str, offer: str) -> float:
        return float(found[case, offer].estimate("cost.total").mean)

    assert total("always on", "reservation") < total("always on", "savings plan") < total("always on", "none")
    assert total("moving", "savings plan") < total("moving", "reservation") < total("moving", "none")
    hours = 28 * 24
    for case in choice.CASES:
        bought = found[case, "savings plan"].estimate("cost.commitment").mean
        assert bought == pytest.approx(choice.D4_PLAN_USD * hours, abs=1e-6)
    lost = found["moving", "reservation"].estimate("commitment.ri.unused_fraction").mean
    assert lost == pytest.approx(0.5, abs=0.01)
    reserved = found["always on", "reservation"].estimate("cost.commitment").mean
    assert reserved == pytest.approx(20 * hours * D4_RESERVED_3Y, rel=1e-4)
    assert "moving" in capsys.readouterr().out


def test_own_licences_save_the_licence_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    """The same VM hours: the difference is the licence, both on demand and reserved."""
    found = script("windows_hybrid_benefit").main(2)
    hours = found["own, on demand"].estimate("billed_hours").mean
    for how in ("on demand", "reserved"):
        theirs, own = found[f"platform's, {how}"], found[f"own, {how}"]
        saved = theirs.estimate("cost.total").mean - own.estimate("cost.total").mean
        assert saved == pytest.approx(hours * D4_WINDOWS, rel=1e-6)
        assert own.estimate("cost.license").mean == 0.0
    assert found["own, on demand"].estimate("cost.compute").mean == pytest.approx(hours * D4, rel=1e-6)
    reserved = found["platform's, reserved"]
    assert reserved.estimate("cost.license").mean > 2 / 3 * reserved.estimate("cost.total").mean
    assert "a year for each vCPU" in capsys.readouterr().out


def test_the_classic_mistake_costs_the_idle_hours_of_the_cores(capsys: pytest.CaptureFixture[str]) -> None:
    """Sixteen of twenty-four hours: stopped bills the cores and not the licence; deallocated and hibernated bill neither."""
    mistake = script("stopped_but_billed")
    found = mistake.main(2)

    def usd(kind: str, habit: str) -> float:
        return float(found[habit].estimate(f"cost.{kind}").mean)

    # Stopping and starting takes minutes a day, out of sixteen hours.
    assert usd("compute", "stop") - usd("compute", "deallocate") == pytest.approx(mistake.IDLE_H * D4, rel=0.005)
    assert usd("license", "keep") - usd("license", "stop") == pytest.approx(
        mistake.IDLE_H * mistake.WINDOWS_USD_PER_H, rel=0.005
    )
    assert usd("compute", "guest-shutdown") == pytest.approx(usd("compute", "stop"), rel=1e-3)
    assert usd("compute", "hibernate") == pytest.approx(usd("compute", "deallocate"), rel=1e-3)
    assert len({round(usd("disk", habit), 6) for habit in ("keep", "stop", "deallocate")}) == 1
    assert usd("disk", "hibernate") > usd("disk", "deallocate")
    assert "USD wasted" in capsys.readouterr().out


def test_the_new_policy_bills_starting_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    """The difference is exactly the hours in Starting, which follow from two means."""
    change = script("billing_policy_change")
    replications = 3
    found = change.main(replications)
    old, new = (found[policy] for policy in change.POLICIES)
    for group in ("agents", "servers"):
        grown_h = new.estimate("billed_hours", group).mean - old.estimate("billed_hours", group).mean
        assert grown_h == pytest.approx(old.estimate("hours.starting", group).mean, rel=1e-9)
        assert new.estimate("cost.compute", group).mean - old.estimate("cost.compute", group).mean == pytest.approx(
            grown_h * D4, abs=1e-6
        )
    agents = 100 * 168
    starting_h = old.estimate("hours.starting", "agents").mean
    sem_h = (
        math.sqrt(agents * (STARTING_SD_S**2 + STARTING_S**2) / replications) / 3600
    )  # the number of VMs and their times both vary
    assert abs(starting_h - agents * STARTING_S / 3600) <= Z * sem_h
    assert abs(starting_h - agents * 25 / 3600) > Z * sem_h, "the median in place of the mean must be refused"
    assert "Expected for agents" in capsys.readouterr().out

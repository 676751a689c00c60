"""`vmfleet recommend`: quantities worked out by hand, a brute-force search, and what a wrong rule would buy."""

from __future__ import annotations

import itertools
import json
from datetime import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import sim
from sim.cli.app import app
from sim.errors import InputError
from sim.runs.cache import RunCache
from sim.statistics.intervals import mean_of
from sim.studies.commitment_offers import FleetHours, offers
from sim.studies.convex_search import least
from sim.studies.recommend import FALL, Bought, Option, _Search, recommend

D4, D4_1Y, D4_3Y = 0.23, 0.1357305936, 0.0850833  # USD an hour in West Europe; reservations are stand-ins
HOURS = {"on": time(8), "off": time(20)}


def fleet(*groups: dict[str, Any], **more: Any) -> sim.Scenario:
    """VMs in West Europe that start in no time, without a warm-up to speak of."""
    still = {"allocating": "0s", "starting": "0s", "os_provisioning": "0s", "deallocating": "0s"}
    own = [{"size": "Standard_D4s_v5", "durations": still} | group for group in groups]
    return sim.from_dict({"name": "fleet", "horizon": "7d", "replications": 2, "group": own} | more)


def option(found: sim.Recommendation, name: str) -> Option:
    """One way of buying."""
    return next(each for each in found.options if each.name == name)


def only(found: sim.Recommendation, name: str) -> Bought:
    """The one commitment of a way of buying."""
    (bought,) = option(found, name).bought
    return bought


@pytest.fixture(scope="module")
def two_levels() -> sim.Recommendation:
    """Five VMs always on, and eight more for 12 of the 24 hours, every day: used in half of the hours."""
    return recommend(
        fleet({"name": "web", "count": 5}, {"name": "dev", "count": 8, "schedule": {"days": "Mon-Sun", **HOURS}})
    )


def test_a_steady_fleet_is_reserved_whole() -> None:
    """Seven VMs always on: seven, at the difference of the prices, all used; seven times the rate as a savings plan."""
    found = recommend(fleet({"name": "web", "count": 7}))
    for term, price in (("1y", D4_1Y), ("3y", D4_3Y)):
        bought = only(found, f"reservations, {term}")
        assert (bought.amount, bought.low, bought.high) == (7, 7, 7)
        assert (bought.utilisation, bought.coverage) == (pytest.approx(1.0), pytest.approx(1.0))
        assert bought.break_even == pytest.approx(price / D4, abs=1e-4)
        saving = option(found, f"reservations, {term}").saving
        assert saving.mean == pytest.approx(7 * 730 * (D4 - price), rel=1e-4)
        assert saving.half_width == pytest.approx(0, abs=1e-6)
        # A fifth fewer VMs: what is saved falls by what they would have cost, and five reservations would have been enough.
        fallen = option(found, f"reservations, {term}").saving_fallen.mean
        assert fallen == pytest.approx(7 * 730 * ((1 - FALL) * D4 - price), rel=1e-4)
        assert option(found, f"reservations, {term}").regret_fallen.mean > 0
        assert option(found, f"reservations, {term}").fall_to_break_even == pytest.approx(1 - price / D4, abs=2e-3)
    rate = (
        sim.load("scenarios/office_hours.toml")
        .catalogue()
        .price_per_h("Standard_D4s_v5", "westeurope", "savings_plan_1y")
    )
    assert only(found, "savings plan, 1y").amount == pytest.approx(7 * rate, abs=0.01)


def test_what_is_left_of_a_saving_is_that_of_the_fall_that_was_asked_for() -> None:
    """Ten VMs reserved: each reservation costs its price; with three in ten gone only seven replace a VM."""
    found = recommend(fleet({"name": "web", "count": 10}), fall=0.3)
    best = option(found, "reservations, 1y")
    assert best.saving_fallen.mean == pytest.approx(730 * (7 * D4 - 10 * D4_1Y), rel=1e-4)
    assert best.regret_fallen.mean == pytest.approx(730 * 3 * D4_1Y, rel=1e-4)
    assert best.row()["if_demand_falls"]["by"] == 0.3
    assert "if demand falls by 30 %" in found.words.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize("fall", [0.0, 1.0, -0.2, float("nan"), 30.0])
def test_demand_falls_by_a_share(fall: float) -> None:
    """Neither by nothing nor by all of it; 30 is not 30 %."""
    with pytest.raises(InputError, match="fall"):
        recommend(fleet({"name": "web", "count": 1}), fall=fall)


def test_a_unit_is_bought_if_it_is_used_often_enough(two_levels: sim.Recommendation) -> None:
    """Used in half of the hours: a year's reservation (59 %) takes the base alone, three years' (37 %) take the peak too."""
    year, three = (only(two_levels, f"reservations, {term}") for term in ("1y", "3y"))
    assert (year.amount, three.amount) == (5, 13)
    assert year.utilisation == pytest.approx(1.0)
    assert three.utilisation == pytest.approx((5 + 8 / 2) / 13, rel=1e-6)
    # Wrong rules would buy the mean use, or the peak, for a year.
    assert year.amount not in (9, 13)
    assert year.coverage == pytest.approx(5 / 9, rel=1e-6)
    assert three.effective_savings_rate == pytest.approx(1 - 13 * D4_3Y / (9 * D4), abs=1e-4)


def test_a_reservation_says_how_many_units_another_size_takes() -> None:
    """Two D2s and three D4s, always on: eight D2s are more than there are VMs, since a D4s takes two."""
    found = recommend(fleet({"name": "small", "count": 2, "size": "Standard_D2s_v5"}, {"name": "web", "count": 3}))
    assert (
        option(found, "reservations, 1y").words
        == "8 x Standard_D2s_v5 in westeurope reserved (a Standard_D4s_v5 takes 2)"
    )
    assert only(found, "reservations, 1y").row()["takes"] == {"Standard_D4s_v5": 2.0}
    alone = recommend(fleet({"name": "web", "count": 3}))
    assert option(alone, "reservations, 1y").words == "3 x Standard_D4s_v5 in westeurope reserved"


def test_a_saving_that_rests_on_a_stand_in_says_so() -> None:
    """West Europe's reservations are Poland's prices until one's own are given; its savings plan of a year is its own."""
    web = {"name": "web", "count": 3}
    stand_ins, _ = recommend(fleet(web)).warnings
    assert "1y reservation of Standard_D4s_v5 in westeurope" in stand_ins
    assert "1y savings plan" not in stand_ins
    own = {"reservation_1y": 0.14, "reservation_3y": 0.09, "savings_plan_3y": 0.13}
    (period,) = recommend(fleet(web, prices={"override": {"Standard_D4s_v5": own}})).warnings
    assert "stand-ins" not in period


def test_nothing_saves_more_than_the_newsvendors_quantile(two_levels: sim.Recommendation) -> None:
    """With whole VMs of one size it is reached; half as large a critical ratio, a wrong model, would promise more."""
    for term in ("1y", "3y"):
        bought = only(two_levels, f"reservations, {term}")
        assert bought.offer.newsvendor is not None
        amount, saved = bought.offer.newsvendor
        assert amount == pytest.approx(bought.amount)
        assert option(two_levels, f"reservations, {term}").saving.mean == pytest.approx(730 * saved, rel=1e-9)
    wrong = 730 * (13 * (0.5 * (8 / 13) + 5 / 13) * D4 - 13 * D4_1Y / 2)
    assert option(two_levels, "reservations, 1y").saving.mean < wrong


def test_the_quantities_together_are_those_of_a_search_of_all_of_them() -> None:
    """Two sizes that share no reservation and a plan that moves between them: every combination is tried.

    Buying the best reservations first and then a plan, the wrong rule that follows the order of use, costs more.
    """
    found = recommend(
        fleet(
            {"name": "day", "count": 2, "schedule": {"days": "Mon-Sun", "on": time(4), "off": time(20)}},
            {"name": "night", "count": 2, "size": "Standard_E4s_v5", "schedule": {"days": "Mon-Sun", "on": time(20), "off": time(4)}},
            {"name": "web", "count": 1, "size": "Standard_E4s_v5"},
        )
    )  # fmt: skip
    hours = FleetHours.of(found.run)
    own = [each for each in offers(hours)[0] if each.commitment.term == "1y"]
    search = _Search(hours, own)

    def with_best_plan(reserved: tuple[int, ...]) -> float:
        costs = lambda number: mean_of(search.costs([*reserved, number]))  # noqa: E731
        return costs(least(costs, own[-1].most))

    best = min(with_best_plan(each) for each in itertools.product(range(3), range(4)))
    assert mean_of(search.costs(search.best)) == pytest.approx(best, rel=1e-9)
    one_by_one = search.with_plan(search.sweep([0, 0], search.mean))
    assert search.mean(search.best) < search.mean(one_by_one) - 1
    savings = {each.name: each.saving.mean for each in found.options}
    assert savings["both, 1y"] >= max(savings["reservations, 1y"], savings["savings plan, 1y"]) - 1e-6


def test_a_commitment_of_which_nothing_is_bought_changes_nothing() -> None:
    """Some jobs at a time, and a reservation of yet unknown size: it is no commitment that the scenario has."""
    jobs = {"name": "jobs", "arrivals": {"rate": 2.0, "lifetime": {"dist": "exponential", "mean": "5h"}}}
    none = {"name": "ri", "kind": "reservation", "size": "Standard_D4s_v5", "quantity": 0, "term": "1y"}
    plan = {"name": "sp", "kind": "savings-plan", "hourly": 0, "term": "1y"}
    without, found = recommend(fleet(jobs)), recommend(fleet(jobs, commitment=[none, plan]))
    assert found.rows() == without.rows()
    assert found.summary()["options"] == without.summary()["options"]
    assert found.warnings == without.warnings
    assert only(found, "reservations, 1y").offer.newsvendor is not None
    assert any("ri" in note for note in recommend(fleet(jobs, commitment=[{**none, "quantity": 1}])).warnings)


def test_growth_is_bought_for() -> None:
    """100 VMs that grow by 3 % a month through a year: 113 reservations (see the scenario growth_and_commitments), not today's 100."""
    found = recommend("scenarios/growth_and_commitments.toml", replications=2)
    assert [each.name for each in FleetHours.of(found.run).held] == ["ri"]
    bare = sim.load("scenarios/growth_and_commitments.toml").replace("commitment", None)
    assert only(recommend(bare, replications=2), "reservations, 1y").amount == 113
    assert only(found, "reservations, 1y").amount == 13, "100 are there already"
    assert any("ri" in each for each in found.warnings)


def test_the_purchase_costs_what_a_run_with_it_costs() -> None:
    """VMs that come at random, with a warm-up: the bill of a run with the purchase falls by the saving."""
    jobs = sim.from_dict(
        {
            "name": "jobs", "horizon": "4d", "warm_up": "90min", "replications": 4,
            "group": [{"name": "jobs", "arrivals": {"rate": 4.0, "lifetime": {"dist": "exponential", "mean": "5h"}}}],
        }
    )  # fmt: skip
    found = recommend(jobs)
    both = option(found, "both, 1y")
    sections = [
        {"name": f"c{n}", "kind": each.offer.kind, "term": "1y"}
        | ({"size": each.offer.commitment.size, "quantity": int(each.amount)} if each.offer.kind == "reservation" else {"hourly": each.amount})  # type: ignore[union-attr]
        for n, each in enumerate(both.bought)
    ]  # fmt: skip
    bought = sim.from_dict(jobs.document | {"commitment": sections})
    before, after = (np.array(sim.run(each).values("cost.total")) for each in (jobs, bought))
    assert (before - after).mean() * 730 / 94.5 == pytest.approx(both.saving.mean, rel=1e-6)
    assert both.saving.low is not None
    assert both.saving.low < both.saving.mean
    for each in both.bought:
        assert each.low <= each.amount <= each.high


def test_a_price_that_a_region_lacks_is_named_with_its_key() -> None:
    """East US has neither reservations nor plans: named beside what has a price, refused alone; with an own price it is bought."""
    east = {"name": "east", "count": 3, "region": "eastus"}
    with pytest.raises(InputError, match=r"reservation_1y in \[prices.override") as refused:
        recommend(fleet(east))
    assert "savings_plan_3y" in str(refused.value)
    found = recommend(fleet(east, {"name": "web", "count": 2, "size": "Standard_E4s_v5"}))
    assert {each.offer.commitment.region for each in option(found, "reservations, 1y").bought} == {"westeurope"}
    assert any("reservation_1y" in each["reason"] and "D4s_v5 in eastus" in each["what"] for each in found.lacking)
    own = fleet(east, prices={"override": {"Standard_D4s_v5": {"reservation_1y": 0.1}}})
    bought = only(recommend(own), "reservations, 1y")
    assert (bought.amount, bought.offer.trusted) == (3, True)


def test_spot_alone_has_nothing_to_buy_and_one_replication_nothing_to_judge_by() -> None:
    """Mistakes say what would be right."""
    with pytest.raises(InputError, match="nothing to buy"):
        recommend(fleet({"name": "calc", "count": 2, "priority": "spot"}))
    with pytest.raises(InputError, match="at least 2"):
        recommend(fleet({"name": "web", "count": 2}), replications=1)
    with pytest.raises(InputError, match="no option 'replication'"):
        recommend(fleet({"name": "web", "count": 2}), replication=3)  # type: ignore[call-arg]


def test_replications_are_kept(tmp_path: Path) -> None:
    """A second question of the same fleet simulates nothing."""
    steady = fleet({"name": "web", "count": 2})
    recommend(steady, cache=RunCache(tmp_path))
    again = RunCache(tmp_path)
    recommend(steady, cache=again)
    assert again.reused == 2


def test_the_command_says_the_same_in_every_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON, Markdown and a folder with a report; a file that isn't there is the user's mistake."""
    monkeypatch.chdir(tmp_path)
    Path("web.toml").write_text(fleet({"name": "web", "count": 2}).to_toml(), encoding="utf-8")
    answer = CliRunner().invoke(app, ["recommend", "web.toml", "--json"])
    assert answer.exit_code == 0, answer.output
    summary = json.loads(answer.stdout)
    assert summary == json.loads(Path("results/fleet/recommend.json").read_text(encoding="utf-8"))
    assert summary["best"] == {"1y": "reservations, 1y", "3y": "reservations, 3y"}
    page = Path("results/fleet/report.html").read_text(encoding="utf-8")
    assert "2 x Standard_D4s_v5" in page
    before, bought = page.split(">What to buy</h2>")
    assert "reservations, 1y" in bought and "both, 1y" in before
    assert "both, 1y" not in bought  # what it buys is the reservations
    written = CliRunner().invoke(app, ["recommend", "web.toml", "--markdown", "--no-report"])
    assert written.exit_code == 0, written.output
    assert "| reservations, 1y | Standard_D4s_v5 | 2 |" in written.stdout
    assert "Written" not in written.stdout
    half = CliRunner().invoke(app, ["recommend", "web.toml", "--no-report", "--fall", "12.5%"])
    assert half.exit_code == 0, half.output
    assert "12.5 % less demand" in half.stdout.replace("\N{NO-BREAK SPACE}", " ")
    wrong = CliRunner().invoke(app, ["recommend", "web.toml", "--fall", "130%"]).exception
    assert isinstance(wrong, InputError) and "--fall" in str(wrong)
    assert isinstance(CliRunner().invoke(app, ["recommend", "none.toml"]).exception, InputError)

"""What a comparison says of money: per month, the best saving first, practical before statistical significance, adding up as shown."""

from typing import Any

import pytest

from sim.studies.cost_words import CostAnswer, cost_answer, matters, verdict_words


def cost(mean: float, half: float | None = 0.0, verdict: str = "better", ready: float = 0.0) -> dict[str, Any]:
    """The entries of a variant in a comparison, whose base costs 200."""
    low, high = (None, None) if half is None else (mean - half, mean + half)
    entry = {"mean": mean, "relative": mean / 200, "low": low, "high": high, "verdict": verdict}
    return {"cost.total": entry, "availability": {"mean": ready, "verdict": "worse"}}


def answer(hours: float | None = 365.0, trusted: float = 1.0, causes: Any = None, **variants: Any) -> CostAnswer:
    """The answer of a comparison over so many hours; 365 are half a month of 730."""
    return cost_answer(
        {
            "base": "today", "currency": "EUR", "confidence": 0.95, "hours": hours, "differences": variants,
            "variant_hours": dict.fromkeys(variants, hours), "causes": causes or {},
            "base_metrics": {"cost.total": {"mean": 200.0}, "cost.trusted_share": {"mean": trusted}, "availability": {"mean": 0.99}},
        }
    )  # fmt: skip


def said(hours: float | None = 365.0, **variants: Any) -> list[str]:
    """Its sentences in plain letters."""
    return [words.replace("\N{NO-BREAK SPACE}", " ") for words in answer(hours, **variants).sentences()]


def test_a_saving_is_per_month_with_before_and_after_and_how_ready_vms_are():
    """Half a month: 50 of 200 saved, so 100 of 400 a month; the interval where there is one."""
    assert said(nights=cost(-50.0)) == ["nights saves 100 EUR a month (25 %): 300 instead of 400."]
    assert said(nights=cost(-50.0, 5.0, ready=-0.003)) == [
        "nights saves 100 EUR a month (25 %; 95 % interval 90 to 110): 300 instead of 400; VMs are ready 0.30 points less often."
    ]
    assert "ready" not in said(nights=cost(-50.0, 5.0, ready=-0.0024))[0]  # no practical difference


def test_a_saving_by_late_work_or_unserved_load_says_so():
    """What is saved by doing less of what the fleet is for is no saving in itself."""
    less = cost(-50.0, 5.0)
    less["deadline.met_share"] = {"mean": -0.023, "verdict": "worse"}
    less["load.served_share"] = {"mean": 0.011, "verdict": "better"}
    (words,) = said(spot=less)
    assert words.endswith(
        "300 instead of 400; 2.30 points less of the work is done in time; 1.10 points more of the load is served."
    )
    less["deadline.met_share"]["verdict"] = "undecided"
    assert "in time" not in said(spot=less)[0]


def test_a_cost_of_another_time_is_no_saving_without_saying_so():
    """Seven days cost less than 28."""
    content = {
        "base": "today", "currency": "EUR", "confidence": 0.95, "hours": 672.0, "variant_hours": {"short": 168.0, "same": 672.0},
        "differences": {"short": cost(-150.0), "same": cost(-20.0)}, "base_metrics": {"cost.total": {"mean": 200.0}},
    }  # fmt: skip
    short, same = cost_answer(content).sentences()
    assert short.endswith(": 50 instead of 200; but that is of 7 days instead of 28 days.")
    assert same.endswith(": 180.00 instead of 200.00.")


def test_what_costs_more_is_said_both_ways():
    """Who asks what the base saves reads it, too: 60 more than 400 is 13 % of 460 less."""
    assert said(more=cost(30.0, 4.0, "worse")) == [
        (
            "more costs 60 EUR a month more than today (15 %; 95 % interval 52 to 68): 460 instead of 400. "
            "That is, today costs 13 % less than more."
        )
    ]


def test_a_cause_has_the_name_of_what_happens():
    """In fleets where nothing fails the billed share of needed hours differs by boots alone."""
    rows = [{"cause": "failures", "label": "boots and failures", "mean": -50.0}]
    entries = cost(-50.0)
    assert [*answer(causes={"x": rows}, x=entries).savings[0].causes] == ["boots"]
    fails = entries | {"failures.AllocationFailed": {"mean": 3.0}}
    assert [*answer(causes={"x": rows}, x=fails).savings[0].causes] == ["boots and failures"]
    assert "  boots" in [row[0] for row in answer(causes={"x": rows}, x=entries).table()[2]]


def test_the_best_saving_comes_first():
    """Whatever the order of the variants."""
    words = said(more=cost(10.0), best=cost(-80.0), good=cost(-20.0))
    assert [sentence.split()[0] for sentence in words] == ["best", "good", "more"]


def test_less_than_a_thousandth_is_no_difference_in_practice():
    """However sure it is; a thousandth and more is one."""
    assert said(same=cost(0.1, 0.01)) == [
        "same costs practically the same as today: 400.20 instead of 400.00 EUR a month."
    ]
    assert "practically" not in said(more=cost(0.2))[0]
    assert said(twin=cost(0.0)) == ["twin costs the same as today."]


def test_amounts_are_rounded_to_what_the_interval_supports():
    """A saving known within 3 has no cents, one known within 30 no units, one known within 300 no tens."""
    assert "saves 4,682 EUR" in said(nights=cost(-2341.0, 1.5))[0]
    assert "saves 4,680 EUR" in said(nights=cost(-2341.0, 15.0))[0]
    assert "saves 4,700 EUR" in said(nights=cost(-2341.0, 150.0))[0]


def test_an_undecided_difference_says_so_and_other_periods_are_not_turned_into_months():
    """Version 0.1 wrote no hours; fleets of different lengths have no common month."""
    (words,) = said(None, close=cost(5.0, 10.0, "undecided"))
    assert words == (
        "Whether close saves money is undecided: it costs 205 instead of 200 EUR "
        "(difference: 95 % interval \N{MINUS SIGN}5 to +15)."
    )
    assert "a month" not in words


def test_estimated_prices_are_named():
    """Before anybody relies on the saving."""
    assert answer(trusted=0.88, nights=cost(-50.0)).sentences()[-1].replace("\N{NO-BREAK SPACE}", " ") == (
        "12.0 % of the cost of today rests on estimated prices or stand-ins."
    )


def test_the_table_leads_from_the_base_to_each_variant_and_adds_up_as_shown():
    """Three thirds of a difference of 100 are 33, 33 and 34."""
    third = [{"label": label, "mean": -50 / 3} for label in ("hours needed", "price of compute", "disks and addresses")]
    _, columns, rows = answer(causes={"nights": third}, nights=cost(-50.0)).table()
    assert columns == ["", "nights"]
    assert [row[0] for row in rows[:2]] == ["cost of today", "  hours needed"]
    amounts = [float(row[1].replace("\N{MINUS SIGN}", "-")) for row in rows[:5]]
    assert sum(amounts[:4]) == amounts[4] == 300
    assert dict(rows)["saved"] == "100"


@pytest.mark.parametrize(
    ("metric", "mean", "does"),
    [
        ("cost.total", 0.19, False),
        ("cost.disk", 0.19, False),  # of the whole cost, not of a part that costs next to nothing
        ("cost.disk", 0.21, True),
        ("availability", -0.0024, False),  # a boot each working day
        ("availability", -0.0026, True),
        ("ready.mean_s", 60.0, False),
        ("ready.mean_s", 121.0, True),
        ("evictions", 1.0, True),
        ("evictions", 0.0, False),
    ],
)
def test_what_matters_in_practice_depends_on_the_unit(metric: str, mean: float, does: bool):
    """A certain difference that is too small to matter is neither better nor worse."""
    base = {"cost.total": {"mean": 200.0}}
    entry = {"mean": mean, "verdict": "worse"}
    assert matters(metric, entry, base) is does
    assert verdict_words(metric, entry, base) == ("worse" if does else "no practical difference")
    assert verdict_words(metric, entry | {"verdict": "undecided"}, base) == "undecided"


def test_twice_the_cost_is_100_percent_more():
    """A hair less, too: an increase has no end at 100 %; a saving has, and is not all where it is nearly all."""
    assert "more than today (100 %): " in said(twice=cost(199.999, verdict="worse"))[0]
    assert "a month (> 99 %): " in said(nothing=cost(-199.999))[0]
    assert answer(twice=cost(199.999, verdict="worse")).savings[0].share_words(1).startswith("100.0")

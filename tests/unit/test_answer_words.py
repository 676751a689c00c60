"""What a run and a sweep say first: the cost rounded to what is known, who was late, the cheapest that keeps the target."""

from __future__ import annotations

from typing import Any

import pytest

import sim
from sim.errors import InputError
from sim.fields.numbers import money_decimals, rounded
from sim.runs.answer_words import answer_words, few_words, ready_words
from sim.studies.sweep_words import sweep_sentences


def summary(mean: float = 20483.88, half: float | None = 36.7, **metrics: float) -> dict[str, Any]:
    """Of 28 days."""
    found: dict[str, Any] = {name.replace("__", "."): {"mean": value} for name, value in metrics.items()}
    found["cost.total"] = {"mean": mean, "half_width": half}
    return {"metrics": found, "horizon_h": 672.0, "warm_up_h": 0.0, "currency": "EUR", "replications": 20}


def test_the_cost_is_a_month_and_has_the_digits_that_its_error_allows() -> None:
    """20,483.88 +- 36.7 for 28 days are 22,251.8 +- 39.9 for 730 h: neither cents nor units are known."""
    plus_minus = "\N{PLUS-MINUS SIGN}"
    assert answer_words(summary()) == [f"Estimated cost: 22,250 {plus_minus} 40 EUR a month (20,480 EUR for 28 days)."]
    assert answer_words(summary(half=None))[0] == "Estimated cost: 22,252 EUR a month (20,484 EUR for 28 days)."
    assert answer_words(summary(half=0.0))[0] == "Estimated cost: 22,252 EUR a month (20,484 EUR for 28 days)."
    (range_too,) = answer_words(summary(), (20364.2, 20616.9))
    assert range_too.endswith(
        "nine in ten such periods cost 20,360 to 20,620, by chance alone, with prices and assumptions as they are."
    )
    assert "nine in ten" not in answer_words(summary(), (20483.0, 20484.0))[0]


def test_late_work_comes_first() -> None:
    """Of 400 jobs a week 20 were late, by 53 min on average: a cost alone would hide it."""
    found = summary(deadline__due=400.0, deadline__missed=20.0, deadline__late_mean_s=3158.3)
    words, cost = (each.replace("\N{NO-BREAK SPACE}", " ") for each in answer_words(found))
    assert (
        words
        == "In 28 days work was due 400 times and was late or not done 20 times (5.0 %), by 53 minutes on average."
    )
    assert cost.startswith("Estimated cost")
    in_time = summary(deadline__due=400.0, deadline__missed=0.0)
    assert answer_words(in_time)[0] == "In 28 days work was due 400 times, and always done in time."
    (alone,) = answer_words(summary(deadline__due=0.0))  # no deadline
    assert alone.startswith("Estimated cost")


def test_a_run_counts_late_work_in_its_answer() -> None:
    """Every job takes two hours and is due after one: all of them are late, by an hour and a start."""
    group = {
        "name": "job", "size": "Standard_D2s_v5",
        "arrivals": {"rate": 1.0, "lifetime": "2h", "lifetime_counts": "running", "deadline": "1h"},
    }  # fmt: skip
    found = sim.run(sim.from_dict({"name": "x", "horizon": "7d", "replications": 2, "group": [group]})).summary()
    first = answer_words(found)[0].replace("\N{NO-BREAK SPACE}", " ")
    assert "late or not done" in first and "(100.0 %), by 1." in first


@pytest.mark.parametrize(
    ("amount", "half", "words"),
    [
        (22251.8, 39.9, "22,250"), (22251.8, 13.0, "22,252"), (22251.8, 430.0, "22,300"), (22251.8, 0.02, "22,252"),
        (69.0, 0.001, "69.00"), (69.0, 0.3, "69"), (69.0, 3.0, "69"), (0.3656, None, "0.3656"),
    ],
)  # fmt: skip
def test_amounts_have_the_digits_of_their_half_width(amount: float, half: float | None, words: str) -> None:
    """To its first digit, or the second where that is a 1."""
    assert rounded(amount, money_decimals(amount, half)) == words


def test_late_and_never_ready_are_told_apart() -> None:
    """2,700 mornings of which 4 % went wrong: 99 desktops did not come at all, 9 came late."""
    found = summary(ready__moments=2700.0, ready__late_share=0.04, ready__never=99.0)
    words = ready_words(found).replace("\N{NO-BREAK SPACE}", " ")
    assert words == (
        "In 28 days VMs were needed 2,700 times and were not ready in time 108 times (4.0 %): 9 times too late, "
        "99 times not at all while needed."
    )
    assert answer_words(found)[-1] == ready_words(found)
    assert answer_words(found | {"ready_limit": True})[0] == ready_words(found)  # who sets a limit asks this first
    on_time = summary(ready__moments=2700.0, ready__late_share=0.0, ready__never=0.0)
    assert ready_words(on_time) == ""
    assert ready_words(on_time | {"ready_limit": True}).endswith("2,700 times, and always ready in time.")


def test_a_limit_in_the_scenario_puts_readiness_first() -> None:
    """One VM is wanted every working day for an hour and takes two minutes to start: late five times of five."""
    group = {
        "name": "d", "size": "Standard_D2s_v5", "count": 1, "initial": "deallocated", "when_off": "deallocate",
        "schedule": {"days": "Mon-Fri", "on": "08:00:00", "off": "09:00:00"}, "durations": {"allocating": "1min", "starting": "1min"},
    }  # fmt: skip
    base = {"name": "x", "start": "2026-01-05T00:00:00Z", "horizon": "7d", "replications": 2}
    for limit, words in (
        ({"within": "1min"}, "not ready in time 5 times"),
        ({"within": "3min"}, "always ready in time"),
    ):
        found = sim.run(sim.from_dict({**base, "group": [group | {"ready": limit}]})).summary()
        assert words in answer_words(found)[0]
        assert found["metrics"]["ready.moments"]["mean"] == 5.0
    found = sim.run(sim.from_dict({**base, "group": [group]})).summary()
    assert answer_words(found)[0].startswith("Estimated cost")


def test_few_replications_are_said_to_be_few() -> None:
    """One has no interval at all, which is said elsewhere."""
    assert [bool(few_words(n)) for n in (1, 2, 4, 5, 20)] == [False, True, True, False, False]


def fleet() -> sim.Scenario:
    """Always-on VMs at 0.23 USD an hour: a VM costs 167.90 a month."""
    group = {"name": "web", "size": "Standard_D4s_v5", "count": 2}
    return sim.from_dict({"name": "x", "horizon": "7d", "replications": 5, "group": [group]})


def test_a_sweep_answers_with_the_cheapest() -> None:
    """In the words of people, a month, with what else was asked for; the dearest beside it."""
    found = sim.sweep(fleet(), ["group.web.count=2,1,3"], metrics=["cost.total", "billed_hours"])
    (said,) = sweep_sentences(found.summary())
    assert said.startswith("Number of VMs of web = 1 is the cheapest of the 3 tried: 16")
    assert "USD a month (billed hours 16" in said
    assert "; the dearest is number of VMs of web = 3: 50" in said


def test_a_sweep_and_a_size_say_what_rests_on_stand_ins() -> None:
    """A disk's price is West Europe's everywhere else: in Belgium it is a stand-in; a cost that no one asked for rests on nothing."""
    group = {"name": "web", "size": "Standard_D2s_v5", "count": 1, "disks": ["P10"]}
    both = sim.from_dict({"name": "x", "horizon": "7d", "replications": 5, "group": [group]})
    vary = ["group.web.region=westeurope,belgiumcentral"]
    found = sim.sweep(both, vary, metrics=["cost.total"])
    *_, doubt = (each.replace("\N{NO-BREAK SPACE}", " ") for each in sweep_sentences(found.summary()))
    share = found.estimate("cost.disk", group__web__region="belgiumcentral").mean
    share /= found.estimate("cost.total", group__web__region="belgiumcentral").mean
    assert (
        doubt
        == f"{100 * share:.1f} % of the cost at region of web = belgiumcentral rests on estimated prices or stand-ins."
    )
    hours = sim.sweep(both, vary, metrics=["billed_hours"])
    assert not any("stand-in" in each for each in sweep_sentences(hours.summary()))
    belgium = both.replace("group.web.region", "belgiumcentral")
    sized = sim.size(belgium, "group.web.count=1..2", "availability>=50%", replications=20).summary()
    assert sized["trusted_share"] == pytest.approx(1 - share)
    assert "trusted_share" not in sim.size(both, "group.web.count=1..2", "availability>=50%", replications=20).summary()


def test_a_sweep_with_a_target_answers_with_the_cheapest_that_keeps_it() -> None:
    """Two VMs give 336 billed hours a week; one does not, whatever it costs."""
    found = sim.sweep(fleet(), ["group.web.count=1,2,3"], metrics=["cost.total"], keep=["billed_hours>=300"])
    (said,) = sweep_sentences(found.summary())
    assert said.startswith(
        "Number of VMs of web = 2 is the cheapest of the 3 tried that keeps billed hours at least 300 VM-h: 3"
    )
    assert [list(point["keeps"].values()) for point in found.summary()["points"]] == [
        ["infeasible"],
        ["feasible"],
        ["feasible"],
    ]
    none = sim.sweep(fleet(), ["group.web.count=1,2"], metrics=["cost.total"], keep=["billed_hours>=900"])
    assert sweep_sentences(none.summary()) == ["None of the 2 tried is shown to keep billed hours at least 900 VM-h."]
    with pytest.raises(InputError, match="--keep"):
        sim.sweep(fleet(), ["group.web.count=1,2"], keep=["availability@nobody>=0.5"])

"""Searching for the smallest value that meets a target: right where it can be known, undecided where it cannot."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scripts import load_tool

import sim
from sim.cli import main
from sim.errors import InputError, ScenarioError
from sim.runs.options import RunOptions
from sim.studies.constraints import Evidence, parse_constraint
from sim.studies.size_search import Search, find, looks_until
from sim.studies.sizing import size

study = load_tool("validate_size")
Played = study.Played


@pytest.fixture(scope="module")
def fleet() -> sim.Scenario:
    """VMs that are on for a day at 0.23 USD an hour."""
    return sim.from_dict(
        {"name": "fleet", "horizon": "1d", "group": [{"name": "web", "count": 5, "size": "Standard_D4s_v5"}]}
    )


@pytest.mark.parametrize(
    ("words", "metric", "group", "sign", "limit"),
    [
        ("cost.total<=50000", "cost.total", "", "<=", 50000.0),
        ("availability >= 99.9%", "availability", "", ">=", 0.999),
        ("mean(wasted_hours) < 1e3", "wasted_hours", "", "<", 1000.0),
        ("availability@dev>0.5", "availability", "dev", ">", 0.5),
        ("commitment.ri-d4.used_fraction>=0.9", "commitment.ri-d4.used_fraction", "", ">=", 0.9),
    ],
)
def test_a_target_on_a_mean_is_read(words: str, metric: str, group: str, sign: str, limit: float):
    """As people write it, spaces or none."""
    constraint = parse_constraint(words)
    assert (constraint.metric, constraint.group, constraint.sign) == (metric, group, sign)
    assert constraint.limit == pytest.approx(limit)
    assert constraint.quantile is None
    assert constraint.event is None


def test_targets_on_quantiles_and_probabilities_are_read():
    """The P95 bill within a budget; the 5 % worst month's availability; the chance of breaking the budget."""
    bill = parse_constraint("p95(cost.total)<=50000")
    assert (bill.quantile, bill.limit, bill.sign) == (0.95, 50000.0, "<=")
    worst = parse_constraint("p5(availability@dev)>=99%")
    assert (worst.quantile, worst.group) == (0.95, "dev")
    breach = parse_constraint("P(cost.total > 50000) <= 5%")
    assert (breach.event, breach.limit) == ((">", 50000.0), 0.05)


@pytest.mark.parametrize(
    "words", ["cost.total", "cost.total=5", "p0(x)<=1", "P(x>1)<=1.5", "x<=nan", "P(x)<=0.5", "<=5"]
)
def test_what_is_no_target_is_refused(words: str):
    """With an example of what would be right, or the range."""
    with pytest.raises(InputError, match="--keep"):
        parse_constraint(words)


def test_the_largest_fleet_within_a_budget_can_be_checked_by_hand(fleet: sim.Scenario, tmp_path: Path):
    """A VM costs at most 24 x 0.23 = 5.52 USD a day (a minute less): 100 USD pay for 18 of them, 19 cost 104.8."""
    found = size(fleet, "group.web.count=1..60", "cost.total<=100", largest=True)
    assert (found.answer, found.value, found.next_value, found.next_answer) == ("feasible", 18, 19, "infeasible")
    assert "group.web.count = 18 is the largest" in found.words
    assert len(found.trials) <= 8  # bisection, not a scan of sixty values
    found.write(tmp_path / "size")
    content = json.loads((tmp_path / "size" / "size.json").read_text())
    assert (content["answer"], content["value"]) == ("feasible", 18)
    assert [trial["value"] for trial in content["trials"]] == sorted(trial["value"] for trial in content["trials"])


def test_the_smallest_value_is_the_mirror(fleet: sim.Scenario):
    """At least 100 USD: 19 VMs."""
    found = size(fleet, "group.web.count=1..60", "cost.total>=100")
    assert (found.answer, found.value, found.next_value) == ("feasible", 19, 18)


def test_the_ends_of_the_range(fleet: sim.Scenario):
    """All values keep it: the end, and it is said to be the end. None does: infeasible, without a value."""
    everything = size(fleet, "group.web.count=1..4", "cost.total<=1000", largest=True)
    assert (everything.answer, everything.value, everything.next_value) == ("feasible", 4, None)
    assert "end of the range" in everything.words
    nothing = size(fleet, "group.web.count=4..8", "cost.total<=1", largest=True)
    assert (nothing.answer, nothing.value) == ("infeasible", None)
    assert "both ends of the range break it" in nothing.words
    one = size(fleet, ("group.web.count", [3]), "cost.total<=1000")
    assert (one.answer, one.value) == ("feasible", 3)


def test_a_target_that_gets_harder_the_other_way_is_answered_and_explained(fleet: sim.Scenario):
    """The smallest fleet within a budget is the smallest of all; what was meant is --largest, and the answer says so."""
    found = size(fleet, "group.web.count=1..60", "cost.total<=100")
    assert (found.answer, found.value, found.other_end_answer) == ("feasible", 1, "infeasible")
    assert "60, breaks it" in found.words
    assert "--largest" in found.words
    mirrored = size(fleet, "group.web.count=1..60", "cost.total>=100", largest=True)
    assert (mirrored.answer, mirrored.value) == ("feasible", 60)
    assert "the smallest, without --largest" in mirrored.words


def test_what_one_look_has_decided_no_later_one_takes_back(monkeypatch: pytest.MonkeyPatch):
    """A value that is simulated further for its precision has looks left; a later opposite verdict would be a second chance to err."""
    answers = iter(["undecided", "feasible", "infeasible", "feasible"])

    class Turncoat:
        def least_replications(self, _level: float) -> float:
            return 0.0

        def judge(self, run: Any, _level: float) -> Evidence:
            return Evidence(answer=next(answers), estimate=1.0, low=0.0, high=2.0, n=run.n)

    monkeypatch.setattr(Search, "is_known", lambda self, run: run.n >= 160)
    options = RunOptions(replications=160, seed=0, precision=0.01)
    search = Search([1.0], Turncoat(), 0.05, options, lambda value, _: Played(value, np.zeros(160)))  # type: ignore[arg-type]
    assert search.answer(0) == "feasible"
    search.refine()
    assert search.tried[0].evidence.answer == "feasible"
    assert search.tried[0].run.n == 160
    assert search.tried[0].evidence.n == 160  # finer figures for the same answer are taken


def test_the_time_left_of_a_search_is_no_unreachable_cap(fleet: sim.Scenario):
    """Values that are clear after 20 replications are expected to be the rule, and the bar ends full."""
    output: list[tuple[int, int]] = []
    size(fleet, "group.web.count=1..60", "cost.total<=100", largest=True, progress=lambda *now: output.append(now))
    assert all(0 <= done <= total <= 8 * 20 for done, total in output)
    assert [done for done, _ in output] == sorted(done for done, _ in output)


def test_a_target_may_be_about_one_size_of_a_trace(tmp_path: Path):
    """A replayed trace has a group for each size: a target may name these."""
    (tmp_path / "vms.csv").write_text("vm,vcpus,memory_gib,created_s,deleted_s\na,4,16,0,3600\nb,8,32,0,7200\n")
    replayed = sim.from_dict(
        {
            "name": "replayed",
            "horizon": "4h",
            "group": [{"name": "old", "trace": {"file": "vms.csv", "format": "columns"}}],
        },
        folder=tmp_path,
    )
    assert len(replayed.group_names) == 2
    first = replayed.group_names[0]
    found = size(replayed, "horizon=3h..6h:1h", f"cost.total@{first}<=100", largest=True)
    assert found.answer == "feasible"
    with pytest.raises(InputError, match=f"there are {first}"):
        size(replayed, "horizon=3h..6h:1h", "cost.total@old<=100", largest=True)


def test_a_range_that_does_not_fit_is_reported_before_any_run(fleet: sim.Scenario):
    """The high end is checked first of all."""
    with pytest.raises(ScenarioError, match="count"):
        size(fleet, "group.web.count=-5..5", "cost.total<=100")
    with pytest.raises(InputError, match=r"did you mean cost\.total"):
        size(fleet, "group.web.count=1..5", "cost.totl<=100")
    with pytest.raises(InputError, match="no group 'db'"):
        size(fleet, "group.web.count=1..5", "cost.total@db<=100")
    with pytest.raises(InputError, match="along one place"):
        size(fleet, "horizon+warm_up=1d+1h,2d+2h", "cost.total<=100")
    with pytest.raises(InputError, match=r"confidence is 1\.5; it is from 0.5 up and below 1"):
        size(fleet, "group.web.count=1..5", "cost.total<=100", confidence=1.5)
    with pytest.raises(InputError, match="replications is 1; a search needs at least 2"):
        size(fleet, "group.web.count=1..5", "cost.total<=100", replications=1)


def test_what_so_few_replications_cannot_know_is_undecided(fleet: sim.Scenario):
    """A P99 can't be judged by 20 months: neither feasible nor infeasible, and the sentence says so."""
    found = size(fleet, "group.web.count=1..3", "p99(cost.total)<=100", replications=20)
    assert (found.answer, found.value) == ("undecided", None)
    assert "undecided" in found.words


@pytest.mark.parametrize("target", study.TARGETS)
def test_a_wrong_answer_is_as_rare_as_stated(target: str):
    """Searches at 5 % error whose answer is known: wrong ones at most as often, within the binomial's 1e-4 band.

    The wrong rule, which looks every two replications and takes each interval for the only one, errs more often and is refused.
    `tools/validate_size.py` makes 2,000 of each.
    """
    counted = study.count_errors(target, studies=200, error=0.05, seed=17)
    assert counted.holds("ours")
    assert not counted.holds("every look at the whole level")


def test_looks_are_few_and_end_at_the_cap():
    """Each look costs a share of the error level."""
    assert looks_until(1000) == [20, 40, 80, 160, 320, 640, 1000]
    assert looks_until(20) == [20]
    assert looks_until(5) == [5]


def test_a_chance_target_says_how_many_replications_it_needs(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    """With an error of 5 %: even if none of n is late, the bound is below 1 % from ln(0.025) / ln(0.99) = 367.04 on.

    With so many it can be shown, with one less it can't, by the bound itself; a mean needs none.
    """
    never = parse_constraint("P(cost.total>50)<=1%")
    assert never.least_replications(0.05) == 368
    for n, answer in ((367, "undecided"), (368, "feasible")):
        fine = SimpleNamespace(values=lambda _metric, _group, n=n: [0.0] * n, n=n)
        assert never.judge(fine, 0.05).answer == answer
    assert parse_constraint("p99(cost.total)<=50").least_replications(0.05) == 368
    assert parse_constraint("p1(availability)>=0.9").least_replications(0.05) == 368
    assert parse_constraint("P(availability>0.9)>=99%").least_replications(0.05) == 368
    assert parse_constraint("P(cost.total>50)<=0").least_replications(0.05) == math.inf
    assert parse_constraint("P(cost.total>50)>=0").least_replications(0.05) == 2
    assert parse_constraint("cost.total<=50").least_replications(0.05) == 0
    file = tmp_path / "fleet.toml"
    file.write_text('name = "fleet"\nhorizon = "2h"\n[[group]]\nname = "web"\n')
    command = ["size", str(file), "--vary", "group.web.count=1..2", "--keep", "P(cost.total>50)<=20%", "--largest"]
    for more, said in ((["-n", "10"], "with at most 10 it can only be shown to be broken"), ([], "at least 2")):
        with pytest.raises(SystemExit) as end:
            main([*command, *more, "--no-report", "--out", str(tmp_path / "out")])
        assert not end.value.code
        assert said in capsys.readouterr().err


def test_replications_are_added_only_where_they_matter(monkeypatch: pytest.MonkeyPatch):
    """The answer lies between 10 and 11: these two are looked at again and again, the values far off once."""
    played = {}

    def runner(value: object, _options: RunOptions) -> Played:
        played[value] = Played(value, np.random.default_rng(3).normal(0, 1, 640))
        return played[value]

    values = np.arange(0.0, 32.0).tolist()
    search = Search(values, parse_constraint("cost.total<=10.5"), 0.05, RunOptions(replications=640, seed=0), runner)
    found = find(search, list(range(32)))
    assert (found.best, found.answer) == (10, "feasible")
    counts = {value: each.count for value, each in played.items()}
    assert counts.pop(10.0) > 20 < counts.pop(11.0)
    assert set(counts.values()) == {20}


def test_evidence_between_is_undecided():
    """The limit inside the interval: no answer, whichever side the estimate lies on."""
    constraint = parse_constraint("cost.total<=10")
    assert constraint.evidence("<=", 10, 9.0, 8.0, 9.9, 20).answer == "feasible"
    assert constraint.evidence("<=", 10, 9.0, 8.0, 10.1, 20).answer == "undecided"
    assert constraint.evidence("<=", 10, 11.0, 10.1, 12.0, 20).answer == "infeasible"
    assert isinstance(constraint.evidence(">=", 10, 11.0, 10.1, 12.0, 20), Evidence)


def test_a_value_with_a_verdict_runs_until_it_is_precise_enough(fleet: sim.Scenario):
    """The answer is the same; the evidence is finer, up to the cap."""
    plain = size(fleet, "group.web.count=1..4", "billed_hours<=60", largest=True)
    finer = size(fleet, "group.web.count=1..4", "billed_hours<=60", largest=True, precision=1e-6, replications=40)
    assert plain.value == finer.value == 2
    assert {trial.run.n for trial in plain.trials} == {20}
    assert {trial.run.n for trial in finer.trials} == {40}
    assert {trial.evidence.n for trial in finer.trials} == {40}


WEB = """
name = "web"
horizon = "1d"
replications = 4
[[group]]
name = "web"
size = "Standard_D4s_v5"
[group.autoscale]
load = { hourly = [500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500] }
per_vm = 100.0
min = 10
max = 20
scale_out = { above = "90 %", by = 1 }
scale_in = { below = "1 %", by = 1 }
regular_base = 0
regular_above_base = "50 %"
"""


def test_a_share_is_searched_between_its_ends(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Ten VMs, so many per cent of them regular at 0.23 USD an hour, the others spot at less: the answer by hand, in either spelling.

    With r regular VMs a day costs 24 (0.23 r + spot (10 - r)); 0..1 alone, without its inside, would answer 1.
    """
    file = tmp_path / "web.toml"
    file.write_text(WEB, encoding="utf-8")
    path = "group.web.autoscale.regular_above_base"
    costs = {share: sim.run(sim.load(file, [f"{path}={share}"])).estimate("cost.total").mean for share in (0, 1)}
    limit = (
        costs[0] + costs[1]
    ) / 2  # five regular VMs; so 41 % (rounded up) is the smallest share that costs more than 4 do
    limit -= (costs[1] - costs[0]) / 20
    for span in ("0..1", "0%..100%", "0 %..100 %:1%"):
        found = size(file, f"{path}={span}", f"cost.total>={limit}")
        assert found.value == pytest.approx(0.41)
        assert f"{path} = 41 % is the smallest" in found.words
        assert "in steps of 1" in found.words
        assert f"{len(found.trials)} of 101 values tried" in found.words
        tried = {trial.value: trial.evidence.answer for trial in found.trials}
        assert min(value for value, answer in tried.items() if answer == "feasible") == found.value  # of those tried
        assert tried[0.4] == "infeasible"
    with pytest.raises(SystemExit):
        main(
            [
                "size",
                str(file),
                "--vary",
                f"{path}=0..1",
                "--keep",
                f"cost.total>={limit}",
                "--out",
                str(tmp_path / "o"),
            ]
        )
    shown = capsys.readouterr().out
    assert " 41 %" in shown
    assert "group.web" not in re.sub(r"<(style|script)\b.*?</\1>", "", (tmp_path / "o" / "report.html").read_text())


@pytest.mark.parametrize(
    ("words", "note"),
    [
        ("ready.late_share<=0.5", "0.5 is read as 50 %; write 0.5% for 0.5 %"),
        ("P(cost.total>5)<=0.5", "0.5 is read as 50 %"),
        ("P(ready.late_share>0.2)<=5%", "0.2 is read as 20 %"),
        ("ready.late_share<=0.005", ""),
        ("ready.late_share<=50%", ""),
        ("availability>=0.5", ""),
        ("cost.total<=0.5", ""),
    ],
)
def test_a_share_that_may_be_meant_in_per_cent_says_how_it_is_read(words: str, note: str):
    """0.5 of what should be rare is half of it, by the rule that 0.12 and 12 % read alike: the reader learns it."""
    found = parse_constraint(words).note
    assert note in found if note else not found


@pytest.mark.parametrize(
    "words", ["ready.late_share<=5", "availability>=99.9", "P(availability<90)<=5%", "P(cost.total>9)<=5"]
)
def test_a_share_above_one_is_none(words: str):
    """No target that every fleet keeps, or none."""
    with pytest.raises(InputError, match=r"a share is at most 1; write [0-9.]+% or"):
        parse_constraint(words)

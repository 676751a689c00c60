"""The cases of `vmfleet verify`: each holds, and each refuses the figure of a plausible shortcut."""

import json

import pytest
from typer.testing import CliRunner

import sim
from sim.cli.app import app
from sim.studies import closed_forms
from sim.studies.closed_forms import Case, all_cases

CASES = {case.name: case for case in all_cases()}


@pytest.mark.parametrize("name", CASES)
def test_a_case_holds_and_refuses_its_shortcut(name: str):
    """By a level of false alarm that is stated, or to the last digits where there are no random numbers."""
    (verdict,) = sim.verify([name])
    assert verdict.holds, verdict
    assert verdict.refuses(CASES[name].shortcut), verdict


def test_there_are_twenty_cases_or_more_of_different_names():
    """Counted ones and random ones."""
    assert len(CASES) == len(all_cases()) >= 20
    assert {case.replications == 1 for case in CASES.values()} == {True, False}


def test_the_command_shows_a_table_and_ends_with_3_where_a_case_fails(monkeypatch: pytest.MonkeyPatch):
    """A case with a wrong exact figure stands for a wrong program."""
    right = CASES["office-hours"]
    wrong = Case(
        name="wrong",
        says="",
        metric=right.metric,
        exact=right.shortcut,
        shortcut=0.0,
        document=right.document,
        replications=1,
    )
    monkeypatch.setattr(closed_forms, "all_cases", lambda: [right, wrong])
    assert CliRunner().invoke(app, ["verify", "--case", "office-hours"]).exit_code == 0
    found = CliRunner().invoke(app, ["verify"])
    assert found.exit_code == 3
    assert "FAILS" in found.stdout
    assert "1 of 2 hold" in found.stdout
    verdicts = json.loads(CliRunner().invoke(app, ["verify", "--json"]).stdout)
    assert [each["holds"] for each in verdicts] == [True, False]


def test_an_unknown_case_is_refused_with_the_nearest():
    """By name."""
    with pytest.raises(sim.InputError, match=r"--case office-hour: there is no such case .*office-hours"):
        sim.verify(["office-hour"])

"""`vmfleet new`: a scenario from flags that plays as it stands; wrong answers are refused before anything is written."""

from datetime import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

import sim
from sim.cli.app import app
from sim.cli.new import OF_A_DAY, QUESTIONS, scenario_text


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)


def test_flags_become_a_scenario_with_comments():
    """Each answer stands where the file has its key; the file plays."""
    flags = (
        "team --size Standard_E4s_v5 --count 3 --region northeurope --os windows --on 7:30 --off 17:00 --days Mon-Thu"
    )
    found = CliRunner().invoke(app, ["new", *flags.split(), "--time-zone", "Europe/Amsterdam", "--when-off", "stop"])
    assert found.exit_code == 0, found.exception
    scenario = sim.load("team.toml")
    group = scenario.document["group"][0]
    assert (group["size"], group["count"], group["os"]) == ("Standard_E4s_v5", 3, "windows")
    assert (group["schedule"]["on"], group["schedule"]["off"], group["when_off"]) == (time(7, 30), time(17), "stop")
    assert scenario.prices.region == "northeurope"
    assert Path("team.toml").read_text().count("#") >= 8
    assert sim.run(scenario, replications=1).estimate("vms.created").mean == 3


@pytest.mark.parametrize("way", ["deallocate", "stop", "guest-shutdown", "hibernate", "delete", "keep"])
def test_every_way_that_the_help_names_makes_a_scenario(way: str):
    """Hibernated is known to one billing policy only, which the file then names."""
    assert CliRunner().invoke(app, ["new", "n", "--on", "8:00", "--off", "9:00", "--when-off", way]).exit_code == 0
    assert sim.load("n.toml").document["group"][0]["when_off"] == way


def test_without_flags_the_vms_are_always_on():
    """Ten of them."""
    assert CliRunner().invoke(app, ["new"]).exit_code == 0
    assert sim.run(sim.load("fleet.toml", ["horizon=1d"]), replications=1).estimate("wanted_hours").mean == 240


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--size D4", "group.vm.size"),
        ("--on 8:00", "--off: is missing"),
        ("--on 25:00 --off 26:00", "--on 25:00: is no time of day"),
        ("--days Mon", "--days: has no effect"),
        ("--on 8:00+02:00 --off 9:00", "is no time of day"),
        ("--on= --off 9:00", "is no time of day"),
        ("--out nowhere/a.toml", "make it first"),
        ("--out . --force", "is a folder"),
        ("--when-off sleep --on 8:00 --off 9:00", "there is no such choice"),
        ("--region mars", "mars"),
        ("--count 1 --os solaris", "solaris"),
    ],
)
def test_a_wrong_answer_is_refused_and_nothing_is_written(flags: str, words: str):
    """In words."""
    found = CliRunner().invoke(app, ["new", "team", *flags.split()])
    assert words in str(found.exception)
    assert not list(Path().iterdir())


def test_a_file_is_never_overwritten_unasked():
    """With --force it is."""
    Path("team.toml").write_text("mine")
    assert "is there already" in str(CliRunner().invoke(app, ["new", "team"]).exception)
    assert Path("team.toml").read_text() == "mine"
    assert CliRunner().invoke(app, ["new", "team", "--force"]).exit_code == 0
    assert sim.load("team.toml").name == "team"


def test_the_answers_to_the_questions_make_a_scenario():
    """As a person who accepts every default gives them."""
    answers = {key: default for key, _, default in (*QUESTIONS, *OF_A_DAY)} | {"on": "08:00"}
    Path("asked.toml").write_text(scenario_text("asked", answers))
    assert sim.load("asked.toml").document["group"][0]["schedule"]["time_zone"] == "UTC"

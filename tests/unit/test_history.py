"""`vmfleet explain`: one VM's events in words, and its hours, which are those that the run counts."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import sim
from sim.cli.app import app
from sim.errors import InputError

FAST = {"allocating": "10s", "starting": "20s", "os_provisioning": "30s", "stopping": "10s", "deallocating": "40s"}
ONE = {
    "name": "one",
    "horizon": "1d",
    "group": [
        {
            "name": "dev",
            "image": "specialized",
            "durations": FAST,
            "schedule": {"days": "Mon-Sun", "on": "08:00:00", "off": "18:00:00"},
            "when_off": "deallocate",
        }
    ],
}


def test_a_day_of_one_vm_by_hand():
    """Created at midnight and put away, started at 8, deallocated at 18: every instant follows from the constant steps."""
    found = sim.explain(sim.from_dict(ONE), "dev-0000")
    sentences = [(f"{event.at:%H:%M:%S}", event.words) for event in found.events]
    assert [at for at, words in sentences if words.startswith("The platform accepts")] == [
        "00:00:00",
        "00:00:30",
        "08:00:00",
        "18:00:00",
    ]
    assert ("08:00:30", "It is running: billed, on a host.") in sentences
    assert ("18:00:40", "It is deallocated: not billed, on no host.") in sentences
    assert found.billed_hours == pytest.approx((18 - 8) - 30 / 3600)
    assert "10 h" not in found.ending
    assert "9.99 h are billed" in found.ending


@pytest.mark.parametrize("when_off", ["deallocate", "stop", "guest-shutdown", "hibernate", "delete", "keep"])
def test_its_hours_are_those_of_the_run(when_off: str):
    """The collector books stays as they end; here they follow from the events."""
    document = {
        **ONE,
        "horizon": "3d",
        "billing_policy": "2023-10",
        "group": [{**ONE["group"][0], "when_off": when_off, "durations": {}}],
    }
    scenario = sim.from_dict(document)
    run, found = sim.run(scenario, replications=1), sim.explain(scenario, "dev-0000")
    counted = {
        name.removeprefix("hours."): run.values(name)[0] for name in run.metric_names() if name.startswith("hours.")
    }
    assert found.hours == pytest.approx({state: hours for state, hours in counted.items() if hours}, abs=1e-6)
    assert found.billed_hours == pytest.approx(run.values("billed_hours")[0], abs=1e-6)


def test_a_failure_says_its_code_and_what_it_means():
    """And what is done about it."""
    group = {"name": "dev", "durations": FAST, "failures": {"OSProvisioningTimedOut": 1.0, "reaction": "1h"}}
    document = {"name": "one", "horizon": "2h", "group": [group]}
    words = " ".join(event.words for event in sim.explain(sim.from_dict(document), "dev-0000").events)
    assert "fails with OSProvisioningTimedOut: The guest OS of dev-0000" in words
    assert "request to delete it" in words
    assert "It is gone." in words


def test_another_replication_is_another_history():
    """And the same one is the same."""
    scenario = sim.from_dict({**ONE, "group": [{**ONE["group"][0], "durations": {}}]})
    first, again, second = (sim.explain(scenario, "dev-0000", replication=number) for number in (0, 0, 1))
    assert first == again
    assert first != second


def test_an_unknown_vm_is_refused_with_the_nearest():
    """By name."""
    with pytest.raises(InputError, match=r"--vm dev-00000: replication 0 has no such VM; did you mean \"dev-0000\""):
        sim.explain(sim.from_dict(ONE), "dev-00000")


def test_the_command_reads_a_scenario_or_a_result_folder(tmp_path: Path):
    """A folder's seed and overrides are those it was made with."""
    (tmp_path / "one.toml").write_text(
        sim.from_dict({**ONE, "group": [{**ONE["group"][0], "durations": {}}]}).to_toml()
    )
    sim.run(sim.load(tmp_path / "one.toml"), replications=1, seed=7).write(tmp_path / "out")
    read = [
        json.loads(
            CliRunner().invoke(app, ["explain", str(tmp_path / source), "--vm", "dev-0000", "--json", *options]).stdout
        )
        for source, options in (("out", []), ("one.toml", ["--seed", "7"]), ("one.toml", []))
    ]
    assert read[0] == read[1]
    assert read[0] != read[2]
    shown = CliRunner().invoke(app, ["explain", str(tmp_path / "out"), "--vm", "dev-0000"]).stdout
    assert "Mon 05 Jan 2026 00:00:00  The platform accepts a request to create it." in shown


def test_a_folder_whose_scenario_names_files_sends_to_the_scenario(tmp_path: Path):
    """The result folder holds no traces; the scenario file knows where they are."""
    (tmp_path / "load.csv").write_text("load\n" + "10\n" * 24)
    group = {"name": "web", "autoscale": {"load": {"file": "load.csv"}, "per_vm": 10.0, "min": 1, "max": 2,
             "scale_out": {"above": 0.7}, "scale_in": {"below": 0.3}}}  # fmt: skip
    (tmp_path / "own.toml").write_text(
        sim.from_dict({"name": "own", "horizon": "1d", "group": [group]}, folder=tmp_path).to_toml()
    )
    sim.run(sim.load(tmp_path / "own.toml"), replications=1).write(tmp_path / "results" / "own")
    found = CliRunner().invoke(app, ["explain", str(tmp_path / "results" / "own"), "--vm", "web-0000"])
    assert "give its scenario file instead, with --seed 1" in str(found.exception)
    assert CliRunner().invoke(app, ["explain", str(tmp_path / "own.toml"), "--vm", "web-0000"]).exit_code == 0

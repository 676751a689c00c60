"""Digests: the same for the same question, another for any other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import sim
from sim.errors import PlugInError
from sim.runs.provenance import input_digest, pieces, program_digest
from sim.runs.simulation_input import compile_scenario

FLEET: dict[str, Any] = {
    "name": "fleet",
    "horizon": "1d",
    "group": [
        {
            "name": "web",
            "count": 2,
            "durations": {"starting": {"dist": "lognormal", "median": "25s", "sigma": 0.5}},
            "schedule": {"days": "Mon-Fri", "on": "08:00:00", "off": "19:00:00"},
        }
    ],
}


def _digest(scenario: sim.Scenario) -> str:
    return input_digest(compile_scenario(scenario))


@pytest.fixture(scope="module")
def fleet() -> sim.Scenario:
    """Two scheduled VMs."""
    return sim.from_dict(FLEET)


def test_the_same_question_has_the_same_digest(fleet: sim.Scenario, tmp_path: Path):
    """However it is written, wherever it lies, whatever it is called, however often it is to be replicated."""
    (tmp_path / "fleet.toml").write_text(fleet.to_toml(), encoding="utf-8")
    same = [
        sim.load(tmp_path / "fleet.toml"),
        fleet.replace("name", "other"),
        fleet.replace("horizon", "24h"),
        fleet.replace("replications", 99),
        fleet.replace("seed", 99),
        fleet.replace("confidence", 0.9),
    ]
    assert {_digest(each) for each in same} == {_digest(fleet)}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("group.web.count", 3),
        ("horizon", "25h"),
        ("warm_up", "1h"),
        ("start", "2026-01-06T00:00:00Z"),
        ("billing_policy", "2023-10"),
        ("group.web.durations.starting.sigma", 0.5000000000000001),
        ("group.web.schedule.off", "19:00:01"),
        ("group.web.failures.OSProvisioningTimedOut", 1e-9),
        ("group.web.size", "Standard_D8s_v5"),
        ("group.web.disks", ["P10"]),
        ("group.web.os", "windows"),
        ("prices.region", "northeurope"),
        ('prices.override."Standard_D4s_v5".linux', 0.2300000001),
        ("group.web.name", "api"),
    ],
)
def test_any_change_that_could_matter_changes_the_digest(fleet: sim.Scenario, path: str, value: object):
    """A cache that gave one of these the figures of the other would lie; the last bit of a number included."""
    assert _digest(fleet.replace(path, value)) != _digest(fleet)


def test_pieces_are_not_mixed_up():
    """Where one value ends and the next begins can't be read in two ways, nor can types be taken for each other."""
    pairs: list[tuple[Any, Any]] = [
        (["ab", "c"], ["a", "bc"]),
        ([["a"], "b"], ["a", ["b"]]),
        (1, 1.0),
        (1, "1"),
        (True, 1),
        (None, "None"),
        (0.0, -0.0),
        ({"a": 1}, {"a": 2}),
    ]
    for one, other in pairs:
        assert list(pieces(one)) != list(pieces(other))
    with pytest.raises(PlugInError, match="has no digest"):
        list(pieces(object()))


def test_the_code_has_one_digest():
    """It is the same for every scenario run by the same code (workers and caches rely on it)."""
    assert program_digest() == program_digest()
    assert len(program_digest()) == 64


def test_provenance_says_what_made_the_result(fleet: sim.Scenario, tmp_path: Path):
    """Code, commit, libraries, seed, engine and why, prices with source and date, defaults in use; no path of ours."""
    sim.run(fleet, replications=2).write(tmp_path / "run")
    text = (tmp_path / "run" / "provenance.json").read_text()
    output = json.loads(text)
    assert output["program"]["name"] == "vmfleet"
    assert {"numpy", "scipy", "simpy"} <= set(output["libraries"])
    assert output["engine"]["why"]
    assert output["scenario"]["digest"] == _digest(fleet)
    assert any(source["read"] for source in output["catalogue"]["sources"])
    assert {"key", "value", "unit", "source", "trust", "in_use_by"} == set(output["defaults"][0])
    assert str(tmp_path) not in text
    assert str(Path(sim.__file__).parent) not in text

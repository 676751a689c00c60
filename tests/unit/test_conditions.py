"""`--fail-if` and `compare --variant`: exit status 3 where a result meets a condition; variants without files."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import sim
from sim.cli.app import app
from sim.cli.studies import change_of

# One VM that is always on at 1 USD an hour for a day: 24 USD, whatever the replication. At 0.25 USD it is 6.
FLEET = {
    "name": "one",
    "horizon": "1d",
    "replications": 2,
    "prices": {"override": {"Standard_D4s_v5": {"linux": 1.0}}},
    "group": [{"name": "vm", "count": 1, "durations": {"allocating": "0s", "starting": "0s", "os_provisioning": "0s"}}],
}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The scenario, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.toml").write_text(sim.from_dict(FLEET).to_toml())
    return "one.toml"


@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        (["cost.total>23.99"], 3),
        (["cost.total>=24"], 3),
        (["cost.total>24"], 0),
        (["cost.total@vm>24"], 0),
        (["cost.total>24", "billed_hours>1"], 3),
        (["p50(cost.total)>23"], 3),
        (["P(cost.total>23)>50%"], 3),
        (["P(cost.total>25)>50%"], 0),
        (["availability<100%"], 0),
        (["cost.totl>1"], 2),
        (["cost.total@web>1"], 2),
        (["cost.total"], 2),
    ],
)
def test_a_run_ends_with_3_only_where_a_condition_is_true(file: str, conditions: list[str], status: int):
    """What is no condition is refused before anything is written."""
    options = [part for each in conditions for part in ("--fail-if", each)]
    found = CliRunner().invoke(app, ["run", file, "--no-report", "--quiet", "--out", "out", *options])
    code = found.exit_code if found.exception is None or isinstance(found.exception, SystemExit) else 2
    assert code == status, (found.output, found.exception)
    assert Path("out").exists() == (status != 2)


def test_one_replication_decides_by_its_figure(file: str):
    """It gives no interval; the condition is asked all the same."""
    found = [
        CliRunner().invoke(app, ["run", file, "-n", "1", "--no-report", "--quiet", "--fail-if", each]).exit_code
        for each in ("cost.total>23", "cost.total>25", "availability<100%", "availability<=100%")
    ]
    assert found == [3, 0, 0, 3]


def test_a_metric_without_a_value_is_no_met_condition(file: str):
    """A fleet without hosts has no use of hosts: said after the run, and not taken for a wrong name."""
    found = CliRunner().invoke(app, ["run", file, "--no-report", "--quiet", "--fail-if", "hosts.used_share>0"])
    assert found.exit_code == 0, found.exception
    assert "has no value of this metric" in found.stderr


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("a: x=1, y.z=2", [("x", 1), ("y.z", 2)]),
        (
            'a: group.vm.cycle.on={dist="exponential", mean="30s"}, seed=2',
            [("group.vm.cycle.on", {"dist": "exponential", "mean": "30s"}), ("seed", 2)],
        ),
        ("a: group.vm.zones=[1, 2], seed=2", [("group.vm.zones", [1, 2]), ("seed", 2)]),
        ('a: title="x, y=1"', [("title", "x, y=1")]),
        ("a: title=x, y", [("title", "x,y")]),
    ],
)
def test_a_comma_inside_a_value_stays(words: str, changes: list[tuple[str, object]]):
    """In tables, lists and quotes."""
    assert change_of(words) == ("a", changes)


def test_a_variant_is_the_base_with_a_change(file: str):
    """Named on the command line; the condition is asked of the variants, not of the base."""
    change = 'cheap: prices.override."Standard_D4s_v5".linux=0.25'
    command = ["compare", file, "--variant", change, "--variant", "two: group.vm.count=2, horizon=12h", "--no-report"]
    found = CliRunner().invoke(app, [*command, "--json", "--fail-if", "cost.total<7"])
    assert found.exit_code == 3, found.exception
    assert "cheap: cost.total<7 is true" in found.stderr
    assert "two: cost" not in found.stderr
    costs = json.loads(found.stdout)["differences"]
    assert costs["cheap"]["cost.total"]["mean"] == pytest.approx(-18.0)
    assert costs["two"]["cost.total"]["mean"] == pytest.approx(0.0)
    assert costs["two"]["vms.created"]["mean"] == 1


@pytest.mark.parametrize(
    "words", ["cheap", "cheap: nothing", ": horizon=1d", "a: horizon=1d, =3", "a: horizon=12h|a: horizon=13h"]
)
def test_a_variant_without_name_or_change_is_refused(file: str, words: str):
    """And two of one name."""
    options = [part for each in words.split("|") for part in ("--variant", each)]
    found = CliRunner().invoke(app, ["compare", file, *options])
    assert "--variant" in str(found.exception)


def test_a_fault_of_a_variant_is_no_fault_of_set(file: str):
    """It names the place and the value; `--set` was not on the command line."""
    found = CliRunner().invoke(app, ["compare", file, "--variant", "a: group.vm.cont=2"])
    assert str(found.exception).startswith(
        'group.vm.cont = 2: group.vm.cont: there is no such key (did you mean "count"?)'
    )


def test_a_metric_that_no_comparison_has_is_refused_before_anything_is_simulated(file: str, tmp_path: Path):
    """It was refused after the run, when the folder had been written; a metric without a value is said instead."""
    command = ["compare", file, "--variant", "two: group.vm.count=2", "--no-report", "--out", str(tmp_path / "out")]
    found = CliRunner().invoke(app, [*command, "--metric", "cost.totl"])
    assert "no metric 'cost.totl'; did you mean cost.total" in str(found.exception)
    assert not (tmp_path / "out").exists()
    found = CliRunner().invoke(app, [*command, "--metric", "hosts.used_share"])
    assert found.exit_code == 0, found.exception
    assert "hosts.used_share: " in found.stderr

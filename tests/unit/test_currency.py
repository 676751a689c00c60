"""Amounts are shown in the currency of their price list, in every page, table and file."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import sim
from sim.cli.app import app
from sim.errors import InputError
from sim.report.build import build_report

SIZE = "Standard_D4s_v5"


@pytest.fixture(scope="module")
def euro(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled price list as if it were in euros."""
    listed = json.loads((Path(sim.__file__).parent / "catalog/bundled/catalogue.json").read_text(encoding="utf-8"))
    # What was said of the bundled list, its sources and their dollars, is not said of this one.
    for block in listed["prices"]:
        block["note"] = ""
    file = tmp_path_factory.mktemp("list") / "euro.json"
    file.write_text(json.dumps({**listed, "name": "euro", "currency": "EUR"}), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def office(euro: Path) -> sim.Scenario:
    """A day of a few VMs that crash, with a savings plan and a reservation."""
    return sim.from_dict(
        {
            "name": "office",
            "start": "2026-01-05T00:00:00Z",
            "horizon": "24h",
            "replications": 3,
            "prices": {"catalogue": str(euro), "currency": "EUR"},
            "group": [{"name": "dev", "count": 3, "cycle": {"on": {"dist": "exponential", "mean": "3h"}, "off": "2h"}}],
            "commitment": [
                {"name": "plan", "kind": "savings-plan", "hourly": 0.1, "term": "1y"},
                {"name": "ri", "kind": "reservation", "size": SIZE, "quantity": 1, "term": "1y"},
            ],
        }
    )


COUNT = "group.dev.count"
STUDIES: dict[str, Callable[[sim.Scenario], Any]] = {
    "run": sim.run,
    "compare": lambda office: sim.compare(office, office.replace(COUNT, 4)),
    "sweep": lambda office: sim.sweep(office, [f"{COUNT}=2,3"], metrics=("cost.total", "sla.credit")),
    "size": lambda office: sim.size(office, f"{COUNT}=1..3", "cost.total<=30"),
    "sensitivity": lambda office: sim.sensitivity(office, [f"{COUNT}=2..4"], metric="cost.total"),
}


@pytest.mark.parametrize("study", STUDIES)
def test_no_report_says_dollars_of_a_list_in_euros(study: str, office: sim.Scenario, tmp_path: Path) -> None:
    """The page, its figures' data and the result itself; the keys of files keep their names."""
    found = STUDIES[study](office)
    found.write(tmp_path / "result")
    page = build_report(tmp_path / "result").read_text(encoding="utf-8")
    reported = (
        page
        + repr(found)
        + "".join(each.read_text(encoding="utf-8") for each in (tmp_path / "result" / "figures").glob("*.csv"))
    )
    assert "EUR" in reported
    assert "USD" not in reported, reported[reported.index("USD") - 200 : reported.index("USD") + 50]


@pytest.mark.parametrize(
    "command",
    [
        ["run", "{file}"],
        ["compare", "{file}", "{file}", "--set", "replications=3"],
        ["size", "{file}", "--set", "replications=3", "--vary", f"{COUNT}=1..3", "--keep", "cost.total<=30"],
    ],
    ids=lambda command: command[0],
)
def test_no_command_says_dollars_of_a_list_in_euros(command: list[str], office: sim.Scenario, tmp_path: Path) -> None:
    """On the screen it is the same."""
    file = tmp_path / "office.toml"
    file.write_text(office.to_toml(), encoding="utf-8")
    words = [word.format(file=file) for word in command]
    reported = CliRunner().invoke(app, [*words, "--no-report", "--out", str(tmp_path / "result")])
    assert reported.exit_code == 0, reported.output
    assert "EUR" in reported.output
    assert "USD" not in reported.output


def test_an_invoice_in_euros_has_euros_as_the_unit_of_a_plan(office: sim.Scenario, euro: Path, tmp_path: Path) -> None:
    """FOCUS rows name the currency as a plan's unit; a bill's lines are shown in it."""
    scenario = tmp_path / "office.toml"
    scenario.write_text(office.to_toml(), encoding="utf-8")
    usage = tmp_path / "usage.csv"
    usage.write_text("vm,start,end,state\na,2026-01-05T00:00:00Z,2026-01-05T10:00:00Z,running\n", encoding="utf-8")
    words = ["bill", str(usage), "--scenario", str(scenario), "--size", SIZE, "--focus", str(tmp_path / "f.csv")]
    reported = CliRunner().invoke(app, words)
    assert reported.exit_code == 0, reported.output
    assert "USD" not in reported.output
    with (tmp_path / "f.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["CommitmentDiscountUnit"] for row in rows if row["CommitmentDiscountName"] == "plan"} == {"EUR"}
    assert not [row for row in rows if "USD" in row.values()]


def test_bills_in_two_currencies_are_not_compared(office: sim.Scenario) -> None:
    """A difference of euros and dollars is no amount."""
    dollars = office.replace("prices", {})
    with pytest.raises(InputError, match="priced in USD and the base in EUR"):
        sim.compare(office, dollars)


def test_a_converted_bill_states_its_rate_its_day_and_the_discount(tmp_path: Path) -> None:
    """In the provenance of a run and of a study, and on the page; one in the list's currency has none."""
    scenario = {"name": "office", "horizon": "2h", "replications": 2, "group": [{"name": "dev", "count": 1}]}
    converted = sim.from_dict({**scenario, "prices": {"currency": "EUR", "discount": "5 %"}})
    sim.run(converted).write(tmp_path / "run")
    sim.sweep(converted, ["group.dev.count=1,2"]).write(tmp_path / "sweep")
    sim.run(sim.from_dict(scenario)).write(tmp_path / "plain")
    for folder in ("run", "sweep"):
        adjusted = json.loads((tmp_path / folder / "provenance.json").read_text())["catalogue"]["adjusted"]
        for words in ("0.849834 EUR per USD", "2026-01-26", "5 % off pay-as-you-go"):
            assert words in adjusted
            assert words in build_report(tmp_path / folder).read_text(encoding="utf-8")
    assert "adjusted" not in json.loads((tmp_path / "plain/provenance.json").read_text())["catalogue"]

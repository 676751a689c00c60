"""From a folder of saved files to a recommendation: the commands of the how-to, and the scripts about a subscription and a trace."""

from __future__ import annotations

import json
import re
from contextlib import chdir
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from scripts import ROOT, load_tool, script
from typer.testing import CliRunner

import sim
from sim.cli.app import app
from sim.errors import InputError

HOW_TO = ROOT / "docs" / "from-azure.md"
DAYS, UNPLACED_H = 28, 672  # odd-01 has no list price


def commands() -> list[list[str]]:
    """The first block of commands of the page."""
    block = re.search(r"```sh\n(vmfleet .*?)```", HOW_TO.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    return [line.split()[1:] for line in block[1].splitlines()]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Each command's JSON, run one after the other where `saved` is a synthetic tenant, and the truth about it."""
    folder = tmp_path_factory.mktemp("how-to")
    truth = load_tool("make_tenant").make_tenant(folder, days=DAYS, seed=1)
    (folder / "in").rename(folder / "saved")
    found: dict[str, Any] = {"truth": truth, "folder": folder}
    with chdir(folder):
        for command in commands():
            answer = CliRunner().invoke(app, [*command, "--json"])
            assert answer.exit_code == 0, f"{command}: {answer.output}"
            found[command[0]] = json.loads(answer.stdout)
    return found


def test_the_how_to_is_five_commands(answers: dict[str, Any]) -> None:
    """Scenario, report, reconciliation, back-test, recommendation, in this order."""
    assert [each[0] for each in commands()] == ["from-azure", "run", "bill", "backtest", "recommend"]
    assert (answers["folder"] / "results" / "saved-fit.toml").exists()


def test_hours_and_cost_are_those_of_the_tenant(answers: dict[str, Any]) -> None:
    """Billed hours and list cost within 3 % of the truth; the truth of VMs without a price is no part of either."""
    truth = sum(answers["truth"]["billed_hours"].values()) - UNPLACED_H
    assert answers["run"]["metrics"]["billed_hours"]["mean"] == pytest.approx(truth, rel=0.03)
    compute = answers["bill"]["simulation"]["totals"]["compute"]
    assert compute["error"] == pytest.approx(0, abs=0.03)
    # A tenant with a tenth more, a wrong model, would be found out.
    assert abs(1.1 * (1 + compute["error"]) - 1) > 0.03


def test_no_vm_and_no_row_vanishes(answers: dict[str, Any]) -> None:
    """Every VM of the truth is placed or has its reason; every row of the invoice is rated or listed."""
    named = {each["name"]: each for each in answers["from-azure"]["vms"]}
    assert set(answers["truth"]["vms"]) == set(named)
    assert all(each["placed"] or each["reason"] for each in named.values())
    bill = answers["bill"]
    rows = len((answers["folder"] / "saved" / "focus.csv").read_text(encoding="utf-8").splitlines()) - 1
    assert sum(each["rows"] for each in bill["meters"]) + sum(each["rows"] for each in bill["listed_rows"]) == rows
    assert all(each["reason"] for each in bill["listed_rows"])


def test_the_held_back_days_were_not_seen(answers: dict[str, Any]) -> None:
    """The scenario of the back-test ends where the held-back week begins."""
    found = answers["backtest"]
    assert found["period"]["from"] == "2026-03-23T00:00:00+00:00"
    assert found["fitted_on_days"] == 21
    assert found["totals"]["all"]["error"] == pytest.approx(0, abs=0.15)
    assert found["warnings"] == []


def test_what_runs_always_is_recommended(answers: dict[str, Any]) -> None:
    """The stopped VM and three web servers are billed in every hour."""
    reservations = next(each for each in answers["recommend"]["options"] if each["name"] == "reservations, 1y")
    sizes = {each["size"]: each["amount"] for each in reservations["bought"]}
    assert sizes["Standard_B2ms"] == 1
    assert sizes["Standard_D2s_v5"] >= 3
    assert reservations["saving_per_month"]["low"] > 0


def test_a_folder_needs_the_first_held_back_day(answers: dict[str, Any]) -> None:
    """Without it nothing would be held back: refused."""
    saved = answers["folder"] / "saved"
    refused = CliRunner().invoke(app, ["backtest", str(saved), "--actual", str(saved / "focus.csv")])
    assert isinstance(refused.exception, InputError)
    assert "--from" in str(refused.exception)


def test_the_questions_of_a_team(answers: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """Nights and weekends off save what the VMs would cost in the hours in which they were off: 8 x D4s v5 and two small ones."""
    found = script("my_subscription").main(answers["folder"] / "saved", replications=4)
    truth = answers["truth"]["billed_hours"]
    off = 0.23 * (8 * 24 * DAYS - truth["dev"])  # the scale set's VMs are the rest
    assert off < found["nights"] < 1.5 * off
    assert abs(found["error"]) < 0.10
    assert found["reserved"] > 0
    assert "buy" in capsys.readouterr().out


def test_a_trace_is_predicted_from_its_first_days(capsys: pytest.CaptureFixture[str]) -> None:
    """Nearly all hours are inside; a range made as if batches shared no lifetime is much narrower, and holds less often."""
    found = script("backtest_trace").main()
    inside, error, wide = found["shared lifetimes"]
    alone_inside, _, alone_wide = found["own lifetimes"]
    assert inside >= 0.9
    assert abs(error) < 0.2
    assert alone_wide < 0.8 * wide
    assert alone_inside < inside
    assert "VM-hours came" in capsys.readouterr().out


def test_the_page_of_validation_says_what_was_measured() -> None:
    """The page is made of its figures; coverage is within what was asked for, and errors are as large as predicted."""
    found = json.loads((ROOT / "docs" / "validation.json").read_text(encoding="utf-8"))
    assert load_tool("validate_backtest").page(found) == (ROOT / "docs" / "validation.md").read_text(encoding="utf-8")
    for part in ("compute", "all"):
        whole = found[part]["all"]
        assert whole["days"] >= 500
        assert 0.90 <= whole["days_inside"] <= 0.97
        assert whole["error_sd_of_days"] / whole["predicted_sd_of_days"] == pytest.approx(1, abs=0.25)
    assert abs(found["saved"]["all"]) <= 0.05


def test_the_front_door_reads_a_folder(answers: dict[str, Any], tmp_path: Path) -> None:
    """`sim.from_azure` writes and loads; `sim.backtest` compares."""
    saved = answers["folder"] / "saved"
    first = date(2026, 3, 23)
    fleet = sim.from_azure([saved], tmp_path / "fit.toml", last=first - timedelta(days=1))
    assert fleet.horizon_s == 21 * 86_400
    found = sim.backtest(fleet, [saved / "focus.csv"], first=first, replications=3)
    assert found.summary()["totals"]["ip"]["actual"]["list"] == 0

"""`vmfleet backtest`: what was predicted of a past period beside what was invoiced."""

from __future__ import annotations

import json
import math
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scripts import load_tool
from typer.testing import CliRunner

from sim import load
from sim.azure.answer import scenario_text, write
from sim.azure.importing import import_fleet
from sim.cli.app import app
from sim.cli.backtest import SHOWN
from sim.errors import UsageError
from sim.studies.backtest import Backtest, backtest, prediction
from sim.studies.invoiced_meters import scan

FIT_DAYS, DAYS = 21, 28
FIRST = date(2026, 3, 2) + timedelta(days=FIT_DAYS)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """A synthetic tenant with a scenario fitted on its first three weeks; its folder, and its VMs."""
    folder = tmp_path_factory.mktemp("tenant")
    tool = load_tool("make_tenant")
    tool.make_tenant(folder, days=DAYS, seed=3)
    found = import_fleet([folder / "in"], first=None, last=FIRST - timedelta(days=1), stem="fit")
    write(found, folder / "fit.toml", scenario_text(found, "fit"))
    return folder, tool.tenant(DAYS, 3)


@pytest.fixture(scope="module")
def found(made: tuple[Path, list[Any]]) -> Backtest:
    """The fourth week, held back from the fit."""
    return backtest(load(made[0] / "fit.toml"), [made[0] / "in" / "focus.csv"], first=FIRST, replications=10)


def test_the_actual_side_is_what_was_used(found: Backtest, made: tuple[Path, list[Any]]) -> None:
    """Hours of sizes with a price, from the truth itself; the rest is named with its cost."""
    summary = found.summary()
    begin, end = 24.0 * FIT_DAYS, 24.0 * DAYS
    truth = sum(max(0.0, min(off, end) - max(on, begin)) for vm in made[1] if vm.group != "odd" for on, off in vm.on)
    assert summary["totals"]["compute"]["actual"]["quantity"] == pytest.approx(truth)
    assert summary["period"] == {"from": "2026-03-23T00:00:00+00:00", "to": "2026-03-30T00:00:00+00:00"}
    assert any("D4s v99" in row["what"] and row["reason"] for row in summary["not_compared"])


def test_held_back_days_are_predicted(found: Backtest) -> None:
    """Always-on VMs exactly; the whole within a tenth; a wrong fleet is refused by the same range."""
    summary = found.summary()
    assert summary["totals"]["all"]["error"] == pytest.approx(0, abs=0.1)
    stopped = next(row for row in summary["meters"] if "B2ms" in row["meter"])
    assert stopped["error"] == pytest.approx(0, abs=1e-3)
    assert stopped["inside"]


def test_a_wrong_fleet_is_outside(found: Backtest, made: tuple[Path, list[Any]]) -> None:
    """Twice as many web servers: the range says no."""
    scenario = load(made[0] / "fit.toml", ["group.web.count=6"])
    wrong = backtest(scenario, [made[0] / "in" / "focus.csv"], first=FIRST, replications=5).summary()
    web = next(row for row in wrong["meters"] if "D2s_v5" in row["meter"])
    assert not web["inside"]
    assert web["error"] > 0.3


def test_the_parts_add_up(found: Backtest) -> None:
    """Meters to totals, kinds to all, days to the period; the error is of what the interval is of."""
    summary = found.summary()
    for side in ("actual", "simulated"):
        for kind in ("compute", "license", "disk", "ip"):
            parts = math.fsum(row[side]["list"] for row in summary["meters"] if row["kind"] == kind)
            assert summary["totals"][kind][side]["list"] == pytest.approx(parts)
        kinds = math.fsum(summary["totals"][kind][side]["list"] for kind in ("compute", "license", "disk", "ip"))
        assert summary["totals"]["all"][side]["list"] == pytest.approx(kinds)
        assert math.fsum(day["all"][side]["list"] for day in summary["days"]) == pytest.approx(kinds)
    for row in (*summary["meters"], *summary["totals"].values()):
        if row["error"] is not None:
            assert row["error"] == pytest.approx(row["simulated"]["list"] / row["actual"]["list"] - 1)


def test_vms_that_came_later_are_a_cause(found: Backtest) -> None:
    """The scale set's VMs of the week did not exist when the scenario was made."""
    assert any(
        row["cause"].startswith("VMs that did not exist") and "vmss-shop" in row["what"]
        for row in found.summary()["causes"]
    )


def test_the_range_covers_one_period_as_often_as_it_says() -> None:
    """Both the period and the mean it is predicted by are random: 500 worlds, each with its own fit; half of it is refused."""
    draw = np.random.default_rng(5)
    days, fit_days, worlds = 9, 21, 500
    inside = half = 0
    for _ in range(worlds):
        mean = draw.normal(100, 12, fit_days).mean()  # as fitted
        replications = draw.normal(mean, 12, (20, days)).sum(axis=1)
        low, high = prediction(replications.tolist(), days, fit_days, 0.95)
        actual = draw.normal(100, 12, days).sum()
        assert low is not None
        assert high is not None
        inside += low <= actual <= high
        middle, narrow = (low + high) / 2, (high - low) / 4
        half += middle - narrow <= actual <= middle + narrow
    bound = stats.binom.ppf([1e-4, 1 - 1e-4], worlds, 0.95)
    assert bound[0] <= inside <= bound[1]
    assert half < bound[0]


def test_another_file_is_refused_by_name(made: tuple[Path, list[Any]]) -> None:
    """A list of VMs is no invoice; days without charges are no period."""
    scenario = load(made[0] / "fit.toml")
    with pytest.raises(UsageError, match="a list of VMs"):
        backtest(scenario, [made[0] / "in" / "vm_list.json"])
    with pytest.raises(UsageError, match="the exports have 2026-03-02 to 2026-03-29"):
        backtest(scenario, [made[0] / "in" / "focus.csv"], first=date(2027, 1, 1))


def test_the_command_writes_its_folder_and_says_the_same(made: tuple[Path, list[Any]], tmp_path: Path) -> None:
    """JSON alone on standard output; a page with the band and the line by day; two exports of one period count once."""
    out = tmp_path / "answer"
    export = str(made[0] / "in" / "focus.csv")
    arguments = [
        "backtest",
        str(made[0] / "fit.toml"),
        "--actual",
        export,
        export,
        "--from",
        str(FIRST),
        "-n",
        "3",
        "--out",
        str(out),
        "--json",
    ]
    answer = CliRunner().invoke(app, arguments)
    assert answer.exit_code == 0, answer.output
    summary = json.loads(answer.stdout)
    assert summary == json.loads((out / "backtest.json").read_text(encoding="utf-8"))
    assert summary["actual"] == ["focus.csv"]
    assert summary["replications"] == 3
    assert (out / "figures" / "days_compute.svg").exists()
    assert CliRunner().invoke(app, arguments).exit_code == 0  # its own result may be replaced
    assert "predicted" in (out / "report.html").read_text(encoding="utf-8")


def test_the_command_says_in_words_what_it_found_and_makes_no_page_unless_it_may(
    made: tuple[Path, list[Any]], tmp_path: Path
) -> None:
    """Totals, causes and what is not compared; the rest is in the file that is named. Quiet, it says nothing."""
    out, export = tmp_path / "answer", made[0] / "in" / "focus.csv"
    asked = [
        "backtest",
        str(made[0] / "fit.toml"),
        "--actual",
        str(export),
        "--from",
        str(FIRST),
        "-n",
        "2",
        "--out",
        str(out),
    ]
    answer = CliRunner().invoke(app, [*asked, "--no-report"])
    assert answer.exit_code == 0, answer.output
    summary = json.loads((out / "backtest.json").read_text(encoding="utf-8"))
    assert f"Wrote {out}" in answer.output
    assert ("more causes, in backtest.json" in answer.output) is (len(summary["causes"]) > SHOWN)
    assert ("Not compared: " in answer.output) is bool(summary["not_compared"])
    assert not (out / "report.html").exists()
    quiet = CliRunner().invoke(app, [*asked, "--no-report", "--quiet"])
    assert (quiet.exit_code, quiet.stdout) == (0, "")


def test_days_that_no_export_covers_are_named_before_the_figures(made: tuple[Path, list[Any]], tmp_path: Path) -> None:
    """Three days before the first charge and one after the last: all that is simulated of them looks like an error."""
    export = made[0] / "in" / "focus.csv"
    _, begin, end, notes = scan([export], date(2026, 2, 27), date(2026, 3, 30))
    assert (begin, end) == (date(2026, 2, 27), date(2026, 3, 30))
    early, late = notes
    assert "no charges of 2026-02-27 to 2026-03-01, " in early and "--from 2026-03-02 " in early
    assert "no charges of 2026-03-30, " in late and "--to 2026-03-29 " in late
    assert scan([export], date(2026, 3, 2), date(2026, 3, 29))[3] == []
    asked = ["backtest", str(made[0] / "fit.toml"), "--actual", str(export), "--from", str(FIRST), "--to", "2026-03-30"]
    answer = CliRunner().invoke(app, [*asked, "-n", "2", "--no-report", "--out", str(tmp_path / "answer")])
    assert answer.exit_code == 0, answer.output
    assert answer.output.index("no charges of 2026-03-30") < answer.output.index("Invoice and simulation")


def test_days_without_an_invoice_leave_nothing_behind(made: tuple[Path, list[Any]], tmp_path: Path) -> None:
    """The scenario that is made on the way is gone, too."""
    export = str(made[0] / "in" / "focus.csv")
    arguments = [
        "backtest",
        str(made[0] / "in"),
        "--actual",
        export,
        "--from",
        "2027-01-01",
        "--out",
        str(tmp_path / "answer"),
    ]
    answer = CliRunner().invoke(app, arguments)
    assert isinstance(answer.exception, UsageError)
    assert list(tmp_path.iterdir()) == []

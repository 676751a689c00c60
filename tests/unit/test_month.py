"""Whether a cost a month is said: only of whole weeks (or days), where demand repeats so; in every answer alike."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import sim
from sim.billing.calendar_months import month_of as calendar_month_of
from sim.cli import main
from sim.errors import InputError
from sim.scenario.month import Month, month_in, month_of

DAY_S = 86400.0
WEEKDAYS = {"days": "Mon-Fri", "on": "08:00:00", "off": "18:00:00"}
OFFICE = """
name = "office"
start = 2026-01-05T00:00:00Z
horizon = "5d"
replications = 3
[[group]]
name = "dev"
size = "Standard_D4s_v5"
count = 2
when_off = "deallocate"
schedule = { days = "Mon-Fri", on = 08:00:00, off = 18:00:00 }
"""


def scenario(horizon: str, **demand: Any) -> sim.Scenario:
    """Two VMs from a Monday on, with this demand."""
    group = {"name": "dev", "size": "Standard_D4s_v5", "count": 2, "when_off": "deallocate", **demand}
    if "autoscale" in demand or "arrivals" in demand:
        group = {key: value for key, value in group.items() if key not in ("count", "when_off")}
    if not demand:
        del group["when_off"]
    return sim.from_dict(
        {"name": "x", "start": "2026-01-05T00:00:00Z", "horizon": horizon, "replications": 2, "group": [group]}
    )


SCALED = {"per_vm": 10.0, "min": 1, "max": 5, "scale_out": {"above": 0.7, "by": 1}, "scale_in": {"below": 0.3, "by": 1}}


@pytest.mark.parametrize(
    ("horizon", "demand", "is_known"),
    [
        ("5d", {"schedule": WEEKDAYS}, False),
        ("10d", {"schedule": WEEKDAYS}, False),
        ("12h", {"schedule": WEEKDAYS}, False),
        ("7d", {"schedule": WEEKDAYS}, True),
        ("31d", {"schedule": WEEKDAYS}, True),
        ("5d", {"schedule": WEEKDAYS | {"days": "Mon-Sun"}}, True),
        ("12h", {"schedule": WEEKDAYS | {"days": "Mon-Sun"}}, False),
        ("5d", {}, True),
        ("5d", {"cycle": {"on": "8h", "off": "16h"}}, True),
        ("5d", {"arrivals": {"rate": 1.0, "lifetime": "1h"}}, True),
        ("5d", {"arrivals": {"weekly": [1.0] * 168, "lifetime": "1h"}}, False),
        ("5d", {"autoscale": {"load": {"hourly": [5.0] * 24}, **SCALED}}, True),
        ("5d", {"autoscale": {"load": {"hourly": [5.0] * 24}, "min_weekly": [1] * 168, **SCALED}}, False),
    ],
)
def test_a_month_takes_whole_weeks_where_demand_repeats_every_week(
    horizon: str, demand: dict[str, Any], is_known: bool
) -> None:
    """And whole days where it repeats every day; else any period says it."""
    assert scenario(horizon, **demand).month.is_known is is_known


def test_a_part_of_a_week_that_moves_little_is_named() -> None:
    """30 days: 30 / 7 weeks, so the month may be a few per cent off; whole weeks less an hour of warm-up say it silently."""
    about = month_of([168, 1], 30 * DAY_S)
    assert about.is_known
    assert "30 days are not whole weeks" in about.words
    assert "--set horizon=35d" in about.words
    assert month_of([168], 28 * DAY_S - 3600, 3600) == Month()
    assert month_in({}) == Month()  # an older folder


def test_the_horizon_that_is_named_gives_the_month() -> None:
    """With its warm-up: what is advised must do."""
    for warm_up_s in (0.0, DAY_S):
        words = month_of([168], 5 * DAY_S, warm_up_s).words
        found = re.search(r"--set horizon=(\d+)d", words)
        assert found is not None
        assert month_of([168], float(found[1]) * DAY_S - warm_up_s, warm_up_s) == Month()


def test_no_answer_of_five_working_days_says_a_month(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Terminal, Markdown, summary.csv and reports of run, compare, size and sweep; 7 days say it in the same places."""
    file = tmp_path / "office.toml"
    file.write_text(OFFICE, encoding="utf-8")
    calls = {
        "run": [],
        "compare": ["--variant", "on: group.*.when_off=keep"],
        "size": ["--vary", "group.dev.count=1..3", "--keep", "cost.total<=30", "--largest"],
        "sweep": ["--vary", "group.dev.count=1..2"],
    }
    for command, more in calls.items():
        for days, says in (("5d", False), ("7d", True)):
            folder = tmp_path / f"{command}-{days}"
            with pytest.raises(SystemExit) as end:
                main([command, str(file), *more, "--set", f"horizon={days}", "--out", str(folder)])
            assert not end.value.code
            shown = capsys.readouterr().out + (folder / "summary.csv").read_text(encoding="utf-8-sig")
            page = (folder / "report.html").read_text(encoding="utf-8")
            page = re.sub(r"<(style|script|svg)\b.*?</\1>", "", page, flags=re.DOTALL)
            cost_a_month = re.compile(r"(USD</\w+>|USD|\d) a month|cost per month|a month \(USD\)|Cost a month")
            assert bool(cost_a_month.search(page)) is says, (command, days, cost_a_month.search(page))
            assert ("5 days say nothing of a month" in page) is not says
            if command in ("run", "compare"):
                assert bool(cost_a_month.search(shown)) is says, (command, days, shown)
                assert ("5 days say nothing of a month" in shown) is not says


def test_what_would_rest_on_a_wrong_month_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A commitment is paid for at weekends, too; a limit or a table of the metric that is 7/5 of the right one."""
    file = tmp_path / "office.toml"
    file.write_text(OFFICE, encoding="utf-8")
    with pytest.raises(InputError, match="a commitment is paid for in every hour"):
        sim.recommend(file)
    with pytest.raises(InputError, match=r"cost\.per_month: 5 days say nothing"):
        sim.sweep(file, {"group.dev.count": [1, 2]}, metrics=["cost.per_month"])
    with pytest.raises(InputError, match="3 days say nothing"):  # a point of the sweep, where the base is a whole week
        sim.sweep(scenario("7d", schedule=WEEKDAYS), {"horizon": ["7d", "3d"]}, metrics=["cost.per_month"])
    for command in ("run", "compare"):
        more = ["--variant", "on: group.*.when_off=keep"] if command == "compare" else []
        with pytest.raises(SystemExit) as end:
            main([command, str(file), *more, "--fail-if", "cost.per_month>1", "--out", str(tmp_path / "out")])
        assert end.value.code == 2
        assert "--set horizon=7d" in capsys.readouterr().err
        assert not (tmp_path / "out").exists()


def test_the_metric_itself_stays_in_the_summary() -> None:
    """Its value is pinned: total x 730 / hours; the summary says beside it that it is none of a month."""
    summary = sim.run(scenario("5d", schedule=WEEKDAYS)).summary()
    total, month = (summary["metrics"][name]["mean"] for name in ("cost.total", "cost.per_month"))
    assert month == pytest.approx(total * 730 / 120, rel=1e-12)
    assert json.loads(json.dumps(summary))["month"]["is_known"] is False


def test_a_calendar_month_ends_with_the_next_s_first_day() -> None:
    """In UTC; after December comes January of the next year."""
    for at, first, following in (
        (datetime(2026, 12, 31, 23, 59, tzinfo=UTC), (2026, 12), (2027, 1)),
        (datetime(2026, 11, 1, tzinfo=UTC), (2026, 11), (2026, 12)),
        (datetime(2028, 1, 31, 5, tzinfo=UTC), (2028, 1), (2028, 2)),
    ):
        assert calendar_month_of(at) == (datetime(*first, 1, tzinfo=UTC), datetime(*following, 1, tzinfo=UTC))

"""The registry of metrics: every metric has one row, and every view reads it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import sim
from sim.cli import main
from sim.errors import InputError
from sim.fields.metrics import METRICS, Forms, Metric, Unit, add_metrics, better_direction, find_metric
from sim.report.answer import headline, page_data
from sim.report.folder import read
from sim.report.totals import hours_parts, money_parts
from sim.runs.metrics import check_metric, metric_rows, possible_metrics

SCENARIO = """
name = "everything"
horizon = "4d"
replications = 2
[[group]]
name = "dev"
size = "Standard_D4s_v5"
os = "windows"
count = 3
disks = ["P10"]
public_ip = true
  [group.schedule]
  days = "Mon-Fri"
  on = 08:00:00
  off = 18:00:00
  time_zone = "UTC"
  [group.failures]
  InternalOperationError = 0.2
[[group]]
name = "web"
size = "Standard_D4s_v5"
  [group.autoscale]
  load = { hourly = [50, 50, 50, 50, 50, 50, 400, 400, 400, 400, 400, 400, 400, 400, 400, 400, 400, 400, 50, 50, 50, 50, 50, 50] }
  per_vm = 100.0
  min = 1
  max = 5
  scale_out = { above = 0.7, by = 1, cooldown = "5min" }
  scale_in = { below = 0.3, by = 1, cooldown = "5min" }
[platform.host_failures]
time_between = { dist = "exponential", mean = "40h" }
[[platform.hosts]]
name = "rack"
count = 2
vcpus = 48
memory_gib = 384
[[commitment]]
name = "ri"
kind = "reservation"
size = "Standard_D4s_v5"
quantity = 2
term = "1y"
"""


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> sim.RunResult:
    """A run in which much happens."""
    path = tmp_path_factory.mktemp("everything") / "everything.toml"
    path.write_text(SCENARIO)
    return sim.run(sim.load(path), engine="simpy")


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("cost", "cost.total, cost.compute or cost.license?"),
        ("Cost.c", "cost.compute or cost.commitment?"),
        ("ready", "ready.mean_s, ready.p50_s or ready.p95_s?"),
        ("cost.totl", "cost.total, "),
    ],
)
def test_the_beginning_of_metrics_suggests_them(asked: str, meant: str) -> None:
    """A family by its name alone; it suggested whatever is spelt alike, `cost.disk` before `cost.total`."""
    with pytest.raises(InputError, match=f"there is no metric '{asked}'; did you mean {re.escape(meant)}"):
        check_metric(asked, possible_metrics([]))


@pytest.fixture
def extra() -> Iterator[Metric]:
    """A user's own metric: one row."""
    row = Metric(
        name="idle_share", label="idle share", unit=Unit.SHARE, definition="billed but idle over billed", section="ratios",
        better="lower", ratio_of=("wasted_hours", "billed_hours"),
    )  # fmt: skip
    add_metrics(row)
    yield row
    METRICS.remove(row.name)


def test_every_metric_of_a_run_has_a_row(result: sim.RunResult) -> None:
    """Nothing is reported that `vmfleet metrics` doesn't know, and what may be reported is known beforehand."""
    names = {name for group in ("", *result.groups) for name in result.metric_names(group)}
    assert [name for name in names if find_metric(name) is None] == []
    assert names == set(possible_metrics(["ri"]))
    assert result.estimate("host_failures").mean


def test_every_metric_of_the_interface_has_a_row() -> None:
    """The pinned names, written out once more by hand."""
    names = [
        "billed_hours", "hours.creating", "hours.hibernated", "wanted_hours", "served_hours", "wasted_hours", "availability",
        "cost.total", "cost.compute", "cost.license", "cost.disk", "cost.network", "cost.commitment", "vms.created",
        "vms.deleted", "vms.peak_allocated", "vms.peak_running", "operations.power_off.rejected", "failures.AllocationFailed",
        "allocation.attempts", "allocation.failures", "allocation.failure_rate", "evictions", "host_failures",
        "guest_crashes", "commitment.my.plan.used_fraction",
    ]  # fmt: skip
    assert [name for name in names if find_metric(name) is None] == []
    row = find_metric("commitment.my.plan.used_fraction")
    assert row is not None
    assert row.label == "utilisation of my.plan"


def test_a_row_says_what_a_reader_must_know() -> None:
    """A label, a unit, a definition, where it is computed; no two rows share a label."""
    rows = metric_rows()
    assert all(row.label and row.definition and row.where.startswith("sim.") for row in rows)
    assert len({row.label for row in rows}) == len(rows) == len(METRICS)


def test_which_direction_is_better() -> None:
    """One place says so for comparison, selection and search."""
    assert [better_direction(name) for name in ("cost.total", "availability", "hours.running", "nonsense")] == [
        "lower", "higher", "", "",
    ]  # fmt: skip


def test_shares_and_hours_are_written_alike_everywhere(
    result: sim.RunResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Availability and cost read the same on the terminal, in the page and in a notebook."""
    findings = read(result.write(tmp_path / "out"))
    table = headline(page_data(findings, hours_parts(findings), money_parts(findings)))
    page = {row[0]: row[2] for row in table.rows}
    from sim.cli.terminal import print_summary

    print_summary(result.summary())
    terminal, notebook = capsys.readouterr().out, result._repr_html_()
    for label in ("availability", "cost", "billed hours", "hours ready while needed"):
        line = next(line for line in terminal.splitlines() if re.match(rf"\s*{label} \(", line))
        assert page[label] in line
        assert f">{page[label]}<" in notebook


def test_figures_have_no_more_decimals_than_a_decision_needs() -> None:
    """99.9999 % isn't all, and 0.0004 % isn't nothing, yet nobody knows an availability to a millionth; whole counts are whole."""
    forms = Forms(currency="EUR", means={"cost.total": 2_000_000.0})
    assert forms.of("availability", 0.999999).text(0.999999) == ">\N{NO-BREAK SPACE}99.999"
    assert forms.of("availability", 0.9998145).text(0.9998145) == "99.981"
    assert forms.of("availability", 0.41036091, 0.41036078).text(0.41036091) == "41.04"
    assert forms.of("ready.late_share", 0.000004).text(0.000004) == "<\N{NO-BREAK SPACE}0.001"
    assert forms.of("availability", 0.5).with_unit(0.5) == "50.00\N{NO-BREAK SPACE}%"
    assert forms.of("vms.created", 3.0).text(3.0) == "3"
    assert forms.of("cost.disk", 12.5).title == "cost of disks (EUR)"
    assert forms.of("cost.disk", 12.5).text(12.5) == "12"  # as coarse as the total


def test_one_row_adds_a_metric(extra: Metric, result: sim.RunResult) -> None:
    """Computed, listed, labelled, with its better direction: nothing else is touched."""
    again = sim.run(result.scenario, engine="simpy")
    found = again.estimate(extra.name).mean
    assert found == pytest.approx(again.estimate("wasted_hours").mean / again.estimate("billed_hours").mean)
    assert extra.name in possible_metrics()
    assert better_direction(extra.name) == "lower"


def test_the_command_lists_every_row(capsys: pytest.CaptureFixture[str]) -> None:
    """As a table and as JSON."""
    with pytest.raises(SystemExit):
        main(["metrics", "--json"])
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == [row.name for row in metric_rows()]
    assert set(rows[0]) == {"name", "label", "unit", "better", "definition"}
    with pytest.raises(SystemExit):
        main(["metrics"])
    assert "billed but idle" in capsys.readouterr().out


@pytest.mark.parametrize(("warm_up", "hours"), [("0s", 48.0), ("12h", 36.0)])
def test_the_cost_per_month_is_that_of_730_hours(warm_up: str, hours: float):
    """Of the hours that are counted: a VM at 1 USD an hour costs 730 USD a month, however long it was watched."""
    group = {"name": "vm", "durations": dict.fromkeys(("allocating", "starting", "os_provisioning"), "0s")}
    prices = {"override": {"Standard_D4s_v5": {"linux": 1.0}}}
    found = sim.run(
        sim.from_dict({"name": "a", "horizon": "2d", "warm_up": warm_up, "prices": prices, "group": [group]}),
        replications=1,
    )
    assert found.values("cost.total") == pytest.approx([hours])
    assert found.values("cost.per_month") == pytest.approx([730.0])
    assert found.values("cost.per_month", "vm") == pytest.approx([730.0])


def test_how_far_a_commitment_is_used_covers_and_saves_by_hand():
    """Two of three VMs are reserved, all needed for 10 of 24 hours: 200 of 300 h covered, 50 USD of use bought for 72."""
    at_once = dict.fromkeys(("allocating", "starting", "os_provisioning", "deallocating"), "0s")
    window = {"days": "Mon-Sun", "on": "08:00:00", "off": "18:00:00"}
    fleet = {
        "name": "c", "horizon": "10d",
        "prices": {"override": {"Standard_D4s_v5": {"linux": 0.25, "reservation_1y": 0.15}}},
        "group": [{"name": "vm", "count": 3, "schedule": window, "durations": at_once}],
        "commitment": [
            {"name": "ri", "kind": "reservation", "size": "Standard_D4s_v5", "quantity": 2, "term": "1y"},
            {"name": "room", "kind": "capacity-reservation", "size": "Standard_D4s_v5", "quantity": 1},
        ],
    }  # fmt: skip
    found = sim.run(sim.from_dict(fleet), replications=2)
    mean = {
        name.removeprefix("commitment."): found.estimate(name).mean
        for name in found.metric_names()
        if "commitment." in name
    }
    assert mean["ri.utilisation"] == mean["ri.used_fraction"]
    # The empty unit of the capacity reservation is a demand for the reservation too: 140 h a unit at night.
    assert mean["ri.covered"] == pytest.approx(200 + 140)
    assert mean["ri.coverage"] == pytest.approx(340 / (300 + 140))
    assert mean["ri.worth"] == pytest.approx(340 * 0.25)
    assert mean["ri.effective_savings_rate"] == pytest.approx((85 - 72) / 85)
    # One unit for three VMs, in use for 10 of 24 hours; those inside pay for themselves, so nothing is saved.
    assert (mean["room.covered"], mean["room.could_cover"]) == (pytest.approx(100), pytest.approx(300))
    assert (mean["room.coverage"], mean["room.utilisation"]) == (pytest.approx(1 / 3), pytest.approx(100 / 240))
    assert (mean["room.saved"], mean["room.effective_savings_rate"]) == (0.0, None), (
        "the reservation pays for the empty unit"
    )


def test_a_savings_rate_may_be_negative_and_is_a_ratio_of_means():
    """Bought for 72 USD and used for 50."""
    row = find_metric("commitment.ri.effective_savings_rate")
    assert row is not None
    assert row.ratio_of == ("commitment.ri.saved", "commitment.ri.worth")
    assert row.domain == (-float("inf"), 1.0)
    assert find_metric("commitment.ri.coverage").domain == (0.0, 1.0)  # type: ignore[union-attr]


HIGHER = (
    "cost.trusted_share", "deadline.met", "deadline.met_share", "load.served", "load.served_share", "served_hours",
    "availability", "sla.uptime", "commitment.<name>.used_fraction", "commitment.<name>.utilisation",
    "commitment.<name>.coverage", "commitment.<name>.saved", "commitment.<name>.effective_savings_rate",
)  # fmt: skip
NEITHER = (
    "commitment.<name>.covered", "commitment.<name>.could_cover", "commitment.<name>.worth", "hours.<state>", "wanted_hours",
    "ready.moments", "sla.credit", "vms.peak_allocated", "vms.peak_running", "hosts.used_share", "hosts.peak_used", "vms.created",
    "vms.deleted", "operations.<operation>.accepted", "operations.<operation>.succeeded", "allocation.attempts",
    "service_healings", "maintenance_impacts", "autoscale.out", "autoscale.in", "deadline.due", "load.offered",
)  # fmt: skip
"""Of every other metric less is better: costs, waits, failures."""


def test_a_comparison_says_better_of_what_an_owner_wants() -> None:
    """Typed from what each metric counts: a saving that were called better when lower would turn every verdict round."""
    found = {direction: [name for name in METRICS if METRICS[name].better == direction] for direction in ("higher", "")}
    assert {name: sorted(names) for name, names in found.items()} == {"higher": sorted(HIGHER), "": sorted(NEITHER)}
    assert {METRICS[name].better for name in METRICS if name not in {*HIGHER, *NEITHER}} == {"lower"}

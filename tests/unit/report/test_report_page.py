"""The page and its figures: they say what the folder says, hold all they need, and are the same each time."""

from __future__ import annotations

import csv
import hashlib
import html
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import matplotlib as mpl
import pyarrow.parquet as pq
import pytest

from sim.errors import ResultError
from sim.report.answer import needs
from sim.report.build import build_report
from sim.report.folder import ReportedRun, read
from sim.report.group_figures import cost_by_group
from sim.report.totals import money_parts
from sim.scenario.month import month_of

Make = Callable[..., Path]
EVIL = "a<b>&\"'$x_1$ </svg><script>alert(1)</script>"


class Page(HTMLParser):
    """What a browser would see of a page: its tables, its tags' attributes, and tags left open."""

    VOID = frozenset({"meta", "br", "link", "img", "input", "hr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.attributes: list[tuple[str, str, str]] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.words: list[str] = []
        self.cell: list[str] | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.cell = []

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1:] == [tag], f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()
        if tag in ("td", "th") and self.cell is not None:
            self.tables[-1][-1].append("".join(self.cell))
            self.cell = None

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self.cell is not None:
            self.cell.append(data)

    def table(self, first_cell: str) -> list[list[str]]:
        """The table whose head begins so."""
        return next(table for table in self.tables if table[0][0] == first_cell)


def number(text: str) -> float:
    """A number as the page writes it."""
    return float(re.sub(r"[,\s%]|USD", "", text).replace("\N{MINUS SIGN}", "-")) if text.strip() else 0.0


def rows_of(path: Path) -> list[dict[str, str]]:
    """A figure's numbers."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """One folder with every kind of number in it, and its report."""
    make: Make = request.getfixturevalue("make_result")
    folder = make(
        tmp_path_factory.mktemp("made") / "result",
        groups=("web", EVIL, "batch"),
        commitment=1234.567,
        replications=6,
        horizon_h=168.0,
        spread=0.05,
    )
    build_report(folder)
    return folder


@pytest.fixture(scope="module")
def page(made: Path) -> Page:
    """The report of that folder, parsed."""
    return Page((made / "report.html").read_text(encoding="utf-8"))


def test_the_page_is_well_formed_and_a_hostile_group_name_stays_text(page: Page) -> None:
    """A group may be called anything; no name may become markup, in the page or inside a picture."""
    assert page.open == []
    assert page.tags.count("script") == 1  # ours; a content security policy names its digest
    assert EVIL in [row[0] for row in page.table("group")]
    assert "alert(1)" in "".join(page.words)


def test_nothing_is_fetched_from_anywhere(made: Path, page: Page) -> None:
    """One file that can be mailed: no address in any attribute, style or picture."""
    for tag, name, value in page.attributes:
        if name in ("href", "src", "xlink:href", "data", "action", "poster", "srcset"):
            assert value.startswith(("#", "data:")), (tag, name, value)
    text = (made / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"url\((?!#)|@import|<link|https?://|//cdn", text)


def test_every_id_is_used_once_and_every_reference_finds_it(page: Page) -> None:
    """Several pictures in one page must not borrow each other's hatches and clips."""
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    wanted = {value[1:] for _, name, value in page.attributes if name == "href" and value.startswith("#")}
    styles = " ".join(value for _, name, value in page.attributes if name in ("style", "clip-path"))
    wanted |= set(re.findall(r"url\(#([^)]+)\)", styles))
    assert wanted
    assert wanted <= set(ids)


def test_pictures_have_their_numbers_beside_them(made: Path) -> None:
    """Each figure is there three times: to zoom, to paste, to compute with."""
    names = {path.stem for path in (made / "figures").iterdir()}
    assert names == {
        "vms_by_state",
        "running_by_group",
        "hours_by_state",
        "cost_by_group",
        "cost_by_meter",
        "bill_distribution",
        "single_vms",
    }
    for name in names:
        assert (made / "figures" / f"{name}.svg").read_text().startswith("<svg ")
        assert (made / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert rows_of(made / "figures" / f"{name}.csv")


def test_curves_are_the_means_and_ranges_of_the_timeline(made: Path) -> None:
    """The figure's data against the Parquet file, averaged here in another way (pandas)."""
    frame = pq.read_table(made / "timeline.parquet").to_pandas()
    fleet = frame.groupby(["replication", "hour", "state"], as_index=False)["vms"].sum()
    by_hour = fleet.groupby(["hour", "state"])["vms"]
    mean, low, high = (by_hour.mean().unstack(), by_hour.quantile(0.05).unstack(), by_hour.quantile(0.95).unstack())
    shown = rows_of(made / "figures" / "vms_by_state.csv")
    assert len(shown) == 168
    for row in shown:
        hour = int(float(row["from_h"]))
        for state in ("running", "deallocated", "starting"):
            assert float(row[f"{state}_mean_vms"]) == pytest.approx(mean.loc[hour, state], rel=1e-9, abs=1e-12)
            assert float(row[f"{state}_p05_vms"]) == pytest.approx(low.loc[hour, state], rel=1e-9, abs=1e-12)
            assert float(row[f"{state}_p95_vms"]) == pytest.approx(high.loc[hour, state], rel=1e-9, abs=1e-12)


def test_area_under_the_curves_is_the_hours_of_the_summary(made: Path) -> None:
    """Two files of the folder that must agree, seen through the figure."""
    metrics = json.loads((made / "summary.json").read_text())["metrics"]
    shown = rows_of(made / "figures" / "vms_by_state.csv")
    for state in ("running", "stopped", "deallocating"):
        area = sum(float(r[f"{state}_mean_vms"]) * (float(r["to_h"]) - float(r["from_h"])) for r in shown)
        assert area == pytest.approx(metrics[f"hours.{state}"]["mean"], rel=1e-9)


def test_bars_and_dots_are_the_numbers_of_the_summary(made: Path) -> None:
    """Hours, money and single bills: exact, not as rounded for the eye."""
    metrics = json.loads((made / "summary.json").read_text())["metrics"]
    for row in rows_of(made / "figures" / "hours_by_state.csv"):
        assert float(row["hours_mean"]) == metrics[f"hours.{row['state']}"]["mean"]
        assert float(row["low"]) == metrics[f"hours.{row['state']}"]["low"]
    costs = rows_of(made / "figures" / "cost_by_meter.csv")
    whole = {row["meter"]: float(row["mean_USD"]) for row in costs if row["low"]}
    assert whole == {meter: metrics[f"cost.{meter}"]["mean"] for meter in ("compute", "disk", "network", "commitment")}
    for meter, total in whole.items():
        parts = [float(r["mean_USD"]) for r in costs if r["meter"] == meter and not r["low"]]
        assert sum(parts) == pytest.approx(total, rel=1e-12)
    groups = json.loads((made / "summary.json").read_text())["groups"]
    by_group = rows_of(made / "figures" / "cost_by_group.csv")
    for group, content in groups.items():
        own = {row["part"]: float(row["mean_USD"]) for row in by_group if row["group"] == group}
        a_month = content["metrics"]["cost.per_month"]["mean"] if "cost.per_month" in metrics else None
        a_month = a_month or content["metrics"]["cost.total"]["mean"] * 730 / 168
        assert own.pop("total") == pytest.approx(a_month, rel=1e-12)
        assert sum(own.values()) == pytest.approx(a_month, rel=1e-12)
    frame = pq.read_table(made / "replications.parquet").to_pandas()
    bills = frame[(frame.group == "") & (frame.metric == "cost.total")].sort_values("replication").value.tolist()
    shown = rows_of(made / "figures" / "bill_distribution.csv")
    assert [float(row["value"]) for row in shown if row["what"] == "replication"] == bills


def test_compute_is_split_into_ready_and_idle(result_folder: Make) -> None:
    """Made folders serve nine tenths of their running hours; with commitments it is not known whose hours they paid."""

    def drawn_from(commitment: float) -> tuple[ReportedRun, dict[str, float]]:
        findings = read(result_folder(groups=("a", "b"), vms=10, replications=3, commitment=commitment))
        drawn = cost_by_group(findings, money_parts(findings))
        rows = csv.DictReader(drawn.csv.splitlines())
        assert "a month" in drawn.svg
        times = findings.horizon_h / 730  # the figure is a month's
        return findings, {row["part"]: float(row["mean_USD"]) * times for row in rows if row["group"] == "b"}

    findings, own = drawn_from(commitment=0.0)
    share = findings.mean("served_hours", "b") / findings.mean("billed_hours", "b")
    assert own["compute, ready while needed"] == pytest.approx(share * findings.mean("cost.compute", "b"))
    _, committed = drawn_from(commitment=50.0)
    assert committed["compute"] == pytest.approx(own["compute, ready while needed"] + own["compute, billed but idle"])
    assert "compute, ready while needed" not in committed


def test_the_cost_by_group_is_a_month_s_and_adds_up_without_cents(result_folder: Make) -> None:
    """The words beside the bars make the total of the title; days that are no whole weeks stay what they are."""
    for horizon_h, period in ((672.0, "a month"), (120.0, "in 5 days")):
        folder = result_folder(groups=("a", "b", "c"), vms=1000, replications=3, horizon_h=horizon_h)
        content = json.loads((folder / "summary.json").read_text()) | month_of([168], 3600 * horizon_h).as_dict()
        (folder / "summary.json").write_text(json.dumps(content))
        run = read(folder)
        said = cost_by_group(run, money_parts(run)).svg
        found = re.search(
            rf"Cost by group {period}, ([\d,]+)\s*USD in all, the most expensive first: (.*?)\.<", html.unescape(said)
        )
        assert found is not None
        amounts = [int(each.replace(",", "")) for each in re.findall(r"([\d,]+)\s*USD", found[2])]
        assert sum(amounts) == int(found[1].replace(",", "")) > 1000
        assert len(amounts) >= 3


def test_intervals_that_would_be_a_block_are_left_out_with_their_key(result_folder: Make) -> None:
    """No spread, no mark; with one, both."""
    drawn = {}
    for spread in (0.0, 0.2):
        run = read(result_folder(groups=("a", "b"), replications=5, spread=spread))
        drawn[spread] = "interval of the mean" in html.unescape(cost_by_group(run, money_parts(run)).svg)
    assert drawn == {0.0: False, 0.2: True}


def test_many_groups_that_run_differently_have_a_plane_each(result_folder: Make) -> None:
    """Lines that lie on one another are not told apart by their colours."""
    few, many = ("a", "b", "c"), ("alpha", "beta", "gamma", "delta", "epsilon")
    for groups in (few, many):
        folder = result_folder(groups=groups, vms=60, replications=3, horizon_h=168.0)
        build_report(folder)
        drawn = (folder / "figures" / "running_by_group.svg").read_text(encoding="utf-8")
        heights = {float(each) for each in re.findall(r'viewBox="0 0 [\d.]+ ([\d.]+)"', drawn)}
        assert all(f">{group}" in drawn for group in groups)
        assert (max(heights) > 300) == (groups is many)


def test_bills_that_hardly_differ_get_no_figure(result_folder: Make) -> None:
    """An axis from 9,041.117 to 9,041.122 answers no one's question; a spread of some per cent does."""
    drawn = {}
    for spread in (0.0, 0.05):
        folder = result_folder(replications=5, horizon_h=168.0, spread=spread)
        build_report(folder)
        drawn[spread] = (folder / "figures" / "bill_distribution.svg").exists()
    assert drawn == {0.0: False, 0.05: True}


def test_single_timelines_are_those_of_the_folder(made: Path) -> None:
    """A VM's stretches follow each other without a gap and end with the week or with the VM."""
    rows = [r for r in rows_of(made / "figures" / "single_vms.csv") if r["vm"] == "web-0000"]
    assert [r["state"] for r in rows[:3]] == ["creating", "starting", "running"]
    assert [r["to_h"] for r in rows[:-1]] == [r["from_h"] for r in rows[1:]]
    assert float(rows[-1]["to_h"]) == 168.0


def test_single_timelines_are_said_to_be_no_sample(made: Path) -> None:
    """Only the first VMs of a group have their timelines recorded; a reader must not take them for the fleet."""
    drawn = html.unescape((made / "figures" / "single_vms.svg").read_text(encoding="utf-8"))
    drawn = re.sub(r"</text>\s*<text[^>]*>", " ", drawn)  # its lines
    assert re.search(r"\d+ of 1,234 VMs, (evenly from )?the first of each group \(no random sample\)", drawn)


def test_parts_in_tables_add_up_to_the_totals_shown(made: Path, page: Page) -> None:
    """A reader with a pocket calculator finds no cent and no tenth of an hour missing, in any table."""
    for first in ("state", "meter"):
        head, *rows, totals = page.table(first)
        for i in range(1, len(head)):
            if head[i] == "share":
                shown = [number(row[i]) for row in rows if "<" not in row[i]]
            elif "interval" in head[i] or "range" in head[i]:
                continue
            else:
                shown = [number(row[i]) for row in rows]
            assert sum(shown) == pytest.approx(number(totals[i]), abs=1e-6), (first, head[i])
    table = next(t for t in page.tables if t[0][0] == "group" and t[0][-1].startswith("total"))
    head, *rows, totals = table
    for row in [*rows, totals]:
        assert sum(map(number, row[1:-1])) == pytest.approx(number(row[-1]), abs=1e-6), row[0]
    for i in range(1, len(head)):
        assert sum(number(row[i]) for row in rows) == pytest.approx(number(totals[i]), abs=1e-6), head[i]
    invoice = next(t for t in page.tables if t[0][:2] == ["group", "meter"])
    assert sum(number(row[-1]) for row in invoice[1:-1]) == pytest.approx(number(invoice[-1][-1]), abs=1e-6)
    total = json.loads((made / "summary.json").read_text())["metrics"]["cost.total"]["mean"]
    assert number(totals[-1]) == round(total) >= 1000  # no cents from there on
    assert invoice[-1][-1] == totals[-1] == page.table("meter")[-1][1]


def test_billed_hours_are_split_as_the_policy_says(result_folder: Make) -> None:
    """Under 2018-08 Starting isn't billed, under 2023-10 it is; the same folder, read under another policy, is refused."""
    folder = result_folder(policy="2023-10", replications=2, horizon_h=24.0)
    build_report(folder)
    states = {row[0]: row for row in Page((folder / "report.html").read_text(encoding="utf-8")).table("state")}
    assert [bool(cell) for cell in states["starting"][1:4]] == [False, True, False]
    assert [bool(cell) for cell in states["deallocating"][1:4]] == [False, False, True]
    summary = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").write_text(json.dumps(summary | {"billing_policy": "2018-08"}))
    with pytest.raises(ResultError, match="billed_hours"):
        build_report(folder)


def test_two_renders_have_the_same_bytes_whatever_the_settings_of_matplotlib(made: Path) -> None:
    """A report can be compared by its hash; the user's own matplotlib settings neither leak in nor are changed."""

    def digests() -> dict[str, str]:
        files = [made / "report.html", *sorted((made / "figures").iterdir())]
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    before = digests()
    with mpl.rc_context({"font.size": 20, "lines.linewidth": 9, "axes.facecolor": "red"}):
        build_report(made)
        assert mpl.rcParams["font.size"] == 20
    assert digests() == before
    assert not list(made.glob("**/.*"))


FLEETS = {
    "one VM, one replication, one day": {"vms": 1, "replications": 1, "horizon_h": 24.0, "lives": 1, "time_zone": None},
    "a million VMs": {"vms": 1_000_000, "replications": 2, "horizon_h": 48.0},
    "fifty groups": {"groups": [f"g{i:02d}" for i in range(50)], "vms": 40, "replications": 2, "horizon_h": 3.0},
    "nothing is charged": {"free": True, "replications": 3, "horizon_h": 48.0},
    "no VM ever": {"empty": True, "free": True, "lives": 0, "failures": False, "replications": 2, "horizon_h": 6.0},
    "half an hour": {"horizon_h": 0.5, "replications": 3},
    "two years with a warm-up": {"horizon_h": 17520.0, "replications": 1, "vms": 3, "warm_up_h": 2000},
}


@pytest.mark.parametrize("what", FLEETS.values(), ids=FLEETS.keys())
def test_any_fleet_gets_a_report(result_folder: Make, what: dict[str, object]) -> None:
    """The smallest, the largest, the longest and the emptiest: a whole page with finite numbers."""
    folder = result_folder(**what)
    text = build_report(folder).read_text(encoding="utf-8")
    shown = Page(text)
    assert shown.open == []
    assert not re.search(r"\bnan\b|\binf\b|None", "".join(w for w in shown.words if "url(" not in w))
    if what.get("replications") == 1:
        assert "no interval" in text


def test_a_folder_with_nothing_but_its_summary_still_gets_a_report(result_folder: Make) -> None:
    """What is missing is missing in the report, not an error: the summary carries the answer."""
    folder = result_folder(replications=2, horizon_h=24.0)
    for path in folder.iterdir():
        if path.name != "summary.json":
            path.unlink()
    text = build_report(folder).read_text(encoding="utf-8")
    assert "Estimated cost" in text
    assert {path.stem for path in (folder / "figures").iterdir()} == {"hours_by_state", "cost_by_meter"}


def test_a_folder_that_is_none_or_contradicts_itself_is_refused(result_folder: Make, tmp_path: Path) -> None:
    """The message names the file; nothing is drawn from numbers that can't all be true."""
    with pytest.raises(ResultError, match=r"no summary\.json"):
        build_report(tmp_path)
    folder = result_folder(replications=2, horizon_h=6.0)
    whole = (folder / "summary.json").read_text()
    (folder / "summary.json").write_text(whole[: len(whole) // 2])
    with pytest.raises(ResultError, match=r"summary\.json:1: it is not JSON"):
        build_report(folder)
    summary = json.loads(whole)
    summary["metrics"]["cost.disk"]["mean"] += 100.0
    (folder / "summary.json").write_text(json.dumps(summary))
    with pytest.raises(ResultError, match=r"cost\.total"):
        build_report(folder)
    (folder / "summary.json").write_text(whole)
    (folder / "timeline.parquet").write_bytes(b"no parquet")
    with pytest.raises(ResultError, match=r"timeline\.parquet"):
        build_report(folder)
    assert not (folder / "report.html").exists()


def test_a_ratio_without_quantiles_does_not_ask_for_replications() -> None:
    """At n = 20 a 5 % quantile needs no more; a ratio of means has no quantiles at any n."""
    assert needs(0.05, 19) == "needs 20"
    assert needs(0.05, 20) == "\N{EN DASH}"
    assert needs(0.99, 20) == "needs 100"

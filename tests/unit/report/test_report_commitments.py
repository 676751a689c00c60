"""The report on commitments used and unused, uptime and SLA; what is shown adds up to the bill."""

from __future__ import annotations

import csv
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import sim
from sim.report import folder as folders
from sim.report.build import build_report
from sim.report.totals import money_parts

SIZE = "Standard_D4s_v5"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A week of VMs on failing hosts, with every kind of commitment."""
    place = tmp_path_factory.mktemp("promises") / "result"
    run = sim.run(
        sim.from_dict(
            {
                "name": "promises",
                "start": "2026-01-29T00:00:00Z",
                "horizon": "7d",
                "warm_up": "5h",
                "replications": 3,
                "group": [
                    {
                        "name": "dev",
                        "os": "windows",
                        "count": 7,
                        "disks": ["P10"],
                        "cycle": {"on": {"dist": "exponential", "mean": "7h"}, "off": "9h"},
                    },
                    {"name": "web", "count": 3, "availability_set": "front"},
                    {"name": "housed", "size": "Standard_D2s_v5", "count": 2},
                ],
                "commitment": [
                    {"name": "ri", "kind": "reservation", "size": SIZE, "quantity": 5, "term": "1y"},
                    {"name": "plan", "kind": "savings-plan", "hourly": 0.3, "term": "3y"},
                    {"name": "room", "kind": "capacity-reservation", "size": SIZE, "quantity": 12},
                    {"name": "host", "kind": "dedicated-host", "quantity": 1, "hourly": 3.0, "vcpus": 64, "groups": ["housed"]},
                ],
                "platform": {
                    "hosts": [{"name": "rack", "count": 8, "vcpus": 32, "memory_gib": 256}],
                    "host_failures": {"time_between": {"dist": "exponential", "mean": "150h"}, "repair": "2h"},
                },
            }
        )
    )  # fmt: skip
    run.write(place)
    build_report(place)
    return place


class Tables(HTMLParser):
    """The text of every table of a page, row by row."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self._cell = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "table":
            self.tables.append([])
        elif tag == "tr" and self.tables:
            self.tables[-1].append([])
        elif tag in ("td", "th") and self.tables:
            self.tables[-1][-1].append("")
            self._cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._cell = False

    def handle_data(self, data: str) -> None:
        if self._cell:
            self.tables[-1][-1][-1] += data


def number(text: str) -> float:
    """A cell as a number; an empty one is nothing."""
    found = re.sub(r"[^\d.\-]", "", text.replace("\N{MINUS SIGN}", "-"))
    return float(found) if found else 0.0


@pytest.fixture(scope="module")
def tables(made: Path) -> dict[str, list[list[str]]]:
    """Tables by the first word of their head."""
    page = (made / "report.html").read_text(encoding="utf-8")
    found: dict[str, list[list[str]]] = {}
    for table in Tables(page).tables:
        found.setdefault(f"{table[0][0]} {table[0][1]}", table)
    return found


def test_commitments_add_up_to_the_bills_as_shown(tables: dict[str, list[list[str]]]) -> None:
    """Used and unused of each make its cost, all of them the commitments of the tables above, to the last digit shown."""
    head, *rows, sums = tables["commitment unit"]
    assert [row[0] for row in rows] == ["ri", "plan", "room", "host"]
    for row in (*rows, sums):
        assert number(row[5]) + number(row[6]) == pytest.approx(number(row[7]), abs=1e-9)
    for column in (5, 6, 7):
        assert sum(number(row[column]) for row in rows) == pytest.approx(number(sums[column]), abs=1e-9)
    meters = {row[0]: row[1] for row in next(t for name, t in tables.items() if name.startswith("meter "))}
    assert number(sums[7]) == number(meters["commitments"])
    assert head[-1].startswith("all (")


def test_lines_of_the_invoice_make_up_every_cell_of_the_table_above(
    made: Path, tables: dict[str, list[list[str]]]
) -> None:
    """Level by level: lines make cells, cells make groups and meters, these make the total, all as shown."""
    findings = folders.read(made)
    money = money_parts(findings)
    shown = money.lines(findings)
    for row, group in enumerate(money.groups):
        own = "" if group == "commitments" else group
        for column, meter in enumerate(money.meters):
            lines = [
                amount
                for line, amount in zip(findings.stored.mean_bill, shown, strict=True)
                if line.group == own and line.meter.startswith(f"{meter}.")
            ]
            assert sum(lines) == pytest.approx(money.table.cells[row][column], abs=1e-9), (group, meter)
    invoice = tables["group meter"]
    assert sum(number(row[-1]) for row in invoice[1:-1]) == pytest.approx(number(invoice[-1][-1]), abs=1e-9)
    assert [number(row[-1]) for row in invoice[1:-1]] == pytest.approx(shown)


def test_the_figure_shows_the_hours_of_the_folder(made: Path) -> None:
    """Used and bought in each clock hour of replication 0, from the end of the warm-up on."""
    table = pq.ParquetFile(made / "commitments.parquet").read().to_pandas()
    with (made / "figures" / "commitment_use.csv").open(newline="") as file:
        drawn = list(csv.DictReader(file))
    for name, own in table.groupby("commitment"):
        mine = [row for row in drawn if row["commitment"] == name]
        assert [float(row["from_h"]) for row in mine] == own["hour"].tolist()
        assert own["hour"].min() == 5
        assert [float(row["used_per_h"]) for row in mine] == pytest.approx(own["used"].tolist())
    assert np.all(table["used"] <= table["bought"] + 1e-9)
    summary = folders.read(made)
    bill = sim.read(made).bill
    first = bill[(bill["replication"] == 0) & (bill["meter"] == "commitment.ri.used")]["quantity"].item()
    assert table[table["commitment"] == "ri"]["used"].sum() == pytest.approx(first)
    assert {use.name for use in summary.stored.commitments} == {"ri", "plan", "room", "host"}


def test_the_service_level_is_shown_month_by_month(made: Path, tables: dict[str, list[list[str]]]) -> None:
    """Groups and the availability set, the SLA, and credits that make up the metric."""
    _, *rows = tables["month group or set"]
    assert {(row[0], row[1]) for row in rows} == {
        (month, name) for month in ("2026-01", "2026-02") for name in ("dev", "front", "housed")
    }
    credit = sum(number(row[-1]) for row in rows)
    assert credit == pytest.approx(sim.read(made).mean("sla.credit"), abs=0.005 * len(rows))
    assert credit > 0.0, "no host failed: this seed shows nothing"
    set_row = next(row for row in rows if row[1] == "front")
    assert set_row[2:4] == ["availability set", "99.95\N{NO-BREAK SPACE}%"]


def test_a_fleet_without_commitments_or_sla_does_not_mention_them(tmp_path: Path) -> None:
    """No commitment, no platform: no table, no figure, no file."""
    plain = sim.from_dict({"name": "plain", "horizon": "1d", "group": [{"name": "a", "count": 2}]})
    sim.run(plain, replications=2).write(tmp_path / "plain")
    page = build_report(tmp_path / "plain").read_text(encoding="utf-8")
    assert "Service level" not in page
    assert "<h3>Commitments" not in page
    names = {path.name for path in (tmp_path / "plain").rglob("*")}
    assert not names & {"commitments.parquet", "sla.parquet", "commitment_use.svg"}


def test_days_of_the_figure_make_up_the_bill(made: Path) -> None:
    """Every day's cost by meter, commitments among them, against the total of the summary."""
    with (made / "figures" / "cost_by_day.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["day"] for row in rows][::7] == ["2026-01-29", "2026-02-05"][: len(rows[::7])]
    total = sum(float(value) for row in rows for meter, value in row.items() if meter != "day")
    assert total == pytest.approx(folders.read(made).mean("cost.total"), rel=1e-9)

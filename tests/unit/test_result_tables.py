"""The files of a result folder: JSON that people can open, and timelines of many groups."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import sim
from sim.billing.sla import SERVICE_LEVELS
from sim.lifecycle.power import PowerState
from sim.runs.blocks import HALF, dollars_of, pack
from sim.runs.kept import Replications
from sim.runs.replication import Replication
from sim.runs.result_tables import write_figures, write_json, write_replications


def test_json_has_a_metric_a_line(tmp_path: Path) -> None:
    """Thousands of groups must not make millions of lines; what is read again is the same."""
    metric = {"mean": 0.1 + 0.2, "low": None, "n": 2}
    content = {
        "name": "dév \N{SNOWMAN}",
        "metrics": {"a": metric, "b": metric},
        "empty": {},
        "rows": [[1, 2], {"of": [3]}],
    }
    write_json(tmp_path / "x.json", content)
    text = (tmp_path / "x.json").read_text(encoding="utf-8")
    assert json.loads(text) == content
    assert '    "a": {"mean": 0.30000000000000004, "low": null, "n": 2},\n' in text
    assert text.endswith("}\n")
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "y.json", {"metrics": {"a": {"mean": float("nan")}}})


def test_timelines_of_many_groups_are_written_as_they_were_counted(tmp_path: Path) -> None:
    """Row by row: replication, group, hour, state; also from what an interrupted run has kept on disk."""
    groups = [
        {
            "name": f"team-{i}",
            "count": 1 + i,
            "schedule": {"days": "Mon-Fri", "on": f"{10 + i}:00:00", "off": "19:00:00"},
        }
        for i in range(3)
    ]
    fleet = sim.from_dict({"name": "teams", "horizon": "2d", "group": groups})
    kept = sim.RunCache(tmp_path / "cache")
    sim.run(fleet, replications=2, cache=kept)
    for result in (sim.run(fleet, replications=2), sim.run(fleet, replications=2, cache=kept)):
        folder = result.write(tmp_path / f"result-{kept.reused}-{id(result)}")
        table = pq.read_table(folder / "timeline.parquet").to_pydict()
        vms = np.array(table["vms"]).reshape(2, 3, 48, len(PowerState))
        for number, replication in enumerate(result.replications):
            for index, group in enumerate(result.groups):
                assert np.array_equal(vms[number, index], replication.timeline[group].vms)
        assert table["group"][:: 48 * len(PowerState)] == [*result.groups] * 2
        assert table["state"][: len(PowerState)] == [str(state) for state in PowerState]
        assert table["hour"][:: len(PowerState)] == [*range(48)] * 6
    assert kept.reused == 2


def test_a_result_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    """Every file that a run writes is known as ours: else the second run of a scenario would be refused."""
    disks = {"name": "web", "count": 2, "disks": ["P10"]}
    result = sim.run(sim.from_dict({"name": "again", "horizon": "40d", "group": [disks]}), replications=2, events=True)
    first = {file.name for file in result.write(tmp_path / "result").iterdir()}
    assert {file.name for file in result.write(tmp_path / "result").iterdir()} == first


def _rows(runs: Iterable[Replication]) -> Iterator[tuple[str, list[Any]]]:
    """What each table says of replications, taken from the objects one by one."""
    for each in runs:
        for group, own in each.metrics.items():
            yield from (("replications", [each.number, group, *figure]) for figure in own.items())
        for line in each.bill:
            yield "bill", [each.number, line.group, line.meter, line.quantity, line.unit, line.unit_price, line.amount]
        for month, amounts in each.daily_cost.by_month().items():
            for (group, kind), amount in zip(each.daily_cost.keys, amounts, strict=True):
                yield "cost_by_month", [each.number, group, month, kind, amount]
        for up in each.uptimes:
            promised = SERVICE_LEVELS[up.deployment].uptime
            minutes = [up.deployments, promised, up.deployed_min, up.down_min, up.uptime, up.worst, up.breaches]
            yield "sla", [each.number, up.month, up.name, str(up.deployment), *minutes, sum(up.credit_usd.values())]
        for group, hours in each.timeline.items():
            for hour, states in enumerate(hours.vms.tolist(), hours.first_hour):
                for state, vms in zip(PowerState, states, strict=True):
                    yield "timeline", [each.number, group, hour, str(state), vms]
        for group, curve in each.ready_curve.items():
            yield from (("ready_curve", [each.number, group, *point]) for point in curve.tolist())


def _fleet() -> sim.Scenario:
    """VMs that fail, are evicted, rebooted, needed, across the end of a month: every table has rows."""
    crashes = {"guest_crash": {"time_between": {"dist": "exponential", "mean": "1d"}}}
    spot = {"priority": "spot", "spot": {"eviction_per_hour": 0.05}}
    demand = {
        "schedule": {"days": "mon-fri", "on": "08:00:00", "off": "19:00:00"},
        "failures": {"AllocationFailed": 0.4},
    }
    groups = [{"name": "dev", "count": 2, "disks": ["P10"], **demand, **crashes}, {"name": "spot", "count": 1, **spot}]
    hosts = {
        "hosts": [{"name": "cluster", "count": 2, "vcpus": 96, "memory_gib": 768}],
        "maintenance": {
            "every": "1d",
            "impact": "reboot",
            "update_domains": 2,
            "between_domains": "30min",
            "freeze": "10s",
        },
    }
    start = {"start": "2026-01-30T00:00:00Z", "horizon": "4d", "platform": hosts}
    return sim.from_dict({"name": "tables", **start, "group": groups})


@pytest.mark.parametrize("held", [37, 500, 250_000])
def test_tables_say_what_each_replication_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int) -> None:
    """Written by column from what was kept: with other rows in some replications, and however many rows are held at a time."""
    monkeypatch.setattr("sim.runs.result_tables.ROWS_AT_ONCE", held)
    fleet = _fleet()
    kept = sim.RunCache(tmp_path / "cache")
    sim.run(fleet, replications=9, cache=kept)
    result = sim.run(fleet, replications=13, cache=kept)
    folder = result.write(tmp_path / "result")
    tables: dict[str, list[list[Any]]] = {}
    for name, row in _rows(result.replications):
        tables.setdefault(name, []).append(row)
    assert tables.keys() == {"replications", "bill", "cost_by_month", "sla", "timeline", "ready_curve"}
    assert len({len(each.ready_curve[""]) for each in result.replications}) > 1  # they aren't all alike
    for name, rows in tables.items():
        columns = [*pq.read_table(folder / f"{name}.parquet").to_pydict().values()]
        defined = [[None if cell != cell else cell for cell in row] for row in rows]
        kept_nan = rows if name in ("timeline", "ready_curve") else defined
        assert [list(row) for row in zip(*columns, strict=True)] == kept_nan, name
        file = pq.ParquetFile(folder / f"{name}.parquet")
        sizes = [file.metadata.row_group(place).num_rows for place in range(file.num_row_groups)]
        assert sizes == [held] * (len(rows) // held) + ([rest] if (rest := len(rows) % held) else [])
        if (folder / f"{name}.csv").exists():
            with (tmp_path / "wanted.csv").open("w", encoding="utf-8", newline="") as wanted:
                csv.writer(wanted, lineterminator="\n").writerows([file.schema_arrow.names, *defined])
            assert (folder / f"{name}.csv").read_bytes() == (tmp_path / "wanted.csv").read_bytes()


@pytest.mark.parametrize("nano", [0, 1, 2**53, 2**53 + 1, 2**62 + 12_345, -1, -(10**19)])
def test_amounts_of_columns_are_those_of_lines(nano: int) -> None:
    """Also where a float can't hold the whole number of nano-dollars."""
    assert dollars_of(np.array([[divmod(nano, HALF), divmod(1, HALF)]])).tolist() == [[nano / 10**9, 1e-09]]


def test_names_are_quoted_as_csv_asks_for(tmp_path: Path) -> None:
    """Whatever a plug-in calls its metric."""
    names = ["50 %s", 'a "b"', "c, d", "e\nf", "", " g ", "\0"]
    one = sim.run(
        sim.from_dict({"name": "one", "horizon": "1d", "group": [{"name": "dev", "count": 1}]}), replications=1
    )
    (first,) = one.replications
    runs = [
        replace(first, number=number, metrics={"": dict(zip(names, [number / 3, -0.0, *range(5)], strict=True))})
        for number in range(3)
    ]
    write_replications(tmp_path, Replications([pack(runs)], range(3)))
    wanted = [
        [str(number), "", name, str(value)]
        for number in range(3)
        for name, value in zip(names, [number / 3, -0.0, *map(float, range(5))], strict=True)
    ]
    with (tmp_path / "replications.csv").open(encoding="utf-8", newline="") as file:
        assert [*csv.reader(file)][1:] == wanted


def test_a_table_of_several_row_groups_reads_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever a row group ends: within a replication, between two of them."""
    result = sim.run(_fleet(), replications=9)
    whole = sim.read(result.write(tmp_path / "whole"))
    monkeypatch.setattr("sim.runs.result_tables.ROWS_AT_ONCE", 5)
    cut = sim.read(result.write(tmp_path / "cut"))
    assert pq.read_metadata(cut.folder / "bill.parquet").num_row_groups > 1
    for name in ("mean_bill", "cost_by_month", "cost_by_day", "uptimes"):
        ours, theirs = (np.array(_numbers(getattr(each, name))) for each in (cut, whole))
        assert len(theirs) > 1
        assert ours == pytest.approx(theirs, rel=1e-12), name
    for metric in result.metric_names("spot"):
        assert np.array_equal(cut.values(metric, "spot"), result.values(metric, "spot"), equal_nan=True), metric
    assert cut.ready_curve.keys() == whole.ready_curve.keys()
    for group, curves in whole.ready_curve.items():
        for ours, theirs in zip(cut.ready_curve[group], curves, strict=True):
            assert [each.tolist() for each in ours] == [each.tolist() for each in theirs]


def _numbers(found: Any) -> list[float]:
    """Every number in an answer, in order."""
    if isinstance(found, Mapping):
        found = [part for pair in found.items() for part in pair]
    if isinstance(found, float | int):
        return [float(found)]
    parts = found if isinstance(found, list | tuple) else asdict(found).values() if is_dataclass(found) else ()
    return [number for part in parts for number in _numbers(part)]


def test_figures_over_time_are_drawn_from_the_first_of_many_replications(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They say so; all others, and the tables, are of all replications."""
    result = sim.run(_fleet(), replications=9)
    monkeypatch.setattr("sim.runs.result_tables.ROWS_AT_ONCE", 50)
    monkeypatch.setattr("sim.runs.results.MOST_DRAWN", 4)
    folder = result.write(tmp_path / "result")
    page = sim.build_report(folder).read_text(encoding="utf-8")
    texts = {
        file.stem: re.sub(r"(<[^>]*>|\s)+", " ", file.read_text(encoding="utf-8"))
        for file in folder.glob("figures/*.svg")
    }
    drawn = {name for name, text in texts.items() if "drawn from the first 4 replications" in text}
    assert drawn == {"vms_by_state", "running_by_group", "ready_curve"}
    assert "mean over replications of the first 4" in page
    assert {group: len(own) for group, own in sim.read(folder).ready_curve.items()} == {"": 4, "dev": 4, "spot": 4}
    with (folder / "figures" / "running_by_group.csv").open() as file:
        running = [float(row["dev_mean_vms"]) for row in csv.DictReader(file)]
    column = [*PowerState].index(PowerState.RUNNING)
    first = [each.timeline["dev"].vms[:, column] for each in result.replications[:4]]
    assert running == pytest.approx(np.mean(first, axis=0), rel=1e-12)
    assert running != pytest.approx([hour.mean for hour in result.hourly("running", "dev")], rel=1e-12)


@pytest.mark.parametrize("names", [["nights, on", "x"], [0, 1]])
def test_figures_of_several_runs_say_of_which_they_are(tmp_path: Path, names: list[Any]) -> None:
    """A study's table: a first column of texts or of numbers, in both files."""
    runs = {name: sim.run(_fleet(), replications=3, seed=seed) for seed, name in enumerate(names)}
    write_figures(tmp_path, {name: run.replications for name, run in runs.items()}, "variant")
    wanted = [
        [name, *row] for name, run in runs.items() for table, row in _rows(run.replications) if table == "replications"
    ]
    defined = [[None if cell != cell else cell for cell in row] for row in wanted]
    table = pq.read_table(tmp_path / "replications.parquet")
    assert table.column_names == ["variant", "replication", "group", "metric", "value"]
    assert [list(row) for row in zip(*table.to_pydict().values(), strict=True)] == defined
    with (tmp_path / "wanted.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([table.column_names, *defined])
    assert (tmp_path / "replications.csv").read_bytes() == (tmp_path / "wanted.csv").read_bytes()

"""Files of timed operations: what is read, what is left out, and what `vmfleet fit --format operations` makes of them."""

from __future__ import annotations

import json
import math
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

import sim
from sim.azure.timed_operations import read_timed_operations
from sim.cli import main
from sim.errors import TraceError
from sim.report import figure_durations
from sim.traces.durations import fit_durations
from sim.traces.operations import read_operations

HEAD = "operation,seconds,os,status,started,source\n"
SECONDS = {"create": 60.0, "start": 10.0, "power_off": 12.0, "deallocate": 45.0, "delete": 40.0, "restart": 20.0}


def written(tmp_path: Path, text: str) -> Path:
    """A file of operations."""
    path = tmp_path / "operations.csv"
    path.write_text(text)
    return path


def record(*, days: int = 12, operations: dict[str, float] = SECONDS) -> str:
    """Some rows a day; Windows takes twice as long."""
    rng = np.random.default_rng(1)
    rows = [
        f"{name},{middle * (1 + (os == 'windows')) * math.exp(0.4 * rng.standard_normal()):.3f},{os},Succeeded,20{20 + day % 2}-01-{day + 1:02},a\n"
        for day in range(days) for os in ("linux", "windows") for name, middle in operations.items() for _ in range(2)
    ]  # fmt: skip
    return HEAD + "".join(rows)


def test_rows_that_say_nothing_are_left_out_and_counted(tmp_path: Path) -> None:
    """What had nothing to do, what was refused, what has no outcome; what failed late is kept as failed."""
    text = HEAD + (
        "Create,61.5,Linux,Succeeded,2020-01-01,a\n"
        "power off,0.2,linux,Succeeded,2020-01-01,a\n"
        "create,0.4,linux,Failed,2020-01-01,a\n"
        "create,300,linux,Failed,2020-01-01T10:00:00Z,a\n"
        "create,50,linux,,2020-01-01,a\n"
        "reapply,0.7,,Succeeded,2020-01-02,a\n"
    )
    found = read_operations(written(tmp_path, text))
    assert [(one.name, one.seconds, one.failed, one.os, one.year) for one in found.operations] == [
        ("create", 61.5, False, "linux", 2020), ("create", 300.0, True, "linux", 2020), ("reapply", 0.7, False, "", 2020),
    ]  # fmt: skip
    assert found.operations[0].cluster == found.operations[1].cluster != found.operations[2].cluster
    assert found.rows == 6
    assert [note.split(":")[1].split()[0] for note in found.notes] == ["1", "1", "1"]


def test_a_plain_file_needs_operation_and_seconds_only(tmp_path: Path) -> None:
    """Without day and source every row stands for itself, and that is said."""
    found = read_operations(written(tmp_path, "Operation,Duration_s\npoweroff,3\npower-off,4\n"))
    assert [one.name for one in found.operations] == ["power_off", "power_off"]
    assert len({one.cluster for one in found.operations}) == 2
    assert any("independent" in note for note in found.notes)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "no column says the operation"),
        ("operation,os\ncreate,linux\n", 1, "no column says the seconds"),
        (HEAD, None, "no rows"),
        (HEAD + "create,soon,linux,Succeeded,2020-01-01,a\n", 2, "'soon' is no duration"),
        (HEAD + "create,-1,linux,Succeeded,2020-01-01,a\n", 2, "'-1' is no duration"),
        (HEAD + "create,nan,linux,Succeeded,2020-01-01,a\n", 2, "'nan' is no duration"),
        (HEAD + "create,9,beos,Succeeded,2020-01-01,a\n", 2, "'beos' is not known"),
        (HEAD + "create,9,linux,Succeeded,yesterday,a\n", 2, "'yesterday' is no date"),
        (HEAD + "42,9,linux,Succeeded,2020-01-01,a\n", 2, "'42' is no operation"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, line: int | None, words: str) -> None:
    """File, line, column, value, and what would be right."""
    with pytest.raises(TraceError) as refused:
        read_operations(written(tmp_path, text))
    (fault,) = refused.value.faults
    assert words in fault.problem
    assert fault.line == line
    assert fault.hint or text == HEAD


def test_the_command_prints_groups_that_a_scenario_can_have(tmp_path: Path, capsys, monkeypatch) -> None:
    """Linux and Windows apart, each step with what it rests on, and the total of a create as it was measured."""
    monkeypatch.chdir(tmp_path)
    main_ok("fit", str(written(tmp_path, record())), "--format", "operations", "--quiet")
    text = 'name = "x"\nhorizon = "7d"\n' + capsys.readouterr().out
    groups = tomllib.loads(text)["group"]
    assert [group["os"] for group in groups] == ["linux", "windows"]
    assert "48 rows of 2020-2021 in 12 clusters" not in text  # a day's two rows of one OS are one cluster
    assert "24 rows of 2020-2021 in 12 clusters" in text
    plan = sim.from_dict(tomllib.loads(text)).fleet_plan()
    for group, factor in zip(plan.groups, (1, 2), strict=True):
        total = sum(group.durations_s[step].mean for step in ("allocating", "starting", "os_provisioning"))
        assert total == pytest.approx(factor * 60 * math.exp(0.08), rel=0.3)
        assert group.durations_s["deleting"].median == pytest.approx(factor * 40, rel=0.3)
    assert (tmp_path / "results" / "fit-operations" / "duration_create.csv").exists()


def test_operations_of_later_years_only(tmp_path: Path, capsys, monkeypatch) -> None:
    """`--since` leaves the rest out, and says how many."""
    monkeypatch.chdir(tmp_path)
    file = written(tmp_path, record(days=24))
    main_ok("fit", str(file), "--format", "operations", "--since", "2021")
    out = capsys.readouterr().out
    assert "24 rows of 2021 in 12 clusters" in out
    assert "left out: 288 that aren't known to be of 2021 or later" in out


def event(name: str, number: int, at: datetime, status: str, substatus: str = "") -> dict[str, object]:
    """One event of an Activity Log, as REST has it."""
    group = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines"
    return {
        "eventTimestamp": at.isoformat(), "operationName": {"value": f"Microsoft.Compute/virtualMachines/{name}"},
        "resourceId": f"{group}/vm-{number}", "correlationId": f"{name}-{number}", "status": {"value": status},
        "subStatus": {"value": substatus},
    }  # fmt: skip


def activity_log(tmp_path: Path) -> Path:
    """Ten days, each with a start of 20 s, a create of 90 s, an update of 5 s and a start without an end."""
    events = []
    for number in range(10):
        at = datetime(2026, 3, 1 + number, 7, tzinfo=UTC)
        for name, seconds, created in (
            ("start/action", 20, ""),
            ("write", 90, "Created"),
            ("deallocate/action", 5, ""),
        ):
            events.append(event(name, number, at, "Started"))
            events.append(event(name, number, at + timedelta(seconds=seconds + number / 10), "Succeeded", created))
        events.append(event("start/action", 100 + number, at, "Started"))
    path = tmp_path / "log.json"
    path.write_text(json.dumps({"value": events}))
    return path


def test_an_activity_log_is_read_by_pairs_of_events(tmp_path: Path) -> None:
    """Started and Succeeded of one correlation id are one operation; a day is a cluster; what has no end is left out."""
    found = read_timed_operations(activity_log(tmp_path))
    assert found is not None
    assert sorted({one.name for one in found.operations}) == ["create", "deallocate", "start"]
    assert {len({one.cluster for one in found.operations if one.name == name}) for name in ("create", "start")} == {10}
    assert [one.seconds for one in found.operations if one.name == "create"] == pytest.approx(
        [90 + number / 10 for number in range(10)]
    )
    assert any("10 whose end isn't in the log" in note for note in found.notes)
    assert read_timed_operations(written(tmp_path, HEAD)) is None


def test_the_command_fits_an_activity_log(tmp_path: Path, capsys, monkeypatch) -> None:
    """The same command, known by the file's content."""
    monkeypatch.chdir(tmp_path)
    main_ok("fit", str(activity_log(tmp_path)), "--format", "operations", "--quiet")
    linux, windows = tomllib.loads(capsys.readouterr().out)["group"]
    assert linux["durations"] == windows["durations"]
    assert linux["durations"]["deallocating"]["median"].startswith("5.")


def test_a_file_of_another_kind_is_named(tmp_path: Path, capsys) -> None:
    """Somebody's cost export is no list of operations."""
    file = written(
        tmp_path,
        "BilledCost,ChargePeriodStart,ChargePeriodEnd,BillingPeriodStart,ResourceId,ChargeCategory,ServiceName\n1,2,3,4,5,6,7\n",
    )
    with pytest.raises(SystemExit) as end:
        main(["fit", str(file), "--format", "operations"])
    assert end.value.code == 2
    assert "operation" in capsys.readouterr().err


def test_figures_have_their_numbers_and_the_same_bytes_twice(tmp_path: Path) -> None:
    """One for each operation; both guests in it; the lognormal beside what was seen."""
    found = fit_durations(read_operations(written(tmp_path, record())))
    first, second = figure_durations.draw(found), figure_durations.draw(found)
    assert [(one.svg, one.png, one.csv) for one in first] == [(one.svg, one.png, one.csv) for one in second]
    assert sorted(one.name for one in first) == sorted(f"duration_{name}" for name in SECONDS)
    head, *rows = [line.split(",") for line in first[0].csv.splitlines()]
    assert head == ["os", "seconds", "seen", "lognormal"]
    assert {row[0] for row in rows} == {"linux", "windows"}
    fit = found.of("create", "linux")
    assert fit is not None
    off = max(abs(float(row[2]) - float(row[3])) for row in rows if row[0] == "linux")
    assert off <= fit.of_family("lognormal").goodness.distance + 1e-9


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--window", "3d"), "--window: says nothing about operations"),
        (("--size", "Standard_D4s_v5"), "--size: says nothing about operations"),
        (("--law", "normal"), "--law normal: of operations it is one of"),
        (("--since", "2090"), "too little to fit"),
        (("--name", "a b"), "is not a group's name"),
    ],
)
def test_options_that_mean_nothing_here_are_refused(tmp_path: Path, capsys, monkeypatch, arguments, words) -> None:
    """Not passed over; and nothing is drawn."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(["fit", str(written(tmp_path, record())), "--format", "operations", *arguments])
    assert end.value.code == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


def main_ok(*arguments: str) -> None:
    """The command line, which must succeed."""
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    assert not end.value.code

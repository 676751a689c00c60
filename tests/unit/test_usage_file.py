"""A list of stays: what each cell may say, what is taken where it says nothing, and how what is wrong is named."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sim.billing.meters import RatedGroup
from sim.billing.stays import Stay, stays_of
from sim.billing.usage_file import StayFile, read_stays
from sim.errors import Fault, UsageError
from sim.lifecycle.power import PowerState

D4 = "Standard_D4s_v5"


def read(path: Path, text: str, **defaults: object) -> StayFile:
    """A list of stays with this text."""
    (path / "stays.csv").write_text(text, encoding="utf-8")
    return read_stays(path / "stays.csv", **defaults)  # type: ignore[arg-type]


def one(path: Path, columns: str, cells: str, **defaults: object) -> StayFile:
    """One stay of a D4s v5 from 0 to 3600 s with further cells."""
    return read(path, f"vm,state,start,end,{columns}\na,running,0,3600,{cells}\n", **{"size": D4, **defaults})


@pytest.mark.parametrize(
    ("written", "state"),
    [
        *((state.value, state) for state in PowerState),
        ("Running", PowerState.RUNNING),
        ("PowerState/deallocated", PowerState.DEALLOCATED),
        ("VM stopped", PowerState.STOPPED),
        ("Stopped (deallocated)", PowerState.DEALLOCATED),
        ("Stopped (allocated)", PowerState.STOPPED),
        ("PoweredOff", PowerState.STOPPED),
        ("Hibernated (deallocated)", PowerState.HIBERNATED),
        ("Deallocated (hibernated)", PowerState.HIBERNATED),
    ],
)
def test_a_state_is_read_as_portal_cli_and_documents_spell_it(tmp_path: Path, written: str, state: PowerState) -> None:
    """Whatever its case and with or without the code's prefix."""
    stays = read(tmp_path, f"vm,state,start,end\na,{written},0,3600\n", size=D4).stays
    assert list(PowerState)[stays.state[0]] is state


def test_what_a_file_doesn_t_say_is_the_caller_s_or_the_plainest(tmp_path: Path) -> None:
    """A Linux VM of regular priority without disks and address; its group is called by what its VMs have in common."""
    plain = RatedGroup(name=f"{D4} westeurope linux regular", size=D4, region="westeurope", os="linux")
    assert read(tmp_path, "vm,state,start,end\na,running,0,3600\n", size=D4).stays.groups == (plain,)
    given = read(
        tmp_path,
        "vm,state,start,end\na,running,0,3600\n",
        size="D2",
        region="eastus",
        os="Windows",
        disks=("P10", "E4"),
    )
    name = "D2 eastus Windows regular P10 E4"
    expected = RatedGroup(name=name, size="D2", region="eastus", os="windows", disks=("P10", "E4"))
    assert given.stays.groups == (expected,)


@pytest.mark.parametrize("between", [",", ";", "\t"])
def test_cells_are_parted_as_the_header_parts_them(tmp_path: Path, between: str) -> None:
    """Commas, or what a spreadsheet of another country writes."""
    text = "vm,state,start,end,size\na,running,0,3600,Standard_D2s_v5\n".replace(",", between)
    stays = read(tmp_path, text).stays
    assert [group.size for group in stays.groups] == ["Standard_D2s_v5"]
    assert stays.end_s == 3600.0


def test_a_file_s_own_cells_count_before_the_caller_s(tmp_path: Path) -> None:
    """All of them; an empty cell says nothing."""
    columns = "size,region,os,priority,hybrid_benefit,disks,public_ip,keeps_disks,group"
    cells = "Standard_D2s_v5,eastus,WINDOWS,Spot,true,P10; E4 ;,yes,1, web "
    full = RatedGroup(
        name="web", size="Standard_D2s_v5", region="eastus", os="windows", priority="spot", hybrid_benefit=True,
        disks=("P10", "E4"), public_ip=True, keeps_disks=True,
    )  # fmt: skip
    assert one(tmp_path, columns, cells, disks=("S4",)).stays.groups == (full,)
    flags = RatedGroup(
        name=f"{D4} westeurope linux regular S4 public_ip", size=D4, region="westeurope", disks=("S4",), public_ip=True
    )
    assert one(tmp_path, columns, ",,,,no,,TRUE,0,", disks=("S4",)).stays.groups == (flags,)


def test_dates_count_from_their_clock_hour_and_seconds_from_zero(tmp_path: Path) -> None:
    """Hours of a bill are clock hours: the first begins before the first stay. An empty end is the end of the file."""
    text = f"vm,state,start,end,size\na,running,2026-01-05T09:30:00+01:00,2026-01-05T10:00:00Z,{D4}\nb,stopped,2026-01-05T09:00,,{D4}\n"
    found = read(tmp_path, text)
    assert (found.start, found.end_s) == (datetime(2026, 1, 5, 8, tzinfo=UTC), 7200.0)
    rows = [
        (found.stays.groups[0].name, Stay(vm="a", state=PowerState.RUNNING, start_s=1800.0, end_s=7200.0)),
        (found.stays.groups[0].name, Stay(vm="b", state=PowerState.STOPPED, start_s=3600.0, end_s=7200.0)),
    ]
    expected = stays_of(found.stays.groups, rows)
    for name in ("vm", "state", "start", "end"):
        assert getattr(found.stays, name).tolist() == getattr(expected, name).tolist()
    found = read(tmp_path, f"vm,state,start,end,size\na,running,1e3,4600.5,{D4}\n")
    assert (found.start, found.end_s, found.stays.start[0] < found.stays.end[0]) == (None, 4600.5, True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("vm,state,start,end\na,running,0,1\n", "size: no such column"),
        ("vm,state,start,end,size\n,running,0,1,D4\n", "2: vm: is empty"),
        ("vm,state,start,end,size\na,running,,1,D4\n", "2: start: is empty"),
        ("vm,state,start,end,size\na,running,0,1,\n", "2: size: is empty"),
        ("vm,state,start,end,size\na,running,0,1,D4\na,,1,2,D4\n", "3: state: is empty"),
        ("vm,state,start,end,size\na,running,0,3162240001,D4\n", "3162240001 s is too long.*at most 3162240000 s"),
        ("vm,state,start,end,size\na,running,1969-12-31,2026-01-01,D4\n", "no instant of a cloud VM.*1970 to 2199"),
        ("vm,state,start,end,size\na,running,2026-01-01,2200-01-01,D4\n", "no instant of a cloud VM"),
        ("vm,state,start,end,size\na,running,0,2026-01-01,D4\n", "start, end: some are dates and some are seconds"),
        ("vm,state,start,end,size,public_ip\na,running,0,1,D4,maybe\n", "public_ip: 'maybe' is neither true nor false"),
        (
            "vm,state,start,end,size,group\na,running,0,1,D4,web\nb,running,0,1,D2,web\n",
            "group: web: its VMs aren't alike",
        ),
        (
            "vm,state,start,end,size,group\na,running,0,1,D4,web\na,running,1,2,D4,db\n",
            "VM a is in two groups, web and db",
        ),
        ("vm,state,start,end,size\na,running,5,1,D4\n", "VM a, running from .*: it ends before it starts"),
    ],
)
def test_a_wrong_cell_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    """File, line, column, and what would be right."""
    with pytest.raises(UsageError, match=message):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("header", "cells", "fault"),
    [
        ("public_ip", "maybe", Fault(field="public_ip", problem="'maybe' is neither true nor false", hint="true or false", value="maybe")),
        ("state", "asleep", Fault(field="state", problem="'asleep' is no power state", value="asleep", hint="one of "
            "creating, starting, running, stopping, stopped, deallocating, deallocated, hibernated")),
        ("start", "teatime", Fault(field="start", problem="'teatime' is no instant", value="teatime", hint="ISO 8601 like 2026-01-05T08:00:00Z, or seconds")),
        ("start", "1969-12-31", Fault(field="start", problem="'1969-12-31' is no instant of a cloud VM", value="1969-12-31", hint="years run from 1970 to 2199")),
        ("end", "3162240001", Fault(field="end", problem="3162240001 s is too long", value="3162240001", hint="at most 3162240000 s, a hundred years")),
        ("vm", " ", Fault(field="vm", problem="is empty", value="", hint="give one")),
    ],
)  # fmt: skip
def test_a_wrong_cell_is_a_fault_with_its_value_and_what_would_be_right(
    tmp_path: Path, header: str, cells: str, fault: Fault
) -> None:
    """All of it, in the third line of the file."""
    row = {"vm": "a", "state": "running", "start": "0", "end": "1", "size": "D4", "public_ip": "no"}
    lines = [",".join(row), ",".join(row.values()), ",".join((row | {header: cells}).values())]
    with pytest.raises(UsageError) as caught:
        read(tmp_path, "\n".join(lines) + "\n")
    (found,) = caught.value.faults
    assert found == replace(fault, file=found.file, line=3)
    assert found.file.endswith("stays.csv")


@pytest.mark.parametrize(
    ("cell", "means"),
    [("true", True), ("Yes", True), ("1", True), ("FALSE", False), ("no", False), ("0", False), (" ", False)],
)
def test_a_flag_is_one_of_these_words(tmp_path: Path, cell: str, means: bool) -> None:
    """Of all three flags."""
    for name in ("hybrid_benefit", "public_ip", "keeps_disks"):
        (group,) = read(tmp_path, f"vm,state,start,end,size,{name}\na,running,0,1,{D4},{cell}\n").stays.groups
        assert getattr(group, name) is means


def test_the_longest_time_and_the_first_and_last_year_are_allowed(tmp_path: Path) -> None:
    """A hundred years of seconds; dates of 1970 and of 2199."""
    assert read(tmp_path, f"vm,state,start,end,size\na,running,0,3162240000,{D4}\n").end_s == 3162240000.0
    found = read(tmp_path, f"vm,state,start,end,size\na,running,1970-01-01,2199-12-31,{D4}\n")
    assert found.start == datetime(1970, 1, 1, tzinfo=UTC)


def test_a_wrong_column_is_not_named_on_every_line(tmp_path: Path) -> None:
    """Twenty lines are enough."""
    with pytest.raises(UsageError) as caught:
        read(tmp_path, "vm,state,start,end,size\n" + "a,asleep,0,1,D4\n" * 30)
    assert str(caught.value).count("is no power state") == 20


def test_a_file_of_another_kind_is_called_by_its_name(tmp_path: Path) -> None:
    """With what the command reads."""
    columns = "ChargePeriodStart,ChargePeriodEnd,BilledCost,SkuMeter,ConsumedQuantity,ChargeCategory"
    with pytest.raises(UsageError, match=r"stays\.csv: this is a FOCUS 1\.1 export .*lists of stays and cost exports"):
        read(tmp_path, f"{columns}\n2024-01-01,2024-01-02,1,x,1,Usage\n")

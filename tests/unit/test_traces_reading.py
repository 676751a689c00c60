"""Each format of trace is read as its publisher wrote it, and an error in a file is reported with its line."""

from __future__ import annotations

import gzip
import math
import pickle
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from sim.errors import TraceError
from sim.traces import FORMATS, columns, external_sort, open_trace, text, trace
from sim.traces.packing import hash_of

DAY_S = 86400


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch):
    """No test sees a trace that another one read."""
    monkeypatch.setattr(trace, "opened_traces", {})


def rows_of(opened, **options):
    """All rows of a trace."""
    return np.concatenate(list(opened.blocks(**options)))


def write(path: Path, content: str) -> Path:
    """A file with this text."""
    path.write_text(content, encoding="utf-8")
    return path


def vmtable(*rows: tuple[object, ...]) -> str:
    """Rows (subscription, created, deleted, cores, memory) among the columns that are not needed."""
    lines = [f"vm{n},{a},dep{n},{b},{c},90.1,12.5,80.0,Unknown,{d},{e}\n" for n, (a, b, c, d, e) in enumerate(rows)]
    return "".join(lines)


AZURE_ROWS = (
    ("one", 0, 600, 2, 3.5),  # there before the window
    ("one", 300, 900, 1, 1.75),
    ("two", 300, 30 * DAY_S - 300, 1, 1.75),  # deleted at the last stamp: still alive
    ("two", 600, 600, 4, 7),
)


@pytest.mark.parametrize("packed", [False, True])
def test_the_table_of_2017_is_read_plain_and_packed(tmp_path, packed):
    """Gzip is recognised by the file's first bytes, not by its name, and read as it is."""
    file = tmp_path / "vmtable.csv"
    content = vmtable(*AZURE_ROWS).encode()
    file.write_bytes(gzip.compress(content) if packed else content)
    opened = open_trace(file, "azure-2017")
    rows = rows_of(opened)
    assert opened.window_s == 30 * DAY_S
    assert rows["created_s"].tolist() == [0, 300, 300, 600]
    assert rows["lifetime_s"].tolist() == [600, 600, math.inf, 0]
    assert rows["alive_at_start"].tolist() == [True, False, False, False]
    assert rows["vcpus"].tolist() == [2, 1, 1, 4]
    assert rows["memory_gib"].tolist() == [3.5, 1.75, 1.75, 7]
    assert rows["priority"].tolist() == [0, 0, 0, 0]
    assert len(set(rows["tenant"].tolist())) == 2
    assert (opened.rows, opened.still_alive, opened.alive_at_start) == (4, 1, 1)
    assert opened.vm_h == pytest.approx((600 + 600 + 30 * DAY_S - 300) / 3600, rel=1e-12)


def test_the_open_buckets_of_2019_stand_for_a_number_that_may_be_chosen(tmp_path):
    """The bucket ">24" has no value of its own: the publisher's notebook takes 30 and 70, and the trace says so."""
    file = write(tmp_path / "vmtable.csv", vmtable(("a", 300, 900, ">24", ">64"), ("a", 300, 900, 24, 64)))
    opened = open_trace(file, "azure-2019")
    assert rows_of(opened)["vcpus"].tolist() == [30, 24]
    assert any(">24" in line for line in opened.describe())
    chosen = open_trace(file, "azure-2019", over_vcpus=32, over_memory_gib=128)
    assert rows_of(chosen)["memory_gib"].tolist() == [128, 64]


def test_an_open_bucket_is_not_understood_in_2017(tmp_path):
    """The error of a mixed-up year names the cell."""
    file = write(tmp_path / "vmtable.csv", vmtable(("a", 300, 900, 2, 4), ("a", 300, 900, ">24", 4)))
    with pytest.raises(TraceError, match=r"vmtable\.csv:2: vmcorecount: '>24' is not a number"):
        open_trace(file, "azure-2017")


def packing_base(path: Path) -> Path:
    """Four requests: there before and gone within, gone after day 14, never seen to end, low priority."""
    with sqlite3.connect(path) as base:
        base.execute("CREATE TABLE vm (vmId, tenantId, vmTypeId, priority, starttime, endtime)")
        base.execute("CREATE TABLE vmType (id, vmTypeId, machineId, core, memory, hdd, ssd, nic)")
        base.executemany(
            "INSERT INTO vmType VALUES (?, ?, ?, ?, ?, 0, 0, 0)",
            [(0, 7, 2, 0.5, 0.5), (1, 7, 1, 0.25, 0.125), (2, 8, 1, 1, 1)],
        )
        base.executemany(
            "INSERT INTO vm VALUES (?, ?, ?, ?, ?, ?)",
            [(0, 3, 7, 0, 1.0, 20.0), (1, 3, 7, 0, -2.0, 0.5), (2, 4, 8, 1, 2.0, None), (3, 4, 8, 0, 13.0, 13.5)],
        )
    base.close()
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_the_packing_trace_is_read_with_its_ends_beyond_the_window(tmp_path, packed):
    """A replay sees 14 days; a fit may use that ends were recorded up to day 90."""
    file = packing_base(tmp_path / "packing.sqlite")
    if packed:
        file.write_bytes(gzip.compress(file.read_bytes()))
    opened = open_trace(file, "azure-packing-2020", machine_vcpus=64, machine_memory_gib=512)
    rows = rows_of(opened)
    days = rows["created_s"] / DAY_S
    assert days.tolist() == [0, 1, 2, 13]
    assert (rows["lifetime_s"] / DAY_S).tolist() == [0.5, math.inf, math.inf, 0.5]
    assert (rows["low_s"] / DAY_S).tolist() == [2.5, 19, 88, 0.5]
    assert (rows["high_s"] / DAY_S).tolist() == [2.5, 19, math.inf, 0.5]
    assert rows["priority"].tolist() == [0, 0, 1, 0]
    assert rows["vcpus"].tolist() == [16, 16, 64, 64]
    assert rows["memory_gib"].tolist() == [64, 64, 512, 512]
    assert rows["row"].tolist() == [1, 0, 2, 3]
    assert opened.alive_at_start == 1


def test_a_vm_that_was_gone_before_the_window_is_left_out(tmp_path):
    """It was created and deleted at t = 0; so was one of the 2017 trace that was gone before the user's origin."""
    file = packing_base(tmp_path / "packing.sqlite")
    with sqlite3.connect(file) as base:
        base.execute("INSERT INTO vm VALUES (4, 4, 8, 0, -3.0, -1.0)")
        base.execute("INSERT INTO vm VALUES (5, 4, 8, 0, -3.0, 0.0)")
    base.close()
    opened = open_trace(file, "azure-packing-2020")
    assert (opened.rows, opened.left_out, opened.alive_at_start) == (4, 2, 1)
    assert (rows_of(opened)["lifetime_s"] > 0).all()
    lines = "a,s,d,{},{},0,0,0,Unknown,2,4\n"
    table = write(tmp_path / "vms.csv", lines.format(0, 600) + lines.format(600, 90_000) + lines.format(80_000, 93_600))
    opened = open_trace(table, "azure-2017", origin_s=3600.0, window_s=86_400.0)
    assert (opened.rows, opened.left_out) == (2, 1)


def test_one_of_something_reads_right(tmp_path):
    """A VM of one kind; a trace said "1 VMs" and "1 kinds of VM"."""
    content = "created_s,vcpu,mem_gib,life_lo_s,life_hi_s,censored\n0,1,1,1000,1000,0\n"
    first, second, *_ = open_trace(write(tmp_path / "t.csv", content), "columns", window_s=10_001).describe()
    assert first.startswith("t.csv (columns): 1 VM in ")
    assert second == "0 were there at the start, 0 still at the end; 1 kind of VM"


def test_a_row_is_censored_at_the_end_of_its_own_watch(tmp_path):
    """Seen for 1,000 s and for 3,000 to 5,000 s, and then no more, in a window of 10,000 s: 1,000 s, the middle, and to the end."""
    content = "created_s,vcpu,mem_gib,life_lo_s,life_hi_s,censored\n0,1,1,1000,1000,1\n0,1,1,3000,5000,1\n0,1,1,9000,11000,1\n0,1,1,10000,10000,0\n"
    opened = open_trace(write(tmp_path / "t.csv", content), "columns", window_s=10_001)
    rows = rows_of(opened)
    assert rows["lifetime_s"].tolist() == [1000, 4000, math.inf, 10_000]
    assert rows["high_s"].tolist() == [math.inf, math.inf, math.inf, 10_000]  # a fit knows that they went on
    assert (opened.ended_early, opened.still_alive) == (2, 1)
    assert "last seen alive before the end, and replayed until then: 2" in opened.describe()


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ((9, 3, 7, 0, 5.0, 4.0), r":5: vm\.endtime: 4\.0 is wrong \(right is not before starttime, 5\.0\)"),
        ((9, 3, 7, 0, None, 4.0), r":5: vm\.starttime: None is wrong \(right is days from the beginning of the window\)"),
        ((9, 3, 7, 0, 5.0, "late"), r":5: vm\.endtime: 'late' is wrong \(right is days from the beginning of the window, or NULL\)"),
        ((9, 3, 7, 2, 5.0, 6.0), r":5: vm\.priority: 2 is wrong \(right is 0 \(high\) or 1 \(low\)\)"),
        ((9, 3, 99, 0, 5.0, 6.0), r":5: vm\.vmTypeId: 99 is wrong \(right is a vmTypeId of the table vmType\)"),
    ],
)  # fmt: skip
def test_a_wrong_row_of_the_packing_trace_is_named(tmp_path, row, says):
    """sqlite holds anything in any column."""
    file = packing_base(tmp_path / "packing.sqlite")
    with sqlite3.connect(file) as base:
        base.execute("INSERT INTO vm VALUES (?, ?, ?, ?, ?, ?)", row)
    base.close()
    with pytest.raises(TraceError, match=says):
        open_trace(file, "azure-packing-2020")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("DELETE FROM vm", "no rows in the table vm"),
        ("DROP TABLE vmType", r"table vmType has no .*: there is no such table \(vmType\(.*\) is needed\)"),
        ("ALTER TABLE vm RENAME COLUMN priority TO prio", r"table vm has no priority: it has .*prio"),
        ("UPDATE vmType SET core = 1.5", r"vmType\.core \(vmTypeId 7, machineId \d\): 1\.5 is no share of a machine \(a number above 0, at most 1"),
        ("UPDATE vmType SET memory = 'half'", r"vmType\.memory .*: 'half' is no share of a machine"),
    ],
)  # fmt: skip
def test_a_packing_trace_without_its_tables_says_what_is_needed(tmp_path, change, says):
    """A table emptied, missing, with a column of another name, or with shares that are none."""
    file = packing_base(tmp_path / "packing.sqlite")
    with sqlite3.connect(file) as base:
        base.execute(change)
    base.close()
    with pytest.raises(TraceError, match=says):
        open_trace(file, "azure-packing-2020")


@pytest.mark.parametrize("content", [b"created,deleted\n", b"PK\x03\x04rest", b""])
def test_what_is_no_sqlite_file_is_refused(tmp_path, content):
    """A zip archive, as it is published, gets a word of its own; none gives a traceback of sqlite's."""
    file = tmp_path / "packing.sqlite"
    file.write_bytes(content)
    with pytest.raises(TraceError, match=r"zip archive|not a sqlite file"):
        open_trace(file, "azure-packing-2020")


# --- columns


def test_columns_are_found_by_their_usual_names(tmp_path):
    """Seconds, deleted and an empty end; the window ends with the last instant in the file."""
    file = write(
        tmp_path / "t.csv", "VM,Created_S,Deleted,vCPU,mem_gib\na,7200,9000,2,4\nb,7260,,4,8\nc,8000,10800,2,4\n"
    )
    opened = open_trace(file, "columns")
    rows = rows_of(opened)
    assert opened.window_s == 3600
    assert rows["created_s"].tolist() == [0, 60, 800]
    assert rows["lifetime_s"].tolist() == [1800, math.inf, 2800]
    assert rows["low_s"].tolist() == [1800, 3540, 2800]
    assert opened.vm_sizes[rows["size"][1]].vcpus == 4


def test_instants_and_lifetimes_are_understood(tmp_path):
    """ISO instants with any offset; t = 0 is the whole hour of the first one, and the trace knows which."""
    content = (
        "created,lifetime,vcpus,memory,priority,size\n"
        "2026-01-05T08:10:00Z,60,2,8,spot,\n"
        "2026-01-05T10:00:00+01:00,120.5,,,low,Standard_D4s_v5\n"
        "2026-01-05T09:30:00Z,,2,8,regular,\n"
    )
    opened = open_trace(write(tmp_path / "t.csv", content), "columns", window_s=7200)
    rows = rows_of(opened)
    assert opened.start is not None
    assert opened.start.isoformat() == "2026-01-05T08:00:00+00:00"
    assert rows["created_s"].tolist() == [600, 3600, 5400]
    assert rows["lifetime_s"].tolist() == [60, 120.5, math.inf]
    assert rows["priority"].tolist() == [1, 1, 0]
    assert [opened.vm_sizes[one].size for one in rows["size"]] == ["", "Standard_D4s_v5", ""]


def test_a_vm_deleted_at_the_end_of_the_given_window_is_still_alive(tmp_path):
    """The observation ends there, so the rest is unknown; what comes later is left out and counted."""
    file = write(tmp_path / "t.csv", "created,deleted,vcpus,memory\n0,100,1,1\n10,200,1,1\n20,99,1,1\n100,150,1,1\n")
    opened = open_trace(file, "columns", window_s=100)
    rows = rows_of(opened)
    assert rows["lifetime_s"].tolist() == [math.inf, math.inf, 79]
    assert rows["low_s"].tolist() == [100, 90, 79]
    assert rows["high_s"].tolist() == [math.inf, math.inf, 79]
    assert opened.left_out == 1
    assert opened.vm_h == pytest.approx((100 + 90 + 79) / 3600)


def test_intervals_and_marks_of_censoring_are_understood(tmp_path):
    """The shape of the published one-day extract: bins of lifetimes, and the bin in which the watch ended."""
    content = (
        "created_s,batch_in_bin,vcpu,mem_gib,life_bin,life_lo_s,life_hi_s,censored,split\n"
        "36000,0,1,1.75,0,300,300,0,test\n36000,0,1,1.75,1,3900,7200,0,test\n36300,1,2,3.5,2,7500,9000,1,test\n"
        "36300,1,2,3.5,2,7500,9000,0,test\n"
    )
    opened = open_trace(write(tmp_path / "t.csv", content), "columns", window_s=8100)
    rows = rows_of(opened)
    assert rows["lifetime_s"].tolist() == [300, 5550, math.inf, (7500 + 7800) / 2]
    assert rows["low_s"].tolist() == [300, 3900, 7800, 7500]
    assert rows["high_s"].tolist() == [300, 7200, math.inf, 9000]
    assert len(set(rows["tenant"].tolist())) == 2


def test_names_of_columns_can_be_given(tmp_path):
    """And a name that is not in the header is met with the one that was meant."""
    file = write(tmp_path / "t.csv", "t_on,t_off,c,m\n0,10,1,2\n")
    columns = {"created": "t_on", "deleted": "t_off", "vcpus": "c", "memory": "m"}
    assert rows_of(open_trace(file, "columns", columns=columns))["lifetime_s"].tolist() == [10]
    with pytest.raises(TraceError, match=r"no column 't_of' for deleted.*did you mean 't_off'"):
        open_trace(file, "columns", columns={**columns, "deleted": "t_of"})


HEAD = "created,deleted,vcpus,memory,priority,size,censored\n"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("x,9,1,1,,,", r":3: created: 'x' is not a number"),
        (",9,1,1,,,", r":3: created: nothing is not a number"),
        ("nan,9,1,1,,,", r":3: created: 'nan' is not a number"),
        ("inf,9,1,1,,,", r":3: created: 'inf' is not a number"),
        ("5,4,1,1,,,", r":3: deleted: '4' is before the VM was created"),
        ("5,9,0,1,,,", r":3: vcpus: '0' is no room"),
        ("5,9,1,-2,,,", r":3: memory: '-2' is no room"),
        ("5,9,,1,,,", r":3: size: nothing is no size"),
        ("5,9,1,1,medium,,", r":3: priority: 'medium' is no priority \(one of regular, high"),
        ("5,9,1,1,,,maybe", r":3: censored: 'maybe' is neither yes nor no"),
        ("5,9,1,1", r":3: 4 columns \(a row has 7: created"),
        ("5,9,1,1,,,,,", r":3: 9 columns"),
        ("1e13,,1,1,,,", r":3: created: '1e13' is too far away \(times are seconds, not milliseconds"),
        ('"5,9,1,1,,,', r"not a row of a CSV file"),
    ],
)
def test_a_malformed_row_is_reported_with_line_column_value_and_what_is_right(tmp_path, row, says):
    """A file of a million rows can be fixed only if the error says where."""
    file = write(tmp_path / "t.csv", HEAD + "1,2,1,1,regular,,0\n" + row + "\n")
    with pytest.raises(TraceError, match=says) as output:
        open_trace(file, "columns")
    assert str(file) in str(output.value)


def test_all_issues_of_a_column_are_reported_up_to_ten(tmp_path):
    """One at a time would be tedious, a million at once no help."""
    file = write(tmp_path / "t.csv", HEAD + "x,2,1,1,,,\n" * 30)
    with pytest.raises(TraceError) as output:
        open_trace(file, "columns")
    assert [fault.line for fault in output.value.faults] == list(range(2, 12))
    assert output.value.faults[0].field == "created"


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("deleted,vcpus,memory", "no column for created"),
        ("created,vcpus,memory", "no column for deleted or lifetime"),
        ("created,deleted,vcpus", "no column for memory, nor for size"),
        ("created,life_lo_s,vcpus,memory", "one end of the lifetime's interval only"),
        ("", "no column for created"),
        ("created,deleted,vcpus,memory", "no rows under the header"),
    ],
)
def test_a_header_that_lacks_something_says_what_to_call_it(tmp_path, header, says):
    """Also the empty file, and the one that ends after its header."""
    with pytest.raises(TraceError, match=says):
        open_trace(write(tmp_path / "t.csv", header + "\n"), "columns")


@pytest.mark.parametrize(
    ("form", "content", "reading", "says"),
    [
        ("columns", "created,deleted,vcpus,memory\n7200,7200,1,1\n", {}, r"nothing happens after t = 0 \(give the window"),
        ("columns", "created,deleted,vcpus,memory\n1,2,1,1\n", {"origin_s": 10.0, "window_s": 5.0}, r"no VM lies inside the window \(check window and origin"),
        ("azure-2017", "", {}, r"no rows \(a row has 11 columns"),
    ],
)  # fmt: skip
def test_a_trace_in_which_nothing_happens_is_refused(tmp_path, form, content, reading, says):
    """A replay of it would answer with zeros."""
    with pytest.raises(TraceError, match=says):
        open_trace(write(tmp_path / "t.csv", content), form, **reading)


def test_memory_in_mebibytes_and_rows_outside_the_window_are_said(tmp_path):
    """1,792 MiB are 1.75 GiB; the second row lies after the window."""
    content = "created,deleted,vcpus,memory_mib\n10,20,1,1792\n500,600,1,1792\n"
    opened = open_trace(write(tmp_path / "t.csv", content), "columns", origin_s=0.0, window_s=100.0)
    assert rows_of(opened)["memory_gib"].tolist() == [1.75]
    assert "left out, as they lie outside the window: 1" in opened.describe()


def test_files_that_cannot_be_read_at_all_are_refused_in_words(tmp_path):
    """No such file, a folder, a broken gzip, another encoding, an unknown format, a silly window."""
    damaged = tmp_path / "damaged.csv.gz"
    damaged.write_bytes(gzip.compress(b"created,deleted,vcpus,memory\n" + b"1,2,3,4\n" * 9999)[:-30])
    latin = tmp_path / "latin.csv"
    latin.write_bytes("created,deleted,vcpus,memory,name\n1,2,1,1,\xe4\n".encode("latin-1"))
    for file, says in (
        (tmp_path / "none.csv", "can't be read"),
        (tmp_path, "folder"),
        (damaged, "damaged"),
        (latin, "UTF-8"),
    ):
        with pytest.raises(TraceError, match=says):
            open_trace(file, "columns")
    file = write(tmp_path / "t.csv", "created,deleted,vcpus,memory\n1,2,1,1\n")
    with pytest.raises(TraceError, match=f"there are {', '.join(FORMATS)}"):
        open_trace(file, "azure-2018")
    with pytest.raises(TraceError, match="window_s = -1"):
        open_trace(file, "columns", window_s=-1)


def test_quotes_blank_lines_and_a_byte_order_mark_do_no_harm(tmp_path):
    """Spreadsheets write them; the careful reader gives what the fast one would."""
    file = write(tmp_path / "t.csv", '\ufeffcreated,deleted,vcpus,memory,name\n\n"1",5,1,2,"a, b"\n\n2,4,1,2,c\n\n')
    rows = rows_of(open_trace(file, "columns"))
    assert rows["created_s"].tolist() == [1, 2]
    assert rows["lifetime_s"].tolist() == [4, 2]


def test_a_file_out_of_order_is_sorted_outside_memory(tmp_path, monkeypatch):
    """Runs of a few lines are merged; VMs of one instant keep the file's order, whatever the size of a run."""
    rng = np.random.default_rng(5)
    created = rng.integers(0, 40, 5000)
    lines = "".join(f"{one},{one + 3},{1 + number % 3},1\n" for number, one in enumerate(created))
    file = write(tmp_path / "t.csv", "created,deleted,vcpus,memory\n" + lines)
    expected = np.lexsort((np.arange(5000), created))
    for lines_each, rows_at_once in ((250, 1 << 16), (1000, 90), (100_000, 1 << 16)):
        monkeypatch.setattr(trace, "opened_traces", {})
        monkeypatch.setattr(trace, "ROWS_AT_ONCE", rows_at_once)
        monkeypatch.setattr(text, "LINES_AT_ONCE", lines_each)
        opened = open_trace(file, "columns")
        assert np.array_equal(rows_of(opened)["row"], expected)
        assert np.array_equal(rows_of(opened, rows_each=99)["row"], expected)


def test_lines_without_a_row_do_no_harm_wherever_a_batch_of_lines_ends(tmp_path, monkeypatch):
    """A batch may be all blank lines: the rows after it count on."""
    file = write(tmp_path / "t.csv", "created,deleted,vcpus,memory\n0,5,1,1\n\n\n\n7,9,2,4\n\n")
    for lines_each in (2, 100):
        monkeypatch.setattr(trace, "opened_traces", {})
        monkeypatch.setattr(text, "LINES_AT_ONCE", lines_each)
        rows = rows_of(open_trace(file, "columns"))
        assert (rows["created_s"].tolist(), rows["row"].tolist()) == ([0, 7], [0, 1])
    write(file, "created,deleted,vcpus,memory\n\n0,5,1,1\n\nx,9,2,4\n")
    with pytest.raises(TraceError, match=r"t\.csv:5: created: 'x' is not a number"):
        open_trace(file, "columns")


def test_ten_rows_of_a_wrong_length_are_reported_and_no_more(tmp_path):
    """A file of another kind isn't listed whole."""
    file = write(tmp_path / "t.csv", "created,deleted,vcpus,memory\n" + "0,5,1\n" * 12)
    with pytest.raises(TraceError) as refused:
        open_trace(file, "columns")
    assert [each.line for each in refused.value.faults] == list(range(2, 12))
    assert {each.problem for each in refused.value.faults} == {"3 columns"}


def test_too_many_kinds_of_vm_mean_another_column(tmp_path, monkeypatch):
    """Shares of a machine or a memory in use are no sizes."""
    monkeypatch.setattr(columns, "MOST_VM_SIZES", 3)
    file = write(tmp_path / "t.csv", "created,deleted,vcpus,memory\n" + "".join(f"0,5,1,{n}\n" for n in range(1, 5)))
    with pytest.raises(TraceError, match=r"more than 3 kinds of VM \(are vcpus, memory and size the right columns"):
        open_trace(file, "columns")


def test_the_step_of_the_clock_can_be_given(tmp_path):
    """Else it would be what divides all times, where there are rows enough to tell."""
    file = write(tmp_path / "t.csv", "created,deleted,vcpus,memory\n0,600,1,1\n")
    assert open_trace(file, "columns").stamp_s == 0
    assert open_trace(file, "columns", stamp_s=300).stamp_s == 300


def test_a_batch_outside_the_window_is_no_batch(tmp_path):
    """Of a file with a window of its own, batches hold only the VMs inside it."""
    file = write(tmp_path / "t.csv", "created,deleted,vcpus,memory\n0,5,1,1\n70,90,1,1\n")
    opened = open_trace(file, "columns", window_s=50)
    assert [block["created_s"].tolist() for block in opened.blocks(1)] == [[0]]


def test_a_tenant_of_any_form_has_a_number_of_its_own():
    """Numbers of the data set stay below those of texts; 0 is none."""
    numbers = [hash_of(tenant) for tenant in (None, 0, 7, "7", 2**63, "a")]
    assert numbers[:3] == [0, 1, 8]
    assert min(numbers[3:]) >= 2**63
    assert len(set(numbers)) == len(numbers)
    assert max(numbers) < 2**64


def test_a_trace_is_read_once_and_travels_to_another_process_by_its_name(tmp_path):
    """Replications replay the same rows; workers read the file themselves, and a changed file is read anew."""
    file = write(tmp_path / "t.csv", "created,deleted,vcpus,memory\n0,5,1,1\n")
    opened = open_trace(file, "columns", window_s=50)
    assert open_trace(file, "columns", window_s=50) is opened
    assert open_trace(file, "columns", window_s=60) is not opened
    trace.opened_traces.clear()
    travelled = pickle.loads(pickle.dumps(opened))
    assert travelled is not opened
    assert travelled.window_s == 50
    assert np.array_equal(rows_of(travelled), rows_of(opened))
    write(file, "created,deleted,vcpus,memory\n0,5,1,1\n1,5,1,1\n")
    assert open_trace(file, "columns", window_s=50).rows == 2


@pytest.mark.slow
def test_memory_is_bounded_by_the_block_not_by_the_file(tmp_path, monkeypatch):
    """Four times the rows take no more memory at their peak: the rest lies on the disk."""
    import tracemalloc

    monkeypatch.setattr(external_sort, "IN_MEMORY_BYTES", 1 << 20)
    monkeypatch.setattr(trace, "ROWS_AT_ONCE", 8192)
    monkeypatch.setattr(text, "LINES_AT_ONCE", 10_000)
    peaks = []
    for rows in (60_000, 240_000):
        file = tmp_path / f"{rows}.csv"
        with file.open("w") as stream:
            stream.write("created,lifetime,vcpus,memory\n")
            for first in range(0, rows, 1000):
                stream.write("".join(f"{rows - first - n},60,1,2\n" for n in range(1000)))
        tracemalloc.start()
        opened = open_trace(file, "columns")
        assert sum(len(block) for block in opened.blocks(8192)) == rows
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.25 * peaks[0]

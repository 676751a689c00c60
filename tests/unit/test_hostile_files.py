"""Every reader meets files that its libraries choke on, and says what is wrong in words: never a traceback."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest

import sim
from sim import catalog
from sim.billing.invoice import read_invoice
from sim.billing.money import split
from sim.billing.usage_file import read_stays
from sim.errors import CatalogueError, Fault, InputError, ScenarioError, TraceError, UsageError
from sim.traces import open_trace

STAY = "vm,state,start,end,size\nv,running,{start},{end},Standard_D4s_v5\n"
FOCUS = (
    "ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ConsumedQuantity,BilledCost,ServiceCategory,RegionId,SkuMeter,"
    "SkuPriceDetails\n{start},2026-01-05T01:00:00Z,Usage,1,0.2,Compute,westeurope,compute.linux,{details}\n"
)
DAY = "2026-01-05T00:00:00Z"


@pytest.mark.parametrize(
    "text, said",
    [
        (STAY.format(start="0206-01-05T00:00:00Z", end=DAY), ":2: start: '0206-01-05T00:00:00Z' is no instant"),
        (STAY.format(start="0001-01-01T00:00:00+14:00", end=DAY), ":2: start: '0001-01-01"),
        (STAY.format(start="0", end="1e13"), ":2: end: 1e13 s is too long"),
        (STAY.format(start=DAY, end="x" * 100_000), ":2: a cell is longer than"),
        (STAY.format(start=DAY, end="x" * 140_000), ":2: not a row of a CSV table"),
    ],
    ids=["year-206", "year-1", "year-318857", "long-cell", "library-limit"],
)
def test_a_usage_file_with_an_absurd_cell_is_refused(tmp_path: Path, text: str, said: str):
    """A stay from the year 206 was billed 3.67 million USD; one to the year 318,857 filled the memory with hours."""
    (tmp_path / "use.csv").write_text(text)
    with pytest.raises(UsageError) as refused:
        read_stays(tmp_path / "use.csv")
    assert said in str(refused.value)


def test_a_fault_names_the_line_on_which_its_row_begins(tmp_path: Path):
    """Blank lines, and line ends inside quotes, are lines too."""
    rows = f'\nvm,state,start,end,size\n\n"v\n1",running,{DAY},,Standard_D4s_v5\n"v\n2",walking,{DAY},,Standard_D4s_v5\nv3,lying,{DAY},,s\n'
    (tmp_path / "use.csv").write_text(rows)
    with pytest.raises(UsageError) as refused:
        read_stays(tmp_path / "use.csv")
    assert [(fault.line, fault.value) for fault in refused.value.faults] == [(6, "walking"), (8, "lying")]
    (tmp_path / "use.csv").write_text("\nvm,state\n")
    with pytest.raises(UsageError) as refused:
        read_stays(tmp_path / "use.csv")
    assert {fault.line for fault in refused.value.faults} == {2}


@pytest.mark.parametrize(
    "text, listed",
    [
        (FOCUS.format(start="0001-01-01T00:00:00+14:00", details=""), "is no period"),
        (FOCUS.format(start=DAY, details="[" * 20_000), "is not in"),
        (FOCUS.format(start=DAY, details="").replace("0.2", "1e18"), "cost '1e18' is too large"),
        (
            FOCUS.format(start=DAY, details="").replace("Usage,1,", "Usage,-1e300,"),
            "ConsumedQuantity '-1e300' is too large",
        ),
    ],
    ids=["year-1", "deep-cell", "cost-1e18", "quantity-1e300"],
)
def test_an_absurd_row_of_an_invoice_is_listed(tmp_path: Path, text: str, listed: str):
    """No row stops an invoice."""
    (tmp_path / "use.csv").write_text(text)
    (row,) = read_invoice(tmp_path / "use.csv", catalog.load_bundled()).listed
    assert listed in row.meter.reason


@pytest.mark.parametrize("length", [100_000, 140_000])
def test_an_endless_cell_of_an_invoice_is_refused(tmp_path: Path, length: int):
    """It is no table then."""
    (tmp_path / "use.csv").write_text(FOCUS.format(start=DAY, details="x" * length))
    with pytest.raises(UsageError, match=":2: "):
        read_invoice(tmp_path / "use.csv", catalog.load_bundled())


def test_money_beyond_a_cloud_is_refused(tmp_path: Path):
    """Quantities and prices that no bill could hold: 10^18 reservations were accepted, and overflowed the export."""
    head = 'name = "x"\nhorizon = "2d"\n[[group]]\nname = "g"\ncount = 1\n'
    commitment = head + '[[commitment]]\nname = "r"\nterm = "1y"\n'
    reserved = commitment + 'kind = "reservation"\nsize = "Standard_D4s_v5"\nquantity = {}\n'
    plan = commitment + 'kind = "savings-plan"\nhourly = {}\n'
    override = head + '[prices.override."Standard_D4s_v5"]\nlinux = {}\n'
    disk = head + "[prices.override_disks]\nP10 = {}\n"
    batch = 'name = "x"\nhorizon = "2d"\n[[group]]\nname = "g"\n[group.arrivals]\nrate = 1.0\nlifetime = "1h"\n'
    batch += "batch = {{ sizes = [1], weights = [{}] }}\n"
    cases = ((reserved, "quantity"), (plan, "hourly"), (override, "linux"), (disk, "P10"), (batch, "weights"))
    for text, key in cases:
        (tmp_path / "x.toml").write_text(text.format(1_000_000_000))
        sim.load(tmp_path / "x.toml")
        (tmp_path / "x.toml").write_text(text.format(f"{10**18}.0" if key != "quantity" else 10**18))
        with pytest.raises(ScenarioError, match=r"at most 1") as refused:
            sim.load(tmp_path / "x.toml")
        assert key in refused.value.faults[0].field
    with pytest.raises(InputError, match=r"one line of the bill is 18,446,744,074; .* up to 4\.6 billion"):
        split(2**64, np.ones(2))
    assert split(2**62, np.ones(2)).sum() == 2**62


@pytest.mark.parametrize("trust", ["[]", "{}", "3", "null"])
def test_a_catalogue_whose_trust_is_no_text_is_refused(tmp_path: Path, trust: str):
    """A list can't be looked up in a set."""
    head = '{"format": "vmfleet-catalogue", "version": 1, "currency": "USD", "sizes": {}, '
    (tmp_path / "c.json").write_text(
        head + f'"prices": [{{"region": "x", "source": "s", "trust": {trust}, "terms": ["linux"], "per_h": {{}}}}]}}'
    )
    with pytest.raises(CatalogueError, match=r"prices\[0\]\.trust"):
        catalog.load(tmp_path / "c.json")


@pytest.mark.parametrize("terms", ["[[]]", "[{}]", "[3]"])
def test_a_catalogue_whose_terms_are_no_texts_is_refused(tmp_path: Path, terms: str):
    """The same for lists of lists."""
    head = '{"format": "vmfleet-catalogue", "version": 1, "currency": "USD", "sizes": {}, '
    (tmp_path / "c.json").write_text(
        head + f'"prices": [{{"region": "x", "source": "s", "trust": "list", "terms": {terms}, "per_h": {{}}}}]}}'
    )
    with pytest.raises(CatalogueError, match=r"prices\[0\]\.terms"):
        catalog.load(tmp_path / "c.json")


def test_a_scenario_that_is_a_pipe_or_a_device_is_refused(tmp_path: Path):
    """Read at once, the one would wait for ever, the other fill the memory."""
    os.mkfifo(tmp_path / "s.toml")
    for path in (tmp_path / "s.toml", Path("/dev/zero")):
        with pytest.raises(ScenarioError, match="no regular file"):
            sim.load(path)
    (tmp_path / "big.toml").write_bytes(b"#" * (17 * 2**20))
    with pytest.raises(ScenarioError, match="more than 16,777,216 bytes"):
        sim.load(tmp_path / "big.toml")


def test_a_price_of_400_digits_is_refused(tmp_path: Path):
    """No float holds it."""
    (tmp_path / "p.json").write_text('{"Items": [{"retailPrice": 1' + "0" * 400 + "}]}")
    with pytest.raises(CatalogueError, match="401 digits is too large"):
        catalog.import_pages([tmp_path / "p.json"])


def test_a_view_in_a_packing_trace_is_refused(tmp_path: Path):
    """A recursive view has rows without end."""
    with sqlite3.connect(tmp_path / "t.sqlite") as base:
        base.execute("CREATE TABLE vmType (vmTypeId, machineId, core, memory)")
        base.execute(
            "CREATE VIEW vm AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS vmId, "
            "1 AS tenantId, 1 AS vmTypeId, 0 AS priority, 0.0 AS starttime, NULL AS endtime FROM n"
        )
    base.close()
    with pytest.raises(TraceError, match="vm is a view, not a table"):
        open_trace(tmp_path / "t.sqlite", "azure-packing-2020").count  # noqa: B018  read now


def test_a_long_cell_among_many_rows_of_a_trace_is_refused(tmp_path: Path):
    """As columns of fixed width, 20,000 rows beside one cell of 100 kB were 7 GiB."""
    rows = "".join(f"{row},{row + 60},4,16\n" for row in range(20_000))
    (tmp_path / "t.csv").write_text(f"created,deleted,vcpus,memory_gib\n{rows}1,2,4,{'x' * 100_000}\n")
    with pytest.raises(InputError, match=r"t\.csv:20002: a cell is longer"):
        open_trace(tmp_path / "t.csv", "columns").count  # noqa: B018  read now


def test_a_refusal_quotes_no_whole_book():
    """A cell of 20,000 letters stands in the message with its begin."""
    assert len(str(Fault(field="x", problem=f"{'[' * 20_000!r} is no JSON object", file="f.csv", line=2))) < 1_100


def test_a_trace_row_of_the_year_26_is_refused(tmp_path: Path):
    """Out of the bounds of nanoseconds, which is an error of the library's own."""
    (tmp_path / "t.csv").write_text("created,deleted,vcpus,memory_gib\n0026-01-05T01:30:00Z,2026-01-05T02:00:00Z,2,8\n")
    with pytest.raises(TraceError, match=r"t\.csv:2: created: '0026-01-05T01:30:00Z' is (not an|no) instant"):
        open_trace(tmp_path / "t.csv", "columns").count  # noqa: B018  read now

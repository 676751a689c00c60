"""Names that end in thousands of digits are no sizes, tiers or units: refused in words; Python itself reads no such number."""

import sqlite3
from pathlib import Path

import pytest

from sim import catalog
from sim.catalog.disks import tier_gib
from sim.catalog.price_files import read_documents
from sim.errors import CatalogueError, InputError
from sim.traces.trace import open_trace

DIGITS = "9" * 5000


def test_a_size_of_thousands_of_digits_is_not_there():
    """The nearest sizes are looked for by version."""
    with pytest.raises(CatalogueError, match="not in the bundled catalogue"):
        catalog.load(None).get_size(f"Standard_D4s_v{DIGITS}")


@pytest.mark.parametrize("kind", "PES")
def test_a_disk_tier_of_thousands_of_digits_is_none(kind: str):
    """Nor one of a number that is not sold."""
    assert tier_gib(f"{kind}{DIGITS}") is None
    assert tier_gib(f"{kind}10") == 128


def test_a_price_table_without_a_row_is_refused(tmp_path: Path):
    """Empty but for what is no row."""
    file = tmp_path / "prices.csv"
    file.write_text("\n \n")
    with pytest.raises(InputError):
        read_documents(file)


def test_a_database_whose_texts_are_no_text_is_refused(tmp_path: Path):
    """A damaged page: bytes that are no UTF-8 where the names of tables stand."""
    file = tmp_path / "t.sqlite"
    with sqlite3.connect(file) as base:
        base.execute("CREATE TABLE vm (vmId INTEGER)")
    file.write_bytes(file.read_bytes().replace(b"vmId", b"\xb0\xb0Id"))
    with pytest.raises(InputError, match=r"not a sqlite file that can be read|has no|no such table"):
        open_trace(file, "azure-packing-2020")

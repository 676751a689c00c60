"""What a US dollar is worth in other currencies: the dated table by which the platform converts its own price pages."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from sim.fields.defaults import Sourced, Trust

RATES_FILE = Path(__file__).parent / "bundled" / "currencies.json"


def currencies() -> tuple[str, ...]:
    """The codes of the currencies in the bundled table."""
    return tuple(_table()["per_usd"])


def per_usd(currency: str) -> Sourced | None:
    """Units of a currency for one US dollar, with source and date; None for a currency that the table lacks.

    >>> per_usd("usd").value
    1.0
    """
    table, code = _table(), currency.strip().upper()
    if code not in table["per_usd"]:
        return None
    source = f"{table['source']}, {table['read']}"
    return Sourced(value=table["per_usd"][code], unit=f"{code} per USD", source=source, trust=Trust.LIST_PRICE)


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(RATES_FILE.read_text(encoding="utf-8"))
    return table

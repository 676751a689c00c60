"""The bundled currency table: what a dollar is worth, by which source, on which day."""

from dataclasses import fields

import pytest

from sim.billing.conversion import converted
from sim.catalog import Term, Trust, currencies, load_bundled, per_usd


def test_a_rate_says_unit_source_and_day():
    """Azure's calculator of 2026-01-26: 0.8498342823149486 EUR for a dollar."""
    euro = per_usd("EUR")
    assert euro is not None
    assert euro.value == 0.8498342823149486
    assert euro.unit == "EUR per USD"
    assert "2026-01-26" in euro.source and "azure-vm-price-importer" in euro.source
    assert euro.trust is Trust.LIST_PRICE


def test_the_table_has_24_currencies_and_no_more():
    """The dollar is one of them, at 1; a currency without a rate has none, not 1."""
    assert len(currencies()) == 24
    assert all(per_usd(code).value > 0 for code in currencies())
    assert per_usd("USD").value == 1.0
    assert per_usd(" jpy ").value == 155.95000093258102
    assert per_usd("CNY") is None
    assert per_usd("") is None


def test_every_price_is_converted_and_the_discount_is_taken_of_pay_as_you_go_alone():
    """At 0.5 EUR a dollar with 20 % off: 0.4 of a D4's list price, a disk's, an address's and a GB's; 0.5 of what has no discount."""
    listed, region, size = load_bundled(), "westeurope", "Standard_D4s_v5"
    found = converted(listed, "EUR", 0.5, discount=0.2)
    for term in Term:
        before, after = (each.price_per_h(size, region, term.value) for each in (listed, found))
        share = 0.4 if term.value in {"linux", "windows"} else 0.5
        assert after == (None if before is None else pytest.approx(share * before)), term
    assert found.disk("P10", region).per_month == pytest.approx(0.4 * listed.disk("P10", region).per_month)
    assert found.public_ip_per_h(region) == pytest.approx(0.4 * listed.public_ip_per_h(region))
    others = [
        (before.per_unit[name], after.per_unit[name])
        for before, after in zip(listed.meter_blocks, found.meter_blocks, strict=True)
        for name in before.per_unit
    ]
    assert others
    assert [after for _, after in others] == pytest.approx([0.4 * before for before, _ in others])
    blocks = {each.name for each in fields(listed) if each.name.endswith("_blocks")}
    assert blocks == {"price_blocks", "disk_blocks", "address_blocks", "meter_blocks"}, (
        "a new kind of price is converted, too"
    )

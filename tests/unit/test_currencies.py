"""The bundled currency table: what a dollar is worth, by which source, on which day."""

from dataclasses import fields

import pytest

from sim.billing.conversion import Conversion, conversion, converted
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


EURO, YEN = 0.8498342823149486, 155.95000093258102


@pytest.mark.parametrize(
    ("listed", "wanted", "given", "found"),
    [
        ("USD", "EUR", None, Conversion(rate=EURO, source=per_usd("EUR").source, per_usd=EURO)),
        ("EUR", "JPY", None, Conversion(rate=YEN / EURO, source=per_usd("JPY").source, per_usd=YEN)),
        ("USD", "EUR", 0.9, Conversion(rate=0.9, source="given", per_usd=0.9)),
        ("USD", "CNY", 7.0, Conversion(rate=7.0, source="given", per_usd=7.0)),
        ("EUR", "EUR", None, Conversion(rate=1.0, source="", per_usd=EURO)),
        ("CNY", "CNY", None, Conversion(rate=1.0, source="", per_usd=1.0)),
        ("USD", "CNY", None, Conversion(rate=None, source="no rate for CNY is bundled", per_usd=1.0)),
        ("CNY", "EUR", None, Conversion(rate=None, source="no rate for CNY is bundled", per_usd=1.0)),
    ],
)
def test_a_list_is_converted_at_the_given_rate_else_at_the_bundled_one(listed, wanted, given, found):
    """From yen to euros by way of the dollar; a rate that isn't known is none, with the currency that lacks it."""
    assert conversion(listed, wanted, given) == found


def test_a_list_that_nothing_changes_is_itself():
    """The same currency at 1 without a discount; a discount alone, or a rate alone, makes another list, which says what was done."""
    listed = load_bundled()
    assert converted(listed, "USD", 1.0) is listed
    for currency, rate, discount in (("USD", 1.0, 0.1), ("USD", 2.0, 0.0), ("EUR", 1.0, 0.0)):
        found = converted(listed, currency, rate, discount, "what was done")
        assert (found.currency, found.adjusted) == (currency, "what was done")
        assert found.price_per_h("Standard_D4s_v5", "westeurope", "linux") == pytest.approx(
            0.23 * rate * (1 - discount)
        )


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

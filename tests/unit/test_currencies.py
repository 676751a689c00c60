"""The bundled currency table: what a dollar is worth, by which source, on which day."""

from sim.catalog import Trust, currencies, per_usd


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

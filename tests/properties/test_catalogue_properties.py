"""What holds of every catalogue, size and price list, whatever the figures."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.catalog import import_pages, load_bundled, tier_for, tier_gib
from sim.catalog.sizes import arm_name, size_key
from sim.errors import CatalogueError

BUNDLED = load_bundled()
prices = st.floats(min_value=1e-6, max_value=1000.0, allow_nan=False)


@given(
    name=st.sampled_from(sorted(BUNDLED.sizes)),
    upper=st.booleans(),
    blank=st.sampled_from(["_", " "]),
    short=st.booleans(),
)
def test_every_size_is_found_under_every_spelling(name: str, upper: bool, blank: str, short: bool) -> None:
    """No two sizes may share a spelling, and none may be out of reach."""
    spelt = name.removeprefix("Standard_") if short else name
    spelt = spelt.replace("_", blank)
    assert BUNDLED.get_size(spelt.upper() if upper else spelt).name == name
    assert size_key(arm_name(spelt)) == size_key(name)


@given(text=st.text(max_size=30))
def test_any_text_is_a_size_or_an_error_that_repeats_it(text: str) -> None:
    """Never another kind of exception."""
    if size_key(text) in {size_key(name) for name in BUNDLED.sizes}:
        assert size_key(BUNDLED.get_size(text).name) == size_key(text)
    else:
        with pytest.raises(CatalogueError, match=re.escape(repr(text))):
            BUNDLED.get_size(text)


@given(gib=st.floats(min_value=0.001, max_value=32767), kind=st.sampled_from("PES"))
def test_a_disk_fits_its_tier_and_not_the_one_below(gib: float, kind: str) -> None:
    """Rounded up, never down, never two steps."""
    capacity = tier_gib(tier_for(gib, kind))
    assert capacity is not None
    assert gib <= capacity
    smallest = 32 if kind == "S" else 4
    assert gib > capacity / 2 or capacity == smallest or capacity == 32767


@given(factor=st.floats(min_value=0.1, max_value=10.0), size=st.sampled_from(["Standard_D4s_v5", "Standard_B2ms"]))
def test_doubling_the_prices_doubles_compute_and_licence(factor: float, size: str) -> None:
    """Prices are linear; a licence is a difference of two."""
    region = "westeurope"
    both = {term: factor * BUNDLED.price_per_h(size, region, term) for term in ("linux", "windows")}
    mine = BUNDLED.with_overrides(region, {size: both})
    assert mine.price_per_h(size, region, "linux") == factor * BUNDLED.price_per_h(size, region, "linux")
    assert mine.licence_per_h(size, region) == pytest.approx(factor * BUNDLED.licence_per_h(size, region), rel=1e-9)


@settings(max_examples=50)
@given(
    figures=st.dictionaries(
        st.tuples(st.integers(1, 64), st.sampled_from(["eastus2", "uksouth"]), st.booleans(), st.booleans()),
        prices,
        min_size=1,
    ),
    cut=st.integers(1, 5),
    order=st.randoms(use_true_random=False),
)
def test_an_import_keeps_every_figure_whatever_the_order_and_the_cut_into_pages(figures, cut: int, order) -> None:
    """Size, region, system and spot are distinguished in any mixture."""
    items = [
        {
            "currencyCode": "USD", "retailPrice": price, "armRegionName": region, "unitOfMeasure": "1 Hour", "type": "Consumption",
            "productName": "Virtual Machines X Series" + (" Windows" if windows else ""), "serviceName": "Virtual Machines",
            "skuName": f"X{number}" + (" Spot" if spot else ""), "meterName": f"X{number}", "armSkuName": f"Standard_X{number}",
        }
        for (number, region, windows, spot), price in figures.items()
    ]  # fmt: skip
    order.shuffle(items)
    with tempfile.TemporaryDirectory() as folder:
        for begin in range(0, len(items), cut):
            (Path(folder) / f"{begin:04}.json").write_text(json.dumps({"Items": items[begin : begin + cut]}))
        made = import_pages([folder])
    assert made.taken == len(figures)
    for (number, region, windows, spot), price in figures.items():
        term = ("spot_" if spot else "") + ("windows" if windows else "linux")
        assert made.catalogue.price_per_h(f"Standard_X{number}", region, term) == price

"""Numbers of the report: they read well, and parts add up as shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.errors import ResultError
from sim.fields.numbers import compact, count, hours_scale, money_scale, percent, plain
from sim.fields.rounding import apportion, round_table

AMOUNTS = st.one_of(st.just(0.0), st.integers(0, 50).map(float), st.floats(0, 1000).map(lambda x: round(x, 5)))


@given(st.lists(AMOUNTS, min_size=1, max_size=8))
def test_parts_shown_add_up_to_the_total_shown(parts: list[float]) -> None:
    """A reader who adds the column gets the total printed below it; each part is off by less than one unit."""
    total = round(sum(parts))
    shown = apportion(parts, total)
    assert sum(shown) == total
    assert all(abs(whole - exact) < 1 + 1e-9 for whole, exact in zip(shown, parts, strict=True))


def test_rounding_each_part_alone_would_not_add_up() -> None:
    """The wrong way that the test above must refuse: three thirds of a hundred make 99."""
    thirds = [100 / 3] * 3
    assert sum(round(part) for part in thirds) != 100
    assert sum(apportion(thirds, 100)) == 100


@given(st.integers(1, 5).flatmap(lambda n: st.lists(st.lists(AMOUNTS, min_size=n, max_size=n), min_size=1, max_size=6)))
def test_a_table_adds_up_in_every_direction(cells: list[list[float]]) -> None:
    """Cells, rows, columns and total are all within a unit of the truth, and what is nothing stays nothing."""
    total = round(sum(map(sum, cells)))
    shown = round_table(cells, total)
    assert sum(map(sum, shown)) == total
    for row, exact in zip(shown, cells, strict=True):
        assert abs(sum(row) - sum(exact)) < 1 + 1e-4
        for cell, true in zip(row, exact, strict=True):
            assert abs(cell - true) < 1 + 1e-4
            assert cell == true or true != int(true)
    for column, exact in zip(zip(*shown, strict=True), zip(*cells, strict=True), strict=True):
        assert abs(sum(column) - sum(exact)) < 1 + 1e-4


def test_parts_that_do_not_make_up_their_total_are_refused() -> None:
    """A contradictory folder must not be rounded into agreement."""
    with pytest.raises(ResultError, match="contradicts itself"):
        apportion([1.0, 2.0], 5)
    with pytest.raises(ResultError, match="contradicts itself"):
        round_table([[1.0], [2.0]], 5)


def test_a_share_is_never_rounded_to_all_or_nothing() -> None:
    """An availability of 99.9996 % is not 100 %, three hours of a million are not none, and no digits are made up."""
    assert percent(0.999996, 2).replace("\N{NO-BREAK SPACE}", " ") == "> 99.99 %"
    assert percent(0.000003).replace("\N{NO-BREAK SPACE}", " ") == "< 0.1 %"
    assert percent(1.0) == "100.0\N{NO-BREAK SPACE}%"
    assert percent(0.0) == "0.0\N{NO-BREAK SPACE}%"


def test_numbers_read_as_people_write_them() -> None:
    """Thousands separated, a true minus sign, no negative zero, a dash for no number."""
    assert plain(1234567.891, 2) == "1,234,567.89"
    assert plain(-0.001, 2) == "0.00"
    assert plain(-1.5, 1) == "\N{MINUS SIGN}1.5"
    assert plain(float("nan"), 2) == "\N{EN DASH}"
    assert (count(200.0), count(2.05)) == ("200", "2.05")
    assert (compact(0.0), compact(250000.0), compact(-0.5)) == ("0", "250,000", "\N{MINUS SIGN}0.5")


def test_decimals_follow_the_size_of_the_fleet() -> None:
    """One VM's cents would be lost in whole dollars, and a million VMs' cents are noise."""
    assert money_scale(0.23, "USD").with_unit(0.2301) == "0.2301\N{NO-BREAK SPACE}USD"
    assert money_scale(14103.9, "USD").text(14103.9) == "14,104"
    assert money_scale(2.1e8, "USD").text(212492683.6) == "212,492,684"
    assert hours_scale(24.0).text(23.9583) == "23.958"
    assert money_scale(0.0, "USD").text(0.0) == "0.00"

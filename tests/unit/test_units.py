"""Durations as people write them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.units import format_duration, parse_duration

WRITTEN = {
    "90s": 90,
    "15min": 900,
    "8h": 28_800,
    "30d": 2_592_000,
    "1w": 604_800,
    "500ms": 0.5,
    "PT1H30M": 5_400,
    "P30D": 2_592_000,
    "P1W": 604_800,
    "P1DT0.5H": 88_200,
    "1h30min": 5_400,
    "2h 30m": 9_000,
    "1.5h": 5_400,
    " 0s ": 0,
}


@pytest.mark.parametrize(("text", "seconds"), WRITTEN.items())
def test_every_form_of_a_duration_is_read(text, seconds):
    """Each documented form has the value that a person reads in it."""
    assert parse_duration(text) == seconds


WRONG = ["", "P", "PT", "-5s", "nan", "inf", "5", "5 parsecs", "30min1h", "1h1h", "P1M", "P1Y", "P1H", "1e3s", 5, None]


@pytest.mark.parametrize("text", [*WRONG, "9" * 400 + "s"])
def test_what_is_no_duration_is_refused_with_an_example(text):
    """A number without a unit, a negative one or a month of unknown length must not be read as seconds."""
    with pytest.raises(ValueError, match='such as "90s", "15min"'):
        parse_duration(text)


def test_a_negative_value_is_reported_as_negative():
    """-5h has a number and a unit: its sign is what is wrong."""
    with pytest.raises(ValueError, match="never negative"):
        parse_duration("-5h")


SPOKEN = {
    5400: "1h 30min",
    45: "45s",
    28 * 86400: "28d",
    0: "0s",
    0.25: "250ms",
    0.9999: "1s",
    1.234: "1.23s",
    59.96: "1min",
    3599.9: "1h",
    86399: "23h 59min 59s",
    28801: "8h 1s",
    28801.4: "8h",
    86399.9: "1d",
    math.inf: "for ever",
    -90: "-1min 30s",
}


@pytest.mark.parametrize(("seconds", "text"), SPOKEN.items())
def test_a_duration_is_spoken_in_its_two_largest_units_and_whole_seconds_exactly(seconds, text):
    """Rounding carries into the next unit: 60min is not used. Two durations that differ must not look the same."""
    assert format_duration(seconds) == text


@given(st.floats(min_value=1e-3, max_value=1e9))
def test_a_spoken_duration_reads_back_within_its_rounding(seconds):
    """What is shown stands for what is meant: half of the smaller unit is at most half an hour in a day, 1 in 48."""
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, rel=1 / 48)

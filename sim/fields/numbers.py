"""How numbers are written for people, on a terminal, in a report and in a notebook alike."""

import math
from dataclasses import dataclass, replace

MINUS = "\N{MINUS SIGN}"
NO_NUMBER = "\N{EN DASH}"
MONEY = "USD"
"""The unit of a plan's hours in bills and ledgers, whatever the price list's currency is."""


def in_currency(unit: str, currency: str) -> str:
    """A meter's unit as a reader of this price list knows it."""
    return currency if unit == MONEY else unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How many decimals one kind of number gets in one report: the same everywhere, so that columns can be added."""

    unit: str
    decimals: int

    def text(self, value: float | None) -> str:
        """The number without its unit, thousands separated; a dash where there is none."""
        return plain(value, self.decimals)

    def with_unit(self, value: float | None) -> str:
        """The number and its unit, with a space that doesn't break."""
        return f"{self.text(value)}\N{NO-BREAK SPACE}{self.unit}" if self.unit else self.text(value)

    def rounded(self, value: float) -> float:
        """The number as it is written."""
        return float(f"{value:.{self.decimals}f}")


def money_scale(largest: float, currency: str) -> Scale:
    """Cents; finer for a bill of a few coins, whole units above a million."""
    return Scale(unit=currency, decimals=_decimals(largest, fine=4, fine_below=10.0, usual=2))


def money(value: float | None) -> str:
    """An amount of money by itself, without its currency."""
    return NO_NUMBER if value is None else money_scale(value, "").text(value)


def hours_scale(largest: float) -> Scale:
    """Tenths of an hour; seconds' precision for a fleet of a few VM-hours, whole hours above a million."""
    return Scale(unit="h", decimals=_decimals(largest, fine=3, fine_below=1000.0, usual=1))


def _decimals(largest: float, *, fine: int, fine_below: float, usual: int) -> int:
    if 0.0 < abs(largest) < fine_below:
        return fine
    return 0 if abs(largest) >= 1e6 else usual


def plain(value: float | None, decimals: int) -> str:
    """A number with thousands separated, a true minus sign and no negative zero."""
    if value is None or not math.isfinite(value):
        return NO_NUMBER
    text = f"{value:,.{decimals}f}"
    if text.startswith("-"):
        text = text[1:] if not any(digit in "123456789" for digit in text) else MINUS + text[1:]
    return text


def percent(share: float | None, decimals: int = 1) -> str:
    """A share between 0 and 1 as a percentage; what is not all is never shown as all, nor something as nothing."""
    if share is None or not math.isfinite(share):
        return NO_NUMBER
    if 0.0 < share < 1.0:
        while decimals < 6 and round(share * 100, decimals) in (0.0, 100.0):
            decimals += 1
    return f"{plain(share * 100, decimals)}\N{NO-BREAK SPACE}%"


def count(value: float | None) -> str:
    """How many of something: whole if it is whole, else the mean with a decimal or two."""
    if value is None or not math.isfinite(value):
        return NO_NUMBER
    if value == round(value):
        return plain(value, 0)
    return plain(value, 1 if abs(value) >= 10 else 2 if abs(value) >= 0.01 else 5)


def general(value: float | None, digits: int = 5) -> str:
    """A number of any kind with at most so many digits that matter."""
    return NO_NUMBER if value is None or not math.isfinite(value) else compact(float(f"{value:.{digits}g}"))


def relative(change: float | None) -> str:
    """A relative difference as a percentage; beyond tenfold a percentage says nothing any more."""
    return "" if change is None or abs(change) > 10 else f"{signed(100 * change, 2)} %"


def probability(share: float | None) -> str:
    """An estimated probability: beyond a thousandth its digits say nothing, and it is never none or certain."""
    if share is None:
        return ""
    if share < 0.001 or share > 0.999:
        return (
            "<\N{NO-BREAK SPACE}0.1\N{NO-BREAK SPACE}%" if share < 0.5 else ">\N{NO-BREAK SPACE}99.9\N{NO-BREAK SPACE}%"
        )
    return percent(share, 1)


def compact(value: float) -> str:
    """A tick label: as few digits as the number needs."""
    if value == 0:
        return "0"
    text = f"{abs(value):,.10g}" if 1e-4 <= abs(value) < 1e15 else f"{abs(value):.3g}"
    return (MINUS if value < 0 else "") + text


def signed(value: float | None, decimals: int) -> str:
    """A difference, with its sign."""
    text = plain(value, decimals)
    return f"+{text}" if value is not None and value > 0 and float(f"{value:.{decimals}f}") != 0 else text


def between(low: float | None, high: float | None, scale: Scale, joined: str = " to ") -> str:
    """Two bounds and their unit, in as many more decimals as it takes to tell them apart; empty where there are none."""
    if low is None or high is None:
        return ""
    for decimals in range(scale.decimals, scale.decimals + 4):
        finer = replace(scale, decimals=decimals)
        if finer.text(low) != finer.text(high):
            return f"{finer.text(low)}{joined}{finer.with_unit(high)}"
    return scale.with_unit(low) if joined == " to " else f"{scale.text(low)}{joined}{scale.with_unit(high)}"

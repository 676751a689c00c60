"""How numbers are written for people, on a terminal, in a report and in a notebook alike."""

import math
from dataclasses import dataclass

MINUS = "\N{MINUS SIGN}"
NO_NUMBER = "\N{EN DASH}"
NO_CENTS = 1000.0  # from this amount on an estimate has none
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
    """Of estimates: no cents from a thousand on; finer for a bill of a few coins."""
    decimals = 4 if 0.0 < abs(largest) < 10.0 else 0 if abs(largest) >= NO_CENTS else 2
    return Scale(unit=currency, decimals=decimals)


def money_decimals(amount: float, half: float | None = None) -> int:
    """Of an amount that a decision rests on: no cents from a thousand on, and as far as its half-width lets it be known.

    Down to the first digit of the half-width, or the second where that is a 1; below 0: tens, hundreds ...

    >>> money_decimals(22251.8, 39.9), money_decimals(22251.8, 13.0), money_decimals(22251.8, 0.4), money_decimals(69.0)
    (-1, 0, 0, 2)
    """
    most = 0 if abs(amount) >= NO_CENTS else 2 if abs(amount) >= 1 else money_scale(amount, "").decimals
    if not half:
        return most
    first = -math.floor(math.log10(half))
    found = min(most, first + (half * 10.0**first < 2.0))
    return 0 if found == 1 else found


def rounded(value: float, decimals: int) -> str:
    """A number with so many decimals; below 0: in tens, hundreds ..."""
    return plain(round(value, decimals), max(0, decimals))


def estimate(amount: float | None) -> str:
    """An amount of money that was simulated, by itself, without cents from a thousand on."""
    return NO_NUMBER if amount is None else rounded(amount, money_decimals(amount))


def money(value: float | None) -> str:
    """An amount of money by itself, without its currency, to the cent as on an invoice."""
    return NO_NUMBER if value is None else plain(value, _decimals(value, fine=4, fine_below=10.0, usual=2))


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
    r"""A share between 0 and 1 as a percentage; what is not all is never shown as all, nor something as nothing.

    >>> percent(0.9999996, 2), percent(0.000004, 1)  # without digits that nothing supports
    ('>\xa099.99\xa0%', '<\xa00.1\xa0%')
    """
    if share is None or not math.isfinite(share):
        return NO_NUMBER
    shown, least = round(share * 100, decimals), 10.0**-decimals
    if 0.0 < share < 1.0 and shown in (0.0, 100.0):
        sign, edge = ("<", least) if shown == 0.0 else (">", 100.0 - least)
        return f"{sign}\N{NO-BREAK SPACE}{plain(edge, decimals)}\N{NO-BREAK SPACE}%"
    return f"{plain(share * 100, decimals)}\N{NO-BREAK SPACE}%"


def count(value: float | None) -> str:
    """How many of something: whole if it is whole, else the mean with a decimal or two."""
    if value is None or not math.isfinite(value):
        return NO_NUMBER
    if value == round(value):
        return plain(value, 0)
    return plain(value, 1 if abs(value) >= 10 else 2 if abs(value) >= 0.01 else 5)


def how_many(number: int, what: str) -> str:
    """A number of things; of several words the first has the plural.

    >>> how_many(1, "VM"), how_many(1200, "kind of VM")
    ('1 VM', '1,200 kinds of VM')
    """
    first, _, rest = what.partition(" ")
    return f"{number:,} {first}{'' if number == 1 else 's'}{rest and ' ' + rest}"


def length(hours: float) -> str:
    """How long something lasts, in the unit a reader would use."""
    if hours >= 48 and hours % 24 == 0:
        return how_many(round(hours / 24), "day")
    if hours >= 72:
        return f"{hours / 24:,.1f} days"
    if hours == round(hours):
        return how_many(round(hours), "hour")
    if hours >= 1:
        return f"{hours:,.2f} hours"
    return f"{hours * 60:,.10g} minutes"


def asked_percent(share: float) -> str:
    """A share that someone gave, with the digits that it was given with: 12.5 %, 30 %."""
    return f"{general(100 * share)}\N{NO-BREAK SPACE}%"


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
    """Two bounds and their unit; empty where there are none, one figure where both are written alike."""
    if low is None or high is None:
        return ""
    if joined == " to " and scale.text(low) == scale.text(high):
        return scale.with_unit(low)
    return f"{scale.text(low)}{joined}{scale.with_unit(high)}"

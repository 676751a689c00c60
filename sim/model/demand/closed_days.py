"""Days without demand: `[group.calendar]`, beside a schedule. Holidays are those of the `holidays` package."""

from collections.abc import Collection, Iterable, Iterator
from datetime import date, datetime
from difflib import get_close_matches
from functools import lru_cache
from operator import eq
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from sim.fields.issues import Issue, Path
from sim.fields.messages import list_words
from sim.fields.types import Section, Text

SHOWN = 8  # codes that a message names
_CODES_SCHEMA = {"type": ["string", "array"], "items": {"type": "string"}, "examples": ["NL", "DE-BY", ["NL", "BE"]]}


def _package() -> Any:
    import holidays  # start-up: a tenth of a second, needed only where holidays are asked for

    return holidays


@lru_cache(maxsize=256)
def public_holidays(code: str, years: tuple[int, ...]) -> tuple[date, ...]:
    """The public holidays of a country ("NL") or a part of it ("DE-BY"), observed days included, in order.

    Raises ValueError for a code that the package doesn't know.
    """
    country, _, part = code.partition("-")
    package = _package()
    if len(country) != 2 or country not in package.list_supported_countries():  # it takes names, too
        raise ValueError(_unknown(country, part))
    try:
        found = package.country_holidays(country, subdiv=part or None, years=years, observed=True)
    except NotImplementedError:
        raise ValueError(_unknown(country, part)) from None
    return tuple(sorted(found))


def _unknown(country: str, part: str) -> str:
    supported: dict[str, list[str]] = _package().list_supported_countries()
    if len(country) == 2 and country in supported:
        if not supported[country]:
            return f'{country} has no parts with holidays of their own; write "{country}"'
        return f"{country} has no part {part}; {_near(part, supported[country], f'{country}-')}"
    by_name = {name.replace("_", " "): codes[1] for name, codes in _package().registry.COUNTRIES.items()}
    meant = get_close_matches(country.casefold(), by_name, n=1)
    if meant:
        return f'a country is named by its code; did you mean "{by_name[meant[0]]}"?'
    return f"no such country; {_near(country, [code for code in supported if len(code) == 2])}"


def _near(text: str, codes: Collection[str], before: str = "") -> str:
    """The codes nearest to a text: those that share most letters at their places, the first letter before others."""
    meant = text.upper()
    near = sorted(
        codes, key=lambda code: (-sum(map(eq, code, meant)), code[0] != meant[:1], -len({*code} & {*meant}), code)
    )
    named = list_words((f'"{before}{code}"' for code in near[:SHOWN]), "and")
    return f"near codes are {named}"


def _codes(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _known(codes: tuple[str, ...]) -> tuple[str, ...]:
    for code in codes:
        public_holidays(code, (2026,))
    return codes


def _date(value: object) -> object:
    if isinstance(value, datetime):
        raise ValueError(f"this is a date and a time; write the day alone, such as {value:%Y-%m-%d}")
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    if not isinstance(value, date):
        raise ValueError("this is not a date; write it without quotes, such as 2026-12-24")
    return value


Day = Annotated[date, BeforeValidator(_date)]
Codes = Annotated[tuple[Text, ...], BeforeValidator(_codes), AfterValidator(_known), WithJsonSchema(_CODES_SCHEMA)]


class CalendarSection(Section):
    """Local days on which no window of the schedule begins; one that began the evening before runs to its end."""

    holidays: Codes = Field(
        (), description="Public holidays of a country, or of a part of it, or of several: NL, DE-BY, [NL, BE]."
    )
    without: tuple[Day, ...] = Field((), alias="except", description="Further days, such as [2026-12-24].")

    def closed(self, years: Iterable[int]) -> frozenset[date]:
        """Every day without demand in some years."""
        covered = tuple(years)
        return frozenset(self.without).union(*(public_holidays(code, covered) for code in self.holidays))

    def describe(self, years: Iterable[int]) -> str:
        """The days, counted."""
        covered = tuple(years)
        found = {day for code in self.holidays for day in public_holidays(code, covered)}
        year = min(covered)
        parts = [
            f"public holidays of {list_words(self.holidays, 'and')} ({sum(day.year == year for day in found)} in {year})"
        ] * bool(self.holidays)
        further = [f"{day:%Y-%m-%d}" for day in sorted(set(self.without))]
        if further:
            parts.append(list_words([*further[:SHOWN], *["more"] * (len(further) > SHOWN)], "and"))
        return f"No window begins on {list_words(parts, 'and on')}."

    def check(self, place: Path) -> Iterator[Issue]:
        """Some day must be named."""
        if not self.holidays and not self.without:
            yield Issue(
                place, "it names no day", 'write holidays = "NL", or except = [2026-12-24], or leave the table out',
                related_paths=((*place, "holidays"), (*place, "except")),
            )  # fmt: skip

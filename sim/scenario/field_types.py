"""Values of a scenario file that have a form of their own: names, instants, times of day, weekdays, time zones."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from sim.billing.commitments import TERMS
from sim.lifecycle.policy import BILLING_POLICIES
from sim.scenario.distribution_specs import Text, Whole
from sim.scenario.messages import close_match

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
YEARS = (1970, 2999)


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", text):
        raise ValueError("a name is 1 to 64 letters, digits, - and _, and starts with a letter or a digit")
    return text


def _title(text: str) -> str:
    if not re.fullmatch(r"\w[\w .+-]{0,99}", text):
        raise ValueError(
            "it also names the result folder: up to 100 letters, digits, spaces, . - _ +, starting with a letter or a digit"
        )
    return text


def _instant(value: object) -> datetime:
    example = "such as 2026-01-05T00:00:00Z"
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"this is not a date and time; write one without quotes, {example}") from None
    if not isinstance(value, datetime):
        raise ValueError(f"this is not a date and time; write both and the offset, {example}")
    if value.tzinfo is None:
        raise ValueError(f"the offset from UTC is missing; write {value.isoformat()}Z if UTC is meant")
    if not YEARS[0] < value.year < YEARS[1]:
        raise ValueError(f"the year is not between {YEARS[0]} and {YEARS[1]}; write an instant {example}")
    return value.astimezone(UTC)


def _time_of_day(value: object) -> time:
    if isinstance(value, str):
        try:
            value = time.fromisoformat(value)
        except ValueError:
            raise ValueError("this is not a time of day; write hours, minutes and seconds, such as 08:00:00") from None
    if not isinstance(value, time):
        raise ValueError("this is not a time of day; write it without quotes, such as 08:00:00")
    if value.tzinfo is not None:
        raise ValueError("a time of day has no offset; name the place with time_zone")
    return value


def _days(value: object) -> tuple[int, ...]:
    """`"Mon-Fri"`, `"Mon,Wed,Sat"`, `"Sat-Mon"` as weekdays, Monday = 0, in order."""
    if not isinstance(value, str):
        raise ValueError('days are named in one text, such as "Mon-Fri" or "Mon,Wed,Sat"')
    found: set[int] = set()
    for part in value.split(","):
        first, _, last = part.partition("-")
        begin = _weekday(first)
        end = _weekday(last) if "-" in part else begin
        found.update((begin + step) % 7 for step in range((end - begin) % 7 + 1))
    return tuple(sorted(found))


def _weekday(text: str) -> int:
    named = text.strip()[:3].title()
    if named in DAYS and text.strip().title() in (named, _FULL_DAYS[DAYS.index(named)]):
        return DAYS.index(named)
    meant = close_match(text.strip().title(), DAYS)
    raise ValueError(f'"{text.strip()}" is no day; {meant or "days are " + ", ".join(DAYS)}')


_FULL_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _time_zone(key: str) -> str:
    try:
        ZoneInfo(key)
    except (KeyError, ValueError, OSError):
        from zoneinfo import available_timezones

        known = available_timezones()
        # Somebody who writes only the city is understood, too.
        by_city = {zone.rsplit("/", 1)[-1]: zone for zone in sorted(known, reverse=True)}
        meant = close_match(key, known) or close_match(key, by_city, shown=by_city)
        raise ValueError(
            f"no such time zone; {meant or 'name it as the IANA list does, such as Europe/Amsterdam'}"
        ) from None
    return key


def _currency(text: str) -> str:
    if not re.fullmatch("[A-Z]{3}", text):
        raise ValueError('a currency has three capital letters, such as "USD"')
    return text


def _policy(text: str) -> str:
    if text not in BILLING_POLICIES:
        meant = close_match(text, BILLING_POLICIES)
        raise ValueError(f"no such billing policy; {meant or 'there are ' + ' and '.join(BILLING_POLICIES)}")
    return text


def _term(text: str) -> str:
    if text not in TERMS:
        raise ValueError(f"a term is one of {', '.join(TERMS)}")
    return text


Zone = Annotated[Whole, Field(ge=1, le=3)]
"""An availability zone of a region; there are three."""

Name = Annotated[Text, AfterValidator(_name)]
Title = Annotated[Text, AfterValidator(_title)]
Currency = Annotated[Text, AfterValidator(_currency)]
PolicyName = Annotated[
    Text, AfterValidator(_policy), WithJsonSchema({"type": "string", "enum": list(BILLING_POLICIES)})
]
TimeOfDay = Annotated[time, BeforeValidator(_time_of_day)]
TimeZone = Annotated[Text, AfterValidator(_time_zone)]
Days = Annotated[
    tuple[int, ...],
    BeforeValidator(_days),
    WithJsonSchema({"type": "string", "examples": ["Mon-Fri", "Mon,Wed,Sat", "Mon-Sun"]}),
]
Instant = Annotated[datetime, BeforeValidator(_instant)]
TermName = Annotated[Text, AfterValidator(_term), WithJsonSchema({"type": "string", "enum": list(TERMS)})]

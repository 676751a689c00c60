"""Types of the fields of a scenario file: texts, numbers, durations, names, instants, times of day, weekdays, time zones.

Each checks its value where it is read, and says what would be right.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, Literal, Self, cast
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    Strict,
    WithJsonSchema,
)
from pydantic.fields import FieldInfo
from pydantic_core import core_schema

from sim.fields.defaults import DEFAULTS, SYSTEMS, Sourced, default_value
from sim.fields.messages import close_match, show_value
from sim.units import LONGEST_S, MOST_PRICE, SECONDS_PER, format_duration, parse_duration


class Section(BaseModel):
    """A table of a scenario file: only its own keys, and never changed once read."""

    # start-up: of all tables only the whole file is built, when it is first read
    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=False, hide_input_in_errors=True, defer_build=True
    )

    def with_defaults_of(self, os: str, place: str) -> Self:
        """The section at *place* with those defaults that the guest OS decides; what was left out still counts as that."""
        unset = tuple(name for name in type(self).model_fields if name not in self.model_fields_set)
        values = dict(self) | _defaults_of(type(self), unset, os, place, DEFAULTS.version)
        return cast("Self", self.model_construct(_fields_set=self.model_fields_set, **values))


@lru_cache(maxsize=256)
def _defaults_of(section: type[Section], unset: Sequence[str], os: str, place: str, _version: int) -> dict[str, Any]:
    by_os = {name: default_value(f"{place}.{name}", os=os) for name in unset if f"{place}.{name}.{os}" in DEFAULTS}
    read = section.model_validate(by_os)
    return {name: getattr(read, name) for name in by_os}


def default_field(key: str, description: str, *, row: Sourced | None = None, **more: Any) -> Any:
    """A field whose default stands in `DEFAULTS`, read as if the user had written it; *row* adds it there.

    Where the default depends on the guest OS this is the first one's, until `Section.with_defaults_of` knows which it is.
    """
    if row is not None:
        DEFAULTS.add(key, row)
    if others := [f"{os}: {show_value(default_value(key, os=os))}" for os in SYSTEMS[1:] if f"{key}.{os}" in DEFAULTS]:
        description = f"{description} Default on {', on '.join(others)}."
    return Field(default=default_value(key), validate_default=True, description=description, **more)


def default_seconds(key: str) -> float:
    """A default duration as seconds."""
    return read_seconds(default_value(key))


def add_field(
    model: type[BaseModel], name: str, annotation: Any, field: FieldInfo | None = None, *, before: str = ""
) -> None:
    """Give a section a field (None: an optional table) before another one; its models are to be rebuilt then."""
    made = (
        FieldInfo.from_annotation(annotation)
        if field is None
        else FieldInfo.from_annotated_attribute(annotation, field)
    )
    if field is None:
        made.default = None
    fields = dict(model.model_fields)
    following = [key for key in fields if before in fields and list(fields).index(key) >= list(fields).index(before)]
    later = {key: fields.pop(key) for key in following}
    model.__pydantic_fields__ = {**fields, name: made, **later}


def rebuild_sections() -> None:
    """Build anew every section that was built before something was added to one."""
    built = [section for section in _below(Section) if section.__pydantic_complete__]
    for section in built:
        del section.__pydantic_core_schema__  # else the sections around it would take the old one
    for section in built:
        section.model_rebuild(force=True)


def _below(model: type[Section]) -> Iterator[type[Section]]:
    for each in model.__subclasses__():
        yield each
        yield from _below(each)


# --- texts, numbers, durations --------------------------------------------------------------------------------------

_OTHER_UNITS = {
    "sec": "s", "secs": "s", "second": "s", "seconds": "s", "mins": "min", "minute": "min", "minutes": "min",
    "hr": "h", "hrs": "h", "hour": "h", "hours": "h", "day": "d", "days": "d", "week": "w", "weeks": "w",
    "millis": "ms", "milliseconds": "ms",
}  # fmt: skip


def read_seconds(value: object) -> float:
    """Seconds of a written duration; ValueError says what would be right."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError('this is not a duration; write a number and a unit in quotes, such as "90s" or "8h"')
    if not isinstance(value, str):
        example = f'"{value:g}s"' if 0 <= value < 1e9 else '"90s"'
        raise ValueError(f"a duration needs a unit and quotes; if seconds are meant write {example}")
    if value.strip().startswith("-"):
        raise ValueError('a duration is never negative; write "0s" or longer')
    seconds = _parse(value)
    if seconds > LONGEST_S:
        raise ValueError(f"this is longer than {format_duration(LONGEST_S)}, the longest duration in a scenario")
    return seconds


def _parse(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError:
        hint = 'write a number and a unit (ms, s, min, h, d, w), such as "90s", "15min", "8h", "30d" or "PT1H30M"'
        number, unit = re.fullmatch(r"\s*([0-9.]*)\s*(.*?)\s*", text, re.DOTALL).groups()  # type: ignore[union-attr]
        if number and not unit:
            hint = f'the unit is missing; did you mean "{number}s", "{number}min", "{number}h" or "{number}d"?'
        elif number and (right := _OTHER_UNITS.get(unit.lower()) or (unit.lower() in SECONDS_PER and unit.lower())):
            hint = f'did you mean "{number}{right}"?'
        elif unit.lower().startswith("month") or unit.lower().startswith("year"):
            hint = 'months and years have no fixed length; write days, such as "30d" or "365d"'
        raise ValueError(f"this is not a duration; {hint}") from None


def _positive(seconds: float) -> float:
    if seconds <= 0:
        raise ValueError('this must be longer than nothing, such as "1s"')
    return seconds


_DURATION_SCHEMA = {
    "type": "string",
    "pattern": r"^\s*(([0-9]+(\.[0-9]+)?\s*(ms|min|[wdhms])\s*)+|[Pp][0-9.WDTHMSwdthms]+)$",
    "examples": ["90s", "15min", "8h", "30d", "PT1H30M"],
}

Seconds = Annotated[float, BeforeValidator(read_seconds), WithJsonSchema(_DURATION_SCHEMA)]


def read_warm_up(value: object) -> float | str:
    """Seconds of a warm-up, or "auto"; ValueError says what would be right."""
    if value == "auto":
        return "auto"
    try:
        return read_seconds(value)
    except ValueError as error:
        raise ValueError(f'{error}; or "auto", to have it found') from None


WarmUp = Annotated[
    float | Literal["auto"],
    BeforeValidator(read_warm_up),
    WithJsonSchema({"anyOf": [_DURATION_SCHEMA, {"const": "auto"}]}),
]
PositiveSeconds = Annotated[
    float, BeforeValidator(read_seconds), AfterValidator(_positive), WithJsonSchema(_DURATION_SCHEMA)
]


def _listed(value: object) -> object:
    return [value] if isinstance(value, Mapping) else value


class OneOrMore:
    """Marks a list of tables that may be written as the one table it has."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        return core_schema.no_info_before_validator_function(_listed, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        listed: dict[str, Any] = handler(schema)
        return {"anyOf": [listed["items"], listed]}


MOST_NUMBER = 1e15  # what any number of a scenario may be: sums of them stay numbers
Text = Annotated[str, Strict()]
Flag = Annotated[bool, Strict()]
Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False, ge=-MOST_NUMBER, le=MOST_NUMBER)]
Positive = Annotated[float, Strict(), Field(allow_inf_nan=False, gt=0, le=MOST_NUMBER)]
NotNegative = Annotated[float, Strict(), Field(allow_inf_nan=False, ge=0, le=MOST_NUMBER)]
Price = Annotated[float, Strict(), Field(allow_inf_nan=False, ge=0, le=MOST_PRICE)]


def read_percentage(value: object) -> object:
    """A number, or a percentage in quotes: "12 %" is 0.12."""
    if isinstance(value, str):
        number = re.fullmatch(r"\s*([+-]?[0-9]+(?:\.[0-9]+)?)\s*%\s*", value)
        if number is None:
            raise ValueError(
                'this is not a share; write a number such as 0.12, or a percentage in quotes, such as "12 %"'
            )
        return float(Decimal(number[1]) / 100)
    return value


Share = Annotated[
    float,
    Strict(),
    Field(allow_inf_nan=False, ge=0, le=1),
    BeforeValidator(read_percentage),
    WithJsonSchema({"type": ["number", "string"], "minimum": 0, "maximum": 1, "pattern": r"^\s*[0-9.]+\s*%\s*$"}),
]
"""A part of a whole or a probability, from 0 to 1."""

Threshold = Annotated[
    float,
    Strict(),
    Field(allow_inf_nan=False, gt=0, le=1),
    BeforeValidator(read_percentage),
    WithJsonSchema(
        {"type": ["number", "string"], "exclusiveMinimum": 0, "maximum": 1, "pattern": r"^\s*[0-9.]+\s*%\s*$"}
    ),
]
"""A part of a whole at which something is done: above 0, at most 1."""


# --- names and the calendar -----------------------------------------------------------------------------------------

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


def in_utc(value: datetime) -> datetime:
    """The instant in UTC; ValueError where the offset isn't said, or there is no such year."""
    if value.tzinfo is None:
        raise ValueError(f"the offset from UTC is missing; write {value.isoformat()}Z if UTC is meant")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"the year of {value.isoformat()} is out of range in UTC") from None


def _instant(value: object) -> datetime:
    example = "such as 2026-01-05T00:00:00Z"
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"this is not a date and time; write one without quotes, {example}") from None
    if not isinstance(value, datetime):
        raise ValueError(f"this is not a date and time; write both and the offset, {example}")
    if not YEARS[0] < value.year < YEARS[1]:
        raise ValueError(f"the year is not between {YEARS[0]} and {YEARS[1]}; write an instant {example}")
    return in_utc(value)


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


CITIES = (  # of the zones whose short names people write
    "Europe/Berlin", "Europe/London", "Europe/Athens", "Europe/Moscow", "America/New_York", "America/Chicago", "America/Denver",
    "America/Los_Angeles", "Asia/Kolkata", "Asia/Tokyo", "Asia/Hong_Kong", "Asia/Singapore", "Australia/Sydney", "Pacific/Auckland",
)  # fmt: skip


def _short_zone(text: str) -> str:
    """What to write for a short name such as CEST, or an offset such as UTC+2; empty for anything else."""
    if not re.fullmatch(r"[A-Za-z]{3,5}([+-]\d{1,2}(:?\d\d)?)?|[+-]\d\d?(:?\d\d)?", text.strip()):
        return ""
    text = text.strip()
    moments = [datetime(2026, month, 1, tzinfo=UTC) for month in (1, 7)]
    used = [city for city in CITIES if text.upper() in {each.astimezone(ZoneInfo(city)).tzname() for each in moments}]
    return f"write a region such as {used[0] if used else 'Europe/Berlin'}, which knows when clocks change"


def _time_zone(key: str) -> str:
    try:
        ZoneInfo(key)
    except (KeyError, ValueError, OSError):
        known = available_timezones()
        # Somebody who writes only the city is understood, too.
        by_city = {zone.rsplit("/", 1)[-1]: zone for zone in sorted(known, reverse=True)}
        meant = _short_zone(key) or close_match(key, known) or close_match(key, by_city, shown=by_city)
        raise ValueError(
            f"no such time zone; {meant or 'name it as the IANA list does, such as Europe/Amsterdam'}"
        ) from None
    return key


Zone = Annotated[Whole, Field(ge=1, le=3)]
"""An availability zone of a region; there are three."""

Name = Annotated[Text, AfterValidator(_name)]
Title = Annotated[Text, AfterValidator(_title)]
TimeOfDay = Annotated[
    time,
    BeforeValidator(_time_of_day),
    # JSON Schema's own format "time" wants an offset from UTC, which a wall-clock time has not.
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?$",
            "examples": ["08:00:00"],
        }
    ),
]
TimeZone = Annotated[Text, AfterValidator(_time_zone)]
Days = Annotated[
    tuple[int, ...],
    BeforeValidator(_days),
    WithJsonSchema({"type": "string", "examples": ["Mon-Fri", "Mon,Wed,Sat", "Mon-Sun"]}),
]
Instant = Annotated[datetime, BeforeValidator(_instant)]

"""The schema that editors use takes every scenario that the program takes, and explains every key."""

import datetime as dt
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sim.errors import ScenarioError
from sim.scenario.scenario import from_dict, load
from sim.scenario.schema import json_schema

jsonschema = pytest.importorskip("jsonschema")
pytest.importorskip("rfc3339_validator")  # without it formats of date and time aren't checked

HERE = Path(__file__).parents[2]
SCENARIOS = sorted(HERE.glob("scenarios/**/*.toml"))
CASES = sorted(HERE.parent.glob("shared/cases/**/*.toml")) + sorted(HERE.parent.parent.glob("shared/cases/**/*.toml"))
VALIDATOR = jsonschema.Draft202012Validator(
    json_schema(), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
)


def as_json(value: Any) -> Any:
    """A TOML value as editors hand it to a schema: dates and times are their texts."""
    if isinstance(value, dict):
        return {key: as_json(each) for key, each in value.items()}
    if isinstance(value, list):
        return [as_json(each) for each in value]
    return value.isoformat() if isinstance(value, (dt.date, dt.time)) else value


def complaints(document: dict[str, Any]) -> list[str]:
    """What a linter that checks formats says of a scenario."""
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(as_json(document))]


@pytest.mark.parametrize("path", SCENARIOS + CASES, ids=lambda path: path.stem)
def test_a_scenario_that_is_read_has_no_complaint_from_the_schema(path: Path):
    """Formats included: `format: "time"` wants an offset, which a wall-clock time has not."""
    try:
        load(path)
    except ScenarioError:
        if path in SCENARIOS:
            raise
        pytest.skip("refused by the program as well")
    assert complaints(tomllib.loads(path.read_text())) == []


@pytest.mark.parametrize("on", ["8:00", "24:00:00", "08:60", "morning", "08:00:00Z"])
def test_what_is_no_time_of_day_is_refused_by_both(on: str):
    """The schema is no wider than the program where it can say so."""
    document = {"name": "f", "horizon": "1d", "group": [{"name": "a", "count": 1, "schedule": {"days": "Mon-Fri", "on": on, "off": "19:00"}}]}  # fmt: skip
    assert complaints(document)
    with pytest.raises(ScenarioError):
        from_dict(document)


def test_every_key_has_a_description():
    """It is what hovering shows."""
    found = dict(keys(json_schema()))
    assert len(found) > 150
    assert [where for where, key in found.items() if not key.get("description", "").strip()] == []


def keys(schema: Any, where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property of a schema, with where it stands."""
    if isinstance(schema, dict):
        properties = schema.get("properties")
        if isinstance(properties, dict) and schema.get("type") == "object":
            yield from ((f"{where}/{name}", key) for name, key in properties.items())
        for name, value in schema.items():
            yield from keys(value, f"{where}/{name}")
    elif isinstance(schema, list):
        for number, value in enumerate(schema):
            yield from keys(value, f"{where}/{number}")

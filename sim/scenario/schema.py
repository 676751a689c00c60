"""JSON Schema of the scenario file, for editors that complete and check while one types."""

from __future__ import annotations

from typing import Any

from sim.scenario.file_model import ScenarioFile
from sim.scenario.paths import WHEN_OFF_HOMES

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """The scenario file as JSON Schema: every key with type, range, default and what it means."""
    schema = ScenarioFile.model_json_schema(by_alias=True, mode="validation")
    sections = schema["$defs"]
    when_off = sections["Group"]["properties"]["when_off"]
    for home in WHEN_OFF_HOMES:
        # A table header above it makes it the sub-table's, and the reader takes it from there.
        if home.title() in sections:
            sections[home.title()]["properties"]["when_off"] = when_off
    return {"$schema": DIALECT, **schema, "title": "vmfleet scenario"}

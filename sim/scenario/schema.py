"""JSON Schema of the scenario file, for editors that complete and check while one types."""

import json
import re
from collections.abc import Mapping
from typing import Any

from sim.fields.plugins import load_plugins
from sim.model.demand import DEMAND_KINDS, REFINEMENTS
from sim.model.faults import GROUP_FAULTS, PLATFORM_FAULTS
from sim.scenario import group_defaults
from sim.scenario.file_model import ScenarioFile

REFERENCE = "#/$defs/"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """The scenario file as JSON Schema: every key with type, range, default and what it means."""
    load_plugins()
    schema = ScenarioFile.model_json_schema(by_alias=True, mode="validation")
    sections = schema["$defs"]
    when_off = sections["Group"]["properties"]["when_off"]
    for table in (*(kind for kind in DEMAND_KINDS.values() if kind.takes_when_off), *REFINEMENTS.values()):
        # A table header above it makes it the sub-table's, and the reader takes it from there.
        sections[table.__name__]["properties"]["when_off"] = when_off
    _describe(schema, sections)
    schema["properties"][group_defaults.KEY] = {
        "type": "object",
        "description": "Keys of a group that hold where a group is silent; tables merge key by key.",
        "properties": {
            key: {"description": field.get("description", "")}
            for key, field in sections["Group"]["properties"].items()
            if key != "name"
        },
        "additionalProperties": False,
    }
    text = json.dumps(schema)
    for section in (*DEMAND_KINDS.values(), *REFINEMENTS.values(), *PLATFORM_FAULTS.values(), *GROUP_FAULTS.values()):
        name = section.__name__
        text = re.sub(rf'(["/]){name}"', rf'\1{name.removesuffix("Section")}"', text)
    return {"$schema": DIALECT, **json.loads(text), "title": "vmfleet scenario"}


def _describe(schema: Mapping[str, Any], sections: Mapping[str, Any]) -> None:
    """A key that is a table is described as the table is; one that names its kind, as the kind is."""
    for section in (schema, *sections.values()):
        for field in section.get("properties", {}).values():
            tables = [one["$ref"] for one in (field, *field.get("anyOf", ())) if "$ref" in one]
            table = sections[tables[0].removeprefix(REFERENCE)] if tables else section
            if tables or "const" in field:
                field.setdefault("description", table.get("description", ""))

"""JSON Schema of the scenario file, for editors that complete and check while one types."""

from __future__ import annotations

from typing import Any

from sim.experiment.scenario_model import ScenarioFile

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """The scenario file as JSON Schema: every key with type, range, default and what it means."""
    schema = ScenarioFile.model_json_schema(by_alias=True, mode="validation")
    return {"$schema": DIALECT, **schema, "title": "vmfleet scenario"}

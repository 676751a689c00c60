"""`vmfleet keys`: every key of the scenario file with what may stand there; every default has its place."""

import json
import re
import tomllib

import pytest
from typer.testing import CliRunner

import sim
from sim.cli.app import app
from sim.errors import InputError
from sim.fields.defaults import DEFAULTS
from sim.model.demand import DEMAND_KINDS
from sim.scenario.keys import key_rows, keys_at
from tests.helpers.scripts import SCENARIOS

ROWS = {row.path.replace("[]", ""): row for row in key_rows()}


def paths(value: object, prefix: str = "") -> set[str]:
    """Dotted places of the keys of a file as it was read; lists of tables count once."""
    if isinstance(value, list):
        return set().union(*(paths(one, prefix) for one in value)) if value else set()
    if not isinstance(value, dict):
        return set()
    own = {f"{prefix}{key}" for key in value}
    return own.union(*(paths(part, f"{prefix}{key}.") for key, part in value.items()))


@pytest.mark.parametrize("name", sorted(path.name for path in SCENARIOS.glob("*.toml")))
def test_every_key_that_the_bundled_scenarios_use_is_listed(name: str):
    """And its row says what it means."""
    written = paths(tomllib.loads((SCENARIOS / name).read_text()))
    # Below [defaults] stand keys of a group.
    used = {re.sub(r"^defaults\.", "group.", path) for path in written if "override." not in path}
    # A distribution's own keys are listed once, under dist.<name>.
    laws = {path for path, row in ROWS.items() if "distribution" in row.type}
    assert not {path for path in used - set(ROWS) if not any(path.startswith(f"{law}.") for law in laws)}
    assert all(ROWS[path].definition for path in used & set(ROWS))


def test_every_default_stands_in_a_row():
    """A default that no key has would be a fact without a place."""
    placed = {key.removesuffix(".linux").removesuffix(".windows") for key in DEFAULTS}
    assert placed - set(ROWS) == {"group.trace.durations"}  # of every duration of a group that replays a trace
    assert ROWS["group.durations.deallocating"].default == '{"dist": "lognormal", "median": "46s", "sigma": 0.55}'
    assert "measured elsewhere" in ROWS["group.durations.deallocating"].source


def test_every_kind_of_demand_has_its_rows():
    """From the registry of kinds."""
    assert {f"group.{kind}" for kind in DEMAND_KINDS} <= set(ROWS)
    assert ROWS["group.schedule.days"].is_required
    assert ROWS["group.schedule.jitter"].type == "duration or distribution"
    assert ROWS["group.count"].type == "whole number from 0"


def test_tables_that_name_their_kind_show_all_of_them():
    """One path, four tables."""
    assert ROWS["commitment.kind"].type == '"reservation" | "savings-plan" | "capacity-reservation" | "dedicated-host"'
    assert "dedicated-host: Machines." in ROWS["commitment.quantity"].definition


def test_a_key_of_some_kinds_only_is_not_required_of_all():
    """A capacity reservation has no term; every commitment has a name."""
    assert ROWS["commitment.term"].definition.startswith("required of reservation, savings-plan: ")
    assert ROWS["commitment.size_flexible"].definition.startswith("reservation: ")
    assert not ROWS["commitment.term"].is_required
    assert ROWS["commitment.name"].is_required and ROWS["commitment.kind"].is_required
    assert ROWS["commitment.name"].definition == "Name in results and in paths."
    room = {"name": "room", "kind": "capacity-reservation", "size": "Standard_D4s_v5", "quantity": 1}
    document = {"name": "x", "horizon": "1d", "group": [{"name": "web", "count": 1}], "commitment": [room]}
    assert sim.from_dict(document).document["commitment"] == [room]


def test_a_path_shows_a_key_and_what_is_below_it_only():
    """In the order of the file."""
    assert [row.path for row in keys_at("group.cycle")] == ["group[].cycle", "group[].cycle.on", "group[].cycle.off"]
    assert [row.path for row in keys_at("horizon")] == ["horizon"]


def test_an_unknown_key_is_refused_with_the_nearest():
    """A typing error."""
    with pytest.raises(InputError, match=r'keys group.schedul: .*did you mean "group.schedule"'):
        keys_at("group.schedul")


def test_the_command_prints_a_table_or_json():
    """The table says how far to trust a default."""
    shown = CliRunner().invoke(app, ["keys", "group.spot", "--json"])
    assert [row["path"] for row in json.loads(shown.stdout)][:2] == ["group[].spot", "group[].spot.eviction_per_hour"]
    words = CliRunner().invoke(app, ["keys", "group.spot.notice"]).stdout
    assert "From the notice to the eviction" in words
    assert "documented" in words


def test_what_is_listed_as_a_default_is_what_a_scenario_gets():
    """The listed default, written into a file, changes nothing."""
    row = ROWS["group.retry.backoff"]
    bare = {"name": "a", "horizon": "1d", "group": [{"name": "vm"}]}
    given = {**bare, "group": [{"name": "vm", "retry": {"backoff": json.loads(row.default)}}]}
    assert sim.from_dict(bare).fleet_plan() == sim.from_dict(given).fleet_plan()

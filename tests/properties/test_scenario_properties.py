"""Whatever is written in a scenario file, the answer is a scenario or a list of errors, never a traceback."""

from __future__ import annotations

import os
import tomllib
from copy import deepcopy
from datetime import UTC, date, datetime, time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.errors import ScenarioError
from sim.fields.defaults import DEFAULTS, SYSTEMS, default_value
from sim.scenario.scenario import Scenario, from_dict, load
from sim.scenario.toml_positions import index_lines
from sim.scenario.writing import to_toml

WHOLE = """\
name = "whole"
start = 2026-01-05T00:00:00Z
horizon = "28d"
warm_up = "1h"
seed = 1
replications = 20
confidence = 0.95
billing_policy = "2023-10"
[prices]
region = "westeurope"
currency = "USD"
[prices.override."Standard_D4s_v5"]
linux = 0.23
[[group]]
name = "dev"
size = "Standard_D4s_v5"
os = "windows"
hybrid_benefit = true
count = 200
create_over = "1h"
disks = ["P10", "E15"]
public_ip = true
  [group.schedule]
  days = "Mon-Fri"
  on = 08:00:00
  off = 19:00:00
  time_zone = "Europe/Amsterdam"
  jitter = { dist = "uniform", low = "0s", high = "20min" }
  when_off = "hibernate"
  [group.durations]
  starting = { dist = "mixture", weights = [0.5, 0.5], of = ["5s", { dist = "exponential", mean = "8h", max = "9h" }] }
  stopping = { dist = "quantiles", p = [0, 0.5, 0.95, 1], at = ["5s", "49s", "113s", "10min"] }
  [group.failures]
  OSProvisioningTimedOut = 0.01
  reaction = { dist = "weibull", shape = 0.48, scale = "8h" }
  [group.retry]
  attempts = 5
  [group.guest_crash]
  time_between = { dist = "gamma", shape = 2.0, mean = "2000h" }
[[group]]
name = "jobs"
priority = "spot"
  [group.arrivals]
  rate = 12.0
  batch = { sizes = [1, 2, 10], weights = [0.6, 0.3, 0.1] }
  lifetime = { dist = "lognormal", median = "50min", sigma = 1.8 }
  [group.spot]
  eviction_per_hour = 0.05
  restart_after = "15min"
[[group]]
name = "turning"
  [group.cycle]
  on = "8h"
  off = { dist = "triangular", low = "30s", mode = "45s", high = "5min" }
[[group]]
name = "web"
disks = ["E:200"]
zones = [1, 2]
  [group.autoscale]
  load = { weekly = LOAD }
  per_vm = 4.0
  min = 2
  max = 50
  tick = "1min"
  scale_out = { above = 0.7, by = 2 }
  scale_in = { below = 0.3, cooldown = "10min" }
[[group]]
name = "real"
availability_set = "set"
  [group.trace]
  file = "vms.csv"
  format = "columns"
[platform]
placement = "balanced"
  [[platform.hosts]]
  name = "rack-a"
  zone = 1
  count = 12
  vcpus = 96
  memory_gib = 768
  [[platform.hosts]]
  name = "rack-b"
  zone = 2
  count = 3
  vcpus = 64
  memory_gib = 512
  racks = 2
  only_groups = ["web", "real"]
  [platform.quota]
  regional_vcpus = 1000
  spot_vcpus = 200
  families = { standardDSv5Family = 800 }
  [platform.host_failures]
  time_between = { dist = "weibull", shape = 0.48, scale = "20000h" }
  [platform.rack_failures]
  time_between = "9000h"
  repair = "1h"
  [platform.maintenance]
  every = "30d"
  impact = "freeze"
  [platform.throttle]
  burst = 12
[[commitment]]
name = "cr"
kind = "capacity-reservation"
size = "Standard_D4s_v5"
quantity = 2
groups = ["turning"]
[[commitment]]
name = "own"
kind = "dedicated-host"
quantity = 1
hourly = 4.0
vcpus = 64
groups = ["web"]
[[commitment]]
name = "ri"
kind = "reservation"
size = "Standard_D4s_v5"
quantity = 100
term = "1y"
[[commitment]]
name = "sp"
kind = "savings-plan"
hourly = 20.0
term = "3y"
""".replace("LOAD", str([10.0, 100.0] * 84))
RECORD = "created_s,deleted_s,vcpu,memory_gib,priority\n0,3600,4,16,regular\n1200,,2,8,regular\n"
DOCUMENT = tomllib.loads(WHOLE)


@pytest.fixture(autouse=True, scope="module")
def beside(tmp_path_factory):
    """The record that the scenario replays lies where it is read."""
    folder = tmp_path_factory.mktemp("beside")
    (folder / "vms.csv").write_text(RECORD)
    before = Path.cwd()
    os.chdir(folder)
    yield
    os.chdir(before)


def _places(node, path=()):
    """Every place of a document."""
    parts = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for part, inner in parts:
        yield (*path, part)
        yield from _places(inner, (*path, part))


PLACES = list(_places(DOCUMENT))
KEYS = sorted({part for place in PLACES for part in place if isinstance(part, str)} | {"zone_failures", "x", "", "a.b"})

nasty = st.one_of(
    st.sampled_from(
        [
            *(None, True, False, 0, -1, 1, 2**70, -(2**70), 10**400),
            *(0.0, -0.5, 1.5, 1e308, 5e-324, float("nan"), float("inf")),
            *("", "0s", "-1s", "1s", "8", "1e9d", "none", "linux", "spot", "P11", "2018-08", "99999999999999d", "\n", "\0"),
            *([], {}, [[]], [{}], {"dist": "exponential"}, {"dist": []}),
            {"dist": "samples", "file": "\0", "column": ""},
            {"dist": "lognormal", "median": "1s", "p95": "9999d"},
            {"dist": "mixture", "weights": [0], "of": ["1s"]},
            *(date(2026, 1, 1), time(8), datetime(2026, 1, 1)),  # noqa: DTZ001
            *(datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)),
        ]
    ),
    st.text(max_size=8),
    st.floats(),
    st.integers(),
)  # fmt: skip

changes = st.lists(
    st.tuples(st.sampled_from(PLACES), st.sampled_from(["set", "delete", "add", "swap"]), nasty, st.sampled_from(KEYS)),
    min_size=1,
    max_size=4,
)


def _change(document, place, how, value, key):
    """One careless edit of a document."""
    around = document
    for part in place[:-1]:
        if not isinstance(around, dict) and not (
            isinstance(around, list) and isinstance(part, int) and part < len(around)
        ):
            return
        if isinstance(around, dict) and part not in around:
            return
        around = around[part]
    part = place[-1]
    if isinstance(around, list) and not (isinstance(part, int) and part < len(around)):
        return
    if not isinstance(around, (dict, list)) or (isinstance(around, dict) and not isinstance(part, str)):
        return
    if how == "set":
        around[part] = value
    elif how == "delete" and (isinstance(around, list) or part in around):
        del around[part]
    elif how == "add" and isinstance(around, dict):
        around[key] = value
    elif how == "swap" and isinstance(around, dict) and part in around:
        around[key] = around.pop(part)


def _is_answered(make):
    """A scenario, or errors of one line each."""
    faults = ()
    try:
        scenario = make()
    except ScenarioError as error:
        faults = error.faults
        output = str(error).split("\n")
    if faults:
        assert len(output) == len(faults)
        assert all(fault.problem for fault in faults)
        assert max(len(line) for line in output) < 2000
    else:
        assert isinstance(scenario, Scenario)
        scenario.fleet_plan()
        scenario.rated_groups()
        scenario.billed_commitments()
        assert scenario.describe()


@settings(max_examples=150)
@given(changes)
def test_a_careless_edit_gives_a_scenario_or_issues(edits):
    """Any value anywhere, keys lost, added and misplaced: a traceback would be our defect."""
    document = deepcopy(DOCUMENT)
    for edit in edits:
        _change(document, *edit)
    _is_answered(lambda: from_dict(document))


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(
            st.integers(0, len(WHOLE)),
            st.integers(0, 12),
            st.sampled_from(list("\"'[]{}=.#,\n\\- 0aZ\0é")) | st.text(max_size=3),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_a_damaged_file_gives_a_scenario_or_issues(tmp_path_factory, cuts):
    """Characters lost and typed anywhere in the text, TOML or not."""
    text = WHOLE
    for at, length, typed in cuts:
        text = text[:at] + typed + text[at + length :]
    path = tmp_path_factory.mktemp("damaged") / "scenario.toml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass", newline="")
    _is_answered(lambda: load(path))


@settings(max_examples=100)
@given(
    st.sampled_from(PLACES),
    st.text(max_size=10) | st.sampled_from(["none", "0s", "1", "{}", "[]", "[1]", "nan", "-1", "true"]),
)
def test_any_override_gives_a_scenario_or_issues(place, value):
    """`--set` with anything: the path may lead anywhere, the value may be anything."""
    named = (
        ".".join(str(part) for part in place)
        .replace("group.0", "group.dev")
        .replace("commitment.0", "commitment.cr")
        .replace("platform.hosts.0", "platform.hosts.rack-a")
    )
    _is_answered(lambda: from_dict(DOCUMENT, [f"{named}={value}"]))


@settings(max_examples=100)
@given(st.text(max_size=30))
def test_any_text_for_an_override_gives_a_scenario_or_issues(text):
    """Not even PATH=VALUE can be relied on."""
    _is_answered(lambda: from_dict(DOCUMENT, [text]))


# --- writing and reading again --------------------------------------------------------------------------------------

scalars = (
    st.text(max_size=12)
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.booleans()
    | st.times()
    | st.dates()
    | st.datetimes(timezones=st.just(UTC))
)
documents = st.recursive(
    st.dictionaries(st.text(max_size=6), scalars | st.lists(scalars, max_size=3), max_size=4),
    lambda inner: st.dictionaries(
        st.text(max_size=6), scalars | inner | st.lists(inner, max_size=3) | st.lists(scalars, max_size=3), max_size=4
    ),
    max_leaves=12,
)


@settings(max_examples=150)
@given(documents)
def test_a_document_written_as_toml_reads_back_the_same(document):
    """What a result folder keeps must be what was run, whatever strings and nesting it has."""
    assert tomllib.loads(to_toml(document)) == document


@settings(max_examples=150)
@given(documents)
def test_every_place_of_a_document_has_its_line(document):
    """The line of a key is one that holds the key; strings with quotes, brackets and line ends in them cause no wrong line number."""
    text = to_toml(document)
    lines = index_lines(text)
    written = text.split("\n")
    for place in _places(document):
        if isinstance(place[-1], str):
            assert to_toml({place[-1]: 0}).split(" = ")[0] in written[lines[place] - 1]
        else:
            assert place in lines


def test_a_scenario_written_out_is_the_same_scenario(tmp_path: Path):
    """Overrides are in it, and running it again asks the same question."""
    (tmp_path / "vms.csv").write_text(RECORD)
    (tmp_path / "whole.toml").write_text(WHOLE)
    first = load(tmp_path / "whole.toml", ["group.jobs.spot.restart_after=none", "group.dev.when_off=stop"])
    (tmp_path / "copy.toml").write_text(first.to_toml())
    second = load(tmp_path / "copy.toml")
    assert second.document == first.document
    assert second.fleet_plan() == first.fleet_plan()
    assert second.rated_groups() == first.rated_groups()
    assert second.billed_commitments() == first.billed_commitments()
    assert second.defaults_in_use() == first.defaults_in_use()


EVERY_DEFAULT = sorted(
    key for key in DEFAULTS
    # No keys of a file, or of a table that needs a file of its own (tests/unit/test_spot_work.py); a name is never left out here.
    if not key.startswith(("group.name", "group.trace.durations", "platform.zone_failures", "group.spot.availability"))
)  # fmt: skip
HOMES = {
    "group.schedule": "dev", "group.arrivals": "jobs", "group.spot": "jobs", "group.guest_crash": "dev",
    "group.autoscale": "web", "group.trace": "real",
}  # fmt: skip
NEVER_ALONE = ("group.spot", "platform.rack_failures.healing")
"""Defaults that are not in use as the file stands: another key answers in their place."""


@pytest.mark.parametrize("key", EVERY_DEFAULT)
def test_writing_a_default_down_changes_only_its_source(key):
    """A default means what the same words in the file would mean; then it is the user's, and no longer listed."""
    group = next((name for home, name in HOMES.items() if key.startswith(home)), "turning")
    place, os = key.replace("group.", f"group.{group}.", 1), key.rpartition(".")[2]
    guest = [(f"group.{group}.os", os)] if os in SYSTEMS else []
    place = place.removesuffix(f".{os}") if guest else place
    place = place.replace("platform.hosts.", "platform.hosts.rack-a.").replace("commitment.", "commitment.ri.")
    left_out = from_dict(DOCUMENT, [("group.dev.when_off", "stop"), *guest, (place, None)])
    written = left_out.replace(place, default_value(key))
    assert written.fleet_plan() == left_out.fleet_plan()
    assert written.rated_groups() == left_out.rated_groups()
    listed = {default.key: default.in_use_by for default in left_out.defaults_in_use()}
    assert key in listed or key.startswith(NEVER_ALONE)
    still = {default.key: default.in_use_by for default in written.defaults_in_use()}
    assert group not in still.get(key, ())
    assert key.startswith(("group.", "platform.hosts.")) or key not in still

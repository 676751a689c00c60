"""What a scenario file means: plans, prices, defaults, words."""

from __future__ import annotations

import json
import pickle
import re
from datetime import UTC, datetime, time
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from sim.billing.commitments import CapacityReservation, Reservation, SavingsPlan
from sim.catalog import DEFAULTS, get_default, load_bundled
from sim.distributions.kinds import (
    Constant,
    Exponential,
    Gamma,
    Lognormal,
    Mixture,
    Quantiles,
    Triangular,
    Truncated,
    Uniform,
    Weibull,
)
from sim.distributions.specs import SPECS, Varying, to_distribution
from sim.errors import ScenarioError
from sim.fields.defaults import SYSTEMS
from sim.fields.types import read_seconds
from sim.model.demand import AlwaysOn, Arrivals, Autoscale, Cycle, Schedule
from sim.model.faults.failures import FAILURE_CODES
from sim.model.plan import Retry
from sim.scenario.scenario import from_dict, load
from sim.scenario.schema import json_schema
from sim.studies.axes import changed
from tests.helpers.operation_rows import CHANCE_CODES, DURATION_KEYS

INTERFACE = Path(__file__).parents[3] / "shared" / "interface.md"

LEAST = {"name": "least", "horizon": "1d", "group": [{}]}


def scenario(group=None, **top):
    """A scenario of one group, `dev`."""
    return from_dict({**LEAST, "group": [{"name": "dev", **(group or {})}], **top})


def plan(group=None, **top):
    """The plan of its group."""
    return scenario(group, **top).fleet_plan().groups[0]


# --- the least file and its defaults --------------------------------------------------------------------------------


def test_name_horizon_and_one_group_are_enough():
    """The interface states that everything else has a default."""
    fleet = from_dict(LEAST).fleet_plan()
    (group,) = fleet.groups
    assert (fleet.start, fleet.horizon_s, fleet.warm_up_s) == (datetime(2026, 1, 5, tzinfo=UTC), 86400.0, 0.0)
    assert (group.name, group.count, group.create_over_s, group.demand) == ("vm", 1, 0.0, AlwaysOn())
    assert (group.when_off, group.generalized, group.failures) == ("deallocate", True, {})
    assert (group.guest_crash, group.spot) == (None, None)
    assert group.retry == Retry(attempts=5, backoff_s=60.0, multiplier=2.0, max_backoff_s=3600.0)


def test_durations_left_out_are_those_of_the_catalogue():
    """A default stands once, in the catalogue; the plan must carry just that."""
    for os in SYSTEMS:
        durations = plan({"os": os}).durations_s
        rows = {key: get_default(f"group.durations.{key}", os=os).value for key in durations}
        assert durations == {
            key: to_distribution(TypeAdapter(Varying).validate_python(value)) for key, value in rows.items()
        }
    keys = {key.removesuffix(f".{os}") for os in SYSTEMS for key in DEFAULTS if key.startswith("group.durations.")}
    assert {f"group.durations.{key}" for key in durations} == {key for key in keys if key.count(".") == 2}


@pytest.mark.parametrize(("os", "minutes"), [("linux", 20), ("windows", 40)])
def test_os_provisioning_is_given_up_by_guest_os(os, minutes):
    """Windows set-up takes longer; the catalogue has both."""
    assert plan({"os": os}).os_provisioning_timeout_s == minutes * 60


def test_every_failure_by_chance_can_be_given_a_probability():
    """A code in the operation rows without a key would never strike; a key without a row would do nothing."""
    assert sorted(FAILURE_CODES) == sorted(CHANCE_CODES)


def test_every_step_of_an_operation_has_a_duration():
    """A step in the operation rows without a key could not be given a time."""
    assert set(plan().durations_s) == set(DURATION_KEYS)


def test_a_default_ceiling_never_lies_below_the_first_backoff():
    """`backoff = "2h"` alone means two hours, not the default ceiling of one."""
    assert plan({"retry": {"backoff": "2h"}}).retry.max_backoff_s == 7200


# --- distributions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "distribution"),
    [
        ("90s", Constant(value=90.0)),
        ("PT1H30M", Constant(value=5400.0)),
        ({"dist": "exponential", "mean": "8h"}, Exponential(mean=28800.0)),
        ({"dist": "lognormal", "median": "49s", "sigma": 0.6}, Lognormal(median=49.0, sigma=0.6)),
        ({"dist": "weibull", "shape": 0.48, "scale": "817h"}, Weibull(shape=0.48, scale=817 * 3600.0)),
        ({"dist": "gamma", "shape": 2.0, "mean": "4h"}, Gamma(shape=2.0, mean=14400.0)),
        ({"dist": "uniform", "low": "30s", "high": "90s"}, Uniform(low=30.0, high=90.0)),
        (
            {"dist": "triangular", "low": "30s", "mode": "45s", "high": "5min"},
            Triangular(low=30.0, mode=45.0, high=300.0),
        ),
        (
            {"dist": "quantiles", "p": [0, 0.5, 0.95, 1], "at": ["5s", "49s", "113s", "10min"]},
            Quantiles(p=(0.0, 0.5, 0.95, 1.0), at=(5.0, 49.0, 113.0, 600.0)),
        ),
        (
            {"dist": "mixture", "weights": [51, 49], "of": ["10s", {"dist": "exponential", "mean": "1h"}]},
            Mixture(weights=(0.51, 0.49), of=(Constant(value=10.0), Exponential(mean=3600.0))),
        ),
        (
            {"dist": "exponential", "mean": "8h", "min": "1min", "max": "30d"},
            Truncated(of=Exponential(mean=28800.0), low=60.0, high=30 * 86400.0),
        ),
    ],
    ids=["constant", "iso", *[name for name in SPECS if name != "samples"], "truncated"],
)
def test_every_way_to_write_a_duration(written, distribution):
    """Each form of the interface becomes its distribution in seconds."""
    assert plan({"durations": {"starting": written}}).durations_s["starting"] == distribution


@pytest.mark.parametrize(
    "two", [("median", "mean"), ("median", "p95"), ("mean", "sigma"), ("mean", "p95"), ("p95", "sigma")]
)
def test_any_two_of_a_lognormal_fix_it(two):
    """A lognormal of median 49 s and sigma 0.6 is found again from any two of its four figures."""
    distribution = Lognormal(median=49.0, sigma=0.6)
    figures = {
        "median": "49s",
        "sigma": 0.6,
        "mean": f"{distribution.mean:.9f}s",
        "p95": f"{float(distribution.ppf(0.95)):.9f}s",
    }
    written = {"dist": "lognormal", **{key: figures[key] for key in two}}
    found = plan({"durations": {"starting": written}}).durations_s["starting"]
    assert (found.median, found.sigma) == pytest.approx((49.0, 0.6), rel=1e-6)


# --- demand ---------------------------------------------------------------------------------------------------------

OFFICE = {"days": "Mon-Fri", "on": time(8), "off": time(19)}


@pytest.mark.parametrize(
    ("days", "weekdays"),
    [
        ("Mon-Fri", (0, 1, 2, 3, 4)),
        ("Mon-Sun", (0, 1, 2, 3, 4, 5, 6)),
        ("Mon,Wed,Sat", (0, 2, 5)),
        ("Sat-Mon", (0, 5, 6)),
        ("fri", (4,)),
        ("Tuesday, Thu", (1, 3)),
    ],
)
def test_days_of_a_schedule(days, weekdays):
    """Spans, lists, spans over the week's end, any case."""
    assert plan({"schedule": {**OFFICE, "days": days}}).demand.days == weekdays


def test_a_schedule_keeps_its_wall_clock_and_place():
    """Hours are local; only the simulation turns them into seconds."""
    demand = plan({"schedule": {**OFFICE, "time_zone": "Europe/Amsterdam", "jitter": "5min"}}).demand
    assert demand == Schedule(
        days=(0, 1, 2, 3, 4), on=time(8), off=time(19), time_zone="Europe/Amsterdam", jitter_s=Constant(value=300.0)
    )


def test_a_cycle():
    """Both halves are distributions."""
    assert plan({"cycle": {"on": "8h", "off": "16h"}}).demand == Cycle(
        on_s=Constant(value=28800.0), off_s=Constant(value=57600.0)
    )


def test_arrivals_have_no_count_and_shares_for_weights():
    """Weights are shares of requests, whatever they sum to."""
    group = plan({"arrivals": {"rate": 12, "lifetime": "1h", "batch": {"sizes": [1, 2, 10], "weights": [6, 3, 1]}}})
    assert group.count == 0
    assert group.demand == Arrivals(
        rate_per_h=(12.0,), lifetime_s=Constant(value=3600.0), batch_sizes=(1, 2, 10), batch_weights=(0.6, 0.3, 0.1)
    )


@pytest.mark.parametrize(("key", "hours"), [("hourly", 24), ("weekly", 168)])
def test_arrivals_by_the_hour(key, hours):
    """A day's and a week's profile."""
    assert plan({"arrivals": {key: list(range(hours)), "lifetime": "1h"}}).demand.rate_per_h == tuple(range(hours))


def test_when_off_may_stand_under_the_schedule_as_the_interface_shows_it():
    """TOML gives a key to the last header above it; the documented example has `when_off` there."""
    under = plan({"schedule": {**OFFICE, "when_off": "stop"}})
    above = plan({"schedule": OFFICE, "when_off": "stop"})
    assert under == above
    assert under.when_off == "stop"


def test_an_override_of_when_off_wins_wherever_the_file_has_it():
    """Otherwise the file's line under the schedule would contradict it."""
    made = scenario({"schedule": {**OFFICE, "when_off": "stop"}})
    assert made.replace("group.dev.when_off", "keep").fleet_plan().groups[0].when_off == "keep"
    document = {**LEAST, "group": [{"name": "dev", "schedule": {**OFFICE, "when_off": "stop"}}]}
    for path in ("group.dev.when_off", "group.dev.schedule.when_off"):
        assert from_dict(document, [f"{path}=keep"]).fleet_plan().groups[0].when_off == "keep"


def test_a_spot_section_waits_until_the_group_is_spot():
    """So that one override turns a regular fleet into a spot fleet."""
    made = scenario({"priority": "regular", "spot": {"eviction_per_hour": 0.05}})
    assert made.fleet_plan().groups[0].spot is None
    assert any("not used" in line for line in made.describe())
    spot = made.replace("group.dev.priority", "spot")
    assert spot.fleet_plan().groups[0].spot.eviction_per_hour == 0.05
    assert spot.rated_groups()[0].priority == "spot"


# --- prices and commitments -----------------------------------------------------------------------------------------


def test_sizes_and_tiers_are_spelt_as_the_price_list_spells_them():
    """`d4s v5` and `p10` are understood, and billed under their own names."""
    (group,) = scenario({"size": "d4s v5", "disks": ["p10"]}, prices={"region": "West Europe"}).rated_groups()
    assert (group.size, group.disks, group.region) == ("Standard_D4s_v5", ("P10",), "westeurope")


def test_own_prices_stand_before_the_list():
    """What is not overridden stays as listed."""
    made = scenario(prices={"override": {"Standard_D4s_v5": {"linux": 0.5}}})
    assert made.catalogue().price_per_h("Standard_D4s_v5", "westeurope", "linux") == 0.5
    assert made.catalogue().price_per_h("Standard_D2s_v5", "westeurope", "linux") == load_bundled().price_per_h(
        "Standard_D2s_v5", "westeurope", "linux"
    )


def test_a_size_of_ones_own_needs_only_its_price():
    """A size that no list has can still be simulated and rated."""
    made = scenario({"size": "Mine_X1"}, prices={"override": {"Mine_X1": {"linux": 2.0}}})
    assert made.catalogue().price_per_h("Mine_X1", "westeurope", "linux") == 2.0
    with pytest.raises(ScenarioError, match="Mine_X1"):
        scenario({"size": "Mine_X1", "os": "windows"}, prices={"override": {"Mine_X1": {"linux": 2.0}}})


def test_validate_reports_own_prices_of_an_unused_size():
    """The list may know the size, and the user may have meant another: said, since no figure will show it."""
    both = {"Standard_D4s_v5": {"linux": 0.5}, "d8s v5": {"linux": 1.0}}
    output = "\n".join(scenario(prices={"override": both}).describe())
    assert "own prices for Standard_D4s_v5 and d8s v5." in output
    assert "Warning: prices.override of d8s v5 has no effect: no group and no commitment is of that size." in output


def test_commitments_reach_billing_as_its_own_terms():
    """Kind by kind."""
    size = "Standard_D4s_v5"
    made = scenario(
        commitment=[
            {"name": "ri", "kind": "reservation", "size": size, "quantity": 100, "term": "1y"},
            {"name": "sp", "kind": "savings-plan", "hourly": 20.0, "term": "3y"},
            {"name": "cr", "kind": "capacity-reservation", "size": size, "quantity": 10},
        ]
    )
    reservation, plan_, room = made.billed_commitments()
    assert isinstance(reservation, Reservation)
    assert (reservation.name, reservation.size, reservation.quantity, reservation.term) == ("ri", size, 100, "1y")
    assert isinstance(plan_, SavingsPlan)
    assert (plan_.hourly_usd, plan_.term) == (20.0, "3y")
    assert isinstance(room, CapacityReservation)
    assert (room.size, room.quantity) == (size, 10)


# --- replace, overrides, keeping ------------------------------------------------------------------------------------


def test_replace_gives_another_scenario_and_leaves_the_first_alone():
    """Variants of a study must not touch their base."""
    base = scenario({"count": 200})
    more = base.replace("group.dev.count", 300)
    assert (base.groups[0].count, more.groups[0].count) == (200, 300)
    assert more.document["group"][0]["count"] == 300


def test_overrides_are_toml_values_or_else_text():
    """As documented for `--set`."""
    made = from_dict(
        {**LEAST, "group": [{"name": "dev"}]},
        [
            "group.dev.count=300",
            "horizon=7d",
            'group.dev.durations.starting={ dist = "exponential", mean = "40s" }',
            'group.dev.disks=["P10", "E15"]',
            "group.dev.public_ip=true",
        ],
    )
    group = made.fleet_plan().groups[0]
    assert (group.count, made.horizon_s) == (300, 604800)
    assert group.durations_s["starting"] == Exponential(mean=40.0)
    assert made.rated_groups()[0].disks == ("P10", "E15")
    assert made.rated_groups()[0].public_ip


def test_a_part_of_a_default_can_be_set_alone():
    """`starting.median` is meaningful although the file says nothing of `starting`."""
    made = scenario().replace("group.dev.durations.starting.median", "50s")
    sigma = get_default("group.durations.starting").value["sigma"]
    assert made.fleet_plan().groups[0].durations_s["starting"] == Lognormal(median=50.0, sigma=sigma)


@pytest.mark.parametrize("first", ["group.dev.os", "group.dev.durations.os_provisioning.sigma"])
def test_the_rest_of_a_default_is_that_of_the_guest_os(first):
    """In whatever order they are set: the same settings are the same scenario."""
    settings = {"group.dev.os": "windows", "group.dev.durations.os_provisioning.sigma": 0.3}
    order = sorted(settings.items(), key=lambda setting: setting[0] != first)
    made = from_dict({**LEAST, "group": [{"name": "dev"}]}, order)
    median = {os: read_seconds(get_default("group.durations.os_provisioning", os=os).value["median"]) for os in SYSTEMS}
    assert median["windows"] != median["linux"]
    for each in (made, changed(scenario(), dict(order))):
        assert each.fleet_plan().groups[0].durations_s["os_provisioning"] == Lognormal(
            median=median["windows"], sigma=0.3
        )


def test_the_guest_os_may_come_with_defaults():
    """`[defaults]` names Windows: its durations hold in every group, and are listed as the defaults in use."""
    made = from_dict(
        {**LEAST, "defaults": {"os": "windows"}, "group": [{"name": "dev"}, {"name": "web", "os": "linux"}]}
    )
    used = {default.key: default.in_use_by for default in made.defaults_in_use()}
    assert used["group.durations.deleting.windows"] == ("dev",)
    assert used["group.durations.deleting.linux"] == ("web",)
    assert [group.durations_s["deleting"].median for group in made.fleet_plan().groups] == [
        read_seconds(get_default("group.durations.deleting", os=os).value["median"]) for os in ("windows", "linux")
    ]


def test_none_takes_a_key_away():
    """The way to compare a schedule with always on."""
    made = from_dict({**LEAST, "group": [{"name": "dev", "schedule": OFFICE}]}, ["group.dev.schedule=none"])
    assert made.fleet_plan().groups[0].demand == AlwaysOn()


def test_a_scenario_travels_to_another_process():
    """Replications run in workers; what arrives is what was sent."""
    made = scenario({"durations": {"starting": {"dist": "gamma", "shape": 2.0, "mean": "4h"}}})
    arrived = pickle.loads(pickle.dumps(made))
    assert arrived.fleet_plan() == made.fleet_plan()
    assert arrived.rated_groups() == made.rated_groups()
    assert arrived.replace("horizon", "2d").horizon_s == 172800


def test_a_scenario_is_frozen():
    """A run must be of what was checked."""
    made = scenario()
    with pytest.raises(Exception, match="frozen"):
        made.seed = 2


# --- words ----------------------------------------------------------------------------------------------------------


def test_description_says_what_will_be_simulated_and_marks_assumptions():
    """What `vmfleet validate` prints: the fleet first, then the numbers it leans on."""
    lines = scenario({"count": 200, "schedule": OFFICE, "failures": {"OSProvisioningTimedOut": 0.01}}).describe()
    text = "\n".join(lines)
    assert "200 VMs of Standard_D4s_v5" in text
    assert "Needed on Mon, Tue, Wed, Thu and Fri from 08:00 to 19:00 (UTC); otherwise deallocated." in text
    assert "OSProvisioningTimedOut 0.01" in text
    (restarting,) = [line for line in lines if "group.durations.restarting" in line]
    assert restarting.startswith("* group.durations.restarting = 30s")
    (starting,) = [line for line in lines if "group.durations.starting" in line]
    assert starting.startswith("  ")
    assert "measured elsewhere" in starting
    (extensions,) = [line for line in lines if "group.durations.extensions" in line]
    assert not extensions.startswith("*")


def test_defaults_in_use_are_those_not_set_in_the_file():
    """A number the user wrote is the user's; one that does not matter is not listed."""
    made = from_dict(
        {
            **LEAST,
            "seed": 1,
            "group": [
                {"name": "a", "durations": {"starting": "30s"}},
                {"name": "b", "image": "specialized", "os": "windows"},
            ],
        }
    )
    used = {default.key: default.in_use_by for default in made.defaults_in_use()}
    assert used["group.durations.starting"] == ("b",)
    assert used["group.durations.os_provisioning.linux"] == ("a",)
    assert used["group.failures.os_provisioning_timeout.linux"] == ("a",)
    assert "group.failures.os_provisioning_timeout.windows" not in used
    assert "seed" not in used
    assert used["replications"] == ()
    assert not any(key.startswith(("group.spot", "group.guest_crash", "platform")) for key in used)


# --- schema ---------------------------------------------------------------------------------------------------------


def test_schema_lets_editors_distinguish_distributions_by_dist():
    """Completion inside `{ dist = ...` depends on it; descriptions are what hovering shows."""
    schema = json_schema()
    json.dumps(schema)
    starting = schema["$defs"]["Durations"]["properties"]["starting"]
    text, table = starting["oneOf"]
    assert text["type"] == "string"
    assert set(table["discriminator"]["mapping"]) == set(SPECS)
    assert starting["default"] == get_default("group.durations.starting").value
    assert starting["description"]
    assert set(schema["required"]) == {"name", "horizon", "group"}
    assert "when_off" in schema["$defs"]["Schedule"]["properties"]  # where the documented example has it


def test_schema_takes_the_durations_that_we_take():
    """A pattern narrower than the reader would have editors complain of sound files."""
    horizon = json_schema()["properties"]["horizon"]
    for text in ("90s", "15min", "8h", "30d", "1w", "500ms", "PT1H30M", "P30D", "1h30min", "1.5h"):
        assert re.search(horizon["pattern"], text)
        assert scenario(horizon=text).horizon_s > 0
    for text in ("28", "-1s", "8hours"):
        assert not re.search(horizon["pattern"], text)


# --- the interface ----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not INTERFACE.exists(), reason="the shared pages are not here")
def test_the_whole_file_of_the_interface_is_taken(tmp_path):
    """The example is what users copy: with its placeholder of 24 numbers filled in, nothing of it is refused."""
    text = re.findall(r"```toml\n(.*?)```", INTERFACE.read_text(encoding="utf-8"), re.DOTALL)[1]
    path = tmp_path / "whole.toml"
    path.write_text(text.replace("[24 numbers]", str([100.0 * hour for hour in range(24)])), encoding="utf-8")
    made = load(path)
    (group,) = made.fleet_plan().groups
    assert isinstance(group.demand, Autoscale)
    assert made.fleet_plan().platform.hosts[0].name == "rack-a"
    assert "Not used beside autoscale: count, create_over and schedule." in "\n".join(made.describe())
    assert load(path, ["group.dev.autoscale=none"]).fleet_plan().groups[0].count == 200


SCALED = {"load": {"hourly": [500.0] * 24}, "per_vm": 100.0, "min": 1, "max": 9, "scale_out": {"above": 0.7}}
EVICTED = {"priority": "spot", "spot": {"eviction_per_hour": 0.1}}
WORK = {"rate": 1.0, "lifetime": "2h", "lifetime_counts": "running"}


@pytest.mark.parametrize(
    ("group", "warning"),
    [
        (EVICTED | {"autoscale": SCALED}, "stay deallocated for ever"),
        (EVICTED | {"arrivals": WORK}, "is never finished"),
        (EVICTED, "never come back"),
        ({"autoscale": SCALED | {"min": 0}}, "none is ever added"),
        ({"autoscale": SCALED | {"min": 8}}, "never takes the 8 VMs of min above a scale_out rule"),
        ({"failures": {"AllocationFailed": 1.0}}, "no create ever succeeds"),
    ],
)
def test_what_is_allowed_and_hardly_meant_is_warned_about(group, warning):
    """A line of `validate`, and none for the same group with what the line advises."""
    assert any(line.startswith("  Warning: ") and warning in line for line in scenario(group).describe())
    sound = {"spot": {"eviction_per_hour": 0.1, "restart_after": "15min"}, "autoscale": SCALED, "failures": {}}
    mended = {key: sound.get(key, value) for key, value in group.items()}
    assert not any("Warning" in line for line in scenario(mended).describe())


def test_a_mix_is_simulated_and_rated_as_two_groups():
    """The spot VMs of a mix are a group of their own, with the evictions; both follow one autoscaler."""
    keys = SCALED | {"regular_base": 2, "regular_above_base": "30 %", "when_off": "deallocate"}
    made = scenario({"autoscale": keys, "spot": {"eviction_per_hour": 0.1}})
    regular, spot = made.fleet_plan().groups
    assert (regular.name, regular.spot, regular.part_of) == ("dev", None, "")
    assert (spot.name, spot.spot.eviction_per_hour, spot.part_of) == ("dev-spot", 0.1, "dev")
    assert regular.demand == spot.demand
    assert (regular.demand.regular_above_base, regular.demand.keep_at_most) == (0.3, regular.demand.maximum)
    assert [group.priority for group in made.rated_groups()] == ["regular", "spot"]
    assert made.group_names == ("dev", "dev-spot")
    words = "\n".join(made.describe())
    assert "The first 2 VMs are regular, and 30 % of those above; the others are spot." in words
    assert "stay deallocated for ever" not in words, "they are among those that are kept"
    with pytest.raises(ScenarioError, match="its spot VMs are the group"):
        from_dict(
            made.document | {"group": [*made.document["group"], made.document["group"][0] | {"name": "dev-spot"}]}
        )

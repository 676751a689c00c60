"""What a scenario says of hosts, quota, platform failures, loads and capacity reservations."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

import sim
from sim.billing.commitments import CapacityReservation, DedicatedHost, Reservation
from sim.cli.terminal import print_summary
from sim.distributions.kinds import Constant, Lognormal
from sim.engines.simulate import simulate
from sim.errors import ScenarioError
from sim.model import plan as plans
from sim.model.demand import Autoscale, ScalingRule
from sim.model.faults import Failing, Maintenance, Throttle
from sim.scenario.scenario import from_dict, load
from sim.scenario.schema import json_schema

LEAST = {"name": "least", "horizon": "1d", "group": [{}]}
HOSTS = {"name": "rack-a", "count": 2, "vcpus": 64, "memory_gib": 512}
SCALED = {
    "load": {"hourly": [10.0] * 24},
    "per_vm": 4.0,
    "min": 1,
    "max": 9,
    "scale_out": {"above": 0.7},
    "scale_in": {"below": 0.3},
}


def scenario(group=None, **top):
    """A scenario of one group, `dev`."""
    return from_dict({**LEAST, "group": [{"name": "dev", **(group or {})}], **top})


def group_plan(group=None, **top):
    """The plan of its group."""
    return scenario(group, **top).fleet_plan().groups[0]


def shared(**platform):
    """The plan of what its VMs share."""
    return scenario(platform=platform).fleet_plan().platform


# --- the platform ---------------------------------------------------------------------------------------------------


def test_without_a_platform_nothing_is_shared():
    """Then groups may be simulated separately, and plans do not differ by unused settings."""
    made = scenario().fleet_plan()
    assert made.platform is None
    assert (made.groups[0].size, made.groups[0].vcpus) == ("", 0)


def test_a_platform_that_limits_nothing_is_none():
    """An empty table is hardware without end."""
    assert shared() is None


def test_hosts_quota_and_throttle():
    """Each key where the simulation reads it; families as the price list spells them."""
    made = shared(
        placement="worst-fit",
        hosts=[{**HOSTS, "zone": 2, "racks": 2}],
        quota={"regional_vcpus": 100, "spot_vcpus": 20, "families": {"STANDARDDSV5FAMILY": 80}},
        throttle={},
    )
    assert made == plans.Platform(
        placement="worst-fit",
        hosts=(
            plans.HostPool(name="rack-a", count=2, vcpus=64, memory_gib=512.0, region="westeurope", zone=2, racks=2),
        ),
        quota=plans.Quota(regional_vcpus=100, spot_vcpus=20, families={"standardDSv5Family": 80}),
        throttle=Throttle(burst=1500.0, refill_per_min=500.0),
    )


def test_failures_of_hosts_are_described():
    """Three kinds of failure, one way to be healed, and planned work with its sourced defaults."""
    made = shared(
        hosts=[{**HOSTS, "zone": 1}],
        host_failures={"time_between": "1000h", "repair": "2h"},
        rack_failures={"time_between": "5000h", "healing": "7min"},
        zone_failures={"time_between": "9000h"},
        maintenance={"every": "30d", "impact": "freeze"},
    )
    assert made.host_failures == Failing(time_between_s=Constant(value=3.6e6), repair_s=Constant(value=7200.0))
    assert made.rack_failures.repair_s == Lognormal(median=1.05 * 3600, sigma=1.42)
    assert made.zone_failures.time_between_s == Constant(value=9000 * 3600.0)
    assert made.healing_s == Constant(value=420.0)
    assert made.maintenance == Maintenance(
        every_s=30 * 86400.0, impact="freeze", update_domains=5, between_domains_s=1800.0, freeze_s=Constant(value=9.0)
    )


def test_on_a_platform_a_group_is_known_by_its_size():
    """Placement needs room, quota the family; both come from the price list whatever the user's spelling."""
    made = group_plan({"size": "d4s v5", "zones": [1, 3]}, platform={"quota": {"regional_vcpus": 10}})
    assert (made.size, made.family) == ("Standard_D4s_v5", "standardDSv5Family")
    assert (made.vcpus, made.memory_gib, made.priority, made.zones) == (4, 16.0, "regular", (1, 3))


def test_spot_vms_on_hosts_can_be_evicted_without_a_section_that_says_so():
    """Else a regular VM that needs their room could not have it."""
    assert group_plan({"priority": "spot"}).spot is None
    assert group_plan({"priority": "spot"}, platform={"quota": {"spot_vcpus": 99}}).spot is None
    spot = group_plan({"priority": "spot"}, platform={"hosts": [HOSTS]}).spot
    assert (spot.eviction_per_hour, spot.policy, spot.notice_s) == (0.0, "deallocate", Constant(value=30.0))


def test_groups_of_an_availability_set_share_its_name():
    """Two groups may be one set."""
    assert group_plan({"availability_set": "web"}).availability_set == "web"
    assert group_plan().availability_set == ""


def test_zones_without_hosts_are_reported_and_refused_if_all_lack_them():
    """Some VMs that never find room may be what is asked; a group of which none can is a mistake."""
    made = scenario({"zones": [1, 2]}, platform={"hosts": [{**HOSTS, "zone": 1}]})
    assert any("no hosts for it in zone 2" in line for line in made.describe())
    with pytest.raises(ScenarioError, match="no host in this zone"):
        scenario({"zones": [2]}, platform={"hosts": [{**HOSTS, "zone": 1}]})


def test_a_dedicated_cluster_counts_for_its_groups_alone():
    """A size may fit on hosts that its group must not use."""
    own = {**HOSTS, "name": "own", "only_groups": ["big"]}
    small = {**HOSTS, "name": "small", "vcpus": 8}
    groups = [{"name": "big", "size": "Standard_D32s_v5"}, {"name": "dev"}]
    document = {**LEAST, "group": groups, "platform": {"hosts": [own, small]}}
    assert from_dict(document).fleet_plan().platform.hosts[0].only_groups == ("big",)
    with pytest.raises(ScenarioError, match=r"Standard_D32s_v5 .* fits on no host"):
        from_dict({**document, "platform": {"hosts": [{**own, "only_groups": ["dev"]}, small]}})


def test_hosts_can_be_set_by_name():
    """`vmfleet size --vary platform.hosts.rack-a.count=1..9` depends on it."""
    made = scenario(platform={"hosts": [HOSTS]}).replace("platform.hosts.rack-a.count", 7)
    assert made.fleet_plan().platform.hosts[0].count == 7


def test_too_few_hosts_refuse_vms():
    """The plan can be simulated: two hosts of 64 vCPUs hold 32 VMs of 4."""
    made = scenario({"count": 40, "retry": {"attempts": 1}}, platform={"hosts": [HOSTS]})
    run = simulate(made.fleet_plan(), seed=1, replication=0, engine="simpy")
    assert (run.fleet.counts["vms.created"], run.fleet.counts["failures.AllocationFailed"]) == (32, 8)


# --- autoscale ------------------------------------------------------------------------------------------------------


def test_a_load_that_is_followed():
    """One rule may be written as a table, several as a list; what is left out is the catalogue's."""
    made = group_plan({"autoscale": SCALED})
    assert made.count == 0
    assert made.demand == Autoscale(
        load=(10.0,) * 24,
        per_vm=4.0,
        minimum=1,
        maximum=9,
        tick_s=60.0,
        scale_out=(ScalingRule(threshold=0.7, by=1, cooldown_s=300.0),),
        scale_in=(ScalingRule(threshold=0.3, by=1, cooldown_s=300.0),),
    )
    several = group_plan(
        {
            "autoscale": {
                **SCALED,
                "scale_out": [{"above": 0.9, "by": 4, "cooldown": "1h"}, {"above": 0.7}],
                "time_zone": "Europe/Amsterdam",
            }
        }
    ).demand
    assert [(rule.threshold, rule.by, rule.cooldown_s) for rule in several.scale_out] == [
        (0.9, 4, 3600.0),
        (0.7, 1, 300.0),
    ]
    assert several.time_zone == "Europe/Amsterdam"


def test_a_load_from_a_file_beside_the_scenario(tmp_path):
    """24 rows are a day, 168 a week; anything else has no meaning."""
    path = tmp_path / "scaled.toml"
    path.write_text(
        'name = "x"\nhorizon = "1d"\n[[group]]\nname = "web"\n[group.autoscale]\nload = { file = "load.csv", column = "rps" }\n'
        "per_vm = 1.0\nmin = 1\nmax = 9\nscale_out = { above = 0.7 }\n"
    )
    (tmp_path / "load.csv").write_text("rps\n" + "".join(f"{hour}\n" for hour in range(168)))
    assert load(path).fleet_plan().groups[0].demand.load == tuple(map(float, range(168)))
    for rows, says in (("rps\n1\n", "has 1 row[ ;]"), ("rps\n-1\n", "row 2 .* needs a load"), ("x\n1\n", "no column")):
        (tmp_path / "load.csv").write_text(rows)
        with pytest.raises(ScenarioError, match=says) as caught:
            load(path)
        assert [(host_failed.line, host_failed.field) for host_failed in caught.value.faults] == [
            (6, "group.web.autoscale.load")
        ]


def test_count_and_schedule_wait_while_a_load_is_followed():
    """The interface's example has all three; what is not used is reported."""
    made = scenario({"count": 200, "autoscale": SCALED})
    assert any("Not used beside autoscale: count." in line for line in made.describe())
    assert made.replace("group.dev.autoscale", None).fleet_plan().groups[0].count == 200


def test_a_maximum_too_small_for_the_load_is_reported():
    """Overload that follows from the file alone should not be a surprise."""
    output = "\n".join(scenario({"autoscale": {**SCALED, "max": 2}}).describe())
    assert "At most 2 VMs: for a load of 8." in output


def test_a_load_is_simulated():
    """3 VMs at 4 each serve a load of 10 at 0.83; the rules want it under 0.7, which takes 4."""
    run = simulate(scenario({"autoscale": SCALED}).fleet_plan(), seed=1, replication=0, engine="simpy")
    assert run.fleet.counts["vms.created"] == 4


# --- commitments, disks, rounding -----------------------------------------------------------------------------------


def test_capacity_reservations_hold_what_is_finite_room_on_hosts_or_quota():
    """They are billed either way."""
    held = {"name": "cr", "kind": "capacity-reservation", "size": "d4s v5", "quantity": 3, "groups": ["dev"]}
    quota = {"quota": {"regional_vcpus": 100}}
    throttled = scenario(commitment=[held], platform={"throttle": {}}).fleet_plan().platform
    assert throttled.reserved == ()
    made = scenario(commitment=[held], platform={"hosts": [HOSTS], **quota})
    assert (
        scenario(commitment=[held], platform=quota).fleet_plan().platform.reserved
        == made.fleet_plan().platform.reserved
    )
    assert made.fleet_plan().platform.reserved == (
        plans.Reserved(
            name="cr",
            size="Standard_D4s_v5",
            family="standardDSv5Family",
            vcpus=4,
            memory_gib=16.0,
            quantity=3,
            region="westeurope",
            groups=("dev",),
        ),
    )
    assert made.billed_commitments() == (
        CapacityReservation(name="cr", size="Standard_D4s_v5", quantity=3, region="westeurope", groups=("dev",)),
    )


def test_a_reservation_may_be_bound_to_its_size():
    """The platform's default is that it is not."""
    section = {"name": "ri", "kind": "reservation", "size": "Standard_D4s_v5", "quantity": 1, "term": "1y"}
    flexible, bound = (
        scenario(commitment=[{**section, **more}]).billed_commitments()[0] for more in ({}, {"size_flexible": False})
    )
    assert isinstance(flexible, Reservation)
    assert (flexible.size_flexible, bound.size_flexible) == (True, False)


def test_dedicated_hosts_in_a_scenario():
    """A dedicated host is billed for its existence."""
    section = {"name": "own", "kind": "dedicated-host", "quantity": 2, "hourly": 4.5, "vcpus": 64, "groups": ["dev"]}
    assert scenario(commitment=[section]).billed_commitments() == (
        DedicatedHost(name="own", quantity=2, usd_per_h=4.5, vcpus=64, groups=("dev",)),
    )


def test_hosts_with_a_price_are_billed_and_their_vms_are_not():
    """By hand: three hosts for 24 h at 2.50; the VMs there pay no compute; twice the hosts cost twice as much."""
    pool = {"name": "own", "count": 3, "vcpus": 64, "memory_gib": 256, "only_groups": ["dev"], "hourly": 2.5}
    made = scenario({"count": 20}, horizon="24h", platform={"hosts": [pool]})
    run = sim.run(made, replications=1)
    assert run.estimate("cost.commitment").mean == pytest.approx(180.0, abs=1e-9)
    assert run.estimate("cost.compute").mean == 0.0
    assert run.estimate("commitment.own.utilisation").mean == pytest.approx(20 * 4 / (3 * 64), rel=0.01)
    more = sim.run(made.replace("platform.hosts.own.count", 6), replications=1)
    assert more.estimate("cost.total").mean == pytest.approx(2 * run.estimate("cost.total").mean, abs=1e-9)
    assert made.unpriced_hosts() == []
    assert "unpriced_hosts" not in run.summary()


def test_hosts_without_a_price_are_named_in_the_answer(capsys: pytest.CaptureFixture[str]):
    """Shared or dedicated; a commitment of the same groups is a price, one of others is none."""
    shared = {"name": "rack", "count": 3, "vcpus": 64, "memory_gib": 256}
    dedicated = {**shared, "name": "own", "only_groups": ["dev"]}
    made = scenario({"count": 4}, horizon="6h", platform={"hosts": [shared, dedicated]})
    assert made.unpriced_hosts() == ["rack", "own"]
    print_summary(sim.run(made, replications=1).summary())
    assert "The hosts of rack and own have no price here" in " ".join(capsys.readouterr().out.split())
    bought = {"name": "paid", "kind": "dedicated-host", "quantity": 3, "hourly": 4.5, "vcpus": 64, "groups": ["dev"]}
    made = scenario({"count": 4}, horizon="6h", platform={"hosts": [shared, dedicated]}, commitment=[bought])
    assert made.unpriced_hosts() == ["rack"]
    (found,) = sim.compare(made, {"more": made.replace("group.dev.count", 5)}, replications=2).warnings
    assert found.startswith("The hosts of rack have no price here")
    answer = sim.size(made, "group.dev.count=4..5", "cost.total<=100", replications=2)
    assert answer.summary()["unpriced_hosts"] == ["rack"]


def test_a_disk_may_be_given_by_its_gib():
    """It pays the next tier up."""
    (rated,) = scenario({"disks": ["E:200", "p10"], "keeps_disks": True}).rated_groups()
    assert (rated.disks, rated.keeps_disks) == (("E15", "P10"), True)


def test_rounding_is_exact_unless_the_file_says_else():
    """Minutes are what an older invoice counted."""
    assert scenario().rounding == "exact"
    assert any("whole minutes" in line for line in scenario(rounding="floor-minute").describe())


# --- words and schema -----------------------------------------------------------------------------------------------


def test_the_platform_in_words():
    """What `vmfleet validate` says of it: hosts, limits, failures."""
    made = scenario(
        {"count": 20},
        start=datetime(2026, 1, 5, tzinfo=UTC),
        platform={
            "hosts": [{**HOSTS, "zone": 1}],
            "quota": {"regional_vcpus": 1000},
            "host_failures": {"time_between": "1000h"},
            "maintenance": {"every": "30d", "impact": "reboot"},
            "throttle": {"burst": 12, "refill_per_min": 4},
        },
    )
    output = "\n".join(made.describe())
    for words in (
        "rack-a: 2 hosts of 64 vCPU and 512 GiB in zone 1.",
        "128 vCPU in all; groups with a count ask for 80 (62%)",
        "Quota in vCPU: 1,000 regional",
        "Each host fails after 41d 16h",
        "started on another one after 10min",
        "Maintenance every 30d in 5 update domains, 30min apart: VMs are rebooted.",
        "Throttled to 12 operations at once and 4 a minute",
    ):
        assert words in output
    assert "platform.maintenance.freeze" not in output  # of a default that is not in use nothing is said
    assert "platform.host_failures.healing = 10min" in output


def test_schema_knows_the_platform_and_both_ways_to_write_a_rule():
    """An editor must not complain of what is taken."""
    sections = json_schema()["$defs"]
    assert set(sections["Platform"]["properties"]) >= {"hosts", "quota", "host_failures", "maintenance"}
    one, several = sections["Autoscale"]["properties"]["scale_out"]["anyOf"]
    assert (several["type"], several["items"]) == ("array", one)
    assert "azure-2017" in sections["Trace"]["properties"]["format"]["enum"]
    assert "when_off" in sections["Trace"]["properties"]

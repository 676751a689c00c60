"""Fleets that share a platform: the same bits in both engines, no over-commitment at any instant, no change without a cause."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from drawn_platforms import (
    disrupted_fleets,
    regional_fleets,
    scaled_fleets,
    shared_fleets,
    sharing_groups,
    short_fleets,
    working_fleets,
    working_fleets_on_hosts,
)
from fleets import always, differences, fleet, group, run_until
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from inspection import inspected

from sim.distributions.kinds import Exponential
from sim.engines.compiled import layout, platform_arrays, shared_fleet
from sim.engines.shared import placement, quota
from sim.engines.simpy.platform import SharedPlatform
from sim.engines.simpy.vm import Vm
from sim.model.demand import Arrivals, Autoscale, Cycle, ScalingRule
from sim.model.faults import Failing, Maintenance, Spot, Throttle
from sim.model.plan import FleetPlan, GroupPlan, HostPool, Platform, Quota, Reserved, Retry

drawn = settings(database=None)
seeds = st.integers(0, 2**64 - 1)


def must_agree(plan: FleetPlan, seed_: int) -> None:
    """Simulate in both engines, and compare everything that a user may see."""
    one, other = run_until(plan, "simpy", seed=seed_), run_until(plan, "compiled", seed=seed_)
    assert other.run.engine == "compiled"
    assert not differences(one, other), differences(one, other)


@seed(20260301)
@settings(drawn, max_examples=25)
@given(plan=shared_fleets(), seed_=seeds)
def test_any_fleet_on_shared_hosts_and_quota_has_the_same_bits_in_both_engines(plan: FleetPlan, seed_: int) -> None:
    """The event loop queues only the instants at which VMs compete; who gets the last host at a tie must not depend on that."""
    must_agree(plan, seed_)


@pytest.mark.slow
@settings(drawn, max_examples=300)
@given(plan=shared_fleets(), seed_=seeds)
def test_hundreds_of_sharing_fleets_have_the_same_bits_in_both_engines(plan: FleetPlan, seed_: int) -> None:
    """The same at length, with fresh draws at every run."""
    must_agree(plan, seed_)


@seed(20260307)
@settings(drawn, max_examples=75)
@given(plan=disrupted_fleets(), seed_=seeds)
def test_any_disrupted_fleet_has_the_same_bits_in_both_engines(plan: FleetPlan, seed_: int) -> None:
    """Failures, maintenance, evictions for room, reserved room and a rate limit, all far too often and at the same instants."""
    must_agree(plan, seed_)


@seed(20260309)
@settings(drawn, max_examples=40)
@given(plan=short_fleets(), seed_=seeds)
def test_any_fleet_short_of_hardware_has_the_same_bits_in_both_engines(plan: FleetPlan, seed_: int) -> None:
    """Attempts that a shortage refuses, VMs inside a reservation that it doesn't, and two shortages at once."""
    must_agree(plan, seed_)


@seed(20260310)
@settings(drawn, max_examples=25)
@given(plan=regional_fleets(), seed_=seeds)
def test_three_regions_are_three_runs_to_the_last_bit(plan: FleetPlan, seed_: int) -> None:
    """Hosts, quota, rate limits and zones of one region are nothing to another; and both engines agree on that."""
    one, other = run_until(plan, "simpy", seed=seed_), run_until(plan, "compiled", seed=seed_)
    assert not differences(one, other), differences(one, other)
    assert plan.platform is not None
    for each in plan.groups:
        own = tuple(pool for pool in plan.platform.hosts if pool.region == each.region)
        mine = run_until(replace(plan, groups=(each,), platform=replace(plan.platform, hosts=own)), seed=seed_)
        alone, usage = mine.run.usages[each.name], one.run.usages[each.name]
        assert np.array_equal(alone.cells, usage.cells)
        assert (alone.counts, alone.amounts) == (usage.counts, usage.amounts)
        assert sorted(alone.ready.waits.tolist()) == sorted(usage.ready.waits.tolist())


@seed(20260308)
@settings(drawn, max_examples=25)
@given(plan=scaled_fleets(), seed_=seeds)
def test_any_autoscaled_fleet_has_the_same_bits_in_both_engines(plan: FleetPlan, seed_: int) -> None:
    """Groups that follow a load, beside one that doesn't, in two loops; how much of the load was served, too."""
    must_agree(plan, seed_)


@seed(20260309)
@settings(drawn, max_examples=60)
@given(plan=working_fleets(), seed_=seeds)
def test_any_work_that_falls_back_has_the_same_bits_in_both_engines(plan: FleetPlan, seed_: int) -> None:
    """Requests that go on with a regular VM, and with a spot VM again, under their number, with what is left of their work."""
    must_agree(plan, seed_)


@seed(20260311)
@settings(drawn, max_examples=60)
@given(plan=working_fleets_on_hosts(), seed_=seeds)
def test_any_work_that_falls_back_on_hosts_has_the_same_bits_in_both_engines(plan: FleetPlan, seed_: int) -> None:
    """The same where VMs compete for room, and hosts fail: the VMs of one request come and go in two groups."""
    must_agree(plan, seed_)


@pytest.mark.slow
@settings(drawn, max_examples=300)
@given(plan=working_fleets_on_hosts(), seed_=seeds)
def test_hundreds_of_fleets_that_fall_back_on_hosts_have_the_same_bits(plan: FleetPlan, seed_: int) -> None:
    """The same at length, with fresh draws at every run."""
    must_agree(plan, seed_)


@pytest.mark.slow
@settings(drawn, max_examples=300)
@given(plan=working_fleets(), seed_=seeds)
def test_hundreds_of_fleets_that_fall_back_have_the_same_bits_in_both_engines(plan: FleetPlan, seed_: int) -> None:
    """The same at length, with fresh draws at every run."""
    must_agree(plan, seed_)


@pytest.mark.slow
@settings(drawn, max_examples=300)
@given(plan=scaled_fleets(), seed_=seeds)
def test_hundreds_of_autoscaled_fleets_have_the_same_bits_in_both_engines(plan: FleetPlan, seed_: int) -> None:
    """The same at length, with fresh draws at every run."""
    must_agree(plan, seed_)


@pytest.mark.slow
@settings(drawn, max_examples=1000)
@given(plan=disrupted_fleets(), seed_=seeds)
def test_a_thousand_disrupted_fleets_have_the_same_bits_in_both_engines(plan: FleetPlan, seed_: int) -> None:
    """The same at length, with fresh draws at every run."""
    must_agree(plan, seed_)


@seed(20260302)
@settings(drawn, max_examples=30)
@given(plan=disrupted_fleets(), seed_=seeds)
def test_nothing_is_over_committed_at_any_instant(plan: FleetPlan, seed_: int) -> None:
    """Every host, every VM's whereabouts and every quota, looked at after each event of fleets that all goes wrong with."""
    inspected(plan, seed=seed_)


@pytest.mark.slow
@settings(drawn, max_examples=300)
@given(plan=disrupted_fleets(), seed_=seeds)
def test_nothing_is_over_committed_in_hundreds_of_faulty_fleets(plan: FleetPlan, seed_: int) -> None:
    """The same at length, with fresh draws at every run."""
    inspected(plan, seed=seed_)


@seed(20260303)
@settings(drawn, max_examples=20)
@given(plan=disrupted_fleets(), seed_=seeds)
def test_a_replication_is_a_pure_function(plan: FleetPlan, seed_: int) -> None:
    """Whatever ran before, and however often: the same bits; another replication has other random numbers and the same rules."""
    one = run_until(plan, seed=seed_, replication=3)
    run_until(plan, seed=seed_, replication=4)
    assert not differences(one, run_until(plan, seed=seed_, replication=3))


@seed(20260304)
@settings(drawn, max_examples=20)
@given(plan=shared_fleets(), seed_=seeds, new=sharing_groups("new", "regular"))
def test_a_group_that_shares_nothing_changes_no_other_group(plan: FleetPlan, seed_: int, new: GroupPlan) -> None:
    """A group on its own host pool, without a shared quota, changes no other group by a bit."""
    assert plan.platform is not None
    own = HostPool(name="own", count=2, vcpus=8, memory_gib=64.0, only_groups=("new",))
    platform = replace(plan.platform, hosts=(*plan.platform.hosts, own), quota=None)
    before = replace(plan, platform=platform)
    alone = replace(new, zones=(), availability_set="", spot=None, priority="regular")
    after = replace(before, groups=(*before.groups, alone))
    one, other = run_until(before, seed=seed_), run_until(after, seed=seed_)
    kept = tuple(row for row in other.events if not row[1].startswith("new-"))
    assert one.events == kept
    for name, usage in one.run.usages.items():
        assert np.array_equal(usage.cells, other.run.usages[name].cells)
        assert usage.counts == other.run.usages[name].counts


@seed(20260305)
@settings(drawn, max_examples=20)
@given(plan=shared_fleets(), seed_=seeds)
def test_hardware_and_quota_that_are_never_short_might_as_well_not_be_there(plan: FleetPlan, seed_: int) -> None:
    """The very bits of a fleet that shares nothing: meeting others costs no time and no draw."""
    groups = tuple(replace(group, zones=(), availability_set="") for group in plan.groups)
    vast = HostPool(name="vast", count=50, vcpus=2000, memory_gib=20_000.0)
    roomy = replace(plan, groups=groups, platform=Platform(hosts=(vast,), quota=Quota(regional_vcpus=10**6)))
    one, other = run_until(roomy, seed=seed_), run_until(replace(roomy, platform=None), seed=seed_)
    assert one.events == other.events
    assert np.array_equal(one.usage.cells, other.usage.cells)
    counts = one.usage.counts, other.usage.counts
    assert {k: n for k, n in counts[0].items() if n and k != "hosts.peak_used"} == {
        k: n for k, n in counts[1].items() if n
    }


# --- wrong engines ----------------------------------------------------------------------------------------------------

CROWD = fleet(
    group("a", count=6, demand=Cycle(on_s=always(600), off_s=Exponential(mean=900.0)), size="D4", family="f", vcpus=4,
          memory_gib=16.0, availability_set="set", retry=Retry(attempts=3, backoff_s=5.0)),
    group("b", count=0, demand=Arrivals(rate_per_h=(12.0,), lifetime_s=Exponential(mean=2000.0)), size="D2", family="f",
          vcpus=2, memory_gib=4.0, retry=Retry(attempts=2)),
    hours=10.0,
)  # fmt: skip
CROWD = replace(
    CROWD,
    platform=Platform(
        placement="best-fit",
        hosts=(
            HostPool(name="p", count=2, vcpus=8, memory_gib=32.0, zone=1),
            HostPool(name="q", count=2, vcpus=7, memory_gib=32.0, zone=2),
        ),
        quota=Quota(regional_vcpus=28, families={"F": 100}),
    ),
)
Arrays = dict[str, Any]
"""What the compiled engine knows of hosts, of groups and of quota."""


def another_policy(hosts: Arrays) -> None:
    """The host with the most room, not the least."""
    hosts["search"] = placement.MOST_FREE


def more_quota(limits: Arrays) -> None:
    """Two more vCPUs in the region."""
    limits["limit"][quota.REGIONAL] += 2


def no_sets(groups: Arrays) -> None:
    """Availability sets forgotten."""
    groups["set_of"][:] = -1


def smaller(groups: Arrays) -> None:
    """VMs that take a vCPU less of a host."""
    groups["vcpus"] -= 1


def one_cluster_less(groups: Arrays) -> None:
    """The first cluster in the place of the second."""
    groups["allowed"][:] = 0


WRONG: dict[str, tuple[type, Callable[[Arrays], None]]] = {
    "another policy": (placement.HostIndex, another_policy),
    "a little more quota": (quota.QuotaUse, more_quota),
    "availability sets forgotten": (placement.Placement, no_sets),
    "smaller VMs": (placement.Placement, smaller),
    "one cluster forgotten": (placement.Placement, one_cluster_less),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_compiled_engine_with_another_platform_is_found(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    """The comparison of engines can fail."""
    one = run_until(CROWD, "simpy")
    assert not differences(one, run_until(CROWD, "compiled"))
    of, change = WRONG[wrong]
    right = platform_arrays.as_arrays

    def as_arrays(rows: Any) -> Any:
        arrays = right(rows)
        if isinstance(rows, of):
            named = arrays._asdict()
            change(named)
            arrays = type(rows)(**named)
        return arrays

    monkeypatch.setattr(platform_arrays, "as_arrays", as_arrays)
    assert differences(one, run_until(CROWD, "compiled"))


SPOTTED = replace(
    CROWD,
    groups=(
        *CROWD.groups,
        replace(
            CROWD.groups[1], name="s", priority="spot", spot=Spot(eviction_per_hour=0.0, notice_s=always(30), restart_after_s=always(60)),
        ),
    ),
)  # fmt: skip
assert SPOTTED.platform is not None
FAILING = replace(
    SPOTTED,
    platform=replace(
        SPOTTED.platform,
        host_failures=Failing(time_between_s=Exponential(mean=7200.0), repair_s=always(900)),
        healing_s=always(600),
    ),
)


LOAD = Autoscale(
    load=(100.0, 900.0, 300.0) * 8, per_vm=100.0, minimum=1, maximum=12, tick_s=60.0,
    scale_out=(ScalingRule(threshold=0.7, by=2, cooldown_s=120.0),), scale_in=(ScalingRule(threshold=0.3, by=1, cooldown_s=300.0),),
)  # fmt: skip
DISRUPTED = replace(
    FAILING,
    groups=(*FAILING.groups, replace(CROWD.groups[1], name="web", demand=LOAD)),
    platform=replace(
        FAILING.platform,  # type: ignore[type-var]
        maintenance=Maintenance(
            every_s=9000.0, impact="redeploy", update_domains=2, between_domains_s=600.0, freeze_s=always(9)
        ),
        throttle=Throttle(burst=2.0, refill_per_min=1.0),
        reserved=(Reserved(name="r", size="D2", family="f", vcpus=2, memory_gib=4.0, quantity=2),),
    ),
)


def late_maintenance(faults: Arrays) -> None:
    """Every update domain a millisecond later."""
    faults["turn_s"] += 1e-3


def other_failures(faults: Arrays) -> None:
    """Hosts fail and are repaired at other instants."""
    faults["keys"] ^= np.uint64(1)


def repairs_take_a_time_between_failures(faults: Arrays) -> None:
    """The distribution of the one for the other."""
    faults["processes"][:, layout.SAMPLER_REPAIR] = faults["processes"][:, layout.SAMPLER_BETWEEN]


def one_token_more(platform: Arrays) -> None:
    """A burst of three operations."""
    platform["buckets"] = platform["buckets"]._replace(burst=3.0)
    platform["buckets"].tokens[:] = 3.0


def shorter_pauses(platform: Arrays) -> None:
    """The automation comes back sooner after a refused admission."""
    platform["pauses"] /= 16


def no_evictions(platform: Arrays) -> None:
    """No VM has to leave for another."""
    platform["room"] = platform["room"]._replace(may_evict=False)


def nothing_reserved(platform: Arrays) -> None:
    """Reserved room is forgotten."""
    platform["room"].free.first[:] = -1


def lazier_autoscaler(scaled: Arrays) -> None:
    """An autoscaler that looks a second later each time."""
    scaled["groups_s"][:, layout.TICK_S] += 1.0


def never_enough(scaled: Arrays) -> None:
    """Rules that scale out by one VM more."""
    scaled["rules"].by[:] += 1


def one_more_is_kept(scaled: Arrays) -> None:
    """Scale-in deallocates a VM that it should delete."""
    scaled["rules"].keep_at_most[:] += 1


def more_are_regular(scaled: Arrays) -> None:
    """All VMs of a mix are regular."""
    scaled["rules"].regular_above[:] = 1.0


MIXED = replace(
    CROWD.groups[1], name="mix", demand=replace(LOAD, keep_at_most=2, regular_base=1, regular_above_base=0.5)
)
MIX = replace(FAILING, groups=(MIXED, replace(MIXED, name="mix-spot", part_of="mix")), platform=None)
DISRUPTED_WRONGLY: dict[str, tuple[str, Callable[[Arrays], None]]] = {
    "maintenance a millisecond late": ("new_faults", late_maintenance),
    "other failures": ("new_faults", other_failures),
    "longer repairs": ("new_faults", repairs_take_a_time_between_failures),
    "one token more": ("new_platform", one_token_more),
    "shorter pauses": ("new_platform", shorter_pauses),
    "no evictions": ("new_platform", no_evictions),
    "nothing reserved": ("new_platform", nothing_reserved),
    "late looks of an autoscaler": ("new_scaled", lazier_autoscaler),
    "rules that scale by one more": ("new_scaled", never_enough),
    "one more VM is kept": ("new_scaled", one_more_is_kept),
    "a mix of regular VMs only": ("new_scaled", more_are_regular),
}


@pytest.mark.parametrize("wrong", DISRUPTED_WRONGLY)
def test_a_compiled_engine_with_other_disruptions_is_found(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    """The comparison of engines can fail for each thing that reaches VMs from outside."""
    maker, change = DISRUPTED_WRONGLY[wrong]
    plan = MIX if change in (one_more_is_kept, more_are_regular) else DISRUPTED
    one = run_until(plan, "simpy")
    assert not differences(one, run_until(plan, "compiled"))
    right = getattr(shared_fleet, maker)

    def make(*args: Any) -> Any:
        arrays = right(*args)
        named = arrays._asdict()
        change(named)
        return type(arrays)(**named)

    monkeypatch.setattr(shared_fleet, maker, make)
    monkeypatch.setattr(shared_fleet.SharedRun, "audit", lambda _: None)
    assert differences(one, run_until(plan, "compiled"))


def keeps_its_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deallocated VM's host isn't given back."""
    monkeypatch.setattr(SharedPlatform, "give_host", lambda *_: None)


def is_counted_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The room of a VM that leaves is free twice over."""
    right = SharedPlatform.give_host

    def give(platform: SharedPlatform, vm: Vm) -> None:
        host = vm.host
        right(platform, vm)
        placement.change(platform.index, host, vm.group.setup.plan.vcpus, 0)

    monkeypatch.setattr(SharedPlatform, "give_host", give)


def does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A regular VM moves in before the spot VM has moved out."""
    right = SharedPlatform.ask_host

    def ask(platform: SharedPlatform, vm: Vm, avoid: int = -1) -> list[Any] | None:
        return None if right(platform, vm, avoid) is None else []

    monkeypatch.setattr(SharedPlatform, "ask_host", ask)


def knows_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Quota is counted, but nothing is refused."""
    right = quota.quota_use

    def without_limits(*args: Any) -> quota.QuotaUse:
        use = right(*args)
        return use._replace(limit=[quota.NO_LIMIT] * len(use.limit))

    monkeypatch.setattr(quota, "quota_use", without_limits)


def forgets_the_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """VMs of a failed host do not fail."""
    monkeypatch.setattr(Vm, "disrupt", lambda *_: None)


@pytest.mark.parametrize("defect", [keeps_its_host, is_counted_twice, does_not_wait, knows_no_limit, forgets_the_dead])
def test_the_inspector_sees_a_platform_that(defect: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """Else a quiet inspection would say nothing."""
    _, inspector = inspected(FAILING, seed=1)
    assert inspector.looked > 1000
    defect(monkeypatch)
    with pytest.raises((AssertionError, KeyError)):
        inspected(FAILING, seed=1)


@seed(20260306)
@settings(drawn, max_examples=25)
@given(plan=shared_fleets(), seed_=seeds)
def test_no_more_vms_are_on_hosts_than_these_have_room_for(plan: FleetPlan, seed_: int) -> None:
    """The peak that is reported, against vCPUs and memory of all hosts together."""
    assert plan.platform is not None
    output = run_until(plan, "compiled", seed=seed_)
    if not plan.platform.hosts or not plan.groups:
        return
    least = min(group.vcpus for group in plan.groups), min(group.memory_gib for group in plan.groups)
    room = sum(
        pool.count * min(pool.vcpus // least[0], int(pool.memory_gib / least[1])) for pool in plan.platform.hosts
    )
    assert output.usage.peak_allocated <= room


@pytest.mark.parametrize("name", ["starting", "os_provisioning", "stopping", "deallocating"])
def test_a_start_from_stopped_needs_no_allocation(name: str) -> None:
    """Whatever the times: a VM that was stopped is never refused, with neighbours who take all that is free."""
    steps = {name: Exponential(mean=300.0)}
    stopping = group("a", count=2, demand=Cycle(on_s=always(900), off_s=always(900)), when_off="stop", vcpus=4, memory_gib=4.0, steps=steps)  # fmt: skip
    greedy = group("b", count=0, demand=Arrivals(rate_per_h=(60.0,), lifetime_s=always(900)), vcpus=1, memory_gib=1.0)
    hosts = (HostPool(name="p", count=1, vcpus=10, memory_gib=64.0),)
    output = run_until(replace(fleet(stopping, greedy, hours=12.0), platform=Platform(hosts=hosts)), "compiled")
    mine = output.run.usages["a"].counts
    assert mine["operations.start.succeeded"] > 30
    assert mine["allocation.attempts"] == 2
    assert mine.get("allocation.failures", 0) == 0
    assert output.run.usages["b"].counts["allocation.failures"] > 100

"""Hardware, quota, zones, sets and reserved room, with constant durations, checked by hand to the second."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fleets import always, differences, fleet, run_both, run_until
from shared import failed, hosts, hosts_of, run_with_events, shared, vms

from sim.distributions.kinds import Constant
from sim.errors import ScenarioError
from sim.lifecycle.power import PowerState
from sim.model.demand import Cycle, Replay
from sim.model.faults import Failing, Spot
from sim.model.plan import HostPool, Quota, Reserved, Retry

NEVER = float("inf")
ON_OFF = Cycle(on_s=always(1000), off_s=always(1000))


def born(*at_s: float, for_s: float = NEVER) -> Replay:
    """VMs asked for at those instants, each deleted so long after."""
    return Replay(born_s=at_s, lifetime_s=(for_s,) * len(at_s))


HELD = Reserved(name="r", size="D4", family="fD", vcpus=4, memory_gib=16.0, quantity=1)

# --- hosts ------------------------------------------------------------------------------------------------------------


def test_a_start_that_finds_no_hardware_leaves_the_vm_deallocated_and_is_tried_again() -> None:
    """Another takes the room from 1,110 to 2,644: the start of 2,000 is tried at 2,070, 2,200, 2,450 and 2,940 again."""
    plan = shared(vms("a", demand=ON_OFF), vms("b", demand=born(1100, for_s=1500)), hosts=(hosts(1, fit=1),))
    output = run_both(plan)
    assert output.timeline("a-0000") == [
        (0, "creating"), (10, "starting"), (35, "running"), (1000, "deallocating"), (1045, "deallocated"),
        (2950, "starting"), (2975, "running"), (3000, "deallocating"), (3045, "deallocated"),
    ]  # fmt: skip
    assert failed(output, "a-0000") == [(t, "start", "AllocationFailed") for t in (2010, 2080, 2210, 2460)]
    assert output.timeline("b-0000")[-1] == (2644, "")
    counts = output.run.usages["a"].counts
    assert (counts["allocation.attempts"], counts["allocation.failures"]) == (6, 4)
    assert counts["operations.start.failed"] == counts["failures.AllocationFailed"] == 4


def test_room_is_free_when_deallocating_has_ended_and_not_before() -> None:
    """Wanted off at 1,000, off its host at 1,045: a create whose allocating ends at 1,044 fails, one at 1,045 doesn't."""
    for asked_s, fails in ((1034, 1), (1035, 0)):
        plan = shared(vms("a", demand=ON_OFF), vms("b", demand=born(asked_s)), hosts=(hosts(1, fit=1),))
        output = run_both(plan)
        assert len(failed(output, "b-0000")) == fails, asked_s


def test_a_create_that_finds_no_hardware_leaves_no_vm() -> None:
    """Tried five times, at 0, 70, 200, 450 and 940 s; creating for 10 s each time, and gone."""
    output = run_both(shared(vms(count=2), hosts=(hosts(1, fit=1),)))
    assert output.timeline("g-0001") == [m for t in (0, 70, 200, 450, 940) for m in ((t, "creating"), (t + 10, ""))]
    assert {code for _, _, code in failed(output, "g-0001")} == {"AllocationFailed"}


def test_a_stopped_vm_keeps_its_host_and_starts_without_asking() -> None:
    """Its neighbour finds no room while it is stopped; it is Running 25 s after it is wanted, allocating nothing."""
    plan = shared(vms("a", demand=ON_OFF, when_off="stop"), vms("b", demand=born(1100)), hosts=(hosts(1, fit=1),))
    output = run_both(plan)
    assert output.timeline("a-0000")[3:7] == [
        (1000, "stopping"),
        (1020, "stopped"),
        (2000, "starting"),
        (2025, "running"),
    ]
    assert output.run.usages["a"].counts["allocation.attempts"] == 1
    assert len(failed(output, "b-0000")) == 5


@pytest.mark.parametrize("when_off", ["guest-shutdown", "stop", "keep"])
def test_what_is_not_deallocated_takes_room_from_others(when_off: str) -> None:
    """Three ways to be off, or not, that hold the hardware."""
    output = run_both(shared(vms("a", demand=ON_OFF, when_off=when_off), vms("b", demand=born(1100)), hosts=(hosts(1, fit=1),)))  # fmt: skip
    assert len(failed(output, "b-0000")) == 5


def test_a_hibernated_vm_gives_its_room_away() -> None:
    """Memory is on the disk; the host is free."""
    output = run_both(shared(vms("a", demand=ON_OFF, when_off="hibernate"), vms("b", demand=born(1100)), hosts=(hosts(1, fit=1),)))  # fmt: skip
    assert not failed(output, "b-0000")
    assert failed(output, "a-0000")[0] == (2010, "start", "AllocationFailed")
    assert output.timeline("a-0000")[4] == (1045, "hibernated")
    assert output.seconds(PowerState.DEALLOCATED) == 0


def test_memory_may_be_short_before_vcpus() -> None:
    """A host of 16 vCPUs and 32 GiB holds two VMs of 4 and 16, not four."""
    output = run_both(shared(vms(count=4), hosts=(HostPool(name="p", count=1, vcpus=16, memory_gib=32.0),)))
    assert output.usage.peak_allocated == 2
    assert output.usage.peak_running == 2


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("first-fit", [0, 0, 0, 0, 1, 1]),
        ("best-fit", [0, 0, 0, 0, 1, 1]),
        ("worst-fit", [0, 1, 2, 2, 1, 0]),
        ("balanced", [0, 2, 0, 2, 0, 2]),
    ],
)
def test_each_policy_has_its_own_way(policy: str, expected: list[int]) -> None:
    """Three hosts that hold four VMs each, in racks of two and one; of hosts alike the last that changed comes first."""
    plan = shared(vms(count=6), placement=policy, hosts=(hosts(3, racks=2),))
    _, found = run_with_events(plan)
    assert hosts_of(found) == expected
    run_both(plan)


def test_best_fit_leaves_large_room_whole() -> None:
    """A host with room for one is filled before one with room for four, wherever it stands."""
    _, found = run_with_events(
        shared(vms(count=3), placement="best-fit", hosts=(hosts(1, "big"), hosts(2, "small", fit=1)))
    )
    assert hosts_of(found) == [1, 2, 0]


# --- zones, sets, dedicated hosts -------------------------------------------------------------------------------------


def test_a_named_zone_that_is_full_fails_with_its_own_code() -> None:
    """There is room in zone 2, but not for a VM pinned to zone 1."""
    output = run_both(shared(vms(count=2, zones=(1,)), hosts=(hosts(1, "p", fit=1, zone=1), hosts(1, "q", zone=2))))
    assert {code for _, _, code in failed(output, "g-0001")} == {"ZonalAllocationFailed"}
    assert output.count("failures.ZonalAllocationFailed") == output.count("allocation.failures") == 5
    assert output.count("failures.AllocationFailed") == 0


def test_vms_of_a_group_take_its_zones_in_turn() -> None:
    """Zones 3, 1, 2, 3, ... whichever of them has the most room; a regional VM goes anywhere."""
    plan = shared(vms(count=7, zones=(3, 1, 2)), vms("r", count=2), hosts=tuple(hosts(1, f"z{z}", zone=z) for z in (1, 2, 3)))  # fmt: skip
    _, found = run_with_events(plan)
    assert hosts_of(found) == [2, 0, 1, 2, 0, 1, 2]
    assert hosts_of(found, "r") == [2, 0]  # zone 3 has the least room left that is enough
    run_both(plan)


def test_an_availability_set_stays_on_one_cluster() -> None:
    """Two fit on the first cluster; the third fails, though the second cluster is empty."""
    plan = shared(
        vms(count=3, availability_set="s"), placement="first-fit", hosts=(hosts(1, "p", fit=2), hosts(1, "q"))
    )
    assert len(failed(run_both(plan), "g-0002")) == 5
    free = replace(plan, groups=(vms(count=3),))
    assert not failed(run_both(free), "g-0002")


def test_part_of_an_availability_set_is_pinned_and_the_whole_set_is_not() -> None:
    """Others fill the first cluster while members are off. With one member still on, a start fails; with none, it moves."""
    pools = (hosts(1, "p", fit=2), hosts(1, "q"))
    away = vms("b", demand=ON_OFF, availability_set="s")
    filler = vms("x", demand=born(1100, 1100))
    part = shared(vms("a", availability_set="s"), away, filler, placement="first-fit", hosts=pools)
    output = run_both(part)
    assert failed(output, "b-0000")[0] == (2010, "start", "AllocationFailed")
    whole = shared(vms("a", demand=ON_OFF, availability_set="s"), away, filler, placement="first-fit", hosts=pools)
    assert not failed(run_both(whole), "b-0000")
    _, found = run_with_events(replace(whole, horizon_s=2900.0))
    assert hosts_of(found, "a") == hosts_of(found, "b") == [1]


def test_dedicated_hosts_take_only_their_groups() -> None:
    """Four of five VMs fit on the group's own host: the fifth fails, though there is room elsewhere; others never go there."""
    pools = (hosts(1, "own", only_groups=("a",)), hosts(1, "common"))
    plan = shared(vms("a", count=5), vms("b", count=5), hosts=pools)
    output, found = run_with_events(plan)
    assert hosts_of(found, "a")[:4] == [0] * 4
    assert hosts_of(found, "b")[:4] == [1] * 4
    assert len(failed(output, "a-0004")) == len(failed(output, "b-0004")) == 5
    run_both(plan)


# --- quota ------------------------------------------------------------------------------------------------------------


def test_a_quota_refusal_is_immediate_and_nothing_is_created() -> None:
    """Two of three fit into 8 vCPUs. The third is rejected at 0, 60, 180, 420 and 900 s; nothing is ever sought for it."""
    output = run_both(shared(vms(count=3), quota=Quota(regional_vcpus=8)))
    assert output.timeline("g-0002") == []
    assert {(operation, outcome) for _, operation, outcome in output.operations("g-0002")} == {("create", "rejected")}
    assert output.count("operations.create.rejected") == output.count("failures.QuotaExceeded") == 5
    assert output.count("operations.create.accepted") == output.count("allocation.attempts") == 2
    assert output.count("operations.create.failed") == output.count("allocation.failures") == 0


@pytest.mark.parametrize("when_off", ["deallocate", "stop", "hibernate"])
def test_a_vm_counts_against_quota_until_it_is_deleted_whatever_its_power_state(when_off: str) -> None:
    """While the other is off, in any way, a create is refused."""
    plan = shared(
        vms("a", demand=ON_OFF, when_off=when_off), vms("b", demand=born(1500)), quota=Quota(regional_vcpus=4)
    )
    output = run_both(plan)
    assert output.run.usages["b"].counts["failures.QuotaExceeded"] == 5


def test_quota_is_free_again_when_the_vm_is_gone() -> None:
    """Deleted at 500, gone at 544: refused at 543 and taken at 603; or taken at once at 544."""
    for asked_s, running_s in ((543.0, 603.0 + 35), (544.0, 544.0 + 35)):
        plan = shared(
            vms("a", demand=born(0, for_s=500)), vms("b", demand=born(asked_s)), quota=Quota(regional_vcpus=4)
        )
        assert run_both(plan).timeline("b-0000")[-1] == (running_s, "running")


def test_a_create_that_failed_for_hardware_gives_its_quota_back() -> None:
    """The loser of the last host is gone from 10 s on; a VM of another zone may have its quota at 20."""
    loser = vms("a", count=2, zones=(1,), retry=Retry(attempts=1))
    plan = shared(loser, vms("b", zones=(2,), demand=born(20)), quota=Quota(regional_vcpus=8), hosts=(hosts(1, "p", fit=1, zone=1), hosts(1, "q", zone=2)))  # fmt: skip
    output = run_both(plan)
    assert output.timeline("b-0000") == [(20, "creating"), (30, "starting"), (55, "running")]


def test_families_are_limited_one_by_one_whatever_the_case_of_their_names() -> None:
    """Both limits must hold: one VM of family D, and three in all."""
    other = {"size": "E4", "family": "fE"}
    plan = shared(vms("d", count=2), vms("e", count=3, **other), quota=Quota(regional_vcpus=12, families={"FD": 4}))
    output = run_both(plan)
    made = {name: usage.counts["vms.created"] for name, usage in output.run.usages.items()}
    assert made == {"d": 1, "e": 2}


def test_spot_has_a_pool_of_its_own() -> None:
    """Spot VMs don't count against the region or a family, nor others against the spot pool."""
    spot = vms("s", count=3, priority="spot", spot=Spot(eviction_per_hour=0.0, notice_s=always(30)))
    plan = shared(vms("r", count=2), spot, quota=Quota(regional_vcpus=4, spot_vcpus=8, families={"fD": 4}))
    output = run_both(plan)
    assert {n: u.counts["vms.created"] for n, u in output.run.usages.items()} == {"r": 1, "s": 2}


def test_at_one_instant_what_is_given_back_comes_first_and_then_groups_in_their_order() -> None:
    """At 544 the deleted VM's room and quota are free for the first group, not for the second, which asks at the same time."""
    late = born(534, for_s=NEVER)
    plan = shared(
        vms("a", demand=born(0, for_s=500)), vms("b", demand=late), vms("c", demand=late), hosts=(hosts(1, fit=1),)
    )
    output = run_both(plan)
    assert output.timeline("b-0000") == [(534, "creating"), (544, "starting"), (569, "running")]
    assert failed(output, "c-0000")[0][0] == 544


@pytest.mark.parametrize("policy", ["first-fit", "best-fit"])
def test_vms_on_dedicated_hosts_use_no_quota_of_vms(policy: str) -> None:
    """Their hosts have one of their own: three are created beside a quota of one, and the family's is left alone too."""
    pools = (hosts(1, "own", only_groups=("g",)), hosts(1, "common"))
    quota = Quota(regional_vcpus=4, families={"fD": 4})
    output = run_both(shared(vms("g", count=2), vms("o", count=2), hosts=pools, quota=quota, placement=policy))
    assert {name: usage.counts["vms.created"] for name, usage in output.run.usages.items()} == {"g": 2, "o": 1}
    assert output.count("failures.QuotaExceeded") == 5


# --- reservations -----------------------------------------------------------------------------------------------------


def test_reserved_room_is_held_for_vms_of_its_size() -> None:
    """A host of two places, one reserved: of two VMs of another size one fails; one of the size, later, has its place."""
    plan = shared(vms("e", count=2, size="E4"), vms("d", demand=born(500)), hosts=(hosts(1, fit=2),), reserved=(HELD,))
    output = run_until(plan)
    assert len(failed(output, "e-0001")) == 5
    assert output.timeline("d-0000") == [(500, "creating"), (510, "starting"), (535, "running")]


def test_reserved_room_is_free_again_for_its_size_when_its_vm_is_deallocated() -> None:
    """And only for its size; when its VM comes back, another VM of the size is there."""
    plan = shared(
        vms("d", demand=ON_OFF), vms("e", demand=born(1100), size="E4"), vms("d2", demand=born(1200)),
        hosts=(hosts(1, fit=1),), reserved=(HELD,),
    )  # fmt: skip
    output = run_until(plan)
    assert len(failed(output, "e-0000")) == 5
    assert output.timeline("d2-0000")[-1] == (1235, "running")
    assert failed(output, "d-0000")[0] == (2010, "start", "AllocationFailed")


def test_a_reservation_holds_quota_which_its_vms_need_not_ask_for_again() -> None:
    """Of 8 vCPUs 4 are reserved: one VM of another size is admitted, the second is not; one of the size is."""
    plan = shared(
        vms("e", count=2, size="E4"), vms("d", count=2), hosts=(hosts(4),), reserved=(HELD,), quota=Quota(regional_vcpus=8)
    )  # fmt: skip
    output = run_until(plan)
    made = {name: usage.counts["vms.created"] for name, usage in output.run.usages.items()}
    assert made == {"e": 1, "d": 1}
    assert output.count("failures.QuotaExceeded") == 10


def test_a_reservation_holds_quota_whether_or_not_hosts_are_modelled() -> None:
    """8 vCPUs, a unit of 4 for b: one VM of each group is created, the other refused; the same with hosts for all."""
    held = replace(HELD, groups=("b",))
    plan = shared(
        vms("a", count=2, retry=Retry(attempts=1)), vms("b", count=2, retry=Retry(attempts=1)),
        reserved=(held,), quota=Quota(regional_vcpus=8),
    )  # fmt: skip
    endless = run_both(plan)
    with_hosts = run_until(replace(plan, platform=replace(plan.platform, hosts=(hosts(4),))))  # type: ignore[type-var]
    for output in (endless, with_hosts):
        for usage in output.run.usages.values():
            assert (usage.counts["vms.created"], usage.counts["failures.QuotaExceeded"]) == (1, 1)
    assert all("hosts." in line for line in differences(endless, with_hosts)), "all but what is in use of the hosts"


def test_spot_vms_have_no_part_in_reserved_room() -> None:
    """A reservation isn't for spot."""
    spot = vms("s", priority="spot", spot=Spot(eviction_per_hour=0.0, notice_s=always(30)))
    assert len(failed(run_until(shared(spot, hosts=(hosts(1, fit=1),), reserved=(HELD,))), "s-0000")) == 5


def test_more_reserved_room_than_there_is_is_refused_before_the_run() -> None:
    """And the message says how many fit."""
    plan = shared(vms(), hosts=(hosts(1, fit=2),), reserved=(replace(HELD, quantity=3),))
    with pytest.raises(ScenarioError, match="room for 2 x D4 only"):
        run_until(plan)


def test_without_a_platform_nothing_is_asked() -> None:
    """The same fleet alone in the world."""
    output = run_both(fleet(vms(count=50), hours=1))
    assert output.count("vms.created") == 50


# --- what is in use of the hosts ------------------------------------------------------------------------------------------


POOL = HostPool(name="pool", count=2, vcpus=8, memory_gib=64.0)


def test_the_use_of_hosts_is_the_time_average_of_held_vcpus() -> None:
    """Two hosts of 8 vCPUs; VMs of 4 that run from second 10 to 3600 of an hour, the third from 1810 on."""
    plan = shared(vms("a", count=2), vms("b", demand=born(1800.0)), hosts=(POOL,))
    found = run_both(replace(plan, horizon_s=3600.0))
    assert found.run.usages["a"].amounts["hosts.used_share"] == 2 * 4 * 3590 / (16 * 3600)
    assert found.run.usages["b"].amounts["hosts.used_share"] == 4 * 1790 / (16 * 3600)
    assert found.usage.amounts["hosts.used_share"] == 2 * 4 * 3590 / (16 * 3600) + 4 * 1790 / (16 * 3600)
    assert found.count("hosts.peak_used") == 2


def test_the_use_of_hosts_leaves_the_warm_up_out_and_knows_what_it_left() -> None:
    """In the last half hour one host of three holds the VM all the time, though nothing moves in it."""
    plan = replace(shared(vms("a", count=1), hosts=(replace(POOL, count=3),)), horizon_s=3600.0, warm_up_s=1800.0)
    found = run_both(plan)
    assert found.usage.amounts["hosts.used_share"] == 4 / 24
    assert found.count("hosts.peak_used") == 1


def test_a_failed_host_counts_as_there_and_its_vms_hold_nothing() -> None:
    """From 1000 s on the only host is out of order: 4 of 8 vCPUs from second 10 to 1000."""
    failing = Failing(time_between_s=Constant(value=1000.0), repair_s=Constant(value=1e6))
    plan = shared(vms("a", count=1), hosts=(replace(POOL, count=1),), host_failures=failing, healing_s=always(60))
    found = run_both(replace(plan, horizon_s=2000.0))
    assert found.usage.amounts["hosts.used_share"] == 4 * 990 / (8 * 2000)


def test_without_hosts_there_is_no_share_of_them() -> None:
    """Hardware without end is no host."""
    found = run_both(shared(vms("a", count=1), quota=Quota(regional_vcpus=8)))
    assert "hosts.used_share" not in found.usage.amounts
    assert found.count("hosts.peak_used") == 0

"""Hosts that fail and are maintained, with constant durations, checked by hand to the second."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fleets import RunOutput, always, group, run_until
from shared import failed, hosts, hosts_of, run_with_events, shared, vms

from sim.engines.shared.faults import unions_that_fail, update_domains_of
from sim.engines.simpy.environment import Environment
from sim.engines.simpy.platform import SharedPlatform
from sim.lifecycle.policy import BILLING_POLICIES
from sim.lifecycle.power import PowerState
from sim.model.demand import Cycle, Replay
from sim.model.faults import Failing, GuestCrash, Maintenance, Spot
from sim.model.plan import FleetPlan, Retry
from sim.model.states.compile import compile_state_machine

NEVER = always(10.0**9)
ON_OFF = Cycle(on_s=always(1000), off_s=always(1000))
BY_HAND: dict[str, Any] = {"host_failures": Failing(time_between_s=NEVER, repair_s=NEVER), "healing_s": always(600)}


def fail(*numbers: int) -> Any:
    """A platform event: those hosts fail."""
    return lambda platform: platform.fail(numbers)


def repair(*numbers: int) -> Any:
    """Those hosts are back."""
    return lambda platform: platform.repair(numbers)


def unserved(output: RunOutput, group: str = "g") -> float:
    """Seconds in which VMs of a group were wanted and not served."""
    usage = output.run.usages[group]
    return (usage.wanted_h - usage.served_h) * 3600


# --- failures and healing ---------------------------------------------------------------------------------------------


def test_a_failed_hosts_vm_is_down_until_it_is_started_elsewhere_and_billed_all_the_while() -> None:
    """Down from 1,000 s; healed at 1,600 on the other host, where it starts for 25 s."""
    output, found = run_with_events(shared(vms(), placement="first-fit", hosts=(hosts(2),), **BY_HAND), (1000, fail(0)))
    assert output.timeline() == [
        (0, "creating"),
        (10, "starting"),
        (35, "running"),
        (1600, "starting"),
        (1625, "running"),
    ]
    assert unserved(output) == pytest.approx(80 + 625)
    assert hosts_of(found) == [1]
    counts = {name: output.count(name) for name in ("host_failures", "service_healings", "allocation.attempts", "allocation.failures")}  # fmt: skip
    assert counts == {"host_failures": 1, "service_healings": 1, "allocation.attempts": 2, "allocation.failures": 0}
    assert output.usage.billed_h(BILLING_POLICIES["2023-10"]) * 3600 == pytest.approx(3600 - 10)


def test_a_vm_without_a_host_waits_and_is_billed() -> None:
    """The only host fails at 1,000 and is back at 2,000: looked for at 1,600, 1,660, ..., 1,960, found at 2,020."""
    output, _ = run_with_events(shared(vms(), hosts=(hosts(1),), **BY_HAND), (1000, fail(0)), (2000, repair(0)))
    assert output.timeline()[3:] == [(2020, "starting"), (2045, "running")]
    assert output.count("allocation.attempts") == 1 + 1, "a create and a healing, however often the platform looks"
    assert output.count("allocation.failures") == 1, "the first look finds nothing"
    assert output.count("allocation.platform_looks") == 8
    assert unserved(output) == pytest.approx(80 + 1045)
    assert output.seconds(PowerState.RUNNING) == pytest.approx(3600 - 35 - 25)


def test_a_host_that_is_back_at_the_instant_it_is_looked_for_is_found() -> None:
    """Repairs come before requests."""
    output, _ = run_with_events(shared(vms(), hosts=(hosts(1),), **BY_HAND), (1000, fail(0)), (1600, repair(0)))
    assert output.timeline()[3:] == [(1600, "starting"), (1625, "running")]


def test_all_vms_of_a_host_fail_together_and_those_of_other_hosts_do_not() -> None:
    """Four on host 0, two on host 1; six places are left for healing, two of them on host 1."""
    output, found = run_with_events(
        shared(vms(count=6), placement="first-fit", hosts=(hosts(3),), **BY_HAND), (1000, fail(0))
    )
    assert output.count("service_healings") == 4
    assert hosts_of(found) == [1, 1, 2, 2, 1, 1]
    assert unserved(output) == pytest.approx(6 * 80 + 4 * 625)


def test_a_failed_host_takes_no_vm_and_is_whole_when_it_is_repaired() -> None:
    """A create finds no room at 1,110 and 1,180; the host is repaired at 1,200, and it does at 1,310."""
    late = vms("b", demand=Replay(born_s=(1100.0,), lifetime_s=(float("inf"),)))
    output, found = run_with_events(shared(late, hosts=(hosts(1),), **BY_HAND), (1000, fail(0)), (1200, repair(0)))
    assert [t for t, _, _ in failed(output, "b-0000")] == [1110, 1180]
    assert output.timeline("b-0000")[-1] == (1335, "running")
    assert found.platform is not None
    assert (found.platform.index.free_c[0], found.platform.index.free_m[0]) == (12, 48 * 1024)


def test_a_host_that_fails_twice_at_once_is_back_when_both_are_mended() -> None:
    """By itself, and with its rack: one failure of the host, and no room until the second repair."""
    platform_events = ((1000, fail(0)), (1100, fail(0)), (1700, repair(0)), (2000, repair(0)))
    output, _ = run_with_events(shared(vms(), hosts=(hosts(1),), **BY_HAND), *platform_events)
    assert output.timeline()[3] == (2020, "starting")
    assert output.count("host_failures") == 1


def test_failures_during_the_warm_up_are_not_counted() -> None:
    """Nothing before the end of the warm-up is in any figure."""
    plan = shared(vms(), hosts=(hosts(2),), warm_up_s=1500.0, **BY_HAND)
    output, _ = run_with_events(plan, (1000, fail(0)), (1400, repair(0)), (2000, fail(1)))
    assert output.count("host_failures") == 1


def test_a_deallocated_vm_notices_nothing() -> None:
    """Off from 1,045 to 2,000: nothing to heal."""
    output, _ = run_with_events(
        shared(vms(demand=ON_OFF), hosts=(hosts(2),), placement="first-fit", **BY_HAND), (1500, fail(0))
    )
    assert output.count("service_healings") == 0
    assert output.timeline()[5:7] == [(2010, "starting"), (2035, "running")]


def test_a_vm_that_was_stopped_while_its_host_failed_starts_on_another_once() -> None:
    """Stopped, it notices nothing; its start of 2,000 asks for a host, at once; and it isn't healed on top of that."""
    output, found = run_with_events(shared(vms(demand=ON_OFF, when_off="stop"), hosts=(hosts(2),), placement="first-fit", **BY_HAND), (1500, fail(0)))  # fmt: skip
    assert output.timeline()[3:7] == [(1000, "stopping"), (1020, "stopped"), (2000, "starting"), (2025, "running")]
    assert output.count("service_healings") == 0
    assert hosts_of(found) == [1]


def test_a_stopped_vm_whose_host_failed_may_find_no_other() -> None:
    """The start of 2,000 fails at once, with a code of its own; repaired at 2,100, the third attempt succeeds at 2,180."""
    output, _ = run_with_events(shared(vms(demand=ON_OFF, when_off="stop"), hosts=(hosts(1),), **BY_HAND), (1500, fail(0)), (2100, repair(0)))  # fmt: skip
    assert failed(output, "g-0000") == [(t, "start", "AllocationFailed") for t in (2000, 2060)]
    assert output.timeline()[5:7] == [(2180, "starting"), (2205, "running")]
    assert output.count("operations.start.accepted") == 3


def test_a_vm_that_is_not_wanted_any_more_while_it_has_no_host_is_switched_off() -> None:
    """Its host fails at 500, no other has room; unwanted at 1,000, it looks until 1,100, and at 1,145 it is deallocated."""
    output, _ = run_with_events(shared(vms(demand=ON_OFF), hosts=(hosts(1),), **BY_HAND), (500, fail(0)))
    assert output.timeline()[3:5] == [(1100, "deallocating"), (1145, "deallocated")]


def test_a_vm_without_a_host_has_somewhere_to_go_when_switching_off_is_abandoned() -> None:
    """No guest crash is in the plan, so the state machine has no crashed guest; the VM waits on for a host."""
    plan = shared(vms(demand=ON_OFF, failures={"InternalOperationError": 0.5}), hosts=(hosts(1),), **BY_HAND)
    state_machine = compile_state_machine(plan.groups[0], plan.platform)
    given_up = [
        transition
        for transition in state_machine.transitions
        if transition.code and transition.target.name == "unplaced.abandoned"
    ]
    assert all(transition.source.name.startswith("deallocate.unplaced") for transition in given_up)
    without_host = [state for state in state_machine.states if "unplaced" in state.name and state.operation is None]
    assert {state.name for state in without_host} == {"unplaced", "unplaced.abandoned", "retry.switch_off.unplaced"}
    assert all(state.unreachable and not state.serving for state in without_host)


def test_a_vm_whose_switching_off_was_abandoned_can_lose_its_host() -> None:
    """It is Running and serves; when its host fails it doesn't."""
    plan = shared(vms(demand=ON_OFF, failures={"InternalOperationError": 0.5}), hosts=(hosts(1),), **BY_HAND)
    held = {state.name: state for state in compile_state_machine(plan.groups[0], plan.platform).states}[
        "held.running.failed"
    ]
    assert held.serving
    assert held.host_failed is not None


def test_events_tell_of_hosts_and_of_every_vm_that_they_take_down() -> None:
    """The second host of the second pool, with one VM on it, fails at 1,000 s, and with its rack again; back at 3,000 only."""
    pools = (hosts(1, "p", fit=1), hosts(2, "q", fit=1))
    plan = shared(vms(count=3), hosts=pools, placement="first-fit", **BY_HAND)
    output, _ = run_with_events(plan, (1000, fail(2)), (1500, fail(2)), (2000, repair(2)), (3000, repair(2)))
    of_hosts = [row for row in output.events if row[2].startswith("host_")]
    assert of_hosts == [
        (1000, "q/0001", "host_failure", None, None, None, None), (3000, "q/0001", "host_repair", None, None, None, None),
    ]  # fmt: skip
    healed = [row[:3] for row in output.events if row[2] == "service_healing"]
    assert healed == [(1000, "g-0002", "service_healing")]
    assert output.events == tuple(sorted(output.events, key=lambda row: row[0]))


# --- operations that are under way on a host that fails -----------------------------------------------------------------


@pytest.mark.parametrize(("when_s", "power"), [(20, "stopped"), (50, "running"), (78, "running")])
def test_a_create_fails_with_its_host_and_its_vm_waits_for_someone_to_react(when_s: float, power: str) -> None:
    """Starting (10 to 35 s), provisioning (to 75), extensions (to 80): it fails at once, and is made again 600 s later."""
    output, found = run_with_events(
        shared(vms(), placement="first-fit", hosts=(hosts(2),), **BY_HAND), (when_s, fail(0))
    )
    assert failed(output, "g-0000") == [(when_s, "create", "InternalOperationError")]
    assert output.timeline()[-4:] == [
        (t, state) for t, state in [
            (when_s + 600, "deallocating"), (when_s + 644, ""), (when_s + 644, "creating"), (when_s + 654, "starting"), (when_s + 679, "running"),
        ]
    ][-4:]  # fmt: skip
    assert dict(output.timeline()[:4])[when_s] == power if power == "stopped" else when_s not in dict(output.timeline())
    assert hosts_of(found) == [1]
    assert output.count("vms.created") == 1
    assert output.count("service_healings") == 0
    assert unserved(output) == pytest.approx(when_s + 644 + 80)


def test_a_start_fails_with_its_host_and_is_tried_again_on_another() -> None:
    """Wanted again at 2,000 s, Starting from 2,010; its host fails at 2,020: stopped, started elsewhere a minute later."""
    plan = shared(vms(demand=ON_OFF), hosts=(hosts(2),), placement="first-fit", **BY_HAND)
    output, found = run_with_events(plan, (2020, fail(0)))
    assert failed(output, "g-0000") == [(2020, "start", "InternalOperationError")]
    assert output.timeline()[5:] == [(2010, "starting"), (2020, "stopped"), (2080, "starting"), (2105, "running"), (3000, "deallocating"), (3045, "deallocated")]  # fmt: skip
    assert hosts_of(found) == [-1]


def test_a_start_whose_host_fails_in_its_last_attempt_is_given_up() -> None:
    """One attempt only: stopped until it has been unwanted and is wanted again, which is at 4,000 s, after the horizon."""
    plan = shared(vms(demand=ON_OFF, retry=Retry(attempts=1)), hosts=(hosts(2),), placement="first-fit", **BY_HAND)
    output, _ = run_with_events(plan, (2020, fail(0)))
    assert output.timeline()[5:] == [
        (2010, "starting"),
        (2020, "stopped"),
        (3000, "deallocating"),
        (3045, "deallocated"),
    ]


def test_a_restart_ends_with_its_host_and_the_vm_is_healed() -> None:
    """The guest crashes after 500 s of serving, at 580, is restarted at 640 and would be back at 670; the host fails at 650."""
    crash = GuestCrash(time_between_s=always(500), detection_s=always(60))
    output, _ = run_with_events(shared(vms(guest_crash=crash), hosts=(hosts(2),), placement="first-fit", hours=0.4, **BY_HAND), (650, fail(0)))  # fmt: skip
    assert failed(output, "g-0000") == [(650, "restart", "InternalOperationError")]
    assert output.timeline()[3:] == [(1250, "starting"), (1275, "running")]


def test_a_vm_that_is_being_healed_is_healed_again_if_its_new_host_fails() -> None:
    """From host 0 to host 1 at 1,600 s, Starting for 25 s; host 1 fails at 1,610: elsewhere at 2,210."""
    output, found = run_with_events(shared(vms(), hosts=(hosts(3),), placement="first-fit", **BY_HAND), (1000, fail(0)), (1610, fail(1)))  # fmt: skip
    assert output.timeline()[3:] == [(1600, "starting"), (1610, "running"), (2210, "starting"), (2235, "running")]
    assert hosts_of(found) == [2]
    assert output.count("service_healings") == 2


def test_an_operation_that_takes_a_vm_off_its_host_goes_on_without_the_host() -> None:
    """Deallocating from 1,000 to 1,045 s, powering off from 1,000 to 1,020: done in their time."""
    for when_off, end in (("deallocate", (1045, "deallocated")), ("stop", (1020, "stopped"))):
        plan = shared(vms(demand=ON_OFF, when_off=when_off), hosts=(hosts(2),), placement="first-fit", **BY_HAND)
        output, _ = run_with_events(plan, (1010, fail(0)))
        assert output.timeline()[4] == end
        assert not failed(output, "g-0000")


def test_a_spot_vm_that_has_its_notice_is_off_its_host_as_soon_as_that_fails() -> None:
    """Evicted with a notice at 80 s, for 30 s; the host fails at 90."""
    spot = Spot(eviction_per_hour=1.0, notice_s=always(30))
    output, _ = run_with_events(shared(vms(spot=spot, priority="spot"), hosts=(hosts(2),), **BY_HAND), (90, fail(0)))
    assert output.timeline()[3] == (90, "deallocating")


def test_room_that_was_reserved_is_reserved_again_after_a_repair() -> None:
    """The reservation's place is lost with its host and comes back with it, empty."""
    from sim.model.plan import Reserved

    held = Reserved(name="r", size="D4", family="fD", vcpus=4, memory_gib=16.0, quantity=1)
    other = vms("e", size="E4", demand=Replay(born_s=(1250.0,), lifetime_s=(float("inf"),)))
    plan = shared(vms("d"), other, hosts=(hosts(1, fit=1),), reserved=(held,), **BY_HAND)
    output, found = run_with_events(plan, (1000, fail(0)), (1200, repair(0)))
    assert output.timeline("d-0000")[3:] == [(1600, "starting"), (1625, "running")]
    assert len(failed(output, "e-0000")) == 5
    assert found.platform is not None
    assert found.platform.index.free_c == [0]


# --- what fails together ----------------------------------------------------------------------------------------------


def laid_out() -> SharedPlatform:
    """Seven hosts in three racks of zone 1, two more in zone 1, and one without a zone."""
    pools = (hosts(7, "p", racks=3, zone=1), hosts(2, "q", zone=1), hosts(1, "r"))
    return SharedPlatform(shared(vms(), hosts=pools), Environment(), 0)


def test_racks_and_zones_are_the_hosts_that_stand_in_them() -> None:
    """A cluster without a zone fails with no zone; a rack's hosts are neighbours."""
    laid = laid_out()
    failing = Failing(time_between_s=NEVER, repair_s=NEVER)

    def members(kind: str) -> dict[str, Any]:
        found = unions_that_fail(replace(laid.plan, **{f"{kind}_failures": failing}), laid.index)
        return {union.name: union.members for union in found}

    names = [pool.name for pool in laid.plan.hosts]
    assert [*members("host").values()] == [[[0], [1], [2], [3], [4], [5], [6]], [[7], [8]], [[9]]]
    assert [*members("rack")] == [f"rack {name}" for name in names]
    assert [*members("rack").values()] == [[[0, 1, 2], [3, 4], [5, 6]], [[7, 8]], [[9]]]
    assert members("zone") == {"zone 1": [[0, 1, 2, 3, 4, 5, 6, 7, 8]]}


def test_update_domains_of_a_region_are_numbered_through_its_clusters() -> None:
    """Seven, two and one hosts in three domains: the second cluster goes on where the first ends; another region begins anew."""
    laid = laid_out()
    maintained = replace(
        laid.plan, maintenance=Maintenance(every_s=1.0, impact="freeze", update_domains=3, freeze_s=NEVER)
    )
    assert update_domains_of(maintained, laid.index) == [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]
    there = replace(maintained.hosts[1], region="there")
    apart = replace(maintained, hosts=(maintained.hosts[0], there, maintained.hosts[2]))
    assert update_domains_of(apart, laid.index) == [0, 1, 2, 0, 1, 2, 0, 0, 1, 1]
    held = replace(apart, hosts=(apart.hosts[0], apart.hosts[1], replace(apart.hosts[2], holds="r")))
    assert update_domains_of(held, laid.index) == [0, 1, 2, 0, 1, 2, 0, 0, 1, -1]
    assert update_domains_of(laid.plan, laid.index) == [0] * 10


@pytest.mark.parametrize(
    ("kind", "failures"), [("host_failures", 2 * 6), ("rack_failures", 2 * 6), ("zone_failures", 2 * 4)]
)
def test_hosts_fail_alone_with_their_rack_or_with_their_zone(kind: str, failures: int) -> None:
    """Every 3,000 s, repaired 600 s later: at 3,000 and 6,600, with constant times everywhere at once; zone 0 is no zone."""
    pools = (hosts(4, "p", racks=2, zone=1), hosts(2, "q"))
    failing = Failing(time_between_s=always(3000), repair_s=always(600))
    output = run_until(shared(vms(count=24), hosts=pools, hours=2.0, healing_s=always(600), **{kind: failing}))
    assert output.count("host_failures") == failures
    vms_hit = 16 if kind == "zone_failures" else 24
    assert output.count("service_healings") >= vms_hit


def test_failures_of_hosts_and_racks_are_drawn_for_each_by_its_name() -> None:
    """Another host more, or another cluster, changes no other draw."""
    from sim.distributions.kinds import Exponential

    def downs(*pools: Any) -> list[tuple[float, int]]:
        noted: list[tuple[float, int]] = []
        plan = shared(
            vms(), hosts=pools, hours=24.0, healing_s=always(600),
            host_failures=Failing(time_between_s=Exponential(mean=20_000.0), repair_s=always(60)),
        )  # fmt: skip

        def listen(platform: SharedPlatform) -> None:
            right = platform.fail

            def note(numbers: Any) -> None:
                noted.extend((platform.env.now, host) for host in numbers)
                right(numbers)

            platform.fail = note  # type: ignore[method-assign]

        run_with_events(plan, (0.0, listen))
        return noted

    few = downs(hosts(3))
    more = downs(hosts(4), hosts(5, "q"))
    assert few
    assert few == [(t, host) for t, host in more if host < 3]


# --- maintenance ------------------------------------------------------------------------------------------------------


def worked_on(impact: str, **more: Any) -> FleetPlan:
    """Two VMs on two hosts, which are worked on every 2,000 s: one at once, the other 500 s later."""
    work = Maintenance(every_s=2000.0, impact=impact, update_domains=2, between_domains_s=500.0, freeze_s=always(9))
    return shared(vms(count=2, **more), placement="worst-fit", hosts=(hosts(2),), maintenance=work)


def test_a_freeze_costs_seconds_of_service_and_no_power_state_changes() -> None:
    """At 2,000 and at 2,500: 9 s each; the bill doesn't notice."""
    output = run_until(worked_on("freeze"))
    assert unserved(output) == pytest.approx(2 * 80 + 2 * 9)
    assert (
        output.timeline("g-0000") == output.timeline("g-0001") == [(0, "creating"), (10, "starting"), (35, "running")]
    )
    assert output.count("maintenance_impacts") == 2
    assert output.usage.hours(PowerState.RUNNING) == pytest.approx(2 * 3565 / 3600)


def test_events_tell_of_every_vm_that_maintenance_reaches() -> None:
    """A row for each VM, beside its count."""
    work = Maintenance(every_s=1000.0, impact="freeze", update_domains=2, between_domains_s=100.0, freeze_s=always(5))
    output = run_until(
        shared(vms(count=2), hosts=(hosts(2, fit=1),), placement="first-fit", hours=0.5, maintenance=work)
    )
    assert [row[:3] for row in output.events if row[2] == "maintenance"] == [
        (1000, "g-0000", "maintenance"), (1100, "g-0001", "maintenance"),
    ]  # fmt: skip
    assert output.count("maintenance_impacts") == 2


def test_a_reboot_takes_as_long_as_a_restart() -> None:
    """30 s each, Running all the while; no operation was requested."""
    output = run_until(worked_on("reboot"))
    assert unserved(output) == pytest.approx(2 * 80 + 2 * 30)
    assert output.timeline("g-0001")[-1] == (35, "running")
    assert output.count("operations.restart.accepted") == 0


def test_a_redeployed_vm_starts_again_at_its_time() -> None:
    """The first at 2,000, the second at 2,500; 25 s each; and each needs room."""
    output = run_until(worked_on("redeploy"))
    assert output.timeline("g-0000")[3:] == [(2000, "starting"), (2025, "running")]
    assert output.timeline("g-0001")[3:] == [(2500, "starting"), (2525, "running")]
    assert output.count("allocation.attempts") == 4


def test_a_round_of_maintenance_comes_every_so_often() -> None:
    """At 2,000, 4,000 and 6,000 s, the second domain 500 s later each time; each round the two change hosts, and domains."""
    output = run_until(replace(worked_on("redeploy"), horizon_s=7000.0))
    assert [t for t, state in output.timeline("g-0000") if state == "starting"] == [10, 2000, 4500, 6000]
    assert [t for t, state in output.timeline("g-0001") if state == "starting"] == [10, 2500, 4000, 6500]


def test_a_round_that_takes_longer_than_the_pause_delays_the_next() -> None:
    """Every 1,000 s, three domains 600 s apart: domain 0 at 1,000, then when the round is over, at 2,200 and 3,200."""
    work = Maintenance(every_s=1000.0, impact="redeploy", update_domains=3, between_domains_s=600.0, freeze_s=always(9))
    output = run_until(shared(vms(), hosts=(hosts(1),), maintenance=work))
    assert [t for t, state in output.timeline() if state == "starting"] == [10, 1000, 2200, 3200]
    times = [row[0] for row in output.events]
    assert times == sorted(times)


def test_maintenance_leaves_a_vm_alone_that_is_not_in_service() -> None:
    """Deallocated from 1,045 to 2,010, and just starting: nothing happens to it."""
    output = run_until(worked_on("reboot", demand=ON_OFF))
    assert output.count("maintenance_impacts") == 1
    assert unserved(output) == pytest.approx(2 * (80 + 35) + 30)


def test_maintenance_and_failures_need_hosts() -> None:
    """Hardware without end doesn't fail, and has no maintenance."""
    work = Maintenance(every_s=600.0, impact="reboot", freeze_s=always(9))
    output = run_until(shared(group("g"), maintenance=work, **BY_HAND))
    assert output.count("maintenance_impacts") == 0

"""Failures of single VMs and what the automation does about them: constant durations, checked by hand, in both engines."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace
from datetime import time
from itertools import pairwise
from typing import Any

import pytest
from fleets import RunOutput, always, fleet, group, run_both, run_until

from sim.distributions.kinds import Distribution, Exponential
from sim.errors import LifecycleError
from sim.lifecycle.policy import BILLING_POLICIES
from sim.lifecycle.power import PowerState
from sim.model.demand import Arrivals, Cycle, Replay, Schedule
from sim.model.faults import GuestCrash, Spot
from sim.model.plan import GroupPlan, Retry
from sim.model.states.compile import compile_state_machine
from tests.helpers.operation_rows import DURATION_KEYS

OLD = BILLING_POLICIES["2018-08"]
SURE = 1.0


def cycle(on_s: float, off_s: float) -> Cycle:
    """Wanted and unwanted for as long each time."""
    return Cycle(on_s=always(on_s), off_s=always(off_s))


def begun(output: RunOutput, operation: str, vm: str = "g-0000") -> list[float]:
    """When an operation was accepted (s)."""
    return [t_s for t_s, name, what in output.operations(vm) if (name, what) == (operation, "accepted")]


# --- retries ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("retry", "attempts_at"),
    [
        (Retry(attempts=4, backoff_s=60, multiplier=2, max_backoff_s=3600), [0, 70, 200, 450]),
        (Retry(attempts=4, backoff_s=60, multiplier=2, max_backoff_s=100), [0, 70, 180, 290]),
        (Retry(attempts=3, backoff_s=60, multiplier=1, max_backoff_s=3600), [0, 70, 140]),
        (Retry(attempts=3, backoff_s=0, multiplier=2, max_backoff_s=3600), [0, 10, 20]),
        (Retry(attempts=1, backoff_s=60, multiplier=2, max_backoff_s=3600), [0]),
    ],
)
def test_a_create_without_hardware_is_tried_again_after_longer_and_longer_waits(retry: Retry, attempts_at: list[float]) -> None:  # fmt: skip
    """Each attempt takes its 10 s of allocating; `attempts` counts the first one; then the create is lost for good."""
    output = run_both(fleet(hours=1, failures={"AllocationFailed": SURE}, retry=retry))
    assert begun(output, "create") == attempts_at
    n = len(attempts_at)
    assert output.timeline() == [move for t in attempts_at for move in ((t, "creating"), (t + 10, ""))]
    assert output.count("allocation.attempts") == output.count("allocation.failures") == n
    assert output.count("failures.AllocationFailed") == output.count("operations.create.failed") == n
    assert output.usage.existing_h * 3600 == pytest.approx(10 * n, abs=1e-9)
    assert output.usage.wanted_h == 1
    assert output.count("vms.created") == 0


def test_thousands_of_attempts_do_not_outgrow_the_numbers() -> None:
    """A back-off doubled five thousand times would be no number; it is capped long before."""
    state_machine = compile_state_machine(group(retry=Retry(attempts=5000, backoff_s=1.0, multiplier=2.0)))
    assert state_machine.backoff_s[:3] == (1, 2, 4)
    assert state_machine.backoff_s[-1] == 3600
    assert len(state_machine.backoff_s) == 4999


def test_a_create_that_was_lost_is_asked_for_again_when_it_is_next_wanted_anew() -> None:
    """Wanted 1,000 s of every 2,000: one attempt at each beginning."""
    output = run_both(fleet(hours=2, demand=cycle(1000, 1000), failures={"AllocationFailed": SURE}, retry=Retry(attempts=1)))  # fmt: skip
    assert begun(output, "create") == [0, 2000, 4000, 6000]


def test_an_arrival_without_hardware_goes_away() -> None:
    """Wanted from its request until the last attempt has failed: 10 + 60 + 10 s."""
    demand = Arrivals(rate_per_h=(2.0,), lifetime_s=always(1000))
    output = run_both(fleet(hours=50, count=0, demand=demand, failures={"AllocationFailed": SURE}, retry=Retry(attempts=2)))  # fmt: skip
    n = len(output.run.vm_timelines)
    last = output.run.vm_timelines[-1][1]
    assert last[-1][0] - last[0][0] == pytest.approx(80, abs=1e-6), "the last one is over before the horizon"
    assert output.usage.wanted_h * 3600 == pytest.approx(80 * n, abs=1e-3)
    assert output.count("vms.deleted") == 0


def test_an_internal_error_strikes_before_the_first_stage_and_leaves_everything_as_it_was() -> None:
    """No hardware is sought, no time passes; the create is tried again after 60, 120 s."""
    output = run_both(fleet(hours=1, failures={"InternalOperationError": SURE}, retry=Retry(attempts=3)))
    assert begun(output, "create") == [0, 60, 180]
    assert output.count("allocation.attempts") == 0
    assert output.usage.existing_h == 0


UNLUCKY: dict[str, Any] = {
    "count": 60,
    "demand": cycle(4000, 4000),
    "failures": {"AllocationFailed": 0.5, "VMStartTimedOut": 0.1},
    "retry": Retry(attempts=3, backoff_s=60, multiplier=2, max_backoff_s=3600),
}


def test_starts_are_tried_again_by_the_same_rule_and_wait_for_the_next_window_when_used_up() -> None:
    """Failures of one start are 60 and 120 s apart from the next attempt; after the third, none before the next window."""
    output = run_both(fleet(hours=60, **UNLUCKY))
    waits = defaultdict(set)
    gave_up = 0
    for i in range(60):
        failed, last = 0, 0.0
        for t_s, operation, what in output.operations(f"g-{i:04d}"):
            if operation != "start":
                continue
            if what == "accepted":
                if failed:
                    waits[failed].add(round(t_s - last, 6))
            elif what == "succeeded":
                failed = 0
            else:
                failed, last = failed + 1, t_s
                if failed == 3:
                    gave_up += 1
                    failed = 0
            if what == "accepted" and failed == 0:
                assert t_s % 8000 < 4000 or t_s % 8000 == 0
    assert gave_up > 20
    assert {60.0} <= waits[1]
    assert {120.0} <= waits[2]
    # Besides the back-off, a first failure may be forgotten at the window's end, and the next start is a new one.
    assert all(wait == 60 * failed or wait > 1000 for failed in (1, 2) for wait in waits[failed])


def test_a_vm_that_is_not_wanted_is_not_started() -> None:
    """An attempt may fail after demand has ended: then there is no next one, not even after a short back-off."""
    output = run_both(fleet(hours=60, **UNLUCKY | {"demand": cycle(100, 4000)}))
    starts = [t_s for i in range(60) for t_s in begun(output, "start", f"g-{i:04d}")]
    assert len(starts) > 500
    assert all(t_s % 4100 < 100 for t_s in starts)


@pytest.mark.parametrize("attempts", [1, 2])
def test_a_start_that_timed_out_does_not_hold_its_host_over_the_off_hours(attempts: int) -> None:
    """VMStartTimedOut leaves it stopped, and billed; where off means deallocated, it is deallocated then."""
    plan = fleet(
        hours=60, count=60, demand=cycle(100, 4000), failures={"VMStartTimedOut": 0.3},
        retry=Retry(attempts=attempts, backoff_s=60), reaction_s=always(1),
    )  # fmt: skip
    output = run_both(plan)
    assert output.count("failures.VMStartTimedOut") > 100
    for _, moves in output.run.vm_timelines:
        for (since_s, state), (until_s, _) in pairwise(moves):
            assert state != "stopped" or since_s < 4000 or until_s - since_s <= 100, (since_s, until_s)


# --- a create that fails and leaves a VM ------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["by chance", "by its deadline"])
def test_an_os_that_is_not_provisioned_in_time_leaves_a_running_vm_until_someone_reacts(how: str) -> None:
    """Running at 35, timed out 1,200 s later; billed, not served, for 600 s; deleted (44 s) and created again."""
    changes: dict[str, Any] = {"failures": {"OSProvisioningTimedOut": SURE}}
    if how == "by its deadline":
        changes = {"steps": {"os_provisioning": always(1200.001)}}
    output = run_both(fleet(hours=1880 / 3600, **changes))
    assert output.timeline() == [
        (0, "creating"), (10, "starting"), (35, "running"), (1835, "deallocating"), (1879, ""), (1879, "creating"),
    ]  # fmt: skip
    assert output.operations()[1] == (1235, "create", "OSProvisioningTimedOut")
    assert (1235, "g-0000", "provisioning", "creating/OSProvisioningInprogress", "failed/OSProvisioningTimedOut",
            "create", "OSProvisioningTimedOut") in output.events  # fmt: skip
    assert output.usage.wasted_h(OLD) * 3600 == pytest.approx(1800, abs=1e-3)
    assert output.usage.served_h == 0
    assert output.count("vms.created") == 0
    assert output.count("vms.deleted") == 1


def test_an_os_that_is_provisioned_at_the_very_deadline_is_in_time() -> None:
    """The deadline has to be passed."""
    output = run_both(fleet(hours=1, steps={"os_provisioning": always(1200)}))
    assert output.operations()[-1] == (1240, "create", "succeeded")


def test_extensions_that_take_too_long_time_out() -> None:
    """At 75 + 5,400 s, whatever they would have taken."""
    output = run_both(fleet(hours=2, steps={"extensions": always(99_999)}))
    assert output.operations()[1] == (75 + 5400, "create", "VMExtensionProvisioningTimeout")
    assert output.timeline()[3:5] == [(75 + 5400 + 600, "deallocating"), (75 + 5400 + 644, "")]


def test_an_extension_that_fails_leaves_a_running_vm_too() -> None:
    """After the extension's own time."""
    output = run_both(fleet(hours=0.25, failures={"VMExtensionProvisioningError": SURE}))
    assert output.operations()[1] == (80, "create", "VMExtensionProvisioningError")
    assert output.timeline()[3:6] == [(680, "deallocating"), (724, ""), (724, "creating")]


def test_a_vm_that_did_not_start_in_its_create_is_stopped_on_its_host_until_someone_reacts() -> None:
    """Starting ends at 35 without success; deleting it passes through Deallocating, since it holds a host."""
    output = run_both(fleet(hours=0.25, failures={"VMStartTimedOut": SURE}))
    assert output.timeline()[:6] == [
        (0, "creating"), (10, "starting"), (35, "stopped"), (635, "deallocating"), (679, ""), (679, "creating"),
    ]  # fmt: skip


def test_a_vm_that_never_gets_anywhere_moves_but_the_clock_does_not() -> None:
    """A timeline in which no time passes is a defect of the plan: an error, not an endless loop."""
    steps = dict.fromkeys(("allocating", "starting", "deleting"), always(0))
    plan = fleet(steps=steps, reaction_s=always(0), failures={"VMStartTimedOut": SURE})
    for engine in ("simpy", "compiled"):
        with pytest.raises(LifecycleError, match=r"g-0000.* moves for ever at one instant"):
            run_until(plan, engine)


def test_a_long_life_of_many_short_operations_is_no_standstill() -> None:
    """Twelve thousand operations in ten days, each with its moment in which an internal error might strike."""
    plan = fleet(hours=240, demand=cycle(70, 70), when_off="stop", failures={"InternalOperationError": 1e-12})
    assert run_both(plan).count("operations.start.accepted") > 6000


# --- the guest crashes ------------------------------------------------------------------------------------------------


def crashing(detection_s: float, **changes: Any) -> GroupPlan:
    """A guest that dies after every 1,000 s of service."""
    return group(guest_crash=GuestCrash(time_between_s=always(1000), detection_s=always(detection_s)), **changes)


def test_a_crashed_guest_is_noticed_and_restarted_and_the_vm_runs_all_the_while() -> None:
    """Serves from 80, crashes at 1,080, noticed at 1,380, serves again at 1,410, crashes at 2,410 ..."""
    output = run_both(fleet(crashing(300), hours=1))
    assert [row[0] for row in output.events if row[2] == "guest_crash"] == [1080, 2410]
    assert begun(output, "restart") == [1380, 2710]
    assert output.timeline() == [(0, "creating"), (10, "starting"), (35, "running")]
    assert output.usage.served_h * 3600 == pytest.approx(2 * 1000 + 3600 - 2740, abs=1e-9)
    assert output.count("guest_crashes") == 2


def test_the_time_to_a_crash_is_counted_in_service_not_on_the_clock() -> None:
    """Serves 80-500 (420 s), 1,035-1,500 (465 s), and the last 115 of 1,000 s from 2,035 on."""
    output = run_both(fleet(crashing(10_000, demand=cycle(500, 500)), hours=2400 / 3600))
    assert [row[0] for row in output.events if row[2] == "guest_crash"] == [2150]


def test_a_crashed_guest_that_is_not_wanted_any_more_is_deallocated_without_a_restart() -> None:
    """Crashed at 2,150, unwanted from 2,500, before anybody has noticed."""
    output = run_both(fleet(crashing(1000, demand=cycle(500, 500)), hours=2900 / 3600))
    assert begun(output, "restart") == []
    assert (2500, "deallocating") in output.timeline()


def test_a_crashed_guest_cannot_shut_itself_down() -> None:
    """Where off means a shutdown from inside, it has to be restarted first; then it shuts down at once."""
    output = run_both(fleet(crashing(1000, demand=cycle(1500, 1000), when_off="guest-shutdown"), hours=1))
    assert begun(output, "restart") == [1080 + 1000]
    assert (1080 + 1000 + 30, "stopping") in output.timeline()


# --- eviction ---------------------------------------------------------------------------------------------------------

AT_ONCE = 1.0  # evicted with certainty within the hour: the model's limit is at once


def test_an_eviction_gives_notice_deallocates_and_is_answered_after_a_while() -> None:
    """At 80 s, as soon as it serves; serves on for 30; deallocated at 155; asked for again 900 s later."""
    spot = Spot(eviction_per_hour=AT_ONCE, notice_s=always(30), restart_after_s=always(900))
    output = run_both(fleet(hours=1100 / 3600, spot=spot))
    assert output.timeline()[3:] == [(110, "deallocating"), (155, "deallocated"), (1065, "starting"), (1090, "running")]
    assert [row[0] for row in output.events if row[2] == "eviction"] == [80, 1090]
    assert output.count("evictions") == 2
    assert output.usage.served_h * 3600 == pytest.approx(30 + 10, abs=1e-3)


def test_an_eviction_may_delete_the_vm() -> None:
    """Then it is created anew."""
    spot = Spot(eviction_per_hour=AT_ONCE, policy="delete", notice_s=always(30), restart_after_s=always(900))
    output = run_both(fleet(hours=1060 / 3600, spot=spot))
    assert output.timeline()[3:] == [(110, "deallocating"), (154, ""), (1054, "creating")]
    assert output.count("vms.deleted") == 1


@pytest.mark.parametrize(("policy", "last"), [("deallocate", "deallocated"), ("delete", "")])
def test_an_evicted_vm_is_restarted_only_if_the_scenario_says_so(policy: str, last: str) -> None:
    """Wanted all the while, never served."""
    spot = Spot(eviction_per_hour=AT_ONCE, policy=policy, notice_s=always(30))
    output = run_both(fleet(hours=24, spot=spot))
    assert output.timeline()[-1][1] == last
    assert len(output.timeline()) == 5
    assert output.usage.wanted_h == 24
    assert output.usage.served_h * 3600 == pytest.approx(30, abs=1e-9)


@pytest.mark.parametrize(("policy", "operation"), [("deallocate", "start"), ("delete", "create")])
@pytest.mark.parametrize("on_s", [100.0, 1000.0])
def test_an_evicted_vm_is_asked_for_when_it_is_next_wanted_anew(policy: str, operation: str, on_s: float) -> None:
    """Also where demand ended between the notice (80 s) and the end of the eviction (about 155 s)."""
    spot = Spot(eviction_per_hour=AT_ONCE, policy=policy, notice_s=always(30))
    output = run_both(fleet(hours=1, spot=spot, demand=cycle(on_s, 1500 - on_s)))
    assert [t_s for t_s in begun(output, operation) if t_s > 0] == [1500, 3000]


@pytest.mark.parametrize(("policy", "operation"), [("deallocate", "start"), ("delete", "create")])
@pytest.mark.parametrize("on_s", [100.0, 1000.0])
def test_an_evicted_vm_is_not_asked_for_again_while_it_is_not_wanted(policy: str, operation: str, on_s: float) -> None:
    """The answer to the eviction comes at about 1,055; demand ends before or while it waits, and is back at 1,500."""
    spot = Spot(eviction_per_hour=AT_ONCE, policy=policy, notice_s=always(30), restart_after_s=always(900))
    output = run_both(fleet(hours=0.5, spot=spot, demand=cycle(on_s, 1500 - on_s)))
    assert [t_s for t_s in begun(output, operation) if t_s > 0] == [1500]


def test_an_always_on_vm_is_asked_for_again_after_its_creates_are_used_up() -> None:
    """Half of the looks for hardware fail, and two are tried each time: the VM is back, again and again, for a year.

    An attempt of two succeeds three times in four; then it serves for about 1.44 h, and a pause of 900 s follows.
    """
    failing = {"AllocationFailed": 0.5}
    retry = Retry(attempts=2, backoff_s=60, multiplier=1.0, max_backoff_s=3600)
    found = {}
    for again_s in (900, None):
        restart = None if again_s is None else always(again_s)
        spot = Spot(eviction_per_hour=0.5, policy="delete", notice_s=always(0), restart_after_s=restart)
        plan = fleet(hours=8760, warm_up_s=180 * 86400, spot=spot, failures=failing, retry=retry, steps=NO_TIME)
        found[again_s] = run_both(plan).usage
    assert found[900].wanted_h == found[None].wanted_h == 8760 - 180 * 24
    served_h = 1 / math.log(2)
    pause_h = (900 + 0.5 * 60) / 0.75 / 3600  # one pause for each round of attempts, a back-off in half of them
    assert found[900].served_h / found[900].wanted_h == pytest.approx(served_h / (served_h + pause_h), abs=0.02)
    assert found[None].served_h == 0


NO_TIME = dict.fromkeys(DURATION_KEYS, always(0))


def test_an_arrival_that_was_evicted_dies_at_its_hour_all_the_same() -> None:
    """A lifetime of 500 s from Running; evicted at 80 s, waiting to be asked for until 1,055 s: deleted at 535 s."""
    spot = Spot(eviction_per_hour=AT_ONCE, notice_s=always(30), restart_after_s=always(900))
    demand = Arrivals(rate_per_h=(1.0,), lifetime_s=always(500))
    (_, moves), *_ = run_both(fleet(hours=24, count=0, demand=demand, spot=spot)).run.vm_timelines
    assert [(round(t_s - moves[0][0], 6), state) for t_s, state in moves[3:]] == [
        (110, "deallocating"), (155, "deallocated"), (579, ""),
    ]  # fmt: skip


@pytest.mark.parametrize("policy", ["deallocate", "delete"])
@pytest.mark.parametrize("restart_after_s", [None, always(900)])
def test_the_policy_of_evictions_changes_nothing_of_what_is_wanted(
    policy: str, restart_after_s: Distribution | None
) -> None:
    """A hundred recorded requests of two hours each are wanted for 200 h, whatever becomes of their VMs."""
    demand = Replay(born_s=tuple(60.0 * i for i in range(100)), lifetime_s=(7200.0,) * 100)
    spot = Spot(eviction_per_hour=0.9, policy=policy, notice_s=always(0), restart_after_s=restart_after_s)
    output = run_both(fleet(hours=24, count=0, demand=demand, spot=spot, steps=NO_TIME))
    assert output.count("evictions") > 50
    assert output.usage.wanted_h == pytest.approx(200, abs=1e-9)
    assert output.usage.served_h < 170
    assert output.usage.hours(PowerState.DEALLOCATED) > 0 or policy == "delete"


@pytest.mark.parametrize("policy", ["deallocate", "delete"])
def test_a_vm_that_is_made_again_has_what_is_left_of_its_lifetime(policy: str) -> None:
    """500 s; evicted after 30 s each time, it comes back after 100 s (0, 130, 260, 390), and is not wanted after 500 s."""
    spot = Spot(eviction_per_hour=1.0, policy=policy, notice_s=always(30), restart_after_s=always(100))
    demand = Replay(born_s=(0.0,), lifetime_s=(500.0,))
    output = run_both(fleet(hours=24, count=0, demand=demand, spot=spot, steps=NO_TIME))
    assert output.usage.wanted_h * 3600 == pytest.approx(500)
    assert output.usage.served_h * 3600 == pytest.approx(4 * 30)
    assert output.timeline()[-1] == ((420, "") if policy == "delete" else (500, ""))


@pytest.mark.parametrize("policy", ["deallocate", "delete"])
def test_work_is_made_up_after_evictions(policy: str) -> None:
    """75 s of work in stretches of 30 s, which an eviction ends, each 100 s after the last: done at 0 + 2 x 130 + 15 s.

    The third notice is under way then: a delete is always accepted.
    """
    spot = Spot(eviction_per_hour=1.0, policy=policy, notice_s=always(30), restart_after_s=always(100))
    demand = Arrivals(rate_per_h=(1.0,), lifetime_s=always(75), lifetime_counts="running")
    output = run_both(fleet(hours=240, count=0, demand=demand, spot=spot, steps=NO_TIME))
    (_, moves), *_ = output.run.vm_timelines
    assert moves[-1][0] - moves[0][0] == pytest.approx(275)
    made = output.count("vms.deleted") / (3 if policy == "delete" else 1)
    assert output.usage.wanted_h * 3600 / made == pytest.approx(275, rel=0.01)
    assert output.usage.served_h * 3600 / made == pytest.approx(75, rel=0.01)


def test_an_arrival_whose_create_fails_for_good_is_lost_and_one_that_ran_is_not() -> None:
    """No hardware ever: gone after its attempts. Evicted, deleted and never made again: wanted to its hour."""
    demand = Replay(born_s=(0.0,), lifetime_s=(5000.0,))
    lost = run_both(
        fleet(hours=24, count=0, demand=demand, failures={"AllocationFailed": SURE}, retry=Retry(attempts=1))
    )
    assert lost.usage.wanted_h * 3600 == pytest.approx(10)
    spot = Spot(eviction_per_hour=1.0, policy="delete", notice_s=always(0))
    ran = run_both(fleet(hours=24, count=0, demand=demand, spot=spot))
    assert ran.count("evictions") == 1
    assert ran.usage.wanted_h * 3600 == pytest.approx(5000)


def test_a_request_that_is_over_while_its_vm_does_not_exist_asks_for_no_other() -> None:
    """Failed at 35 s, the VM is being deleted from 635 to 679, to be made again; the request is over at 650."""
    demand = Replay(born_s=(0.0,), lifetime_s=(650.0,))
    output = run_both(fleet(hours=2, count=0, demand=demand, failures={"VMStartTimedOut": SURE}))
    assert begun(output, "create") == [0]
    assert output.usage.wanted_h * 3600 == pytest.approx(679)


# --- failures while switching off ---------------------------------------------------------------------------------------


BACKOFFS = (60.0, 120.0, 240.0, 480.0)


@pytest.mark.parametrize("when_off", ["deallocate", "stop", "hibernate"])
def test_switching_off_is_tried_again_like_a_start_until_its_attempts_are_used_up(when_off: str) -> None:
    """After 1, 2, 4 and 8 min; with the fifth failure the VM stays on, billed and ready, until the next evening."""
    operation = {"deallocate": "deallocate", "stop": "power_off", "hibernate": "hibernate"}[when_off]
    plan = fleet(
        hours=400, count=20, demand=cycle(4000, 4000), when_off=when_off, failures={"InternalOperationError": 0.5}
    )
    output = run_both(plan)
    given_up = 0
    for i in range(20):
        failures = 0
        for (t_s, name, what), (next_s, next_name, _) in pairwise(output.operations(f"g-{i:04d}")):
            if name != operation:
                continue
            failures = failures + 1 if what == "InternalOperationError" else failures * (what == "accepted")
            if what == "InternalOperationError" and failures < 5:
                assert (next_name, next_s - t_s) == (operation, BACKOFFS[failures - 1])
            elif what == "InternalOperationError":
                given_up, failures = given_up + 1, 0
                assert next_name == operation
                assert next_s - t_s >= 3000, "the next operation is that of the next evening"
    assert given_up > 5


def test_switching_off_is_not_tried_again_for_a_vm_that_is_wanted_meanwhile() -> None:
    """Demand is back after 30 s, the next attempt would be after 60: the VM serves on to the next end of demand."""
    plan = fleet(hours=200, count=10, demand=cycle(4000, 30), failures={"InternalOperationError": 0.5})
    output = run_both(plan)
    for i in range(10):
        gaps = [
            after[0] - before[0] for before, after in pairwise(output.operations(f"g-{i:04d}"))
            if before[1:] == ("deallocate", "InternalOperationError")
        ]  # fmt: skip
        assert gaps
        assert min(gaps) == 4030


def test_switching_off_that_fails_costs_hours_and_not_nights() -> None:
    """100 VMs x 20 evenings x 0.05 x (about) 1 min of back-off = 1.8 h; starts that fail give some of it back."""
    plan = fleet(hours=24 * 20, count=100, demand=cycle(11 * 3600, 13 * 3600))
    failing = replace(plan, groups=(replace(plan.groups[0], failures={"InternalOperationError": 0.05}),))
    billed_h, right_h = (run_until(one, "compiled").usage.billed_h(OLD) for one in (failing, plan))
    assert abs(billed_h - right_h) < 5
    assert right_h > 20_000


def test_a_guest_crashes_in_a_vm_that_could_not_be_switched_off_too() -> None:
    """It serves on, unwanted; its guest may die, is noticed and restarted; then it is switched off."""
    crash = GuestCrash(time_between_s=Exponential(mean=2000.0), detection_s=always(60))
    plan = fleet(
        hours=400, count=20, demand=cycle(4000, 4000), failures={"InternalOperationError": 0.2}, guest_crash=crash
    )
    output = run_both(plan)
    histories = defaultdict(list)
    for row in output.events:
        if row[2] in ("operation", "guest_crash"):
            histories[row[1]].append(row)
    followed = sum(
        one[5] == "deallocate" and one[4] == "failed" and two[2] == "guest_crash" and two[0] % 8000 > 4000
        for history in histories.values()
        for one, two in pairwise(history)
    )
    assert followed > 10


def test_every_vm_ends_as_the_schedule_wants_in_spite_of_failures() -> None:
    """Failures far above real rates: at 04:00 on Sunday no VM of the office is wanted, and few are still at work."""
    office = Schedule(days=(0, 1, 2, 3, 4), on=time(8), off=time(19), time_zone="UTC")
    plan = fleet(
        hours=6 * 24 + 4, count=50, demand=office, reaction_s=always(1800),
        failures={"AllocationFailed": 0.3, "VMStartTimedOut": 0.3, "OSProvisioningTimedOut": 0.3},
        guest_crash=GuestCrash(time_between_s=Exponential(mean=20_000.0), detection_s=always(300)),
    )  # fmt: skip
    output = run_both(plan)
    assert {moves[-1][1] for _, moves in output.run.vm_timelines} == {PowerState.DEALLOCATED.value}

"""The compiled state machine: every transition is a legal move, and every operation is one of the lifecycle's rows."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from types import MappingProxyType
from typing import Any

import pytest
from drawn_fleets import group_plans
from fleets import always, group
from hypothesis import given, seed, settings

from sim.errors import LifecycleError, OperationNotAllowed
from sim.lifecycle import power as power_module
from sim.lifecycle.operations import OPERATION_NAMES, rows_for
from sim.lifecycle.power import POWER, PowerState, is_legal
from sim.lifecycle.provisioning import ProvisioningState
from sim.model.demand import Arrivals, Cycle
from sim.model.faults import GuestCrash, Spot
from sim.model.plan import GroupPlan
from sim.model.state_machine import Attempts, Delay, Life, State, StateMachine
from sim.model.states.compile import compile_state_machine
from sim.usage.ledger import FORGOTTEN, LEFT_ON, column
from tests.helpers.operation_rows import CHANCE_CODES

drawn = settings(database=None)
EVERYTHING: dict[str, Any] = {
    "failures": dict.fromkeys(CHANCE_CODES, 0.1),
    "guest_crash": GuestCrash(time_between_s=always(1000), detection_s=always(60)),
    "spot": Spot(eviction_per_hour=0.1, notice_s=always(30), restart_after_s=always(900)),
}
CYCLING = Cycle(on_s=always(1000), off_s=always(1000))


def reachable(state_machine: StateMachine) -> set[str]:
    """Names of the states that a VM may pass through."""
    seen: set[str] = set()
    waiting: list[State] = [state_machine.first.target, state_machine.later.target]
    while waiting:
        state = waiting.pop()
        if state.name in seen:
            continue
        seen.add(state.name)
        waiting += [transition.target for transition in state_machine.transitions if transition.source is state]
    return seen


@seed(20260130)
@settings(drawn, max_examples=30)
@given(plan=group_plans("g"))
def test_every_transition_of_any_state_machine_is_a_legal_move(plan: GroupPlan) -> None:
    """With requests from outside or without; an illegal move is refused when the table is compiled."""
    for asked in (False, True):
        state_machine = compile_state_machine(plan, takes_requests=asked)
        for transition in state_machine.transitions:
            found = plan.initial and transition.source.name == "unborn"  # no move of the platform
            assert (
                found
                or transition.source.power is transition.target.power
                or is_legal(transition.source.power, transition.target.power)
            ), transition
            assert state_machine.states[transition.source.index] is transition.source
            assert state_machine.states[transition.target.index] is transition.target


@seed(20260131)
@settings(drawn, max_examples=30)
@given(plan=group_plans("g"))
def test_every_state_can_be_reached_and_left(plan: GroupPlan) -> None:
    """A state without an exit would hold a VM for ever; a state without an entry is a mistake in the rows."""
    state_machine = compile_state_machine(plan)
    assert reachable(state_machine) == {state.name for state in state_machine.states} - {"unborn", "unborn.later"}
    for state in state_machine.states[1:]:
        assert (state.next is not None) == (state.wait is not Delay.REST), state.name
        assert (state.late is not None) == (state.deadline_s < float("inf")), state.name
        ways = [state.next, state.late, state.crash, state.evict, state.life, state.up, state.down]
        ways += [way for chance in state.chances for way in (chance.transition, chance.gives_up)]
        assert all(way.source is state for way in ways if way is not None), state.name
        if state.wait is Delay.BACKOFF:
            into = [transition for transition in state_machine.transitions if transition.target is state]
            assert all(transition.attempts is Attempts.ADD for transition in into), (
                f"{state.name} would wait for no failed attempt"
            )


@seed(20260132)
@settings(drawn, max_examples=20)
@given(plan=group_plans("g"))
def test_the_move_table_has_the_ledger_columns_of_source_and_target(plan: GroupPlan) -> None:
    """The collector sees nothing but this table."""
    state_machine = compile_state_machine(plan)
    table = state_machine.move_table()
    for transition in state_machine.transitions:
        for wanted in (0, 1, LEFT_ON):
            row = state_machine.move(transition, wanted)
            assert table.before[row] == column(transition.source.slot, wanted)
            assert table.after[row] == column(transition.target.slot, wanted)
            assert table.counts[row] == transition.counts
    for state in state_machine.states:
        for wanted, then in permutations((0, 1, LEFT_ON), 2):
            row = state_machine.turn(state, wanted, then)
            assert (table.before[row], table.after[row]) == (column(state.slot, wanted), column(state.slot, then))
            assert table.counts[row] == ()
    left_on = [column(state.slot, LEFT_ON) for state in state_machine.states]
    assert all(
        cell == column(FORGOTTEN if state.is_running else state.slot, 0)
        for cell, state in zip(left_on, state_machine.states, strict=True)
    )


def test_states_are_named_by_operation_origin_and_stage() -> None:
    """So that a list of moves can be read."""
    names = [state.name for state in compile_state_machine(group()).states]
    assert names == [
        "unborn", "create@absent.allocating", "create@absent.starting", "create@absent.os_provisioning",
        "create@absent.extensions", "on", "failed.running", "replace@running.deleting", "replaced",
    ]  # fmt: skip


def test_a_plan_without_failures_has_no_states_for_them() -> None:
    """A state machine is as small as its plan: no failure, no state for it."""
    calm = {state.name for state in compile_state_machine(group(demand=CYCLING)).states}
    risky = {state.name for state in compile_state_machine(group(demand=CYCLING, **EVERYTHING)).states}
    unspotted = {
        state.name for state in compile_state_machine(group(demand=CYCLING, **EVERYTHING | {"spot": None})).states
    }
    assert calm < risky
    assert "unstarted.deallocated" in unspotted - calm
    for name in ("crashed", "evicted.notice", "retry.create", "retry.start@deallocated", "lost"):
        assert name in risky - calm


@pytest.mark.parametrize("when_off", ["deallocate", "stop", "guest-shutdown", "hibernate", "keep"])
def test_operations_pass_through_the_states_of_their_rows(when_off: str) -> None:
    """Stage by stage, as the rows say."""
    state_machine = compile_state_machine(group(demand=CYCLING, when_off=when_off, **EVERYTHING), takes_requests=True)
    checked = 0
    for state in state_machine.states:
        key, _, stage = state.name.rpartition(".")
        origin = key.rpartition("@")[2]
        if state.operation is None or stage == "accepted":
            continue
        power = None if origin == "absent" else PowerState(origin)
        row = rows_for(state.operation, power)
        known = {s.name: s for s in row.stages}[stage]
        assert state.power is (power if known.power is None else known.power)
        assert state.provisioning is (known.provisioning or ProvisioningState.SUCCEEDED)
        assert state.needs_hardware == known.needs_hardware
        checked += 1
    assert checked > 10


@pytest.mark.parametrize("asked", [False, True])
def test_an_operation_is_counted_once_accepted_and_once_ended(asked: bool) -> None:
    """Into its first state, and out of it: succeeded, or failed with a code; or a delete has overtaken it."""
    state_machine = compile_state_machine(group(demand=CYCLING, **EVERYTHING), takes_requests=asked)
    for transition in state_machine.transitions:
        ends = [name for name in transition.counts if name.endswith((".succeeded", ".failed"))]
        begins = [name for name in transition.counts if name.endswith(".accepted")]
        assert len(ends) <= 1
        assert len(begins) <= 1
        within = (
            transition.source.operation is not None
            and transition.source.operation == transition.target.operation
            and not transition.target.begins
        )
        if transition.source.operation in OPERATION_NAMES and not within and transition.target.operation != "delete":
            assert ends, f"{transition.source.name} -> {transition.target.name} leaves an operation without an end"
        assert bool(begins) == (transition.target.begins and transition.target.operation in OPERATION_NAMES)
        assert bool(transition.code) == any(name.startswith("failures.") for name in transition.counts)


def test_a_delete_can_be_asked_for_wherever_there_is_a_vm() -> None:
    """Everywhere but where it is being deleted already; nothing else may be asked for during an operation."""
    state_machine = compile_state_machine(group(demand=CYCLING, **EVERYTHING), takes_requests=True)
    for state in state_machine.states:
        can = {operation for index, operation in state_machine.asks if index == state.index}
        if state.power is None:
            assert can == set()
        elif state.operation is not None:
            assert can <= {"delete"}
            assert (can == {"delete"}) == (state.operation != "delete" or state.name.startswith("replace@"))
        else:
            assert "delete" in can
            assert "create" not in can


def test_what_is_accepted_from_outside_is_what_the_rows_accept() -> None:
    """From states of rest: every operation whose row begins there, no other."""
    state_machine = compile_state_machine(group(demand=CYCLING), takes_requests=True)
    for state in state_machine.states:
        if state.operation is None and state.power is not None:
            for operation in OPERATION_NAMES:
                try:
                    rows_for(operation, state.power)
                except OperationNotAllowed:
                    assert (state.index, operation) not in state_machine.asks
                else:
                    assert (state.index, operation) in state_machine.asks


def test_an_unknown_operation_is_refused_by_name() -> None:
    """With those there are."""
    with pytest.raises(OperationNotAllowed, match="no operation is named 'explode'; there are create, start, restart"):
        rows_for("explode", PowerState.RUNNING)


def test_a_state_machine_with_an_illegal_move_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The facts changed, the automation didn't: our defect, reported with the move and the group."""
    rows = dict(POWER)
    rows[PowerState.DEALLOCATED] = replace(rows[PowerState.DEALLOCATED], goes_to=frozenset())
    monkeypatch.setattr(power_module, "POWER", MappingProxyType(rows))
    with pytest.raises(LifecycleError, match=r"group 'g': start@deallocated.allocating -> start@deallocated.starting .* from deallocated to starting"):  # fmt: skip
        compile_state_machine(group(demand=CYCLING))


def test_streams_are_named_by_what_they_are_for() -> None:
    """Each name once; samplers stand where time is drawn."""
    state_machine = compile_state_machine(group(demand=CYCLING, **EVERYTHING))
    assert len(set(state_machine.stream_names)) == len(state_machine.stream_names)
    assert {"starting", "failure.AllocationFailed", "cycle.on", "cycle.off", "guest_crash", "eviction"} <= set(
        state_machine.stream_names
    )
    for stream, distribution in zip(state_machine.stream_names, state_machine.samplers, strict=True):
        assert (distribution is None) == stream.startswith("failure.")


def test_a_lifetime_begins_where_a_create_comes_to_running_and_nowhere_else() -> None:
    """From the moment it is Running, generalized image or not."""
    for generalized in (True, False):
        demand = Arrivals(rate_per_h=(1.0,), lifetime_s=always(100))
        state_machine = compile_state_machine(group(count=0, demand=demand, generalized=generalized, **EVERYTHING))
        begins = [
            (transition.source.name, transition.target.power)
            for transition in state_machine.transitions
            if transition.life is Life.BEGIN
        ]
        assert begins == [("create@absent.starting", PowerState.RUNNING)]
    always_on = compile_state_machine(group(**EVERYTHING))
    assert {transition.life for transition in always_on.transitions} == {Life.KEEP}

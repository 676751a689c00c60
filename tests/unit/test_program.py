"""The table of a VM's life: every arc is a move that the platform knows, and every operation is one of its rows."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from drawn_fleets import group_plans
from fleets import always, group
from hypothesis import HealthCheck, given, seed, settings

from sim.errors import LifecycleError, OperationNotAllowed
from sim.lifecycle.operations import CHANCE_CODES, OPERATION_NAMES, rows_for
from sim.lifecycle.power import POWER, PowerState, is_legal
from sim.lifecycle.provisioning import ProvisioningState
from sim.model import state_machine as program_module
from sim.model.plan import Arrivals, Cycle, GroupPlan, GuestCrash, Spot
from sim.model.state_machine import Attempts, Node, Program, Wait, compile_program
from sim.usage.ledger import column

drawn = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
EVERYTHING: dict[str, Any] = {
    "failures": dict.fromkeys(CHANCE_CODES, 0.1),
    "guest_crash": GuestCrash(time_between_s=always(1000), detection_s=always(60)),
    "spot": Spot(eviction_per_hour=0.1, notice_s=always(30), restart_after_s=always(900)),
}
CYCLING = Cycle(on_s=always(1000), off_s=always(1000))


def reachable(program: Program) -> set[str]:
    """Names of the nodes that a life may pass through."""
    seen: set[str] = set()
    waiting: list[Node] = [program.first.target]
    while waiting:
        node = waiting.pop()
        if node.name in seen:
            continue
        seen.add(node.name)
        waiting += [arc.target for arc in program.arcs if arc.source is node]
    return seen


@seed(20260130)
@settings(drawn, max_examples=30)
@given(plan=group_plans("g"))
def test_every_arc_of_any_program_is_a_move_the_power_table_knows(plan: GroupPlan) -> None:
    """Asked for from outside or not; a move between states that isn't one is refused when the table is made."""
    for asked in (False, True):
        program = compile_program(plan, asked_from_outside=asked)
        for arc in program.arcs:
            assert arc.source.power is arc.target.power or is_legal(arc.source.power, arc.target.power), arc
            assert program.nodes[arc.source.index] is arc.source
            assert program.nodes[arc.target.index] is arc.target


@seed(20260131)
@settings(drawn, max_examples=30)
@given(plan=group_plans("g"))
def test_every_node_of_any_program_can_be_reached_and_knows_how_it_goes_on(plan: GroupPlan) -> None:
    """A node without an end would hold a VM for ever; a node nobody comes to is a slip of the one who drew the table."""
    program = compile_program(plan)
    assert reachable(program) == {node.name for node in program.nodes} - {"unborn"}
    for node in program.nodes[1:]:
        assert (node.next is not None) == (node.wait is not Wait.REST), node.name
        assert (node.late is not None) == (node.deadline_s < float("inf")), node.name
        ways = [node.next, node.late, node.crash, node.evict, node.life, node.up, node.down]
        ways += [way for chance in node.chances for way in (chance.arc, chance.gives_up)]
        assert all(way.source is node for way in ways if way is not None), node.name
        if node.wait is Wait.BACKOFF:
            into = [arc for arc in program.arcs if arc.target is node]
            assert all(arc.attempts is Attempts.ADD for arc in into), (
                f"{node.name} would wait for no failed attempt"
            )


@seed(20260132)
@settings(drawn, max_examples=20)
@given(plan=group_plans("g"))
def test_what_a_move_means_to_the_books_is_where_it_comes_from_and_goes_to(plan: GroupPlan) -> None:
    """The collector sees nothing but this table."""
    program = compile_program(plan)
    table = program.move_table()
    for arc in program.arcs:
        for wanted in (0, 1):
            row = program.move(arc, wanted)
            assert table.before[row] == column(arc.source.slot, wanted)
            assert table.after[row] == column(arc.target.slot, wanted)
            assert table.counts[row] == arc.counts
    for node in program.nodes:
        for wanted in (0, 1):
            row = program.turn(node, wanted)
            assert (table.before[row], table.after[row]) == (
                column(node.slot, wanted),
                column(node.slot, 1 - wanted),
            )
            assert table.counts[row] == ()


def test_nodes_are_named_by_operation_origin_and_stage() -> None:
    """So that stories can be read."""
    names = [node.name for node in compile_program(group()).nodes]
    assert names == [
        "unborn", "create@absent.allocating", "create@absent.starting", "create@absent.os_provisioning",
        "create@absent.extensions", "on", "failed.running", "replace@running.deleting", "replaced",
    ]  # fmt: skip


def test_a_life_without_misfortunes_has_no_place_for_them() -> None:
    """A program is as small as its plan: no failure, no node for it."""
    calm = {node.name for node in compile_program(group(demand=CYCLING)).nodes}
    risky = {node.name for node in compile_program(group(demand=CYCLING, **EVERYTHING)).nodes}
    unspotted = {
        node.name for node in compile_program(group(demand=CYCLING, **EVERYTHING | {"spot": None})).nodes
    }
    assert calm < risky
    assert "unstarted.deallocated" in unspotted - calm
    for name in (
        "crashed",
        "evicted.notice",
        "retry.create",
        "retry.start@deallocated",
        "lost",
    ):
        assert name in risky - calm


@pytest.mark.parametrize("when_off", ["deallocate", "stop", "guest-shutdown", "hibernate", "keep"])
def test_operations_pass_through_the_states_of_their_rows(when_off: str) -> None:
    """Stage by stage, nothing is said here that the rows don't say."""
    program = compile_program(group(demand=CYCLING, when_off=when_off, **EVERYTHING), asked_from_outside=True)
    checked = 0
    for node in program.nodes:
        key, _, stage = node.name.rpartition(".")
        origin = key.rpartition("@")[2]
        if node.operation is None or stage == "accepted":
            continue
        power = None if origin == "absent" else PowerState(origin)
        row = rows_for(node.operation, power)
        known = {s.name: s for s in row.stages}[stage]
        assert node.power is (power if known.power is None else known.power)
        assert node.provisioning is (known.provisioning or ProvisioningState.SUCCEEDED)
        assert node.needs_hardware == known.needs_hardware
        checked += 1
    assert checked > 10


@pytest.mark.parametrize("asked", [False, True])
def test_an_operation_is_counted_once_accepted_and_once_ended(asked: bool) -> None:
    """Into its first node, and out of it: succeeded, or failed with a code; or a delete has overtaken it."""
    program = compile_program(group(demand=CYCLING, **EVERYTHING), asked_from_outside=asked)
    for arc in program.arcs:
        ends = [name for name in arc.counts if name.endswith((".succeeded", ".failed"))]
        begins = [name for name in arc.counts if name.endswith(".accepted")]
        assert len(ends) <= 1
        assert len(begins) <= 1
        within = (
            arc.source.operation is not None
            and arc.source.operation == arc.target.operation
            and not arc.target.begins
        )
        if arc.source.operation in OPERATION_NAMES and not within and arc.target.operation != "delete":
            assert ends, f"{arc.source.name} -> {arc.target.name} leaves an operation without an end"
        assert bool(begins) == (arc.target.begins and arc.target.operation in OPERATION_NAMES)
        assert bool(arc.code) == any(name.startswith("failures.") for name in arc.counts)


def test_a_delete_can_be_asked_for_wherever_there_is_a_vm() -> None:
    """Everywhere but where it is being deleted already; nothing else may be asked for during an operation."""
    program = compile_program(group(demand=CYCLING, **EVERYTHING), asked_from_outside=True)
    for node in program.nodes:
        can = {operation for index, operation in program.asks if index == node.index}
        if node.power is None:
            assert can == set()
        elif node.operation is not None:
            assert can <= {"delete"}
            assert (can == {"delete"}) == (node.operation != "delete" or node.name.startswith("replace@"))
        else:
            assert "delete" in can
            assert "create" not in can


def test_what_is_accepted_from_outside_is_what_the_rows_accept() -> None:
    """From places of rest: every operation whose row begins there, no other."""
    program = compile_program(group(demand=CYCLING), asked_from_outside=True)
    for node in program.nodes:
        if node.operation is None and node.power is not None:
            for operation in OPERATION_NAMES:
                try:
                    rows_for(operation, node.power)
                except OperationNotAllowed:
                    assert (node.index, operation) not in program.asks
                else:
                    assert (node.index, operation) in program.asks


def test_an_operation_that_nobody_knows_is_refused_by_name() -> None:
    """With those there are."""
    with pytest.raises(
        OperationNotAllowed, match="no operation is named 'explode'; there are create, start, restart"
    ):
        rows_for("explode", PowerState.RUNNING)


def test_a_program_with_a_move_that_the_power_table_does_not_know_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """The facts changed, the automation didn't: our defect, told with the move and the group."""
    rows = dict(POWER)
    rows[PowerState.DEALLOCATED] = replace(rows[PowerState.DEALLOCATED], goes_to=frozenset())
    monkeypatch.setattr(program_module, "POWER", MappingProxyType(rows))
    with pytest.raises(LifecycleError, match=r"group 'g': start@deallocated.allocating -> start@deallocated.starting .* from deallocated to starting"):  # fmt: skip
        compile_program(group(demand=CYCLING))


def test_streams_are_named_by_what_they_are_for() -> None:
    """Purposes are names, each once; laws stand where time is drawn."""
    program = compile_program(group(demand=CYCLING, **EVERYTHING))
    assert len(set(program.purposes)) == len(program.purposes)
    assert {
        "starting",
        "failure.AllocationFailed",
        "cycle.on",
        "cycle.off",
        "guest_crash",
        "eviction",
    } <= set(program.purposes)
    for purpose, law in zip(program.purposes, program.laws, strict=True):
        assert (law is None) == purpose.startswith("failure.")


def test_a_lifetime_begins_where_a_create_comes_to_running_and_nowhere_else() -> None:
    """From the moment it is Running, generalized image or not."""
    for generalized in (True, False):
        demand = Arrivals(rate_per_h=(1.0,), lifetime_s=always(100))
        program = compile_program(group(count=0, demand=demand, generalized=generalized, **EVERYTHING))
        begins = [(arc.source.name, arc.target.power) for arc in program.arcs if arc.sets_life]
        assert begins == [("create@absent.starting", PowerState.RUNNING)]
    assert not any(arc.sets_life for arc in compile_program(group(**EVERYTHING)).arcs)

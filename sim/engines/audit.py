"""Audit of a compiled run: re-simulate sampled VMs in SimPy and compare every move bit for bit.

A VM that shares a platform is re-simulated alone: the platform's answers (granted or refused) are replayed from its moves.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from simpy.events import Event

from sim.distributions import streams
from sim.engines.group_setup import GroupSetup
from sim.engines.simpy.environment import Environment
from sim.engines.simpy.group_run import GroupRun, VmRecord
from sim.engines.simpy.vm import start_vm
from sim.errors import AuditError
from sim.model.state_machine import DEMANDS, TURNS, Refusal, Transition
from sim.units import SECONDS_PER_HOUR

VMS_COMPARED = 2  # of each group, in each replication
LINES_SHOWN = 6

Moves = tuple[NDArray[np.float64], NDArray[np.int64]]
"""Every move of one VM: instants (s), rows of its group's move table."""


def picks(group: str, vms: int, *, seed: int, replication: int) -> list[int]:
    """Numbers of the sampled VMs, of so many."""
    root = streams.entity_key(streams.replication_key(seed, replication), f"audit {group}")
    return sorted({streams.bits_int(root, pick) % vms for pick in range(min(VMS_COMPARED, vms))})


def compare(setup: GroupSetup, index: int, compiled: Moves, born_s: float) -> None:
    """Compare the compiled moves of one VM with SimPy's. Raises AuditError where a bit differs."""
    simpy = simpy_moves(setup, index, born_s, recorded=compiled)
    if not all(np.array_equal(one, other) for one, other in zip(compiled, simpy, strict=True)):
        raise AuditError(_difference(setup, index, compiled, simpy))


def simpy_moves(setup: GroupSetup, index: int, born_s: float, *, recorded: Moves | None = None) -> Moves:
    """The moves of one VM in SimPy; *recorded*: its moves on a platform, whose answers are replayed."""
    env = Environment(initial_time=born_s)
    replay = (
        RecordedAnswers(setup, recorded)
        if recorded is not None and any(transition.needs_resource for transition in setup.state_machine.transitions)
        else None
    )
    run = GroupRun(setup, env, replay, start_vm=start_vm)
    run.variates.alone = True
    vm = start_vm(run, index, born_s)
    if replay is not None:
        vm.on_move = replay.count
    env.run_until(setup.horizon_s)
    vm.close()
    return np.array(run.when, dtype=np.float64), np.array(run.what, dtype=np.int64)


class RecordedAnswers:
    """A platform that answers one VM as its recorded moves say."""

    endless = False
    throttled = False

    def __init__(self, setup: GroupSetup, recorded: Moves) -> None:
        moves = recorded[1][recorded[1] < setup.state_machine.moves] // DEMANDS
        self.transitions = moves.tolist()
        self.made = 0

    def count(self, _vm: VmRecord, _transition: Transition) -> None:
        """The VM has moved."""
        self.made += 1

    def granted(self, refusal: Refusal | None) -> bool:
        """Whether the next recorded move is not the one that this refusal leads to."""
        if refusal is None or self.made >= len(self.transitions):
            return True
        refused = {transition.index for transition in (refusal.transition, refusal.gives_up) if transition is not None}
        return self.transitions[self.made] not in refused

    def throttles(self, _operation: str) -> float:
        """The operation is admitted: how long it had to wait shows in its moves."""
        return 0.0

    def ask_quota(self, vm: VmRecord) -> bool:
        """Quota."""
        return self.granted(vm.state.no_quota)

    def give_quota(self, _vm: VmRecord) -> None:
        """Quota."""

    def ask_host(self, vm: VmRecord, _avoid: int = -1) -> Sequence[Event] | None:
        """Hardware."""
        if not self.granted(vm.state.no_room):
            return None
        vm.host = 0
        return []

    def has_gone(self, _spot: VmRecord) -> None:
        """Hardware."""

    def give_host(self, vm: VmRecord) -> None:
        """Hardware."""
        vm.host = -1


def _difference(setup: GroupSetup, index: int, compiled: Moves, simpy: Moves) -> str:
    pairs = zip(zip(*compiled, strict=True), zip(*simpy, strict=True), strict=False)
    shorter = min(len(compiled[0]), len(simpy[0]))
    same = next((place for place, (one, other) in enumerate(pairs) if one != other), shorter)
    lines = [f"{setup.plan.name}-{index:04d}: the two engines differ from move {same}"]
    for name, moves in (("compiled", compiled), ("simpy", simpy)):
        lines.append(f"  {name}:")
        for t_s, move in list(zip(*moves, strict=True))[max(0, same - 2) : same + LINES_SHOWN]:
            lines.append(f"    {t_s / SECONDS_PER_HOUR:14.9f} h ({float(t_s)!r} s)  {_words(setup, int(move))}")
    return "\n".join(lines)


def _words(setup: GroupSetup, move: int) -> str:
    state_machine = setup.state_machine
    if move >= state_machine.moves:
        state, turn = divmod(move - state_machine.moves, TURNS)
        return f"demand turns to {turn % DEMANDS} in {state_machine.states[state].name}"
    transition = state_machine.transitions[move // DEMANDS]
    return f"{transition.source.name} -> {transition.target.name}" + (
        f" ({transition.code})" if transition.code else ""
    )

"""Audit of a compiled run: re-simulate sampled VMs in SimPy and compare every move bit for bit.

A VM that shares a platform is re-simulated alone. What the platform did to it is replayed: refusals of room and quota show in
its moves; failures of its host, maintenance, evictions, deletes by an autoscaler, refused admissions and waits for
departures are replayed from a log that the compiled engine keeps of the sampled VMs.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

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

VMS_COMPARED = 2  # in the first replication
COMPARED_EVERY = 8  # and one VM in about every eighth of the others
LINES_SHOWN = 6

Moves = tuple[NDArray[np.float64], NDArray[np.int64]]
"""Every move of one VM: instants (s), rows of its group's move table."""

HOST_FAILED, PREEMPT, INTERRUPTED, ADMISSION, WAITS, WAITED, MAY_COME = (
    "host_failed", "preempt", "interrupted", "admission", "waits", "waited", "may_come",
)  # fmt: skip
"""What a platform does to a VM: its host fails; it has to leave for another; it must take a transition; it asks for
admission; it waits for departures; one of them; the last of them."""


@dataclass(frozen=True, slots=True)
class PlatformAction:
    """What a platform did to one VM."""

    when_s: float
    kind: str
    priority: int = 0  # among what happens at that instant
    transition: int = -1  # that the VM was made to take
    retry_after_s: float = 0.0  # 0: it was admitted


def picks(vms: Sequence[int], *, seed: int, replication: int) -> list[tuple[int, int]]:
    """The sampled VMs, as (group, number), of groups with so many VMs each."""
    root = streams.entity_key(streams.replication_key(seed, replication), "audit")
    many, total = VMS_COMPARED, sum(vms)
    if replication:
        many = int(streams.bits_int(root, VMS_COMPARED) % COMPARED_EVERY == 0)
    found = []
    for place in sorted({streams.bits_int(root, pick) % total for pick in range(min(many, total))}):
        group, number = 0, place
        while number >= vms[group]:
            number -= vms[group]
            group += 1
        found.append((group, number))
    return found


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the VMs of one number did in one group, as the compiled engine has it, and what a platform did to them."""

    setup: GroupSetup
    moves: Moves
    actions: Sequence[PlatformAction] = ()


def compare(
    setup: GroupSetup, index: int, compiled: Moves, born_s: float, actions: Sequence[PlatformAction] = (), *,
    throttled: bool = False, regular: Recorded | None = None,
) -> None:  # fmt: skip
    """Compare the compiled moves of one VM with SimPy's; of a request that falls back, those of its *regular* VMs too.

    Raises AuditError where a bit differs.
    """
    recorded = [Recorded(setup, compiled, actions), *([regular] if regular is not None else [])]
    for one, simpy in zip(recorded, simpy_moves(recorded, index, born_s, throttled=throttled), strict=True):
        if not all(np.array_equal(mine, other) for mine, other in zip(one.moves, simpy, strict=True)):
            raise AuditError(_difference(one.setup, index, one.moves, simpy))


def simpy_moves(recorded: Sequence[Recorded], index: int, born_s: float, *, throttled: bool = False) -> list[Moves]:
    """The moves of one VM in SimPy, in its group and in that of its regular VMs; what a platform answered and did is replayed."""
    env = Environment(initial_time=born_s)
    runs = []
    for one in recorded:
        replay = None
        if one.actions or any(each.needs_resource for each in one.setup.state_machine.transitions):
            replay = RecordedAnswers(one, env, throttled=throttled)
        run = GroupRun(one.setup, env, replay, start_vm=start_vm)
        run.variates.alone = True
        if replay is not None:
            run.on_move = replay.count
            env.process(replay.act_on(run))
        runs.append(run)
    for run in runs[1:]:
        runs[0].other, run.other, run.home = run, runs[0], runs[0]
    runs[0].add_vm(index, born_s)
    env.run_until(recorded[0].setup.horizon_s)
    for run in runs:
        for vm in run.vms.values():
            vm.close()
    return [(np.array(run.when, dtype=np.float64), np.array(run.what, dtype=np.int64)) for run in runs]


class RecordedAnswers:
    """A platform that answers one VM as its recorded moves say, and does to it what is recorded."""

    def __init__(self, recorded: Recorded, env: Environment, *, throttled: bool = False) -> None:
        setup, actions, what = recorded.setup, recorded.actions, recorded.moves[1]
        moves = what[what < setup.state_machine.moves] // DEMANDS
        self.transitions = moves.tolist()
        self.made = 0
        self.env = env
        self.throttled = throttled
        self.all_transitions = setup.state_machine.transitions
        self.actions = [action for action in actions if action.kind in (HOST_FAILED, PREEMPT, INTERRUPTED)]
        self.admissions = [action.retry_after_s for action in actions if action.kind == ADMISSION]
        self.waits = [action for action in actions if action.kind in (WAITS, WAITED, MAY_COME)]

    def act_on(self, run: GroupRun) -> Generator[Event, Any, None]:
        """Do to the VM that is there what was done, each at its instant."""
        for action in self.actions:
            yield self.env.at(action.when_s, action.priority)
            (vm,) = run.vms.values()
            if action.kind == INTERRUPTED:
                vm.interrupt(self.all_transitions[action.transition])
                continue
            vm.host = -1
            if action.kind == PREEMPT:
                vm.going = self.env.event()
            vm.disrupt(action.kind)

    def count(self, _vm: VmRecord, _transition: Transition) -> None:
        """The VM has moved."""
        self.made += 1

    def granted(self, refusal: Refusal | None) -> bool:
        """Whether the next recorded move is not the one that this refusal leads to."""
        if refusal is None or self.made >= len(self.transitions):
            return True
        refused = {transition.index for transition in (refusal.transition, refusal.gives_up) if transition is not None}
        return self.transitions[self.made] not in refused

    def throttles(self, _operation: str, _vm: VmRecord) -> float:
        """0 if the operation was admitted now; else when to come back (s from now)."""
        return self.admissions.pop(0) if self.admissions else 0.0

    def is_endless(self, _vm: VmRecord) -> bool:
        """Hardware."""
        return False

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
        if not self.waits or self.waits[0].when_s != self.env.now or self.waits[0].kind != WAITS:
            return []
        self.waits.pop(0)
        departures = []
        while self.waits and self.waits[0].kind != WAITS:
            departures.append(self.env.at(self.waits[0].when_s))
            if self.waits.pop(0).kind == MAY_COME:
                return departures
        return [*departures, self.env.event()]  # it waits still

    def has_gone(self, spot: VmRecord) -> None:
        """Hardware."""
        spot.going = None

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

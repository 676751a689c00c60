"""Trust, but compare: after a compiled run, a few VMs live again in SimPy, and every move must be the same.

A VM that shares something can't live again alone: what it was told at its meetings is told to it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.distributions import streams
from sim.engines.group_setup import GroupSetup
from sim.errors import AuditError
from sim.units import SECONDS_PER_HOUR

if TYPE_CHECKING:
    from simpy.events import Event

    from sim.engines.simpy.group_run import VmRecord
    from sim.model.state_machine import Refusal, Transition

VMS_COMPARED = 2  # of each group, in each replication
LINES_SHOWN = 6

Story = tuple[NDArray[np.float64], NDArray[np.int64]]
"""Every move of one VM: instants (s), rows of its group's move table."""


def picks(group: str, vms: int, *, seed: int, replication: int) -> list[int]:
    """Numbers of the VMs that live again, of so many."""
    root = streams.entity_key(streams.replication_key(seed, replication), f"audit {group}")
    return sorted({streams.bits_int(root, pick) % vms for pick in range(min(VMS_COMPARED, vms))})


def compare(setup: GroupSetup, index: int, compiled: Story, born_s: float) -> None:
    """Hold the kernel's story of one VM against SimPy's. Raises AuditError where a bit differs."""
    simpy = simpy_story(setup, index, born_s, told=compiled)
    if not all(np.array_equal(one, other) for one, other in zip(compiled, simpy, strict=True)):
        raise AuditError(_both_stories(setup, index, compiled, simpy))


def simpy_story(setup: GroupSetup, index: int, born_s: float, *, told: Story | None = None) -> Story:
    """The same, lived in SimPy; *told* is what happened, for a VM that has to be told what came of its meetings."""
    from sim.engines.simpy.environment import Environment
    from sim.engines.simpy.group_run import GroupRun
    from sim.engines.simpy.vm import start_vm

    env = Environment(initial_time=born_s)
    script = (
        _Script(setup, told)
        if told is not None and any(transition.needs_resource for transition in setup.state_machine.transitions)
        else None
    )
    run = GroupRun(setup, env, script, start_vm=start_vm)
    run.variates.alone = True
    vm = start_vm(run, index, born_s)
    if script is not None:
        vm.on_move = script.count
    env.run_until(setup.horizon_s)
    vm.close()
    return np.array(run.when, dtype=np.float64), np.array(run.what, dtype=np.int64)


class _Script:
    """A platform that answers one VM as it was answered before."""

    endless = False
    throttled = False

    def __init__(self, setup: GroupSetup, told: Story) -> None:
        moves = told[1][told[1] < 2 * len(setup.state_machine.transitions)] // 2
        self.transitions = moves.tolist()
        self.made = 0

    def count(self, _vm: VmRecord, _transition: Transition) -> None:
        """The VM has moved."""
        self.made += 1

    def _granted(self, refusal: Refusal | None) -> bool:
        if refusal is None or self.made >= len(self.transitions):
            return True
        refused = {transition.index for transition in (refusal.transition, refusal.gives_up) if transition is not None}
        return self.transitions[self.made] not in refused

    def throttles(self, _operation: str) -> float:
        """The operation is admitted: how long it had to wait shows in its moves."""
        return 0.0

    def ask_quota(self, vm: VmRecord) -> bool:
        """Quota."""
        return self._granted(vm.state.no_quota)

    def give_quota(self, _vm: VmRecord) -> None:
        """Quota."""

    def ask_host(self, vm: VmRecord, _avoid: int = -1) -> Sequence[Event] | None:
        """Hardware."""
        if not self._granted(vm.state.no_room):
            return None
        vm.host = 0
        return []

    def has_gone(self, _spot: VmRecord) -> None:
        """Hardware."""

    def give_host(self, vm: VmRecord) -> None:
        """Hardware."""
        vm.host = -1


def _both_stories(setup: GroupSetup, index: int, compiled: Story, simpy: Story) -> str:
    pairs = zip(zip(*compiled, strict=True), zip(*simpy, strict=True), strict=False)
    shorter = min(len(compiled[0]), len(simpy[0]))
    same = next((place for place, (one, other) in enumerate(pairs) if one != other), shorter)
    lines = [f"{setup.plan.name}-{index:04d}: the two engines part at move {same}"]
    for name, story in (("compiled", compiled), ("simpy", simpy)):
        lines.append(f"  {name}:")
        for t_s, move in list(zip(*story, strict=True))[max(0, same - 2) : same + LINES_SHOWN]:
            lines.append(f"    {t_s / SECONDS_PER_HOUR:14.9f} h ({float(t_s)!r} s)  {_words(setup, int(move))}")
    return "\n".join(lines)


def _words(setup: GroupSetup, move: int) -> str:
    state_machine = setup.state_machine
    if move >= 2 * len(state_machine.transitions):
        return f"demand turns {'off' if move % 2 else 'on'} in {state_machine.states[move // 2 - len(state_machine.transitions)].name}"
    transition = state_machine.transitions[move // 2]
    return f"{transition.source.name} -> {transition.target.name}" + (
        f" ({transition.code})" if transition.code else ""
    )

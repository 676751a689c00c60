"""Trust, but compare: after a compiled run, a few VMs live again in SimPy, and every move must be the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.errors import AuditError
from sim.sampling import streams
from sim.units import SECONDS_PER_HOUR

if TYPE_CHECKING:
    from sim.cloud.compiled import CompiledGroup

VMS_COMPARED = 2  # of each group, in each replication
LINES_SHOWN = 6

Story = tuple[NDArray[np.float64], NDArray[np.int64]]


def compare_with_simpy(groups: Sequence[CompiledGroup], *, seed: int, replication: int) -> None:
    """Let a few VMs of each group live again in SimPy. Raises AuditError, with both stories, where a bit differs."""
    for group in groups:
        first_block = next(iter(group.blocks()), None)
        if first_block is None:
            continue
        _, births = first_block
        root = streams.entity_key(
            streams.replication_key(seed, replication), f"audit {group.setup.plan.name}"
        )
        for pick in range(min(VMS_COMPARED, len(births))):
            index = streams.bits_int(root, pick) % len(births)
            compiled = compiled_story(group, index, births[index])
            simpy = simpy_story(group, index, births[index])
            if not all(np.array_equal(one, other) for one, other in zip(compiled, simpy, strict=True)):
                raise AuditError(_both_stories(group, index, compiled, simpy))


def compiled_story(group: CompiledGroup, index: int, born_s: float) -> Story:
    """Every move of one VM, walked by the kernel: instants (s), rows of the move table."""
    walked = group.walk(index, np.array([born_s]), np.zeros(group.lowered.bins, dtype=np.bool_), journal=True)
    return walked.journal_t, walked.journal_i[:, 0]


def simpy_story(group: CompiledGroup, index: int, born_s: float) -> Story:
    """The same, lived in SimPy."""
    from sim.cloud.simpy_fleet import GroupRun
    from sim.cloud.vm import Clock, Vm

    env = Clock(initial_time=born_s)
    run = GroupRun(group.setup, env)
    env.process(Vm(run, index, born_s).live())
    env.run(until=group.setup.horizon_s)
    return np.array(run.when, dtype=np.float64), np.array(run.what, dtype=np.int64)


def _both_stories(group: CompiledGroup, index: int, compiled: Story, simpy: Story) -> str:
    same = next(
        (
            i
            for i, (a, b) in enumerate(
                zip(zip(*compiled, strict=True), zip(*simpy, strict=True), strict=False)
            )
            if a != b
        ),
        min(len(compiled[0]), len(simpy[0])),
    )
    lines = [f"{group.setup.plan.name}-{index:04d}: the two engines part at move {same}"]
    for name, story in (("compiled", compiled), ("simpy", simpy)):
        lines.append(f"  {name}:")
        for t_s, move in list(zip(*story, strict=True))[max(0, same - 2) : same + LINES_SHOWN]:
            lines.append(f"    {t_s / SECONDS_PER_HOUR:14.9f} h ({t_s!r} s)  {_words(group, int(move))}")
    return "\n".join(lines)


def _words(group: CompiledGroup, move: int) -> str:
    program = group.setup.program
    if move >= 2 * len(program.arcs):
        return f"demand turns {'off' if move % 2 else 'on'} in {program.nodes[move // 2 - len(program.arcs)].name}"
    arc = program.arcs[move // 2]
    return f"{arc.source.name} -> {arc.target.name}" + (f" ({arc.code})" if arc.code else "")

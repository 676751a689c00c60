"""A group's whole life as one table: nodes (where a VM may be) and arcs (how it goes on), ready for any walker.

The facts come from the operation rows of `sim.lifecycle`; what is added here is the automation around them: who starts
and stops the VM when demand changes, retries, replaces what failed, restarts what crashed, asks again after an
eviction. Two walkers perform the table: a SimPy process step by step (`sim.engines.simpy.vm`) and a compiled kernel
(`sim.engines.compiled.vm_loop`). Neither knows a special case.

How a VM passes through a node, entered at instant t:

1. A *level* node looks at demand first: where an arc answers what is wanted now, that arc is taken at once.
2. Its own end: t + a drawn time (`LAW`), t + the next back-off (`BACKOFF`), t (`INSTANT`), or never (`REST`). A drawn
   time past the node's deadline ends at the deadline, on the `late` arc.
3. Chances in their order: the first that strikes replaces the arc, and the end too if it lasts until the deadline.
4. Clocks that ring here (guest crash, eviction, end of life): an earlier one replaces both.
5. Edges of demand up to then (an edge at the very end included) turn `wanted`; an answering arc replaces both.
6. Whatever is not before the horizon doesn't happen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from sim.distributions.base import LONGEST_S
from sim.distributions.kinds import Constant, Distribution, Exponential
from sim.errors import LifecycleError
from sim.lifecycle.operations import Operation, Stage, StageFailure, rows_for
from sim.lifecycle.power import POWER, PowerState
from sim.lifecycle.provisioning import ProvisioningState
from sim.model.plan import Arrivals, Autoscale, Cycle, GroupPlan, Platform, Replay, Retry, Schedule
from sim.units import SECONDS_PER_HOUR
from sim.usage.ledger import MoveTable, column, slot_of

RUNNING, STOPPED = PowerState.RUNNING, PowerState.STOPPED
DEALLOCATED, DEALLOCATING = PowerState.DEALLOCATED, PowerState.DEALLOCATING
LOOKS_FOR_ROOM_EVERY_S = (
    60.0  # the platform, for a VM whose host is lost and that no other has room for (assumption)
)
SUCCEEDED, FAILED = ProvisioningState.SUCCEEDED, ProvisioningState.FAILED

# What `when_off` asks for; "keep" asks for nothing.
OFF_OPERATION: Mapping[str, str] = {
    "deallocate": "deallocate",
    "stop": "power_off",
    "guest-shutdown": "guest_shutdown",
    "hibernate": "hibernate",
}


class Wait(IntEnum):
    """How a node ends of its own accord."""

    LAW = 0
    BACKOFF = 1
    REST = 2
    INSTANT = 3


class Attempts(IntEnum):
    """What an arc does to the count of failed attempts."""

    KEEP = 0
    ADD = 1
    RESET = 2


@dataclass(slots=True, eq=False)
class Node:
    """A place in a VM's life: what it shows there, how long it stays, and what may call it away."""

    index: int
    name: str
    power: PowerState | None  # None: there is no VM
    provisioning: ProvisioningState | None
    serving: bool = False  # Running, the last create or start has succeeded, and the guest is well
    operation: str | None = None  # under way
    wait: Wait = Wait.REST
    purpose: int = -1  # stream, and law, of the drawn time
    next: Arc | None = None
    deadline_s: float = float("inf")
    late: Arc | None = None
    chances: tuple[Chance, ...] = ()
    crash: Arc | None = None
    evict: Arc | None = None
    vacate: Arc | None = None  # the platform wants the room of a spot VM, running or not
    life: Arc | None = None
    up: Arc | None = None  # demand turns on
    down: Arc | None = None  # demand turns off
    level: bool = False  # looks at demand on entry, not only at its edges
    fault: Arc | None = None  # the host fails
    maintained: Arc | None = None  # planned work on the host
    no_room: Refusal | None = None  # hardware is asked for at the end, and there is none
    no_quota: Refusal | None = None  # a create is asked for from here, and there is no quota
    begins: bool = False  # first node of an operation: entering it is being accepted
    needs_hardware: bool = False
    closed: bool = False  # the control plane takes nothing but a delete here
    ends: bool = False  # nothing happens to this VM any more
    # What a walker in Python would ask at every step, asked once (see `_Builder.build`):
    fixed_s: float | None = None  # the drawn time, where the law leaves no chance
    has_clocks: bool = False
    runs_clocks: bool = False
    answers: bool = False  # to demand
    turns: int = -1  # row of the move table for demand that turns on here

    @property
    def slot(self) -> int:
        """Where the ledger books a VM that is here."""
        return slot_of(self.power, self.serving)

    @property
    def runs_crash_clock(self) -> bool:
        """Whether the time here wears the guest out."""
        return self.serving

    @property
    def runs_eviction_clock(self) -> bool:
        """Whether the time here is exposed to eviction."""
        return self.power is RUNNING


@dataclass(slots=True, eq=False)
class Arc:
    """A way from one node to another, and what it means to the books."""

    index: int
    source: Node
    target: Node
    counts: tuple[str, ...] = ()
    code: str = ""  # failure that this arc is
    attempts: Attempts = Attempts.KEEP
    sets_life: bool = False  # the lifetime of an arrival begins
    ends_demand: bool = False
    redraws_crash: bool = False
    redraws_eviction: bool = False
    has_effect: bool = False  # asked once, as above
    asks_host: bool = False
    asks_quota: bool = False
    meets: bool = False  # something is asked of the platform, or may be given back to it


@dataclass(frozen=True, slots=True)
class Chance:
    """A failure that strikes with a probability per attempt; *gives_up* is taken when the attempts are used up."""

    probability: float
    purpose: int
    arc: Arc
    gives_up: Arc | None
    at_deadline: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """Where a VM goes that is refused; *gives_up* when the attempts are used up."""

    arc: Arc
    gives_up: Arc | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """The table of one group. `laws[p]` is the time law of purpose p, or None where p only decides chances."""

    plan: GroupPlan
    nodes: tuple[Node, ...]
    arcs: tuple[Arc, ...]
    first: Arc  # from no VM into the first create
    purposes: tuple[str, ...]
    laws: tuple[Distribution | None, ...]
    backoff_s: tuple[float, ...]  # after the 1st, 2nd, ... failed attempt
    crash_purpose: int
    eviction_purpose: int
    lifetime_purpose: int
    edge_purposes: tuple[int, int]  # jitter of a schedule (both alike), or a cycle's on and off
    asks: Mapping[tuple[int, str], Arc]  # (node, operation) -> arc, where the outside may ask

    def move(self, arc: Arc, wanted: int) -> int:
        """The row of the move table for taking *arc* while demand is *wanted*."""
        return 2 * arc.index + wanted

    def turn(self, node: Node, wanted: int) -> int:
        """The row of the move table for demand turning from *wanted* while the VM is in *node*."""
        return node.turns + wanted

    def move_table(self) -> MoveTable:
        """What every move means to the books, in the order of `move` and `turn`."""
        before, after, counts = [], [], []
        for arc in self.arcs:
            for wanted in (0, 1):
                before.append(column(arc.source.slot, wanted))
                after.append(column(arc.target.slot, wanted))
                counts.append(arc.counts)
        for node in self.nodes:
            for wanted in (0, 1):
                before.append(column(node.slot, wanted))
                after.append(column(node.slot, 1 - wanted))
                counts.append(())
        return MoveTable(
            before=np.array(before, dtype=np.int64),
            after=np.array(after, dtype=np.int64),
            counts=tuple(counts),
        )


def compile_program(
    plan: GroupPlan, platform: Platform | None = None, *, asked_from_outside: bool = False
) -> Program:
    """Lay out the life of a group's VMs as a table.

    With *asked_from_outside*, every place also knows which operations somebody else may ask for there.
    Raises LifecycleError where an arc would be an illegal move: a defect of the rows or of this module.
    """
    return _Builder(plan, platform).build(asked_from_outside=asked_from_outside)


@dataclass(slots=True)
class _Builder:
    plan: GroupPlan
    platform: Platform | None = None
    nodes: list[Node] = field(default_factory=list)
    arcs: list[Arc] = field(default_factory=list)
    known: dict[str, Node] = field(default_factory=dict)
    purposes: dict[str, int] = field(default_factory=dict)
    laws: list[Distribution | None] = field(default_factory=list)

    # -- the pieces ------------------------------------------------------------------------------------------------

    def purpose(self, name: str, law: Distribution | None = None) -> int:
        if name not in self.purposes:
            self.purposes[name] = len(self.laws)
            self.laws.append(law)
        return self.purposes[name]

    def node(self, name: str, fill: Callable[[Node], None], power: PowerState | None, provisioning: ProvisioningState | None,
             *, serving: bool = False) -> Node:  # fmt: skip
        """The node of that name; *fill* draws its arcs the first time it is asked for."""
        if name not in self.known:
            made = Node(len(self.nodes), name, power, provisioning, serving)
            self.known[name] = made
            self.nodes.append(made)
            fill(made)
        return self.known[name]

    def arc(
        self, source: Node, target: Node, *counts: str, code: str = "", attempts: Attempts = Attempts.KEEP
    ) -> Arc:
        if source.power is not target.power:
            self._check(source, target)
        if target.begins and target.operation in _COUNTED:
            counts += (f"operations.{target.operation}.accepted",)
        if target.needs_hardware:
            counts += ("allocation.attempts",)
        made = Arc(len(self.arcs), source, target, counts, code, attempts)
        self.arcs.append(made)
        return made

    def _check(self, source: Node, target: Node) -> None:
        if source.power is None:
            legal = target.power is PowerState.CREATING
        elif target.power is None:
            legal = POWER[source.power].may_vanish
        else:
            legal = target.power in POWER[source.power].goes_to
        if not legal:
            raise LifecycleError(
                f"group {self.plan.name!r}: {source.name} -> {target.name} would move power from "
                f"{source.power} to {target.power}, which the power table doesn't know"
            )

    def probability(self, code: str) -> float:
        return self.plan.failures.get(code, 0.0)

    # -- operations ------------------------------------------------------------------------------------------------

    def operate(
        self,
        operation: str,
        origin: PowerState | None,
        *,
        key: str,
        done: Callable[[], Node],
        retried: Callable[[PowerState | None], Node] | None = None,
        given_up: Callable[[PowerState | None], Node] | None = None,
        failed: Callable[[PowerState | None], Node] | None = None,
        serving: bool = False,
    ) -> Node:
        """The first node of an operation's row as it goes from *origin*.

        *done* is where success leads; *retried* and *given_up* where a failure that the automation retries leads;
        *failed* where any other failure leads. Each gets the power state that the failure leaves behind. *serving*:
        whether the VM served before, and goes on doing so while its power is unchanged.
        """
        row = rows_for(operation, origin)
        stages = row.stages_for(generalized=self.plan.generalized)
        name = f"{key}@{origin or 'absent'}"
        counted = row.control_plane

        def fail(source: Node, failure: StageFailure, shown_as: str = "") -> tuple[Arc, Arc | None]:
            left = origin if failure.leaves is None else failure.leaves
            code = shown_as or failure.code
            counts = (f"operations.{row.name}.failed",) * counted + (f"failures.{code}",)
            if failure.code == "AllocationFailed":
                counts += ("allocation.failures",)
            if failure.answered_by == "retry" and retried and given_up:
                return (
                    self.arc(source, retried(left), *counts, code=code, attempts=Attempts.ADD),
                    self.arc(source, given_up(left), *counts, code=code, attempts=Attempts.RESET),
                )
            if failed is None:
                raise LifecycleError(f"nobody answers {failure.code} of {name}")
            return self.arc(source, failed(left), *counts, code=code, attempts=Attempts.RESET), None

        def chance(source: Node, failure: StageFailure) -> Chance:
            # An error that may strike any operation has one stream each, so that operations don't share their luck.
            stream = f"failure.{failure.code}" + (f".{row.name}" if failure.lasts == "nothing" else "")
            arc, gives_up = fail(source, failure)
            return Chance(
                self.probability(failure.code),
                self.purpose(stream),
                arc,
                gives_up,
                failure.lasts == "timeout",
            )

        def stage_node(position: int) -> Node:
            stage = stages[position]
            return self.node(
                f"{name}.{stage.name}",
                lambda node: fill_stage(node, stage, position),
                origin if stage.power is None else stage.power,
                stage.provisioning or SUCCEEDED,
                serving=serving and stage.power is None,
            )

        def fill_stage(node: Node, stage: Stage, position: int) -> None:
            node.operation = row.name
            node.begins = position == 0 and not at_once
            node.needs_hardware = stage.needs_hardware
            node.wait = Wait.LAW
            node.purpose = self.purpose(stage.name, self.plan.durations_s[stage.name])
            if position + 1 < len(stages):
                following = stage_node(position + 1)
                node.next = self.arc(node, following)
                node.next.sets_life = (
                    operation == "create" and node.power is not RUNNING and following.power is RUNNING
                )
            else:
                node.next = finish(node, row)
            if stage.needs_hardware and self.platform is not None:
                node.next.asks_host = True
                no_room = next(f for f in stage.fails if f.code == "AllocationFailed")
                node.no_room = Refusal(
                    *fail(node, no_room, "ZonalAllocationFailed" if self.plan.zones else "")
                )
            self._deadline(node, stage, fail)
            node.chances = tuple(
                chance(node, f) for f in stage.fails if f.by_chance and self.probability(f.code) > 0
            )

        def finish(node: Node, row: Operation) -> Arc:
            counts: tuple[str, ...] = (f"operations.{row.name}.succeeded",) * counted
            counts += ("vms.created",) * (row.name == "create") + ("vms.deleted",) * row.removes
            return self.arc(node, done(), *counts, attempts=Attempts.RESET)

        error = row.fails_at_once
        at_once = error is not None and self.probability(error.code) > 0

        def fill_accepted(node: Node) -> None:
            assert error is not None
            node.operation, node.begins, node.wait = row.name, True, Wait.INSTANT
            node.next = self.arc(node, stage_node(0))
            node.chances = (chance(node, error),)

        if not at_once:
            return stage_node(0)
        # A create that is abandoned at once leaves no VM, so none is shown before its first stage.
        return self.node(f"{name}.accepted", fill_accepted, origin, row.shows or SUCCEEDED, serving=serving)

    def _deadline(self, node: Node, stage: Stage, fail: Callable[..., tuple[Arc, Arc | None]]) -> None:
        for failure in stage.fails:
            if failure.by_deadline:
                node.deadline_s = {
                    "os_provisioning_timeout": self.plan.os_provisioning_timeout_s,
                    "extensions_timeout": self.plan.extensions_timeout_s,
                }[failure.timeout_key or ""]
                node.late = fail(node, failure)[0]

    # -- the automation around them --------------------------------------------------------------------------------

    @property
    def _off_operation(self) -> str | None:
        turns_off = isinstance(self.plan.demand, Schedule | Cycle)
        return OFF_OPERATION.get(self.plan.when_off) if turns_off else None

    @property
    def _has_life(self) -> bool:
        return isinstance(self.plan.demand, Arrivals | Replay)

    @property
    def _goes_away(self) -> bool:
        """Whether demand for a VM that was lost goes with it: an arrival leaves, the autoscaler adds another."""
        return self._has_life or isinstance(self.plan.demand, Autoscale)

    def create(self) -> Node:
        return self.operate("create", None, key="create", done=self.on, retried=lambda _: self.create_again(),
                            given_up=lambda _: self.lost(), failed=self.failed)  # fmt: skip

    def create_again(self) -> Node:
        def fill(node: Node) -> None:
            node.wait, node.next = Wait.BACKOFF, self.arc(node, self.create())

        return self.node("retry.create", fill, None, None)

    def lost(self) -> Node:
        """The attempts of a create are used up: there is no VM, and an arrival goes away."""

        def fill(node: Node) -> None:
            if self._goes_away:
                node.wait = Wait.INSTANT
                node.next = self.arc(node, self.gone())
                node.next.ends_demand = True
            else:
                node.up = self.arc(node, self.create())

        return self.node("lost", fill, None, None)

    def gone(self) -> Node:
        def fill(node: Node) -> None:
            node.ends = True

        return self.node("gone", fill, None, None)

    def on(self) -> Node:
        """In service: Running, the operation done, the guest well."""

        def fill(node: Node) -> None:
            node.level = True
            if self._off_operation:
                node.down = self.arc(node, self.switch_off())
            self._fallible(node)
            self._expose(node)
            self._endanger(node)
            self._mortal(node)

        return self.node("on", fill, RUNNING, SUCCEEDED, serving=True)

    def switch_off(self) -> Node:
        assert self._off_operation
        row = rows_for(self._off_operation, RUNNING)
        return self.operate(self._off_operation, RUNNING, key=self._off_operation, done=lambda: self.off(_power(row.ends_in)),
                            failed=lambda power: self.held(power, failed=True), serving=True)  # fmt: skip

    def off(self, power: PowerState) -> Node:
        def fill(node: Node) -> None:
            node.level = True
            node.up = self.arc(node, self.start(power))
            self._yield_room(node)
            self._mortal(node)

        return self.node(f"off.{power}", fill, power, SUCCEEDED)

    def start(self, power: PowerState | None) -> Node:
        return self.operate("start", power, key="start", done=self.on, retried=self.start_again, given_up=self.given_up_start)  # fmt: skip

    def start_again(self, power: PowerState | None) -> Node:
        def fill(node: Node) -> None:
            node.wait, node.next = Wait.BACKOFF, self.arc(node, self.start(power))
            node.level = True  # demand may have turned off while the attempt ran
            node.down = self._settle(node, _power(power))
            self._yield_room(node)
            self._mortal(node)

        return self.node(f"retry.start@{power}", fill, power, FAILED)

    def given_up_start(self, power: PowerState | None) -> Node:
        """The attempts of a start are used up. Whoever restarts evicted VMs asks again after the same pause."""
        spot = self.plan.spot
        asks_again = spot is not None and spot.restart_after_s is not None and spot.policy != "delete"
        return self.evicted() if asks_again and power is DEALLOCATED else self.unstarted(power)

    def unstarted(self, power: PowerState | None) -> Node:
        """The attempts of a start are used up: as it is until it is wanted anew, which is after it was unwanted."""

        def fill(node: Node) -> None:
            node.level = True
            node.down = self._settle(node, _power(power))
            self._yield_room(node)
            self._mortal(node)

        return self.node(f"unstarted.{power}", fill, power, FAILED)

    def _settle(self, node: Node, power: PowerState) -> Arc:
        """Off hours begin while the VM is off, or half off, already: go where `when_off` wants it."""
        release = power is STOPPED and self.plan.when_off in ("deallocate", "hibernate")
        target = self.release() if release else self.off(power)
        return self.arc(node, target, attempts=Attempts.RESET)

    def release(self) -> Node:
        return self.operate("deallocate", STOPPED, key="deallocate", done=lambda: self.off(DEALLOCATED),
                            failed=lambda power: self.held(power, failed=True))  # fmt: skip

    def held(self, power: PowerState | None, *, failed: bool) -> Node:
        """As it is until demand changes: an operation was given up, or somebody else's has ended."""
        power = _power(power)

        def fill(node: Node) -> None:
            if power is RUNNING:
                node.up = self.arc(node, self.on())
                node.down = self.arc(node, self.on())
                self._fallible(node)
                self._expose(node)
                self._endanger(node)
            else:
                node.up = self.arc(node, self.start(power))
                node.down = self._settle(node, power)
                self._yield_room(node)
            self._mortal(node)

        name = f"held.{power}" + (".failed" if failed else "")
        return self.node(name, fill, power, FAILED if failed else SUCCEEDED, serving=power is RUNNING)

    def _fallible(self, node: Node) -> None:
        """The guest may crash here."""
        if self.plan.guest_crash:
            node.crash = self.arc(node, self.crashed(), "guest_crashes")
            node.crash.redraws_crash = True

    def crashed(self) -> Node:
        """The guest is dead, the VM still Running and billed, and nobody knows yet."""
        crash = self.plan.guest_crash
        assert crash

        def fill(node: Node) -> None:
            node.wait, node.purpose = Wait.LAW, self.purpose("detection", crash.detection_s)
            node.next = self.arc(node, self.restart())
            self._endanger(node)
            self._yield_room(node)
            if self._off_operation in ("deallocate", "power_off"):  # the others need a guest that answers
                node.down = self.arc(node, self.switch_off_dead("crashed", self.crashed))
            self._mortal(node)

        return self.node("crashed", fill, RUNNING, SUCCEEDED)

    def switch_off_dead(self, how: str, still: Callable[[], Node]) -> Node:
        """Switch off a VM that serves nobody; *still* is where it stays if that fails."""
        assert self._off_operation
        row = rows_for(self._off_operation, RUNNING)
        return self.operate(self._off_operation, RUNNING, key=f"{self._off_operation}.{how}",
                            done=lambda: self.off(_power(row.ends_in)), failed=lambda _: still())  # fmt: skip

    def restart(self) -> Node:
        return self.operate("restart", RUNNING, key="restart", done=self.on, failed=lambda _: self.crashed())

    def failed(self, power: PowerState | None) -> Node:
        """A create has failed and left a VM, billed where its state is, until somebody reacts."""
        power = _power(power)

        def fill(node: Node) -> None:
            node.wait, node.purpose = Wait.LAW, self.purpose("reaction", self.plan.reaction_s)
            node.next = self.arc(node, self.delete(power, replacing=True))
            self._yield_room(node)
            if power is RUNNING:
                self._mortal(node)

        return self.node(f"failed.{power}", fill, power, FAILED)

    def delete(self, power: PowerState | None, *, replacing: bool) -> Node:
        key = "replace" if replacing else "delete"
        return self.operate("delete", power, key=key, done=self.replaced if replacing else self.gone,
                            retried=lambda _: self.delete_again(power, replacing=replacing),
                            given_up=lambda _: self.undeleted(power, replacing=replacing))  # fmt: skip

    def delete_again(self, power: PowerState | None, *, replacing: bool) -> Node:
        def fill(node: Node) -> None:
            node.wait, node.next = Wait.BACKOFF, self.arc(node, self.delete(power, replacing=replacing))
            node.closed = True

        return self.node(f"retry.{'replace' if replacing else 'delete'}@{power}", fill, power, FAILED)

    def undeleted(self, power: PowerState | None, *, replacing: bool) -> Node:
        """A delete was given up; somebody notices, and deletes again."""

        def fill(node: Node) -> None:
            node.wait, node.purpose = Wait.LAW, self.purpose("reaction", self.plan.reaction_s)
            node.next = self.arc(node, self.delete(power, replacing=replacing))

        return self.node(f"undeleted.{power}.{'replace' if replacing else 'delete'}", fill, power, FAILED)

    def replaced(self) -> Node:
        def fill(node: Node) -> None:
            node.wait, node.next = Wait.INSTANT, self.arc(node, self.create())

        return self.node("replaced", fill, None, None)

    def _mortal(self, node: Node) -> None:
        """An arrival's lifetime may end here."""
        if self._has_life:
            node.life = self.arc(node, self.delete(node.power, replacing=False))
            node.life.ends_demand = True

    # -- hosts fail, and are worked on -----------------------------------------------------------------------------

    def _endanger(self, node: Node) -> None:
        """The host may fail here, or be maintained."""
        if self.platform is None:
            return
        if any((self.platform.host_failures, self.platform.rack_failures, self.platform.zone_failures)):
            node.fault = self.arc(node, self.healing(), "service_healings")
        if self.platform.maintenance is not None:
            impact = {"freeze": self.frozen, "reboot": self.rebooted, "redeploy": self.redeployed}
            node.maintained = self.arc(
                node, impact[self.platform.maintenance.impact](), "maintenance_impacts"
            )

    def healing(self) -> Node:
        """The host is lost. The VM shows Running, as last known, and serves nobody until it is started elsewhere."""
        assert self.platform
        assert self.platform.healing_s

        def fill(node: Node) -> None:
            assert self.platform
            assert self.platform.healing_s
            node.wait, node.purpose = Wait.LAW, self.purpose("healing", self.platform.healing_s)
            self._start_elsewhere(node)

        return self.node("healing", fill, RUNNING, SUCCEEDED)

    def _start_elsewhere(self, node: Node) -> None:
        node.next = self.arc(node, self.started_elsewhere(), "allocation.attempts")
        node.next.asks_host = True
        node.no_room = Refusal(
            self.arc(node, self.homeless(), "allocation.attempts", "allocation.failures"), None
        )

    def homeless(self, *, abandoned: bool = False) -> Node:
        """No other host has room; the platform looks again and again. *abandoned*: so was the attempt to switch it off."""

        def fill(node: Node) -> None:
            node.wait, node.purpose = Wait.LAW, self.purpose("room", Constant(value=LOOKS_FOR_ROOM_EVERY_S))
            self._start_elsewhere(node)
            if self._off_operation in ("deallocate", "power_off"):
                node.down = self.arc(
                    node, self.switch_off_dead("homeless", lambda: self.homeless(abandoned=True))
                )
                node.level = not abandoned  # demand may have turned off since the host was lost
            self._mortal(node)

        return self.node("homeless.abandoned" if abandoned else "homeless", fill, RUNNING, SUCCEEDED)

    def started_elsewhere(self) -> Node:
        return self.operate("service_healing", RUNNING, key="healing", done=self.on)

    def frozen(self) -> Node:
        """Memory is kept, the VM pauses; power state and bill don't notice."""
        assert self.platform
        assert self.platform.maintenance

        def fill(node: Node) -> None:
            assert self.platform
            assert self.platform.maintenance
            node.wait, node.purpose = Wait.LAW, self.purpose("freeze", self.platform.maintenance.freeze_s)
            node.next = self.arc(node, self.on())

        return self.node("maintenance.frozen", fill, RUNNING, SUCCEEDED)

    def rebooted(self) -> Node:
        def fill(node: Node) -> None:
            node.wait, node.purpose = (
                Wait.LAW,
                self.purpose("restarting", self.plan.durations_s["restarting"]),
            )
            node.next = self.arc(node, self.on())

        return self.node("maintenance.reboot", fill, RUNNING, SUCCEEDED)

    def redeployed(self) -> Node:
        def fill(node: Node) -> None:
            node.wait = Wait.INSTANT
            self._start_elsewhere(node)

        return self.node("maintenance.redeploy", fill, RUNNING, SUCCEEDED)

    # -- spot ------------------------------------------------------------------------------------------------------

    def _expose(self, node: Node) -> None:
        """An eviction may strike here."""
        if self.plan.spot and (self.platform or self.plan.spot.eviction_per_hour > 0):
            node.evict = self.arc(node, self.noticed(), "evictions")
            node.evict.redraws_eviction = True
            node.vacate = node.evict

    def _yield_room(self, node: Node) -> None:
        """A spot VM whose guest can't hear a notice goes at once if a regular one needs its room."""
        if self.plan.spot and self.platform and node.power in (RUNNING, STOPPED):
            node.vacate = self.arc(node, self.evicting(), "evictions")

    def noticed(self) -> Node:
        """The notice is out; the VM still serves."""
        spot = self.plan.spot
        assert spot

        def fill(node: Node) -> None:
            node.wait, node.purpose = Wait.LAW, self.purpose("notice", spot.notice_s)
            node.next = self.arc(node, self.evicting())
            node.closed = True

        return self.node("evicted.notice", fill, RUNNING, SUCCEEDED, serving=True)

    def evicting(self) -> Node:
        spot = self.plan.spot
        assert spot
        stage = "deleting" if spot.policy == "delete" else "deallocating"

        def fill(node: Node) -> None:
            node.wait, node.purpose = Wait.LAW, self.purpose(stage, self.plan.durations_s[stage])
            deletes = spot.policy == "delete"
            node.closed = True
            node.next = self.arc(node, self.evicted(), *(("vms.deleted",) if deletes else ()))

        shown = ProvisioningState.DELETING if spot.policy == "delete" else SUCCEEDED
        return self.node("evicted.going", fill, DEALLOCATING, shown)

    def evicted(self) -> Node:
        spot = self.plan.spot
        assert spot
        deletes = spot.policy == "delete"

        def fill(node: Node) -> None:
            if spot.restart_after_s is not None:
                node.wait, node.purpose = Wait.LAW, self.purpose("restart_after", spot.restart_after_s)
                node.next = self.arc(node, self.create() if deletes else self.off(DEALLOCATED))
            elif deletes:
                if self._goes_away:
                    node.wait, node.next = Wait.INSTANT, self.arc(node, self.gone())
                    node.next.ends_demand = True
                else:
                    node.up = self.arc(node, self.create())
            if not deletes:
                node.level = True  # demand may have turned off since the notice
                node.down = self.arc(node, self.off(DEALLOCATED))
                self._mortal(node)

        return self.node("evicted", fill, None if deletes else DEALLOCATED, None if deletes else SUCCEEDED)

    # -- the whole -------------------------------------------------------------------------------------------------

    def build(self, *, asked_from_outside: bool) -> Program:
        unborn = self.node("unborn", lambda _: None, None, None)
        first = self.arc(unborn, self.create())
        asks = self._asks() if asked_from_outside else {}
        plan, demand = self.plan, self.plan.demand
        crash = self.purpose("guest_crash", plan.guest_crash.time_between_s) if plan.guest_crash else -1
        eviction = -1
        if plan.spot and plan.spot.eviction_per_hour > 0:
            eviction = self.purpose("eviction", _hazard(plan.spot.eviction_per_hour))
        lifetime = self.purpose("lifetime", demand.lifetime_s) if isinstance(demand, Arrivals) else -1
        assert not isinstance(demand, Autoscale) or asked_from_outside, "the autoscaler asks for deletes"
        edges = (-1, -1)
        if isinstance(demand, Cycle):
            edges = (self.purpose("cycle.on", demand.on_s), self.purpose("cycle.off", demand.off_s))
        elif isinstance(demand, Schedule) and demand.jitter_s is not None:
            edges = (self.purpose("jitter", demand.jitter_s),) * 2
        for node in self.nodes:
            law = self.laws[node.purpose] if node.wait is Wait.LAW else None
            node.fixed_s = law.support[0] if law is not None and law.support[0] == law.support[1] else None
            node.has_clocks = not (node.crash is node.evict is node.life is None)
            node.runs_clocks = (crash >= 0 and node.runs_crash_clock) or (
                eviction >= 0 and node.runs_eviction_clock
            )
        if self.platform is not None:
            self._mark_meetings()
        counted = any(arc.attempts is Attempts.ADD for arc in self.arcs)
        for arc in self.arcs:
            arc.sets_life = arc.sets_life and lifetime >= 0
            arc.redraws_eviction = arc.redraws_eviction and eviction >= 0
            arc.has_effect = (
                bool(arc.code) or (counted and arc.attempts is Attempts.RESET) or arc.sets_life or arc.ends_demand
                or arc.redraws_crash or arc.redraws_eviction
            )  # fmt: skip
        for node in self.nodes:
            node.answers = node.up is not None or node.down is not None
            node.turns = 2 * (len(self.arcs) + node.index)
        return Program(
            plan=plan,
            nodes=tuple(self.nodes),
            arcs=tuple(self.arcs),
            first=first,
            purposes=tuple(self.purposes),
            laws=tuple(self.laws),
            backoff_s=_backoffs(plan.retry),
            crash_purpose=crash,
            eviction_purpose=eviction,
            lifetime_purpose=lifetime,
            edge_purposes=edges,
            asks=asks,
        )

    def _mark_meetings(self) -> None:
        """Where VMs meet others: each arc that asks for something, or may give it back."""
        place = 0
        while place < len(self.arcs):  # refusals lead to places that may be asked from in turn
            arc = self.arcs[place]
            place += 1
            source, target = arc.source, arc.target
            if target.operation == "create" and source.operation != "create":
                arc.asks_quota = True
                if source.no_quota is None:
                    counts: tuple[str, ...] = ("operations.create.rejected", "failures.QuotaExceeded")
                    source.no_quota = self._refusal(
                        source, self.create_again(), self.lost(), counts, "QuotaExceeded"
                    )
            if source.power is STOPPED and target.power is PowerState.STARTING and source.no_room is None:
                # A stopped VM keeps its host; it needs another one only if that host has failed meanwhile.
                counts = (
                    "operations.start.failed",
                    "failures.AllocationFailed",
                    "allocation.attempts",
                    "allocation.failures",
                )
                if source.operation is None:
                    counts = ("operations.start.accepted", *counts)
                source.no_room = self._refusal(
                    source, self.start_again(STOPPED), self.unstarted(STOPPED), counts, "AllocationFailed"
                )
        for arc in self.arcs:
            arc.meets = (
                arc.asks_host or arc.asks_quota
                or (arc.source.power in _ON_HOST and arc.target.power not in _ON_HOST)
                or (arc.target.power is None and arc.target.operation is None)
                or (arc.source.power is STOPPED and arc.target.power is PowerState.STARTING)  # its host may be lost
                or (arc.target.begins and self.platform is not None and self.platform.throttle is not None)
            )  # fmt: skip

    def _refusal(self, source: Node, again: Node, never: Node, counts: tuple[str, ...], code: str) -> Refusal:
        return Refusal(
            self.arc(source, again, *counts, code=code, attempts=Attempts.ADD),
            self.arc(source, never, *counts, code=code, attempts=Attempts.RESET),
        )

    def _asks(self) -> dict[tuple[int, str], Arc]:
        """Arcs for operations that somebody outside the automation asks for; a delete is accepted anywhere."""
        asks: dict[tuple[int, str], Arc] = {}
        waiting = list(self.nodes)
        while waiting:
            node = waiting.pop(0)
            if node.power is None:
                if node is self.known.get("retry.create") and isinstance(self.plan.demand, Autoscale):
                    withdrawn = self.arc(node, self.gone())
                    withdrawn.ends_demand = True
                    asks[node.index, "delete"] = withdrawn
                continue
            known = len(self.nodes)
            for operation in sorted(_COUNTED - {"create"}):
                target = self._asked(operation, node)
                if target is not None:
                    ask = self.arc(node, target, attempts=Attempts.RESET)
                    ask.ends_demand = operation == "delete"
                    asks[node.index, operation] = ask
            waiting += self.nodes[known:]
        return asks

    def _asked(self, operation: str, node: Node) -> Node | None:
        if operation == "delete":
            already = node.operation == "delete" and not node.name.startswith("replace@")
            return None if already else self.delete(node.power, replacing=False)
        if node.operation is not None or node.closed:
            return None
        from sim.errors import OperationNotAllowed

        try:
            row = rows_for(operation, node.power)
        except OperationNotAllowed:
            return None
        after = node.power if row.ends_in is None else row.ends_in
        revives = operation == "restart" and node is self.known.get("crashed")

        def done() -> Node:
            stays = after is node.power and node.wait is not Wait.BACKOFF and not revives
            return node if stays else self.held(after, failed=False)

        def failed(left: PowerState | None) -> Node:
            ill = left is RUNNING and not node.serving
            return node if ill else self.held(left, failed=True)

        return self.operate(operation, node.power, key=f"asked.{operation} in {node.name}", done=done, failed=failed,
                            retried=None, serving=node.serving)  # fmt: skip


from sim.lifecycle.operations import OPERATION_NAMES  # noqa: E402

_COUNTED = frozenset(OPERATION_NAMES)
_ON_HOST = frozenset(state for state, facts in POWER.items() if facts.on_host)


def _power(power: PowerState | None) -> PowerState:
    if power is None:
        raise LifecycleError("a VM that is held, off or failed shows a power state")
    return power


def _backoffs(retry: Retry) -> tuple[float, ...]:
    """How long the automation waits (s) after the 1st, 2nd, ... failed attempt."""
    grown_s, waits = retry.backoff_s, []
    for _ in range(max(1, retry.attempts - 1)):
        waits.append(min(grown_s, retry.max_backoff_s))
        grown_s *= retry.multiplier  # past the largest float it is infinite, and capped all the same
    return tuple(waits)


def _hazard(eviction_per_hour: float) -> Distribution:
    """Time to eviction from its probability within one hour of running: a constant hazard, exponential times.

    At probability 1 the hazard is infinite: the VM is evicted at once. Beyond the longest time that a law may have,
    nobody will notice the difference.
    """
    if eviction_per_hour >= 1:
        return Constant(value=0.0)
    return Exponential(mean=min(SECONDS_PER_HOUR / -float(np.log1p(-eviction_per_hour)), LONGEST_S))

"""A VM's life as a SimPy process: it enters a node, lets its time pass, and goes on."""

from __future__ import annotations

from collections.abc import Callable, Generator
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

import simpy
from simpy.events import NORMAL, Event

from sim.errors import LifecycleError
from sim.lifecycle.power import POWER, PowerState
from sim.model.plan import Cycle, Replay
from sim.model.state_machine import Arc, Attempts, Node, Wait

if TYPE_CHECKING:
    from sim.engines.simpy.fleet import GroupRun
    from sim.engines.simpy.platform import SharedPlatform

LAW, BACKOFF, REST = Wait.LAW, Wait.BACKOFF, Wait.REST  # a member of an Enum is looked up slowly
ADD, RESET = Attempts.ADD, Attempts.RESET
NEVER = float("inf")
TOLD = 12  # moves of a VM's story that an error tells
ON_HOST = frozenset(state for state, facts in POWER.items() if facts.on_host)
# At one instant: what befalls many, then interrupts (SimPy's own 0), private steps (1), what is given back, what is asked.
BEFALLS, GIVES, ASKS = -1, 2, 1 << 62
STUCK = 10_000  # moves at one instant that can only be a defect


class Clock(simpy.Environment):
    """Simulated time, with events at exact instants: `timeout(t - now)` may miss t by a last bit."""

    def at(self, when_s: float, priority: int = NORMAL) -> Event:
        """An event at exactly that instant (s, not in the past); of several then, the lowest priority comes first."""
        event = Event.__new__(Event)
        event.env = self
        event.callbacks = []
        event._value = None
        event._ok = True
        heappush(self._queue, (when_s, priority, next(self._eid), event))  # type: ignore[misc]
        return event

    def play(self, until_s: float) -> None:
        """Every event before an instant, in order: as `run` does, in one loop."""
        queue = self._queue
        while queue and queue[0][0] < until_s:
            self._now, _, _, event = heappop(queue)
            callbacks, event.callbacks = event.callbacks, None  # type: ignore[assignment]
            for callback in callbacks:
                callback(event)
            if not event._ok and not hasattr(event, "_defused"):
                raise event._value  # a process has failed
        self._now = until_s


def _nothing_left() -> float:
    raise StopIteration


class Vm:
    """One virtual machine of a group, and the automation that looks after it."""

    __slots__ = (
        "attempts", "awaited", "blocks", "code", "crash_left_s", "dies_s", "draws", "edge_no", "edge_s",
        "eviction_left_s", "going", "group", "has_quota", "host", "index", "meeting", "node", "now_s", "past", "pending",
        "process", "promised", "slot", "stuck", "tell", "wanted", "wanted_when_asked",
    )  # fmt: skip

    def __init__(self, group: GroupRun, index: int, born_s: float) -> None:
        purposes = len(group.program.purposes)
        self.group = group
        self.index = index
        self.now_s = born_s
        self.node = group.program.first.source
        self.attempts = 0  # failed ones of the operation under way
        self.code = ""  # of the last failure
        self.draws: list[Callable[[], float]] = [_nothing_left] * purposes
        self.blocks = [0] * purposes
        self.wanted = 0
        self.edge_s = NEVER  # when demand turns next
        self.edge_no = 0
        self.crash_left_s = NEVER  # of serving, until the guest crashes
        self.eviction_left_s = NEVER  # of running, until the platform wants the room
        self.dies_s = NEVER  # when an arrival's lifetime is over
        self.stuck = 0
        self.tell: Callable[[Vm, Arc], None] | None = None
        self.awaited: Event | None = None  # somebody outside waits for the end of an operation
        self.promised: Node | None = None  # where an operation asked for at this instant will lead
        self.wanted_when_asked = -1  # while that operation runs
        self.past: list[tuple[float, Arc]] = []  # where somebody outside may ask: its story so far
        self.process: simpy.Process | None = None
        # On a platform:
        self.host = -1
        self.slot = ""  # the reservation whose room it is on
        self.going: Event | None = None  # its room is promised to another VM, which waits for this
        self.has_quota = False
        self.meeting = False  # in the middle of asking or giving back
        self.pending = ""  # what has befallen it and waits for a node that answers: "fault" or "vacate"

    @property
    def rank(self) -> int:
        """Its place among all VMs of the fleet, where several act at one instant."""
        return (self.group.setup.index << 32) + self.index

    @property
    def zone(self) -> int:
        """The zone it is pinned to, or 0."""
        zones = self.group.setup.plan.zones
        return zones[self.index % len(zones)] if zones else 0

    @property
    def vcpus(self) -> int:
        """vCPUs that it takes of a host."""
        return self.group.setup.plan.vcpus

    @property
    def memory_mib(self) -> int:
        """Memory that it takes of a host, in MiB."""
        return self.group.memory_mib

    @property
    def name(self) -> str:
        """`<group>-0007`: the same in every run."""
        return f"{self.group.program.plan.name}-{self.index:04d}"

    def live(self) -> Generator[Event, Any, None]:
        """From its request to its end, or the horizon, as the group's program tells."""
        group = self.group
        env, horizon_s, platform = group.env, group.horizon_s, group.platform
        self._be_wanted()
        arc = group.program.first
        while True:
            if arc.meets and platform is not None:
                arc = yield from self._meet(arc, platform)
            node = self.move(arc)
            if node.ends:
                self.group.vms.pop(self.index, None)
                return
            if self.pending and (arc := getattr(node, self.pending)) is not None:
                self.pending = ""
                continue
            if node.level or (self.wanted_when_asked >= 0 and self._demand_has_changed(node)):
                answer = node.up if self.wanted else node.down
                if answer is not None:
                    arc = answer
                    continue
            arc, end_s = self._foresee(node)
            while True:
                wake_s = self.edge_s if node.answers and self.edge_s <= end_s else end_s
                try:
                    if not wake_s < horizon_s:
                        if not group.may_be_interrupted:
                            self.close()
                            return
                        yield env.event()  # never comes, but somebody may call
                    elif wake_s > self.now_s:
                        self.stuck = 0
                        yield env.at(wake_s)
                    else:
                        self._count_instant()
                except simpy.Interrupt as interrupt:
                    wake_s = env.now
                    self._turn_until(node, wake_s)
                    arc = self._obey(node, interrupt.cause)
                    break
                if self.edge_s <= wake_s:
                    self._turn_until(node, wake_s)
                    answer = node.up if self.wanted else node.down
                    if answer is not None:
                        arc = answer
                        break
                if wake_s >= end_s:
                    break
            if node.runs_clocks:
                self._wear(node, wake_s - self.now_s)
            self.now_s = wake_s

    def befall(self, what: str) -> None:
        """The platform strikes (`fault` or `vacate`): at once where the node answers, else as soon as one does."""
        arc = getattr(self.here(), what)
        if arc is None or self.meeting or self.promised is not None:
            self.pending = what
        else:
            self.call_away(arc)

    def here(self) -> Node:
        """Where it is at this instant."""
        return self.node

    def catch_up(self) -> None:
        """Tell the day-book of every move before this instant: it knows, move by move."""

    def call_away(self, arc: Arc) -> None:
        """Make the VM leave its node now, by an arc of it."""
        assert self.process is not None
        self.promised = arc.target
        self.process.interrupt(arc)

    def _meet(self, arc: Arc, platform: SharedPlatform) -> Generator[Event, Any, Arc]:
        """Ask the platform for what the move needs, give back what it frees; returns the arc that comes of it."""
        env = self.group.env
        if arc.target.begins and arc.target.operation and platform.buckets:
            arc = yield from self._be_admitted(arc, platform)
        target = arc.target
        self.meeting = True
        off_host = target.power not in ON_HOST
        if off_host:
            self.pending = ""
        gone = target.power is None and target.operation is None
        if (off_host and (self.host >= 0 or self.going is not None)) or (self.has_quota and gone):
            yield env.at(self.now_s, GIVES + self.rank)
            if off_host and self.going is not None:
                platform.has_gone(self)
            if off_host and self.host >= 0:
                platform.give_host(self)
            if self.has_quota and gone:
                self.has_quota = False
                platform.quota.give(self.group.setup.plan)
        refused = None
        if arc.asks_quota and not self.has_quota:
            yield env.at(self.now_s, ASKS + self.rank)
            self.has_quota = platform.quota.ask(self.group.setup.plan)
            refused = None if self.has_quota else self.node.no_quota
        homeless = self.node.power is PowerState.STOPPED and self.host < 0 and not platform.endless
        if arc.asks_host or (homeless and target.power is PowerState.STARTING):
            left = self.host
            if self.host >= 0:  # it leaves one host for another
                yield env.at(self.now_s, GIVES + self.rank)
                if self.host >= 0:  # unless it has failed at this very instant
                    platform.give_host(self)
            yield env.at(self.now_s, ASKS + self.rank)
            going = platform.ask_host(self, left)
            if going is not None and self.pending == "fault":
                self.pending = ""  # that was the host before
            refused = self.node.no_room if going is None else None
            for leaving in going or ():
                yield leaving
                self._pass(env.now)
        self.meeting = False
        if refused is None:
            return arc
        used_up = self.attempts + 1 >= self.group.program.plan.retry.attempts
        arc = refused.gives_up if used_up and refused.gives_up is not None else refused.arc
        return (yield from self._meet(arc, platform)) if arc.meets else arc

    def _be_admitted(self, arc: Arc, platform: SharedPlatform) -> Generator[Event, Any, Arc]:
        """Wait until the subscription's rate limit lets the operation through; each refusal is told and backed off from.

        A refusal says when to come back (`Retry-After`); whoever has a longer back-off waits that long.
        """
        env, retry = self.group.env, self.group.program.plan.retry
        pause_s = retry.backoff_s
        try:
            yield env.at(self.now_s, ASKS + self.rank)
            while arc.target.begins and (retry_after_s := platform.throttles(arc.target.operation or "")):
                self.group.refuse(arc.target.operation or "", "TooManyRequests")
                again_s = self.now_s + max(pause_s, retry_after_s)
                yield env.at(again_s, ASKS + self.rank)
                self._pass(again_s)
                pause_s = min(pause_s * retry.multiplier, retry.max_backoff_s)
        except simpy.Interrupt as interrupt:
            self._pass(env.now)
            arc = self._obey(self.node, interrupt.cause)
            return (yield from self._be_admitted(arc, platform))
        return arc

    def _pass(self, until_s: float) -> None:
        """Time goes by in the node, though its own end has come: the VM waits for others."""
        self._turn_until(self.node, until_s)
        if self.node.runs_clocks:
            self._wear(self.node, until_s - self.now_s)
        self.now_s = until_s

    def close(self) -> None:
        """Nothing more happens before the horizon, except that demand may turn."""
        self._turn_until(self.node, self.group.horizon_s)

    def move(self, arc: Arc) -> Node:
        """The one door: leave a node, enter the next, tell the books. Raises LifecycleError."""
        if arc.source is not self.node:
            raise LifecycleError(self._complain(arc))
        group = self.group
        group.when.append(self.now_s)
        group.what.append(2 * arc.index + self.wanted)
        if self.tell is not None:
            self.tell(self, arc)
        if arc.has_effect:
            self._affect(arc)
        self.node = node = arc.target
        if self.awaited is not None and node.operation is None:
            self.awaited.succeed(node)
            self.awaited = None
        return node

    def _obey(self, node: Node, asked: Any) -> Arc:
        """The arc of an operation that somebody outside has asked for; who waited for an earlier one waits no longer."""
        if isinstance(asked, Arc):  # as the platform put it, or the autoscaler
            self.promised = None
            return asked
        operation, done = asked  # as `Fleet.request` put it
        arc = self.group.program.asks[node.index, operation]
        if self.awaited is not None:
            self.awaited.succeed(arc.target)
        self.awaited, self.promised = done, None
        self.wanted_when_asked = self.wanted
        return arc

    def _demand_has_changed(self, node: Node) -> bool:
        """Whether the end of an operation asked for finds demand other than its beginning did."""
        if node.operation is not None:
            return False
        before, self.wanted_when_asked = self.wanted_when_asked, -1
        return self.wanted != before

    def _complain(self, arc: Arc) -> str:
        """Who can't make a move, when, from where, what it could do instead, and its story so far."""
        arcs = self.group.program.arcs
        could = ", ".join(dict.fromkeys(a.target.name for a in arcs if a.source is self.node)) or "nowhere"
        told = (
            "; ".join(
                f"{t_s / 3600:.3f} h {a.source.name} -> {a.target.name}" for t_s, a in self.past[-TOLD:]
            )
            or "not kept: the fleet is not asked_from_outside"
        )
        return (
            f"{self.name} at {self.now_s / 3600:.3f} h: {arc.source.name} -> {arc.target.name} can't be, for it is in "
            f"{self.node.name}; from there it goes to {could}. Its story: {told}"
        )

    def _affect(self, arc: Arc) -> None:
        """What a move does besides: attempts counted, clocks set anew, the end of demand."""
        if arc.code:
            self.code = arc.code
        if arc.attempts is RESET:
            self.attempts = 0
        elif arc.attempts is ADD:
            self.attempts += 1
        if arc.sets_life and self.group.lifetime_purpose >= 0:
            self.dies_s = self.now_s + self.group.lifetime_s(self.index)
        if arc.redraws_crash:
            self.crash_left_s = self.draw(self.group.program.crash_purpose)
        if arc.redraws_eviction:
            self.eviction_left_s = self.draw(self.group.program.eviction_purpose)
        if arc.ends_demand:
            self.edge_s = NEVER
            if self.wanted:
                self.group.when.append(self.now_s)
                self.group.what.append(arc.target.turns + 1)
                self.wanted = 0

    def draw(self, purpose: int) -> float:
        """The next variate of one purpose."""
        try:
            return self.draws[purpose]()
        except StopIteration:
            draw = self.group.variates.column(self.index, purpose, self.blocks[purpose])
            self.draws[purpose] = draw
            self.blocks[purpose] += 1
            return draw()

    def _foresee(self, node: Node) -> tuple[Arc, float]:
        """How the stay in *node* ends if demand leaves it alone, and when (s)."""
        now_s, wait = self.now_s, node.wait
        if wait is LAW:
            took_s = node.fixed_s
            if took_s is None:
                took_s = self.draw(node.purpose)
            arc, end_s = node.next, now_s + took_s
            if took_s > node.deadline_s:
                arc, end_s = node.late, now_s + node.deadline_s
        elif wait is REST:
            arc, end_s = None, NEVER
        elif wait is BACKOFF:
            arc, end_s = node.next, now_s + self.group.program.backoff_s[self.attempts - 1]
        else:
            arc, end_s = node.next, now_s
        if node.chances:
            for chance in node.chances:
                if self.draw(chance.purpose) < chance.probability:
                    used_up = self.attempts + 1 >= self.group.program.plan.retry.attempts
                    arc = chance.gives_up if used_up and chance.gives_up is not None else chance.arc
                    if chance.at_deadline:
                        end_s = now_s + node.deadline_s
                    break
        if node.has_clocks:
            for ring, rings_s in (
                (node.crash, now_s + self.crash_left_s),
                (node.evict, now_s + self.eviction_left_s),
                (node.life, self.dies_s),
            ):
                if ring is not None and rings_s < end_s:
                    arc, end_s = ring, max(rings_s, now_s)
        return arc, end_s  # type: ignore[return-value]  # a stay that never ends needs no arc

    def _wear(self, node: Node, stayed_s: float) -> None:
        """The stay is over: clocks that ran in it have run on."""
        if node.runs_crash_clock:
            self.crash_left_s -= stayed_s
        if node.runs_eviction_clock:
            self.eviction_left_s -= stayed_s

    def _count_instant(self) -> None:
        self.stuck += 1
        if self.stuck > STUCK:
            raise LifecycleError(
                f"{self.name} at {self.now_s / 3600:.3f} h moves for ever at one instant: {self.node.name}"
            )

    # -- demand ----------------------------------------------------------------------------------------------------

    def _be_wanted(self) -> None:
        """Demand at the moment of the first request."""
        program, calendar = self.group.program, self.group.calendar
        if program.crash_purpose >= 0:
            self.crash_left_s = self.draw(program.crash_purpose)
        if program.eviction_purpose >= 0:
            self.eviction_left_s = self.draw(program.eviction_purpose)
        if isinstance(program.plan.demand, Replay):
            self.dies_s = self.now_s + program.plan.demand.lifetime_s[self.index]
        first, self.wanted = 1, 0
        if calendar is not None:
            first = int(calendar.wanted_first)
            self.edge_s = 0.0
            self.edge_s = self._next_edge(first)
            while self.edge_s <= self.now_s:
                first = 1 - first
                self.edge_s = self._next_edge(first)
        elif isinstance(program.plan.demand, Cycle):
            self.edge_s = self.now_s + self.draw(program.edge_purposes[0])
        if first:
            self.group.when.append(self.now_s)
            self.group.what.append(program.turn(self.node, 0))
            self.wanted = 1

    def _next_edge(self, wanted: int) -> float:
        """When demand turns after the edge at `edge_s`, being *wanted* until then (s)."""
        group = self.group
        calendar, (on, off) = group.calendar, group.program.edge_purposes
        if calendar is not None:
            if self.edge_no >= len(calendar.edges_s):
                return NEVER
            edge_s = calendar.edges_s[self.edge_no]
            self.edge_no += 1
            return edge_s if on < 0 else max(edge_s + self.draw(on), self.edge_s)
        return self.edge_s + self.draw(on if wanted else off)

    def _turn_until(self, node: Node, until_s: float) -> None:
        """Demand turns, once or more, up to an instant (included; at the horizon excluded)."""
        group = self.group
        edge_s = self.edge_s
        while edge_s <= until_s and edge_s < group.horizon_s:
            group.when.append(edge_s)
            group.what.append(node.turns + self.wanted)
            self.wanted = 1 - self.wanted
            self.edge_s = edge_s = self._next_edge(self.wanted)

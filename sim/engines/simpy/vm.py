"""A VM's life as a SimPy process: it enters a state, lets its time pass, and goes on."""

from __future__ import annotations

from collections.abc import Callable, Generator
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

import simpy
from simpy.events import NORMAL, Event

from sim.errors import LifecycleError
from sim.lifecycle.power import POWER, PowerState
from sim.model.state_machine import Attempts, Delay, State, Transition

if TYPE_CHECKING:
    from sim.engines.simpy.fleet import GroupRun
    from sim.engines.simpy.platform import SharedPlatform

SAMPLED, BACKOFF, REST = Delay.SAMPLED, Delay.BACKOFF, Delay.REST  # a member of an Enum is looked up slowly
ADD, RESET = Attempts.ADD, Attempts.RESET
NEVER = float("inf")
MOVES_SHOWN = 12  # moves of a VM's story that an error tells
ON_HOST = frozenset(state for state, facts in POWER.items() if facts.on_host)
# At one instant: what befalls many, then interrupts (SimPy's own 0), private steps (1), what is given back, what is asked.
DISRUPTS, RELEASES, REQUESTS = -1, 2, 1 << 62
STUCK = 10_000  # moves at one instant that can only be a defect


class Environment(simpy.Environment):
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

    def run_until(self, until_s: float) -> None:
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
        "acquiring",
        "attempts",
        "awaited",
        "blocks",
        "code",
        "crash_left_s",
        "dies_s",
        "draws",
        "edge_no",
        "edge_s",
        "eviction_left_s",
        "going",
        "group",
        "has_quota",
        "host",
        "index",
        "now_s",
        "past",
        "pending",
        "pending_target",
        "process",
        "slot",
        "state",
        "stuck",
        "tell",
        "wanted",
        "wanted_when_asked",
    )

    def __init__(self, group: GroupRun, index: int, born_s: float) -> None:
        stream_names = len(group.state_machine.stream_names)
        self.group = group
        self.index = index
        self.now_s = born_s
        self.state = group.state_machine.first.source
        self.attempts = 0  # failed ones of the operation under way
        self.code = ""  # of the last failure
        self.draws: list[Callable[[], float]] = [_nothing_left] * stream_names
        self.blocks = [0] * stream_names
        self.wanted = 0
        self.edge_s = NEVER  # when demand turns next
        self.edge_no = 0
        self.crash_left_s = NEVER  # of serving, until the guest crashes
        self.eviction_left_s = NEVER  # of running, until the platform wants the room
        self.dies_s = NEVER  # when an arrival's lifetime is over
        self.stuck = 0
        self.tell: Callable[[Vm, Transition], None] | None = None
        self.awaited: Event | None = None  # somebody outside waits for the end of an operation
        self.pending_target: State | None = None  # where an operation asked for at this instant will lead
        self.wanted_when_asked = -1  # while that operation runs
        self.past: list[tuple[float, Transition]] = []  # where somebody outside may ask: its story so far
        self.process: simpy.Process | None = None
        # On a platform:
        self.host = -1
        self.slot = ""  # the reservation whose room it is on
        self.going: Event | None = None  # its room is promised to another VM, which waits for this
        self.has_quota = False
        self.acquiring = False  # in the middle of asking or giving back
        self.pending = ""  # what has befallen it and waits for a state that answers: "fault" or "vacate"

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
        return f"{self.group.state_machine.plan.name}-{self.index:04d}"

    def simulate(self) -> Generator[Event, Any, None]:
        """From its request to its end, or the horizon, as the group's program tells."""
        group = self.group
        env, horizon_s, platform = group.env, group.horizon_s, group.platform
        self._be_wanted()
        transition = group.state_machine.first
        while True:
            if transition.needs_resource and platform is not None:
                transition = yield from self._acquire_resources(transition, platform)
            state = self.move(transition)
            if state.ends:
                self.group.vms.pop(self.index, None)
                return
            if self.pending and (transition := getattr(state, self.pending)) is not None:
                self.pending = ""
                continue
            if state.level or (self.wanted_when_asked >= 0 and self._demand_has_changed(state)):
                answer = state.up if self.wanted else state.down
                if answer is not None:
                    transition = answer
                    continue
            transition, end_s = self._next_end(state)
            while True:
                wake_s = self.edge_s if state.answers and self.edge_s <= end_s else end_s
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
                    self._turn_until(state, wake_s)
                    transition = self._follow_request(state, interrupt.cause)
                    break
                if self.edge_s <= wake_s:
                    self._turn_until(state, wake_s)
                    answer = state.up if self.wanted else state.down
                    if answer is not None:
                        transition = answer
                        break
                if wake_s >= end_s:
                    break
            if state.runs_timers:
                self._advance_timers(state, wake_s - self.now_s)
            self.now_s = wake_s

    def disrupt(self, what: str) -> None:
        """The platform strikes (`host_failed` or `preempt`): at once where the state answers, else as soon as one does."""
        transition = getattr(self.state, what)
        if transition is None or self.acquiring or self.pending_target is not None:
            self.pending = what
        else:
            self.interrupt(transition)

    def interrupt(self, transition: Transition) -> None:
        """Make the VM leave its state now, by a transition of it."""
        assert self.process is not None
        self.pending_target = transition.target
        self.process.interrupt(transition)

    def _acquire_resources(self, transition: Transition, platform: SharedPlatform) -> Generator[Event, Any, Transition]:
        """Ask the platform for what the move needs, give back what it frees; returns the transition that comes of it."""
        env = self.group.env
        if transition.target.begins and transition.target.operation and platform.buckets:
            transition = yield from self._be_admitted(transition, platform)
        target = transition.target
        self.acquiring = True
        off_host = target.power not in ON_HOST
        if off_host:
            self.pending = ""
        gone = target.power is None and target.operation is None
        if (off_host and (self.host >= 0 or self.going is not None)) or (self.has_quota and gone):
            yield env.at(self.now_s, RELEASES + self.rank)
            if off_host and self.going is not None:
                platform.has_gone(self)
            if off_host and self.host >= 0:
                platform.give_host(self)
            if self.has_quota and gone:
                self.has_quota = False
                platform.quota.give(self.group.setup.plan)
        refused = None
        if transition.asks_quota and not self.has_quota:
            yield env.at(self.now_s, REQUESTS + self.rank)
            self.has_quota = platform.quota.ask(self.group.setup.plan)
            refused = None if self.has_quota else self.state.no_quota
        unplaced = self.state.power is PowerState.STOPPED and self.host < 0 and not platform.endless
        if transition.asks_host or (unplaced and target.power is PowerState.STARTING):
            left = self.host
            if self.host >= 0:  # it leaves one host for another
                yield env.at(self.now_s, RELEASES + self.rank)
                if self.host >= 0:  # unless it has failed at this very instant
                    platform.give_host(self)
            yield env.at(self.now_s, REQUESTS + self.rank)
            going = platform.ask_host(self, left)
            if going is not None and self.pending == "host_failed":
                self.pending = ""  # that was the host before
            refused = self.state.no_room if going is None else None
            for leaving in going or ():
                yield leaving
                self._pass(env.now)
        self.acquiring = False
        if refused is None:
            return transition
        used_up = self.attempts + 1 >= self.group.state_machine.plan.retry.attempts
        transition = refused.gives_up if used_up and refused.gives_up is not None else refused.transition
        return (yield from self._acquire_resources(transition, platform)) if transition.needs_resource else transition

    def _be_admitted(self, transition: Transition, platform: SharedPlatform) -> Generator[Event, Any, Transition]:
        """Wait until the subscription's rate limit lets the operation through; each refusal is told and backed off from.

        A refusal says when to come back (`Retry-After`); whoever has a longer back-off waits that long.
        """
        env, retry = self.group.env, self.group.state_machine.plan.retry
        pause_s = retry.backoff_s
        try:
            yield env.at(self.now_s, REQUESTS + self.rank)
            while transition.target.begins and (retry_after_s := platform.throttles(transition.target.operation or "")):
                self.group.refuse(transition.target.operation or "", "TooManyRequests")
                again_s = self.now_s + max(pause_s, retry_after_s)
                yield env.at(again_s, REQUESTS + self.rank)
                self._pass(again_s)
                pause_s = min(pause_s * retry.multiplier, retry.max_backoff_s)
        except simpy.Interrupt as interrupt:
            self._pass(env.now)
            transition = self._follow_request(self.state, interrupt.cause)
            return (yield from self._be_admitted(transition, platform))
        return transition

    def _pass(self, until_s: float) -> None:
        """Time goes by in the state, though its own end has come: the VM waits for others."""
        self._turn_until(self.state, until_s)
        if self.state.runs_timers:
            self._advance_timers(self.state, until_s - self.now_s)
        self.now_s = until_s

    def close(self) -> None:
        """Nothing more happens before the horizon, except that demand may turn."""
        self._turn_until(self.state, self.group.horizon_s)

    def move(self, transition: Transition) -> State:
        """The one door: leave a state, enter the next, tell the books. Raises LifecycleError."""
        if transition.source is not self.state:
            raise LifecycleError(self._explain(transition))
        group = self.group
        group.when.append(self.now_s)
        group.what.append(2 * transition.index + self.wanted)
        if self.tell is not None:
            self.tell(self, transition)
        if transition.has_effect:
            self._apply_effects(transition)
        self.state = state = transition.target
        if self.awaited is not None and state.operation is None:
            self.awaited.succeed(state)
            self.awaited = None
        return state

    def _follow_request(self, state: State, asked: Any) -> Transition:
        """The transition of an operation that somebody outside has asked for; who waited for an earlier one waits no longer."""
        if isinstance(asked, Transition):  # as the platform put it, or the autoscaler
            self.pending_target = None
            return asked
        operation, done = asked  # as `Fleet.request` put it
        transition = self.group.state_machine.asks[state.index, operation]
        if self.awaited is not None:
            self.awaited.succeed(transition.target)
        self.awaited, self.pending_target = done, None
        self.wanted_when_asked = self.wanted
        return transition

    def _demand_has_changed(self, state: State) -> bool:
        """Whether the end of an operation asked for finds demand other than its beginning did."""
        if state.operation is not None:
            return False
        before, self.wanted_when_asked = self.wanted_when_asked, -1
        return self.wanted != before

    def _explain(self, transition: Transition) -> str:
        """Who can't make a move, when, from where, what it could do instead, and its story so far."""
        transitions = self.group.state_machine.transitions
        could = ", ".join(dict.fromkeys(a.target.name for a in transitions if a.source is self.state)) or "nowhere"
        told = (
            "; ".join(f"{t_s / 3600:.3f} h {a.source.name} -> {a.target.name}" for t_s, a in self.past[-MOVES_SHOWN:])
            or "not kept: the fleet is not asked_from_outside"
        )
        return (
            f"{self.name} at {self.now_s / 3600:.3f} h: {transition.source.name} -> {transition.target.name} can't be, for it is in "
            f"{self.state.name}; from there it goes to {could}. Its story: {told}"
        )

    def _apply_effects(self, transition: Transition) -> None:
        """What a move does besides: attempts counted, clocks set anew, the end of demand."""
        if transition.code:
            self.code = transition.code
        if transition.attempts is RESET:
            self.attempts = 0
        elif transition.attempts is ADD:
            self.attempts += 1
        if transition.sets_life and self.group.lifetime_stream >= 0:
            self.dies_s = self.now_s + self.group.lifetime_s(self.index)
        if transition.resamples_crash:
            self.crash_left_s = self.draw(self.group.state_machine.crash_stream)
        if transition.resamples_eviction:
            self.eviction_left_s = self.draw(self.group.state_machine.eviction_stream)
        if transition.ends_demand:
            self.edge_s = NEVER
            if self.wanted:
                self.group.when.append(self.now_s)
                self.group.what.append(transition.target.turns + 1)
                self.wanted = 0

    def draw(self, stream: int) -> float:
        """The next variate of one stream."""
        try:
            return self.draws[stream]()
        except StopIteration:
            draw = self.group.variates.column(self.index, stream, self.blocks[stream])
            self.draws[stream] = draw
            self.blocks[stream] += 1
            return draw()

    def _next_end(self, state: State) -> tuple[Transition, float]:
        """How the stay in *state* ends if demand leaves it alone, and when (s)."""
        now_s, wait = self.now_s, state.wait
        if wait is SAMPLED:
            took_s = state.fixed_s
            if took_s is None:
                took_s = self.draw(state.stream)
            transition, end_s = state.next, now_s + took_s
            if took_s > state.deadline_s:
                transition, end_s = state.late, now_s + state.deadline_s
        elif wait is REST:
            transition, end_s = None, NEVER
        elif wait is BACKOFF:
            transition, end_s = state.next, now_s + self.group.state_machine.backoff_s[self.attempts - 1]
        else:
            transition, end_s = state.next, now_s
        if state.chances:
            for chance in state.chances:
                if self.draw(chance.stream) < chance.probability:
                    used_up = self.attempts + 1 >= self.group.state_machine.plan.retry.attempts
                    transition = chance.gives_up if used_up and chance.gives_up is not None else chance.transition
                    if chance.at_deadline:
                        end_s = now_s + state.deadline_s
                    break
        if state.has_timers:
            for expire, expires_s in (
                (state.crash, now_s + self.crash_left_s),
                (state.evict, now_s + self.eviction_left_s),
                (state.life, self.dies_s),
            ):
                if expire is not None and expires_s < end_s:
                    transition, end_s = expire, max(expires_s, now_s)
        return transition, end_s  # type: ignore[return-value]  # a stay that never ends needs no transition

    def _advance_timers(self, state: State, stayed_s: float) -> None:
        """The stay is over: clocks that ran in it have run on."""
        if state.runs_crash_timer:
            self.crash_left_s -= stayed_s
        if state.runs_eviction_timer:
            self.eviction_left_s -= stayed_s

    def _count_instant(self) -> None:
        self.stuck += 1
        if self.stuck > STUCK:
            raise LifecycleError(
                f"{self.name} at {self.now_s / 3600:.3f} h moves for ever at one instant: {self.state.name}"
            )

    # -- demand ----------------------------------------------------------------------------------------------------

    def _be_wanted(self) -> None:
        """Demand at the moment of the first request."""
        state_machine, calendar = self.group.state_machine, self.group.calendar
        if state_machine.crash_stream >= 0:
            self.crash_left_s = self.draw(state_machine.crash_stream)
        if state_machine.eviction_stream >= 0:
            self.eviction_left_s = self.draw(state_machine.eviction_stream)
        if recorded_s := state_machine.plan.demand.recorded_lifetimes_s:
            self.dies_s = self.now_s + recorded_s[self.index]
        first, self.wanted = 1, 0
        if calendar is not None:
            first = int(calendar.wanted_first)
            self.edge_s = 0.0
            self.edge_s = self._next_edge(first)
            while self.edge_s <= self.now_s:
                first = 1 - first
                self.edge_s = self._next_edge(first)
        elif state_machine.edge_streams[0] >= 0:
            self.edge_s = self.now_s + self.draw(state_machine.edge_streams[0])
        if first:
            self.group.when.append(self.now_s)
            self.group.what.append(state_machine.turn(self.state, 0))
            self.wanted = 1

    def _next_edge(self, wanted: int) -> float:
        """When demand turns after the edge at `edge_s`, being *wanted* until then (s)."""
        group = self.group
        calendar, (on, off) = group.calendar, group.state_machine.edge_streams
        if calendar is not None:
            if self.edge_no >= len(calendar.edges_s):
                return NEVER
            edge_s = calendar.edges_s[self.edge_no]
            self.edge_no += 1
            return edge_s if on < 0 else max(edge_s + self.draw(on), self.edge_s)
        return self.edge_s + self.draw(on if wanted else off)

    def _turn_until(self, state: State, until_s: float) -> None:
        """Demand turns, once or more, up to an instant (included; at the horizon excluded)."""
        group = self.group
        edge_s = self.edge_s
        while edge_s <= until_s and edge_s < group.horizon_s:
            group.when.append(edge_s)
            group.what.append(state.turns + self.wanted)
            self.wanted = 1 - self.wanted
            self.edge_s = edge_s = self._next_edge(self.wanted)

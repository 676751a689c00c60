"""One group in a SimPy run: what its VMs share, and what is known of each VM between two events."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import simpy
from simpy.events import Event

from sim.engines.events import Noted, of_refusal
from sim.engines.group_setup import GroupSetup
from sim.engines.shared.priorities import RANK_BITS
from sim.engines.shared.work import Record, capacity_until
from sim.engines.simpy.environment import Environment
from sim.engines.simpy.variates import Variates, samplers_of
from sim.model.faults.fall_back import Request
from sim.model.state_machine import Chance, Refusal, State, Transition
from sim.usage.ledger import to_ticks
from sim.usage.ready import NEVER as NEVER_READY

NEVER = float("inf")
CONFLICT = "OperationNotAllowed"


class Resources(Protocol):
    """What a VM asks of the platform that it shares with others."""

    throttled: bool  # there is a rate limit

    def throttles(self, operation: str, vm: VmRecord, /) -> float:
        """0 if the operation is admitted now; else when to come back (s from now)."""

    def is_endless(self, vm: VmRecord, /) -> bool:
        """Whether there is hardware without end for the VM."""

    def ask_quota(self, vm: VmRecord, /) -> bool:
        """Whether every limit leaves room for the VM, which is counted then."""

    def give_quota(self, vm: VmRecord, /) -> None:
        """The VM is gone."""

    def ask_host(self, vm: VmRecord, avoid: int = -1, /) -> Sequence[Event] | None:
        """Put the VM on a host: the departures that it has to wait for; None: there is no room."""

    def give_host(self, vm: VmRecord, /) -> None:
        """The VM is off its host."""

    def has_gone(self, spot: VmRecord, /) -> None:
        """An evicted VM is off its host."""


class GroupRun:
    """One group in a SimPy run: what its VMs share."""

    def __init__(
        self,
        setup: GroupSetup,
        env: Environment,
        platform: Resources | None = None,
        *,
        start_vm: Callable[[GroupRun, int, float], VmRecord],
        warm_up_s: float = 0.0,
        takes_requests: bool = False,
    ) -> None:
        self.setup = setup
        self.start_vm = start_vm
        self.env = env
        self.platform = platform
        self.horizon_s = setup.horizon_s
        self.warm_up_s = warm_up_s
        self.may_be_interrupted = takes_requests or platform is not None or bool(setup.state_machine.asks)
        self.state_machine = setup.state_machine
        self.calendar = setup.calendar
        self.lifetime_stream = setup.state_machine.lifetime_stream
        is_open = setup.plan.demand.is_open
        samplers, rows = samplers_of(setup.state_machine)
        self.variates = Variates(
            setup.group_key, setup.state_machine.stream_names, samplers, rows,
            first=2 if is_open else 4, members=None if is_open else setup.plan.most_vms,
        )  # fmt: skip
        # The event buffer: instants, moves, and the VMs that moved (if someone listens). The fleet flushes it.
        self.when = array("d")
        self.what = array("q")
        self.whom: array[int] | None = None
        self.waits = array("q")  # from wanted to ready, in ticks, as `sim.usage.ready` counts them
        self.vms: dict[int, VmRecord] = {}  # those alive, where something may interrupt them
        self.over: set[int] = set()  # births whose VM is gone, and those of its name that wait for that
        self.held: set[int] = set()
        known = setup.capacity
        self.record = (
            Record((), 0, 0, True)
            if known is None
            else Record(known.edges_s, 0, len(known.edges_s), known.wanted_first)
        )
        self.home = self  # the group that its requests are of
        self.other: GroupRun | None = None  # with whose VMs its requests may go on
        self.counts: dict[str, int] = {}  # what isn't a move
        self.work = [0, 0, 0, 0]  # of `shared.work`
        self.amounts: dict[str, float] = {}
        self.on_move: Callable[[VmRecord, Transition], None] | None = None
        self.on_event: Callable[[Noted], None] | None = None  # what isn't a move

    def lifetime_s(self, index: int) -> float:
        """An arrival's lifetime: one draw, however often the VM has to be replaced."""
        owners = self.setup.lifetime_owners
        return self.variates.column(index if owners is None else int(owners[index]), self.lifetime_stream, 0)()

    def capacity_until(self, now_s: float) -> float:
        """Until when there is spot capacity from now on (s); now, if there is none."""
        return capacity_until(*self.record, now_s)

    def count(self, metric: str) -> None:
        """Something happened that isn't a move."""
        if self.env.now >= self.warm_up_s:
            self.counts[metric] = self.counts.get(metric, 0) + 1

    def note_wait(self, since_s: float, until_s: float) -> None:
        """A VM that is wanted since an instant is ready, or (infinite) is no longer wanted before it was."""
        if since_s >= self.warm_up_s:
            self.waits.append(to_ticks(until_s - since_s) if until_s < NEVER else NEVER_READY)

    def refuse(self, operation: str, code: str, vm: VmRecord) -> None:
        """The control plane has rejected an operation on a VM."""
        self.count(f"operations.{operation}.rejected")
        if code != CONFLICT:  # counted as rejected only
            self.count(f"failures.{code}")
        if self.on_event is not None:
            self.on_event(of_refusal(self.setup, vm.index, self.env.now, operation, code))

    def add_vm(self, row: int, born_s: float) -> None:
        """A VM is requested now: a row of the group's births."""
        vm = self.start_vm(self, row, born_s)
        vm.on_move = self.on_move
        if self.may_be_interrupted:
            self.vms[vm.index] = vm

    def forget(self, vm: VmRecord) -> None:
        """A VM is gone; the next of its name that waits for that is requested now, unless it is no longer wanted."""
        self.vms.pop(vm.index, None)
        if (stepped := self.setup.stepped) is None:
            return
        row = vm.row
        self.over.add(row)
        while row + 1 in self.held:
            row += 1
            self.held.discard(row)
            if stepped.end_s(row) > vm.now_s:
                self.add_vm(row, vm.now_s)
                return
            self.over.add(row)

    def source(self) -> Generator[Event, Any, None]:
        """Requests VMs one after the other, each at its instant, or when the one that had its name is gone."""
        stepped = self.setup.stepped
        for row, born_s in self.setup.births_in_time():
            if born_s > self.env.now:
                yield self.env.at(born_s)
            if stepped is not None and stepped.earlier[row] and row - 1 not in self.over:
                self.held.add(row)
            else:
                self.add_vm(row, born_s)


@dataclass(slots=True, eq=False)
class VmRecord:
    """What is known of one VM between two events, and what the platform and requests from outside do to it."""

    group: GroupRun
    index: int
    now_s: float
    row: int  # of the group's births
    member: int = field(init=False)  # with which its streams are keyed
    state: State = field(init=False)
    attempts: int = field(init=False, default=0)  # failed ones of the operation under way
    code: str = field(init=False, default="")  # of the last failure
    draws: list[Callable[[], float]] = field(init=False)
    blocks: list[int] = field(init=False)
    wanted: int = field(init=False, default=0)
    awaited_since_s: float = field(init=False, default=NEVER)  # wanted, and not ready since then
    edge_s: float = field(init=False, default=NEVER)  # when demand turns next
    edge_no: int = field(init=False, default=0)
    edge_to: int = field(init=False, default=0)  # what demand turns to then, where the VM has edges of its own
    own_edges: Iterator[tuple[float, int]] | None = field(init=False, default=None)  # those to come
    crash_left_s: float = field(init=False, default=NEVER)  # of serving, until the guest crashes
    eviction_left_s: float = field(init=False, default=NEVER)  # of running, until the VM is evicted
    dies_s: float = field(
        init=False, default=NEVER
    )  # when an arrival's lifetime is over; or its work left (`LifeTimer`)
    due_s: float = field(init=False, default=NEVER)  # when its work is due, if that is before the horizon
    worked_s: float = field(init=False, default=0.0)  # since the guest last came up
    requested_s: float = field(init=False, default=0.0)
    work_s: float = field(init=False, default=0.0)  # of the request, where it may fall back
    evicted: int = field(init=False, default=0)  # times
    moving_since_s: float = field(init=False, default=NEVER)  # waited for, while the request moves on
    moved: int = field(init=False, default=0)  # times that the request has gone on with another VM
    has_run: bool = field(init=False, default=False)  # an arrival's VM has come to Running once
    stuck: int = field(init=False, default=0)  # moves at this instant
    on_move: Callable[[VmRecord, Transition], None] | None = field(init=False, default=None)
    process: simpy.Process | None = field(init=False, default=None)
    # Requests from outside:
    awaited: Event | None = field(init=False, default=None)  # the end of an operation, for those who wait for it
    pending_target: State | None = field(init=False, default=None)  # of an operation asked for at this instant
    wanted_when_asked: int = field(init=False, default=-1)  # demand when it was asked for, while that operation runs
    past: list[tuple[float, Transition]] = field(init=False, default_factory=list)  # moves, where requests may come
    # On a platform:
    host: int = field(init=False, default=-1)
    host_row: int = field(init=False, default=-1)  # of the platform's table of VMs on hosts
    going: Event | None = field(init=False, default=None)  # another VM waits for its departure
    has_quota: bool = field(init=False, default=False)
    acquiring: bool = field(init=False, default=False)  # in the middle of asking or giving back
    pending: str = field(init=False, default="")  # a disruption that waits for an answer: host_failed or preempt

    def __post_init__(self) -> None:
        stepped = self.group.setup.stepped
        self.member = self.index if stepped is None else int(stepped.member[self.row])
        streams = len(self.group.state_machine.stream_names)
        self.state = self.group.state_machine.first_of(self.now_s).source
        self.draws = [_no_draw_left] * streams
        self.blocks = [0] * streams

    @property
    def request_state(self) -> Request:
        """Its work and its time."""
        demand = self.group.state_machine.plan.demand
        return Request(self.requested_s, demand.deadline_s, self.work_s, self.dies_s)

    @property
    def rank(self) -> int:
        """Its place among all VMs of the fleet, where several act at one instant."""
        return (self.group.setup.index << RANK_BITS) + self.index

    @property
    def zone(self) -> int:
        """The zone it is pinned to, or 0."""
        zones = self.group.setup.plan.zones
        return zones[self.index % len(zones)] if zones else 0

    @property
    def name(self) -> str:
        """`<group>-0007`: the same in every run."""
        return f"{self.group.state_machine.plan.name}-{self.index:04d}"

    def disrupt(self, what: str) -> None:
        """The platform strikes (`host_failed` or `preempt`): at once where the state answers, else as soon as one does."""
        transition = self.answer_to(what)
        if transition is None or self.acquiring or self.pending_target is not None:
            self.pending = what
        else:
            self.interrupt(transition)

    def answer_to(self, what: str) -> Transition | None:
        """The transition that answers a disruption in the present state."""
        state = self.state
        if what == "host_failed" and self.is_last_attempt and state.host_failed_gives_up is not None:
            return state.host_failed_gives_up
        answer: Transition | None = getattr(state, what)
        return answer

    @property
    def is_last_attempt(self) -> bool:
        """Whether the automation gives up if this attempt fails."""
        return self.attempts + 1 >= self.group.state_machine.plan.retry.attempts

    def led_by(self, refusal: Refusal | Chance) -> Transition:
        """The transition that a refusal, or a failure, leads to."""
        return refusal.gives_up if refusal.gives_up is not None and self.is_last_attempt else refusal.transition

    @property
    def may_be_scaled(self) -> bool:
        """Whether an autoscaler may make it leave its state now."""
        return self.pending_target is None and not self.acquiring

    def interrupt(self, transition: Transition) -> None:
        """Make the VM leave its state now, by a transition of it; by one that answers demand, demand turns (an autoscaler does that)."""
        assert self.process is not None
        if transition is self.state.up or transition is self.state.down:
            self.edge_s = self.group.env.now
        self.pending_target = transition.target
        self.process.interrupt(transition)

    def request(self, operation: str, done: Event) -> None:
        """Make the VM begin an operation that its state accepts; *done* comes when it has ended."""
        assert self.process is not None
        self.pending_target = self.group.state_machine.asks[(self.pending_target or self.state).index, operation].target
        self.process.interrupt((operation, done))

    def transition_of(self, cause: Any) -> Transition:
        """The transition that an interrupt asks for; of two requests at once, the earlier one ends with the later."""
        if isinstance(cause, Transition):  # of the platform, or of the autoscaler
            self.pending_target = None
            return cause
        operation, done = cause
        transition = self.group.state_machine.asks[self.state.index, operation]
        if self.awaited is not None:
            self.awaited.succeed(transition.target)
        self.awaited, self.pending_target = done, None
        self.wanted_when_asked = self.wanted
        return transition

    def close(self) -> None:
        """Demand turns up to the horizon."""
        raise NotImplementedError

    def draw(self, stream: int) -> float:
        """The next variate of one stream."""
        try:
            return self.draws[stream]()
        except StopIteration:
            draw = self.group.variates.column(self.member, stream, self.blocks[stream])
            self.draws[stream] = draw
            self.blocks[stream] += 1
            return draw()


def _no_draw_left() -> float:
    raise StopIteration

"""A VM as a SimPy process: it enters a state, waits for the end of it, and takes the next transition.

What a state shows, how long it lasts and which transition answers what stands in the state machine
(`sim.model.state_machine`). Time passes only at `yield`; the state changes only in `move`.
"""

import math
from collections.abc import Generator
from typing import Any

import simpy
from simpy.events import Event

from sim.distributions.streams import EARLIER_BITS
from sim.engines.shared.work import IN_TIME, LATE, LOST_WORK, capacity_from, falls_back_at, late_ticks, returns_at
from sim.engines.simpy.acquisition import VmOnPlatform
from sim.engines.simpy.group_run import NEVER, GroupRun
from sim.errors import LifecycleError, PlugInError
from sim.fields.registry import name_of
from sim.model.state_machine import DEMANDS, STUCK, Attempts, Delay, Life, LifeTimer, State, Transition
from sim.units import SECONDS_PER_HOUR
from sim.usage.ledger import LEFT_ON, to_ticks

SAMPLED, BACKOFF, REST = Delay.SAMPLED, Delay.BACKOFF, Delay.REST  # a member of an Enum is looked up slowly
ADD, RESET = Attempts.ADD, Attempts.RESET
KEEP, LOST = Life.KEEP, Life.LOST
CLOCK, WORKS = LifeTimer.CLOCK, LifeTimer.WORKS
MOVES_SHOWN = 12  # latest moves of a VM in an error


class Vm(VmOnPlatform):
    """One virtual machine of a group, and the automation that looks after it."""

    __slots__ = ()

    def simulate(self) -> Generator[Event, Any, None]:
        """From the VM's request to its end, or to the horizon."""
        group = self.group
        env, horizon_s, platform = group.env, group.horizon_s, group.platform
        self.begin_demand()
        transition = group.state_machine.first_of(self.now_s)
        while True:
            if transition.needs_resource and platform is not None:
                transition = yield from self.acquire_resources(transition, platform)
            state = self.move(transition)
            if state.ends:
                group.forget(self)
                if state.moves_on:
                    self._move_on()
                return
            # A disruption may have come before a state that answers it, and demand may have turned during an operation.
            if self.pending and (answer := self.answer_to(self.pending)) is not None:
                self.pending = ""
                transition = answer
                continue
            if state.level or (self.wanted_when_asked >= 0 and self._demand_has_changed(state)):
                answer = state.up if self.wanted else state.down
                if answer is not None:
                    transition = answer
                    continue
            # The stay: until its own end, an edge of demand that the state answers, or an interrupt.
            transition, end_s = self._end_of_stay(state)
            while True:
                wake_s = self.edge_s if state.answers and self.edge_s <= end_s else end_s
                try:
                    if not wake_s < horizon_s:
                        if not group.may_be_interrupted:
                            self.close()
                            return
                        yield env.event()  # never comes, but an interrupt may
                    elif wake_s > self.now_s:
                        self.stuck = 0
                        yield env.at(wake_s)
                    else:
                        self._count_instant()
                except simpy.Interrupt as interrupt:
                    wake_s = env.now
                    self.turn_demand_until(wake_s)
                    transition = self.transition_of(interrupt.cause)
                    break
                if self.edge_s <= wake_s and self.turn_demand_until(wake_s):
                    answer = state.up if self.wanted else state.down
                    if answer is not None:
                        transition = answer
                        break
                if wake_s >= end_s:
                    break
            if state.runs_timers:
                self.advance_timers(wake_s - self.now_s)
            self.now_s = wake_s

    def move(self, transition: Transition) -> State:
        """The one way to change state: leave a state, enter the next, record the move. Raises LifecycleError."""
        if transition.source is not self.state:
            raise LifecycleError(self._explain(transition))
        group = self.group
        group.when.append(self.now_s)
        group.what.append(DEMANDS * transition.index + self.wanted)
        if self.awaited_since_s < NEVER and transition.target.serving:
            group.note_wait(self.awaited_since_s, self.now_s)
            self.awaited_since_s = NEVER
        if self.on_move is not None:
            self.on_move(self, transition)
        if transition.has_effect:
            self._apply_effects(transition)
        self.state = state = transition.target
        if self.wanted == LEFT_ON and not state.is_running:
            self.wanted = 0  # a VM that is off is left on by no one
        if self.awaited is not None and state.operation is None:
            self.awaited.succeed(state)
            self.awaited = None
        return state

    def _apply_effects(self, transition: Transition) -> None:
        """What a transition does besides: attempts are counted, timers drawn anew, demand ends."""
        group = self.group
        if transition.code:
            self.code = transition.code
        if transition.attempts is RESET:
            self.attempts = 0
        elif transition.attempts is ADD:
            self.attempts += 1
        if transition.life is not KEEP and not self.has_run:
            self._begin_life(lost=transition.life is LOST)
        if transition.resamples_crash:
            self.crash_left_s = self.draw(self.group.state_machine.crash_stream)
        if transition.resamples_eviction:
            self.eviction_left_s = self.draw(self.group.state_machine.eviction_stream)
        if transition.starts_work:
            self.worked_s = 0.0
        if transition.evicts:
            self._lose_work()
        if transition.completes_work and self.has_run and self.due_s < group.horizon_s:
            late = late_ticks(self.due_s, self.now_s)
            group.home.work[IN_TIME] += late == 0
            group.home.work[LATE] += late - late_ticks(self.due_s, group.horizon_s)
        if transition.target.moves_on:  # it is waited for still
            self.moving_since_s, self.awaited_since_s = self.awaited_since_s, NEVER
        if transition.ends_demand:
            self.end_demand(transition.target)

    def _lose_work(self) -> None:
        """An eviction: the work since the last checkpoint has to be done again."""
        spot = self.group.state_machine.plan.spot
        assert spot
        self.evicted += 1
        lost_s = min(self.worked_s, spot.lost_work_s)
        self.dies_s += lost_s
        if self.now_s >= self.group.warm_up_s:
            self.group.work[LOST_WORK] += to_ticks(lost_s)

    def _begin_life(self, *, lost: bool) -> None:
        """The lifetime of the request begins, once; or it is *lost*: its VM never ran."""
        group = self.group
        self.has_run = not lost
        if lost:
            self.dies_s = 0.0
        elif (
            group.lifetime_stream >= 0 and group.state_machine.plan.fall_back is None
        ):  # else its work is known already
            lifetime_s = group.lifetime_s(self.index)
            self.dies_s = lifetime_s if group.state_machine.plan.demand.lifetime_is_work else self.now_s + lifetime_s

    def _life_ends_s(self, state: State) -> float:
        """When the lifetime is over if the VM stays in *state*."""
        if state.life_timer is CLOCK:
            return self.dies_s
        if state.life_timer is WORKS:
            return self.now_s + self.dies_s
        return self.now_s if self.dies_s <= 0.0 else NEVER

    def _moves_s(self, state: State) -> float:
        """When the request goes on with a VM of the other priority, if the VM stays in *state*."""
        plan, record = self.group.state_machine.plan, self.group.record
        if state.moves is None or plan.fall_back is None:
            return NEVER
        changeover_s, policy = plan.fall_back.changeover_s, plan.fall_back.policy
        if policy is not None:
            when = policy.returns_at if plan.spot is None else policy.goes_on_at
            try:
                at_s = when(self.now_s, self.request_state, changeover_s, lambda at_s: capacity_from(record, at_s))
                if math.isnan(at_s):
                    raise ValueError("nan is no instant")
            except Exception as wrong:
                where = f"{self.name} at {self.now_s / SECONDS_PER_HOUR:.3f} h"
                said = f"{name_of(policy)}: {when.__name__} failed for {where} ({type(wrong).__name__}: {wrong})"
                raise PlugInError(said) from wrong
            return at_s
        if plan.spot is None:
            return returns_at(self.now_s, self.request_state, changeover_s, record)
        enough = self.evicted >= plan.fall_back.evictions
        return falls_back_at(plan.fall_back.rule, enough, self.now_s, self.request_state, changeover_s, record)

    def _move_on(self) -> None:
        """The request goes on with a VM of the other priority, under its number."""
        group = self.group.other
        if group is None:
            return  # the VM is simulated alone
        vm = Vm(group, self.index, self.now_s, self.row)
        vm.moved = self.moved + 1
        vm.member = self.index + (vm.moved << EARLIER_BITS)
        vm.requested_s, vm.work_s, vm.dies_s, vm.due_s = self.requested_s, self.work_s, self.dies_s, self.due_s
        vm.has_run, vm.evicted, vm.on_move = self.has_run, self.evicted, group.on_move
        vm.moving_since_s = self.moving_since_s
        if group.may_be_interrupted:
            group.vms[vm.index] = vm
        vm.process = group.env.process(vm.simulate())

    def _demand_has_changed(self, state: State) -> bool:
        """Whether the end of an operation asked for from outside finds demand other than its beginning did."""
        if state.operation is not None:
            return False
        before, self.wanted_when_asked = self.wanted_when_asked, -1
        return self.wanted != before

    def _end_of_stay(self, state: State) -> tuple[Transition, float]:
        """How the stay ends if neither demand nor an interrupt ends it earlier, and when (s)."""
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
                    transition = self.led_by(chance)
                    if chance.at_deadline:
                        end_s = now_s + state.deadline_s
                    break
        if state.no_capacity is not None and transition is state.next and self.group.capacity_until(end_s) <= end_s:
            transition = self.led_by(state.no_capacity)
        if state.has_timers:
            evicted_s = now_s + self.eviction_left_s
            if state.evict is not None:
                evicted_s = min(evicted_s, self.group.capacity_until(now_s))
            for expire, expires_s in (
                (state.crash, now_s + self.crash_left_s),
                (state.evict, evicted_s),
                (state.life, self._life_ends_s(state)),
                (state.moves, self._moves_s(state)),
            ):
                if expire is not None and expires_s < end_s:
                    transition, end_s = expire, max(expires_s, now_s)
        return transition, end_s  # type: ignore[return-value]  # a stay that never ends needs no transition

    def _count_instant(self) -> None:
        self.stuck += 1
        if self.stuck > STUCK:
            raise LifecycleError(
                f"{self.name} at {self.now_s / SECONDS_PER_HOUR:.3f} h moves for ever at one instant: {self.state.name}"
            )

    def _explain(self, transition: Transition) -> str:
        """Which VM can't make a move, when, from where, what it could do instead, and its latest moves."""
        transitions = self.group.state_machine.transitions
        could = ", ".join(dict.fromkeys(a.target.name for a in transitions if a.source is self.state)) or "nowhere"
        moves = "; ".join(
            f"{t_s / SECONDS_PER_HOUR:.3f} h {a.source.name} -> {a.target.name}" for t_s, a in self.past[-MOVES_SHOWN:]
        )
        return (
            f"{self.name} at {self.now_s / SECONDS_PER_HOUR:.3f} h: {transition.source.name} -> {transition.target.name} "
            f"is not possible: the VM is in {self.state.name}, from where it goes to {could}. "
            f"Last moves: {moves or 'not kept: the fleet takes no requests'}"
        )


def start_vm(group: GroupRun, row: int, born_s: float) -> Vm:
    """A VM is requested now, a row of the group's births: its process begins."""
    stepped = group.setup.stepped
    vm = Vm(group, row if stepped is None else int(stepped.vm[row]), born_s, row)
    vm.process = group.env.process(vm.simulate())
    return vm

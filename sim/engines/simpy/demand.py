"""A VM's own clock: demand that turns on and off, and timers that run while the VM is in certain states."""

from sim.engines.shared.work import DUE, LATE, late_ticks
from sim.engines.simpy.group_run import NEVER, VmRecord
from sim.model.state_machine import DEMANDS, LifeTimer, State
from sim.usage.ledger import LEFT_ON


class VmWithDemand(VmRecord):
    """A VM whose demand turns as time passes."""

    __slots__ = ()

    def begin_demand(self) -> None:
        """Timers and demand at the moment of the first request."""
        state_machine, calendar = self.group.state_machine, self.group.calendar
        if state_machine.crash_stream >= 0:
            self.crash_left_s = self.draw(state_machine.crash_stream)
        if state_machine.eviction_stream >= 0:
            self.eviction_left_s = self.draw(state_machine.eviction_stream)
        if (stepped := self.group.setup.stepped) is not None:
            self.dies_s = stepped.end_s(self.row)
        elif recorded_s := state_machine.plan.demand.recorded_lifetimes_s:
            self.dies_s = self.now_s + recorded_s[self.row]
        if not self.moved:
            self._begin_work()
        wanted = 1
        if (own := self.group.setup.own_edges) is not None:
            self.own_edges = own.of_vm(self.index)
            wanted, self.edge_s = 0, self._next_edge(0)
            while self.edge_s <= self.now_s:
                wanted = int(self.edge_to == 1)
                self.edge_s = self._next_edge(wanted)
        elif calendar is not None:
            wanted = int(calendar.wanted_first)
            self.edge_s = 0.0
            self.edge_s = self._next_edge(wanted)
            while self.edge_s <= self.now_s:
                wanted = 1 - wanted
                self.edge_s = self._next_edge(wanted)
        elif state_machine.edge_streams[0] >= 0:
            self.edge_s = self.now_s + self.draw(state_machine.edge_streams[0])
        if wanted:
            self._turn(self.now_s, 1, self.state)
        if self.moved:
            self.awaited_since_s = self.moving_since_s

    def _begin_work(self) -> None:
        """The request is made: when its work is due, and how much it is where it may fall back."""
        group, self.requested_s = self.group, self.now_s
        plan = group.state_machine.plan
        if plan.fall_back is not None:
            self.work_s = self.dies_s = group.lifetime_s(self.index)
        due_s = self.now_s + plan.demand.deadline_s
        if due_s < group.horizon_s and self.now_s >= group.warm_up_s:
            self.due_s = due_s
            group.work[DUE] += 1
            group.work[LATE] += late_ticks(due_s, group.horizon_s)  # until it is done

    def _next_edge(self, wanted: int) -> float:
        """When demand turns after the edge at `edge_s`, being *wanted* until then (s)."""
        group = self.group
        if self.own_edges is not None:
            edge_s, self.edge_to = next(self.own_edges, (NEVER, 0))
            return edge_s
        calendar, (on, off) = group.calendar, group.state_machine.edge_streams
        if calendar is not None:
            if self.edge_no >= len(calendar.edges_s):
                return NEVER
            edge_s = calendar.edges_s[self.edge_no]
            self.edge_no += 1
            return edge_s if on < 0 else max(edge_s + self.draw(on), self.edge_s)
        if on < 0:  # it turned because an autoscaler asked
            return NEVER
        return self.edge_s + self.draw(on if wanted else off)

    def turn_demand_until(self, until_s: float) -> bool:
        """Demand turns, once or more, up to an instant (included; at the horizon excluded); whether it did."""
        edge_s, turned, horizon_s = self.edge_s, False, self.group.horizon_s
        while edge_s <= until_s and edge_s < horizon_s:
            then = 1 - self.wanted
            if self.own_edges is not None:
                then = 0 if self.edge_to == LEFT_ON and not self.state.is_running else self.edge_to
            if then != self.wanted:
                turned = True
                self._turn(edge_s, then, self.state)
            self.edge_s = edge_s = self._next_edge(self.wanted)
        return turned

    def end_demand(self, state: State) -> None:
        """The VM, which is in *state*, is not wanted any more."""
        self.edge_s = NEVER
        if self.wanted:
            self._turn(self.now_s, 0, state)

    def _turn(self, at_s: float, then: int, state: State) -> None:
        """Demand turns while the VM is in *state*."""
        group, was = self.group, self.wanted
        group.when.append(at_s)
        group.what.append(state.turns + DEMANDS * was + then)
        self.wanted = then
        if then != 1:
            if self.awaited_since_s < NEVER:
                group.note_wait(self.awaited_since_s, NEVER)
                self.awaited_since_s = NEVER
        elif state.serving:
            group.note_wait(at_s, at_s)
        else:
            self.awaited_since_s = at_s

    def advance_timers(self, stayed_s: float) -> None:
        """Timers that run in this state have run on by the time of the stay."""
        if self.state.runs_crash_timer:
            self.crash_left_s -= stayed_s
        if self.state.is_running:
            self.eviction_left_s -= stayed_s
        if self.state.life_timer is LifeTimer.WORKS:
            self.dies_s -= stayed_s
            self.worked_s += stayed_s

    def wait_until(self, until_s: float) -> None:
        """Time has passed in the state, though its own end has come: the VM waits for others."""
        self.turn_demand_until(until_s)
        if self.state.runs_timers:
            self.advance_timers(until_s - self.now_s)
        self.now_s = until_s

    def close(self) -> None:
        """Demand turns up to the horizon."""
        self.turn_demand_until(self.group.horizon_s)

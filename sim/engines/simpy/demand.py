"""A VM's own clock: demand that turns on and off, and timers that run while the VM is in certain states."""

from __future__ import annotations

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
        if self.group.setup.lives is not None:
            self.dies_s = self.now_s + float(self.group.setup.lives.lifetime_s[self.row])
        elif recorded_s := state_machine.plan.demand.recorded_lifetimes_s:
            self.dies_s = self.now_s + recorded_s[self.row]
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
            self.group.when.append(self.now_s)
            self.group.what.append(state_machine.turn(self.state, 0, 1))
            self.wanted = 1

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
        group, turns = self.group, self.state.turns
        edge_s, turned = self.edge_s, False
        while edge_s <= until_s and edge_s < group.horizon_s:
            then = 1 - self.wanted
            if self.own_edges is not None:
                then = 0 if self.edge_to == LEFT_ON and not self.state.is_running else self.edge_to
            if then != self.wanted:
                turned = True
                group.when.append(edge_s)
                group.what.append(turns + DEMANDS * self.wanted + then)
                self.wanted = then
            self.edge_s = edge_s = self._next_edge(self.wanted)
        return turned

    def end_demand(self, state: State) -> None:
        """The VM, which is in *state*, is not wanted any more."""
        self.edge_s = NEVER
        if self.wanted:
            self.group.when.append(self.now_s)
            self.group.what.append(state.turns + DEMANDS * self.wanted)
            self.wanted = 0

    def advance_timers(self, stayed_s: float) -> None:
        """Timers that run in this state have run on by the time of the stay."""
        if self.state.runs_crash_timer:
            self.crash_left_s -= stayed_s
        if self.state.is_running:
            self.eviction_left_s -= stayed_s
        if self.state.life_timer is LifeTimer.WORKS:
            self.dies_s -= stayed_s

    def wait_until(self, until_s: float) -> None:
        """Time has passed in the state, though its own end has come: the VM waits for others."""
        self.turn_demand_until(until_s)
        if self.state.runs_timers:
            self.advance_timers(until_s - self.now_s)
        self.now_s = until_s

    def close(self) -> None:
        """Demand turns up to the horizon."""
        self.turn_demand_until(self.group.horizon_s)

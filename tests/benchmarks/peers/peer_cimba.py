"""Cimba: a C engine; the model is compiled, each machine is a spawned model. One worker, compiled before the clock runs."""

import cimba as cb
import work


class Fleet(cb.Model):
    """Arrivals, and the books of the fleet."""

    lives: cb.Param[int]
    gap_s: cb.Param[float]
    starting_h: cb.Output[float]
    running_h: cb.Output[float]
    deallocating_h: cb.Output[float]
    finished: cb.Output[float]

    @cb.on_start
    def open_books(self):
        """Outputs begin as NaN."""
        self.starting_h = self.running_h = self.deallocating_h = self.finished = 0.0

    @cb.process
    def arrivals(self):
        """Machines come."""
        for _ in range(self.lives):
            cb.hold(cb.random.exponential(self.gap_s))
            cb.spawn(Machine, fleet=self)


class Machine(cb.Model):
    """One machine's life."""

    fleet: cb.Ref[Fleet]

    @cb.process
    def live(self):
        """Start, run, be deleted."""
        since = cb.now()
        cb.hold(cb.random.lognormal(STARTING_MU, STARTING_SIGMA))
        self.fleet.starting_h += (cb.now() - since) / 3600.0
        since = cb.now()
        cb.hold(cb.random.lognormal(LIFETIME_MU, LIFETIME_SIGMA))
        self.fleet.running_h += (cb.now() - since) / 3600.0
        since = cb.now()
        cb.hold(cb.random.lognormal(DELETING_MU, DELETING_SIGMA))
        self.fleet.deallocating_h += (cb.now() - since) / 3600.0
        self.fleet.finished += 1.0
        cb.release(self)


STARTING_MU, STARTING_SIGMA = work.STARTING
LIFETIME_MU, LIFETIME_SIGMA = work.LIFETIME
DELETING_MU, DELETING_SIGMA = work.DELETING


DEALLOCATING_MU, DEALLOCATING_SIGMA = work.DEALLOCATING


class SwitchedFleet(cb.Model):
    """Machines that are switched on and off, and their books."""

    machines: cb.Param[int]
    starting_h: cb.Output[float]
    running_h: cb.Output[float]
    deallocating_h: cb.Output[float]
    deallocated_h: cb.Output[float]
    moves: cb.Output[float]

    @cb.on_start
    def open_books(self):
        """Outputs begin as NaN."""
        self.starting_h = self.running_h = self.deallocating_h = self.deallocated_h = self.moves = 0.0

    @cb.process
    def make(self):
        """All at once."""
        for _ in range(self.machines):
            cb.spawn(SwitchedMachine, fleet=self)


class SwitchedMachine(cb.Model):
    """One machine that is switched on and off for ever."""

    fleet: cb.Ref[SwitchedFleet]

    @cb.process
    def live(self):
        """On and off; a failed start is tried again after a growing pause."""
        while True:
            backoff = BACKOFF_S
            while True:
                since = cb.now()
                cb.hold(cb.random.lognormal(STARTING_MU, STARTING_SIGMA))
                self.fleet.starting_h += (cb.now() - since) / 3600.0
                self.fleet.moves += 1.0
                if cb.random.uniform(0.0, 1.0) >= FAILED_START:
                    break
                since = cb.now()
                cb.hold(backoff)
                self.fleet.deallocated_h += (cb.now() - since) / 3600.0
                self.fleet.moves += 1.0
                backoff = min(2.0 * backoff, MAX_BACKOFF_S)
            since = cb.now()
            cb.hold(cb.random.exponential(ON_S))
            self.fleet.running_h += (cb.now() - since) / 3600.0
            since = cb.now()
            cb.hold(cb.random.lognormal(DEALLOCATING_MU, DEALLOCATING_SIGMA))
            self.fleet.deallocating_h += (cb.now() - since) / 3600.0
            since = cb.now()
            cb.hold(cb.random.exponential(OFF_S))
            self.fleet.deallocated_h += (cb.now() - since) / 3600.0
            self.fleet.moves += 4.0 - 1.0


FAILED_START, BACKOFF_S, MAX_BACKOFF_S = work.FAILED_START, work.BACKOFF_S, work.MAX_BACKOFF_S
ON_S, OFF_S = work.ON_H * 3600.0, work.OFF_H * 3600.0


def lives(count: int, alive: int) -> tuple[int, float]:
    """All lives to their end, on one worker."""
    fleet = Fleet()
    fleet.lives, fleet.gap_s = count, work.gap_s(alive)
    found = cb.Experiment(fleet, replications=1, seed=1).run(workers=1)[fleet]
    return int(found.finished.values.item()), float(found.running_h.values.item())


def cycle(machines: int, hours: int) -> tuple[int, float]:
    """Until the horizon, on one worker."""
    fleet = SwitchedFleet()
    fleet.machines = machines
    window = cb.Window(duration=hours * 3600.0)
    found = cb.Experiment(fleet, replications=1, seed=1, window=window).run(workers=1)[fleet]
    return int(found.moves.values.item()), float(found.running_h.values.item())


lives(100, 10)  # compiles
cycle(10, 24)
work.main(lives=lives, cycle=cycle)

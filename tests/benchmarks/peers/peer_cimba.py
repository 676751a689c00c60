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


def play(lives: int, alive: int) -> tuple[int, float]:
    """All lives to their end, on one worker."""
    fleet = Fleet()
    fleet.lives, fleet.gap_s = lives, work.gap_s(alive)
    found = cb.Experiment(fleet, replications=1, seed=1).run(workers=1)[fleet]
    return int(found.finished.values.item()), float(found.running_h.values.item())


play(100, 10)
work.main(play)

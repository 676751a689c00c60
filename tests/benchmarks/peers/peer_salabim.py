"""salabim: components with generators (yield), trace off."""

import random

import salabim
import work

salabim.yieldless(False)
hours = {"starting": 0.0, "running": 0.0, "deallocating": 0.0}
finished = 0
rng = random.Random(1)


class Machine(salabim.Component):
    """One machine's life."""

    def process(self):
        """Start, run, be deleted."""
        global finished
        for state, law in (("starting", work.STARTING), ("running", work.LIFETIME), ("deallocating", work.DELETING)):
            since = self.env.now()
            yield self.hold(rng.lognormvariate(*law))
            hours[state] += (self.env.now() - since) / work.HOUR_S
        finished += 1


class Arrivals(salabim.Component):
    """Machines come."""

    def process(self, lives: int, gap_s: float):
        """One after another."""
        for _ in range(lives):
            yield self.hold(rng.expovariate(1 / gap_s))
            Machine()


def lives(count: int, alive: int) -> tuple[int, float]:
    """All lives to their end."""
    env = salabim.Environment(trace=False, random_seed=1)
    Arrivals(lives=count, gap_s=work.gap_s(alive))
    env.run()
    return finished, hours["running"]


work.main(lives=lives)

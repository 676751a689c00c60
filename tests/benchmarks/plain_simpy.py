"""The baseline: the program a modeller writes first, with SimPy only and not optimised.

One generator per VM, states as an Enum, hours in a dict, one scalar draw per step, a bill at the end. Two jobs:

* `create_run_delete`: VMs arrive (Poisson), start, run, are deleted: three timeouts per VM;
* `on_and_off`: a standing fleet that starts, runs, deallocates and stays off, again and again, with failed starts and backoff.

Durations are the project's own defaults where it has one, so that `vmfleet` and its peers can do the same work.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Generator
from dataclasses import dataclass, field
from enum import Enum

import simpy

HOUR_S = 3600.0
PRICE_USD_PER_H = 0.23
STARTING = (math.log(25.0), 0.5)  # lognormal: log of the median in seconds, sigma
LIFETIME = (math.log(3000.0), 1.8)
DELETING = (math.log(44.0), 0.7)
DEALLOCATING = (math.log(45.0), 0.7)
MEAN_LIFE_S = math.exp(LIFETIME[0] + LIFETIME[1] ** 2 / 2)
ON_S, OFF_S = 8 * HOUR_S, 16 * HOUR_S  # means of exponentials
FAILED_START = 0.02
BACKOFF_S, MAX_BACKOFF_S = 60.0, 3600.0


class State(Enum):
    """The state of a VM."""

    STARTING = "starting"
    RUNNING = "running"
    DEALLOCATING = "deallocating"
    DEALLOCATED = "deallocated"


BILLED = {State.RUNNING}


@dataclass
class Books:
    """What the yardstick keeps: hours by state, and how much was done."""

    hours: dict[State, float] = field(default_factory=lambda: defaultdict(float))
    lives: int = 0
    transitions: int = 0

    @property
    def bill_usd(self) -> float:
        """The price of the hours billed."""
        return PRICE_USD_PER_H * sum(self.hours[state] for state in BILLED)


class Machine:
    """One VM: its state, since when, and its hours."""

    def __init__(self, env: simpy.Environment, books: Books, rng: random.Random) -> None:
        self.env, self.books, self.rng = env, books, rng
        self.hours: dict[State, float] = defaultdict(float)
        self.state = State.STARTING
        self.since_s = env.now

    def move(self, state: State) -> None:
        """End the stay in one state, begin the next."""
        self.close()
        self.state = state
        self.books.transitions += 1

    def close(self) -> None:
        """Record the stay so far."""
        self.hours[self.state] += (self.env.now - self.since_s) / HOUR_S
        self.since_s = self.env.now

    def hand_in(self) -> None:
        """Add the hours of this VM to those of the fleet."""
        for state, hours in self.hours.items():
            self.books.hours[state] += hours

    def live_once(self, runs_s: float | None = None) -> Generator[simpy.Event, None, None]:
        """Start, run (for so long, or as the dice say), be deleted: three timeouts."""
        yield self.env.timeout(self.rng.lognormvariate(*STARTING))
        self.move(State.RUNNING)
        yield self.env.timeout(self.rng.lognormvariate(*LIFETIME) if runs_s is None else runs_s)
        self.move(State.DEALLOCATING)
        yield self.env.timeout(self.rng.lognormvariate(*DELETING))
        self.close()
        self.books.transitions += 1
        self.books.lives += 1
        self.hand_in()

    def live_on_and_off(self) -> Generator[simpy.Event, None, None]:
        """On and off for ever; a start may fail and is tried again after a growing pause."""
        while True:
            backoff_s = BACKOFF_S
            while True:
                yield self.env.timeout(self.rng.lognormvariate(*STARTING))
                if self.rng.random() >= FAILED_START:
                    break
                self.move(State.DEALLOCATED)
                yield self.env.timeout(backoff_s)
                backoff_s = min(2 * backoff_s, MAX_BACKOFF_S)
                self.move(State.STARTING)
            self.move(State.RUNNING)
            yield self.env.timeout(self.rng.expovariate(1 / ON_S))
            self.move(State.DEALLOCATING)
            yield self.env.timeout(self.rng.lognormvariate(*DEALLOCATING))
            self.move(State.DEALLOCATED)
            yield self.env.timeout(self.rng.expovariate(1 / OFF_S))
            self.move(State.STARTING)


def create_run_delete(lives: int, alive: int, seed: int = 1) -> Books:
    """`lives` VMs from create to delete, `alive` of them at a time on average."""
    env, books, rng = simpy.Environment(), Books(), random.Random(seed)
    rate_per_s = alive / MEAN_LIFE_S

    def arrivals() -> Generator[simpy.Event, None, None]:
        for _ in range(lives):
            yield env.timeout(rng.expovariate(rate_per_s))
            env.process(Machine(env, books, rng).live_once())

    env.process(arrivals())
    env.run()
    return books


def on_and_off(machines: int, horizon_h: float, seed: int = 1) -> Books:
    """A fleet that is switched on and off until the horizon."""
    env, books, rng = simpy.Environment(), Books(), random.Random(seed)
    fleet = [Machine(env, books, rng) for _ in range(machines)]
    for machine in fleet:
        env.process(machine.live_on_and_off())
    env.run(until=horizon_h * HOUR_S)
    for machine in fleet:
        machine.close()
        machine.hand_in()
    return books


if __name__ == "__main__":
    import time

    for name, work in (
        ("create, run, delete: 100,000 lives, 1,000 alive", lambda: create_run_delete(100_000, 1_000)),
        ("on and off: 1,000 machines, 4 weeks", lambda: on_and_off(1_000, 672.0)),
        ("on and off: 10,000 machines, 3 days", lambda: on_and_off(10_000, 72.0)),
    ):
        began = time.perf_counter()
        books = work()
        seconds = time.perf_counter() - began
        print(f"{name}: {books.transitions / seconds / 1e6:.2f} M transitions/s, bill {books.bill_usd:,.0f} USD")

"""The baseline for fleets that share hosts: a plain SimPy program with a pool of hosts, first fit, and retries with back-off.

VMs arrive, take the first host with room (a scan of a list, the obvious first version), start, run, are deleted
and give their room back. States, hours and a bill as in `plain_simpy`.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass

import simpy

from tests.benchmarks.plain_simpy import BACKOFF_S, LIFETIME, MAX_BACKOFF_S, MEAN_LIFE_S, Books, Machine

VCPUS, MEMORY_GIB = 4, 16.0  # of a VM
HOST_VCPUS, HOST_MEMORY_GIB = 96, 768.0
SPARE = 1.25  # room in all, over what is taken on average


@dataclass
class Host:
    """A server and what is free on it."""

    free_vcpus: int = HOST_VCPUS
    free_memory_gib: float = HOST_MEMORY_GIB


@dataclass
class Request:
    """A requested VM: when, how large, and for how long it runs."""

    at_s: float
    vcpus: int
    memory_gib: float
    runs_s: float


class HostPool:
    """All servers, looked through from the first to the last."""

    def __init__(self, count: int) -> None:
        self.hosts = [Host() for _ in range(count)]

    def take(self, vcpus: int, memory_gib: float) -> Host | None:
        """The first server with room, now with less of it."""
        for host in self.hosts:
            if host.free_vcpus >= vcpus and host.free_memory_gib >= memory_gib:
                host.free_vcpus -= vcpus
                host.free_memory_gib -= memory_gib
                return host
        return None


class HostedMachine(Machine):
    """A VM that needs room before it starts."""

    def live_hosted(self, pool: HostPool, wanted: Request) -> Generator[simpy.Event, None, None]:
        """Find room (or try again later), start, run, be deleted."""
        backoff_s = BACKOFF_S
        while (host := pool.take(wanted.vcpus, wanted.memory_gib)) is None:
            yield self.env.timeout(backoff_s)
            backoff_s = min(2 * backoff_s, MAX_BACKOFF_S)
        self.since_s = self.env.now
        yield from self.live_once(wanted.runs_s)
        host.free_vcpus += wanted.vcpus
        host.free_memory_gib += wanted.memory_gib


def hosts_for(alive: int) -> int:
    """Servers for this number of VMs at a time."""
    return max(2, round(SPARE * alive * VCPUS / HOST_VCPUS))


def requests(lives: int, alive: int, rng: random.Random) -> Iterator[Request]:
    """A Poisson stream of identical VMs."""
    at_s = 0.0
    for _ in range(lives):
        at_s += rng.expovariate(alive / MEAN_LIFE_S)
        yield Request(at_s, VCPUS, MEMORY_GIB, rng.lognormvariate(*LIFETIME))


def play(stream: Iterable[Request], hosts: int, *, until_s: float, seed: int = 1) -> Books:
    """VMs are created and deleted until the horizon."""
    env, books, rng = simpy.Environment(), Books(), random.Random(seed)
    pool = HostPool(hosts)

    def arrivals() -> Generator[simpy.Event, None, None]:
        for wanted in stream:
            yield env.timeout(max(0.0, wanted.at_s - env.now))
            env.process(HostedMachine(env, books, rng).live_hosted(pool, wanted))

    env.process(arrivals())
    env.run(until=until_s)
    return books


def create_run_delete_on_hosts(lives: int, alive: int, seed: int = 1) -> Books:
    """The same as `plain_simpy.create_run_delete`, on hosts."""
    stream = requests(lives, alive, random.Random(seed))
    return play(stream, hosts_for(alive), until_s=lives * MEAN_LIFE_S / alive, seed=seed)

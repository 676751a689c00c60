"""Both scenarios in salabim: a process for each VM. Written from docs/model.md, platform.md, bill.md and the reference of keys."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import salabim

from tests.second_opinion.scenario import HOUR_S, Simulated, draw, read, seconds

salabim.yieldless(False)
Steps = Iterator[Any]
MONTH_S = 31 * 86400.0  # January 2026, in which disks are billed


class Vm(salabim.Component):
    """What both scenarios count: hours by power state, and those that are ready while needed."""

    def setup(self, group: dict[str, Any], rng: random.Random, counted: Counter[str], state: str) -> None:
        """A VM of a group, in a state at the instant."""
        self.asked, self.rng, self.counted, self.power, self.since = group, rng, counted, state, self.env.now()
        self.needed = salabim.State(value=True)

    def book(self) -> None:
        """Count the time since the last change."""
        spent = self.env.now() - self.since
        self.since = self.env.now()
        self.counted[f"hours.{self.power}"] += spent / HOUR_S
        if self.needed():
            self.counted["wanted_hours"] += spent / HOUR_S
            self.counted["served_hours"] += spent / HOUR_S * (self.power == "running")

    def go(self, power: str) -> None:
        """Be in another power state."""
        self.book()
        self.power = power

    def turn(self, needed: bool) -> None:
        """Be needed from now on, or no longer."""
        self.book()
        self.needed.set(needed)

    def step(self, name: str) -> Any:
        """The time that a step takes."""
        return self.hold(draw(self.rng, self.asked["durations"][name]))

    def strikes(self, code: str) -> bool:
        """Whether an operation fails with this code."""
        failed = self.rng.random() < self.asked["failures"][code]
        self.counted[f"failures.{code}"] += failed
        return failed


class Demand(salabim.Component):
    """A VM is needed, then not, for ever."""

    def process(self, vm: Vm) -> Steps:
        """From t = 0 on."""
        while True:
            for key, after in (("on", False), ("off", True)):
                yield self.hold(draw(vm.rng, vm.asked["cycle"][key]))
                vm.turn(after)


class Cycled(Vm):
    """A VM of the first scenario."""

    def process(self, backs_off: bool) -> Steps:
        """Do what is needed now, as often as it takes; then wait until something else is needed."""
        while True:
            needed = self.needed()
            if needed != (self.power == "running"):
                yield from self.insist(needed, backs_off)
            if self.needed() == needed:
                yield self.wait((self.needed, not needed))

    def insist(self, needed: bool, backs_off: bool) -> Steps:
        """Try until it succeeds, the attempts are used up, or demand turns."""
        retry = self.asked["retry"]
        pause = seconds(retry["backoff"])
        for attempt in range(retry["attempts"]):
            if attempt:
                yield self.wait((self.needed, not needed), fail_delay=pause if backs_off else 0.0)
                pause = min(pause * retry["multiplier"], seconds(retry["max_backoff"]))
            if self.needed() != needed:
                return
            name = "start" if needed else {"deallocate": "deallocate", "stop": "power_off"}[self.asked["when_off"]]
            succeeded = yield from (self.start() if needed else self.switch_off())
            self.counted[f"operations.{name}.{'succeeded' if succeeded else 'failed'}"] += 1
            if succeeded:
                return

    def start(self) -> Steps:
        """From deallocated hardware is found first."""
        if self.strikes("InternalOperationError"):
            return False
        if self.power == "deallocated":
            yield self.step("allocating")
            if self.strikes("AllocationFailed"):
                return False
        self.go("starting")
        yield self.step("starting")
        self.go("running")
        return True

    def switch_off(self) -> Steps:
        """Deallocated, or stopped and still on its host."""
        if self.strikes("InternalOperationError"):
            return False
        step, after = {"deallocate": ("deallocating", "deallocated"), "stop": ("stopping", "stopped")}[
            self.asked["when_off"]
        ]
        self.go(step)
        yield self.step(step)
        self.go(after)
        return True


def cycle(seed: int, *, backs_off: bool = True, stopped_is_free: bool = False) -> Simulated:
    """One replication of the first scenario; both settings are wrong models."""
    found, groups = read("cycle")
    env, rng, result = salabim.Environment(trace=False), random.Random(seed), {}
    vms = []
    for group in groups:
        counted: Counter[str] = Counter()
        result[group["name"]] = counted
        made = [Cycled(group=group, rng=rng, counted=counted, state=group["initial"], backs_off=backs_off) for _ in range(group["count"])]  # fmt: skip
        for vm in made:
            Demand(vm=vm)
        vms += made
    horizon = seconds(found["horizon"])
    env.run(till=horizon)
    for vm in vms:
        vm.book()
    for group in groups:
        counted = result[group["name"]]
        billed = ("running", "stopping") if stopped_is_free else ("running", "stopping", "stopped")
        counted["billed_hours"] = sum(counted[f"hours.{state}"] for state in billed)
        disks = group["count"] * found["prices"]["override_disks"]["P10"] * horizon / MONTH_S
        counted["cost.total"] = counted["billed_hours"] * found["prices"]["override"][group["size"]]["linux"] + disks
    return {name: dict(counted) for name, counted in result.items()}


class Hosts:
    """First fit by vCPUs; memory goes with them."""

    def __init__(self, pool: dict[str, Any]) -> None:
        self.free = [pool["vcpus"]] * pool["count"]

    def take(self, vcpus: int) -> int | None:
        """The first host with room, or none."""
        place = next((place for place, free in enumerate(self.free) if free >= vcpus), None)
        if place is not None:
            self.free[place] -= vcpus
        return place


class Requested(Vm):
    """A VM of the second scenario, from its request to its end."""

    def process(self, hosts: Hosts, early: bool, waits: bool) -> Steps:
        """Until the work is done, or the lifetime over; a request that never ran is lost after its last attempt."""
        self.hosts, self.early, self.vcpus = hosts, early, int(self.asked["size"].split("_")[1][1])
        self.lifetime, self.ends = draw(self.rng, self.asked["arrivals"]["lifetime"]), math.inf
        self.counts_work = self.asked["arrivals"].get("lifetime_counts") == "running"
        rate = -math.log(1.0 - self.asked["spot"]["eviction_per_hour"]) / HOUR_S
        while self.left() > 0.0:
            if (yield from self.come()):
                until_evicted = self.rng.expovariate(rate)
                yield from self.run_for(min(until_evicted, self.left()))
                if self.left() <= 0.0:
                    break
                yield from self.be_evicted()
            elif self.ends == math.inf:  # it never ran: the request is lost
                break
            again = draw(self.rng, self.asked["spot"]["restart_after"]) * waits
            yield self.hold(min(again, self.most_wait()))
        self.turn(False)
        if self.power != "none":
            yield from self.delete()
        self.go("none")

    def left(self) -> float:
        """What is left of the lifetime: of the work, or by the clock (s; 0 below a microsecond)."""
        left = self.lifetime if self.counts_work else self.ends - self.env.now()
        return left if left > 1e-6 else 0.0

    def be_evicted(self) -> Steps:
        """Noticed, then deallocated or deleted."""
        self.counted["evictions"] += 1
        yield from self.run_for(30.0)
        if self.asked["spot"]["policy"] == "delete":
            yield from self.delete()
            self.go("none")
        else:
            yield from self.go_off("deallocating")
            self.go("deallocated")

    def most_wait(self) -> float:
        """How long it may wait: a lifetime by the clock passes meanwhile."""
        return math.inf if self.counts_work else self.left()

    def come(self) -> Steps:
        """Created, or started where it is deallocated; tried again after a growing pause."""
        retry, creates = self.asked["retry"], self.power == "none"
        pause = seconds(retry["backoff"])
        for attempt in range(retry["attempts"]):
            if attempt:
                self.go("none" if creates else "deallocated")
                yield self.hold(min(pause, self.most_wait()))
                pause = min(pause * retry["multiplier"], seconds(retry["max_backoff"]))
                if self.left() <= 0.0:
                    return False
            self.go("creating" if creates else "deallocated")
            yield self.step("allocating")
            self.counted["allocation.attempts"] += 1
            self.place = self.hosts.take(self.vcpus)
            if self.place is not None:
                self.go("starting")
                yield self.step("starting")
                self.go("running")
                self.counted["vms.created"] += creates
                self.ends = min(self.ends, self.env.now() + self.lifetime)  # the lifetime begins once
                return True
            self.counted["allocation.failures"] += 1
        self.go("none" if creates else "deallocated")
        return False

    def run_for(self, time: float) -> Steps:
        """Run, and work."""
        yield self.hold(time)
        self.lifetime -= time * self.counts_work

    def go_off(self, step: str) -> Steps:
        """Leave the host; its room is free at the end of it."""
        if self.early:
            self.hosts.free[self.place] += self.vcpus
        self.go("deallocating")
        yield self.step(step)
        if not self.early:
            self.hosts.free[self.place] += self.vcpus

    def delete(self) -> Steps:
        """From a host, or where there is none left."""
        if self.power == "running":
            yield from self.go_off("deleting")
        else:
            yield self.step("deleting")
        self.counted["vms.deleted"] += 1


class Requests(salabim.Component):
    """A Poisson process of VMs."""

    def process(self, made: list[Vm], asked: dict[str, Any]) -> Steps:
        """One after the other; *asked* is what each is made with."""
        while True:
            yield self.hold(asked["rng"].expovariate(asked["group"]["arrivals"]["rate"] / HOUR_S))
            made.append(Requested(state="none", **asked))


def hosts(seed: int, *, early: bool = False, waits: bool = True) -> Simulated:
    """One replication of the second scenario. Wrong models: `early` gives room back when a VM begins to leave; without `waits` an
    evicted VM is requested again at once.
    """
    found, groups = read("hosts")
    env, rng, result = salabim.Environment(trace=False), random.Random(seed), {}
    pool, made = Hosts(found["platform"]["hosts"][0]), []
    for group in groups:
        result[group["name"]] = counted = Counter()
        Requests(
            made=made,
            asked={"group": group, "rng": rng, "counted": counted, "hosts": pool, "early": early, "waits": waits},
        )
    env.run(till=seconds(found["horizon"]))
    for vm in made:
        vm.book()
    for group in groups:
        counted = result[group["name"]]
        counted["billed_hours"] = counted["hours.running"]
        counted["cost.total"] = counted["billed_hours"] * found["prices"]["override"][group["size"]]["spot"]
    return {name: dict(counted) for name, counted in result.items()}

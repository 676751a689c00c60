"""Both scenarios in Ciw: VMs are customers, what they are in is a node without a queue. Written from docs/model.md, platform.md,
bill.md and the reference of keys; hours are read off Ciw's records of who was at which node, and counts are of services.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import ciw

from tests.second_opinion.scenario import HOUR_S, Simulated, draw, read, seconds

NEVER = float("inf")
Service = Callable[[float, Any], float]
Route = Callable[[Any, float], str]


class Time(ciw.dists.Distribution):
    """How long a customer stays at a node."""

    def __init__(self, service: Service) -> None:
        self.service = service

    def sample(self, t: float | None = None, ind: Any = None) -> float:
        """At most ten years: Ciw sorts its events, and infinity is no date."""
        return max(0.0, min(self.service(t or 0.0, ind), 3e8))


class Way(ciw.routing.NodeRouting):
    """Where a customer goes next: a node's name, or "" to leave."""

    def __init__(self, places: Mapping[str, int], route: Route) -> None:
        self.places, self.route = places, route

    def next_node(self, ind: Any) -> Any:
        """After a service."""
        return self.simulation.nodes[self.places[self.route(ind, self.node.now)]]


class Model:
    """What both scenarios need: each subclass names its nodes, how long a stay is and where it leads."""

    NODES: tuple[str, ...]

    def __init__(self, name: str, seed: int) -> None:
        self.asked, groups = read(name)
        self.groups = {group["name"]: group for group in groups}
        self.rng, self.counted = random.Random(seed), {name: Counter[str]() for name in self.groups}

    def of(self, ind: Any) -> dict[str, Any]:
        """The group of a VM."""
        return self.groups[ind.customer_class]

    def count(self, ind: Any, what: str) -> None:
        """One more."""
        self.counted[ind.customer_class][what] += 1

    def pause(self, ind: Any) -> float:
        """Between the attempts so far and the next one."""
        retry = self.of(ind)["retry"]
        return min(seconds(retry["backoff"]) * retry["multiplier"] ** (ind.attempts - 1), seconds(retry["max_backoff"]))

    def step(self, name: str) -> Service:
        """A step takes as long as the group says."""
        return lambda _, ind: draw(self.rng, self.of(ind)["durations"][name])

    def simulate(
        self, arrivals: Mapping[str, Mapping[str, Any]], services: Mapping[str, Service], routes: Mapping[str, Route]
    ) -> list[Any]:
        """Ciw's records of the whole horizon, those that it cuts included."""
        places = {name: place for place, name in enumerate(self.NODES, start=1)} | {"": -1}
        ciw.seed(self.rng.randrange(2**31))
        network = ciw.create_network(
            arrival_distributions={group: [comes.get(node) for node in self.NODES] for group, comes in arrivals.items()},
            batching_distributions={group: [ciw.dists.Deterministic(self.groups[group].get("count", 1)) for _ in self.NODES] for group in arrivals},
            service_distributions={group: [Time(services[node]) for node in self.NODES] for group in self.groups},
            number_of_servers=[NEVER] * len(self.NODES),
            routing={group: ciw.routing.NetworkRouting([Way(places, routes[node]) for node in self.NODES]) for group in self.groups},
        )  # fmt: skip
        simulation = ciw.Simulation(network)
        self.horizon = seconds(self.asked["horizon"])
        simulation.simulate_until_max_time(self.horizon)
        return list(simulation.get_all_records(include_incomplete=True))

    def hours(self, records: list[Any]) -> Mapping[str, Counter[str]]:
        """By group and node, up to the horizon."""
        found = {name: Counter[str]() for name in self.groups}
        for record in records:
            end = record.exit_date if record.record_type == "service" else self.horizon  # still there
            spent = min(end, self.horizon) - record.arrival_date
            found[record.customer_class][self.NODES[record.node - 1]] += spent / HOUR_S
        return found


class Cycle(Model):
    """The first scenario."""

    NODES = ("off", "finding", "starting", "on", "leaving", "start pause", "leave pause")

    def __init__(self, seed: int) -> None:
        super().__init__("cycle", seed)

    def turn(self, t: float, ind: Any, later: int = 0) -> float:
        """The next instant at which demand turns, or one of those after it (s from now)."""
        if not hasattr(ind, "turns"):
            ind.turns, ind.attempts, ind.has_tried = [], 0, False
        while len([turn for turn in ind.turns if turn > t + 1e-6]) <= later:
            name = "off" if len(ind.turns) % 2 else "on"
            ind.turns.append((ind.turns[-1] if ind.turns else 0.0) + draw(self.rng, self.of(ind)["cycle"][name]))
        return float([turn for turn in ind.turns if turn > t + 1e-6][later] - t)

    def is_needed(self, t: float, ind: Any) -> bool:
        """At t = 0 it is; each turn changes that."""
        self.turn(t, ind)
        return sum(turn <= t + 1e-6 for turn in ind.turns) % 2 == 0

    def rest(self, needed: bool) -> Service:
        """At rest while demand is as it should be; where all attempts failed, until it has turned twice."""
        return lambda t, ind: (
            self.turn(t, ind)
            if self.is_needed(t, ind) == needed
            else self.turn(t, ind, 1)
            if self.is_spent(ind)
            else 0.0
        )

    def is_spent(self, ind: Any) -> bool:
        """Whether it has just used all its attempts."""
        return bool(ind.attempts >= self.of(ind)["retry"]["attempts"])

    def wait(self, t: float, ind: Any) -> float:
        """The pause before the next attempt, which ends when demand turns."""
        return min(self.pause(ind), self.turn(t, ind))

    def try_to(self, operation: str) -> Route:
        """The first step of an operation: at rest where it isn't needed any more."""
        starts, rest = operation == "start", "off" if operation == "start" else "on"

        def route(ind: Any, t: float) -> str:
            if self.is_needed(t, ind) != starts:
                ind.attempts = 0
                return rest
            ind.attempts = 0 if self.is_spent(ind) else ind.attempts
            ind.attempts += 1
            if self.rng.random() < self.of(ind)["failures"]["InternalOperationError"]:
                return self.failed(ind, t, operation, "InternalOperationError")
            if not starts:
                return "leaving"
            return "finding" if self.of(ind)["when_off"] == "deallocate" else "starting"

        return route

    def failed(self, ind: Any, t: float, operation: str, code: str) -> str:
        """Try again, if there are attempts left."""
        self.count(ind, f"failures.{code}")
        self.count(ind, f"operations.{self.name_of(ind, operation)}.failed")
        return ("off" if operation == "start" else "on") if self.is_spent(ind) else f"{operation} pause"

    def name_of(self, ind: Any, operation: str) -> str:
        """As results call it."""
        return operation if operation == "start" else {"deallocate": "deallocate", "stop": "power_off"}[self.of(ind)["when_off"]]  # fmt: skip

    def found(self, ind: Any, t: float) -> str:
        """Hardware, or none."""
        if self.rng.random() < self.of(ind)["failures"]["AllocationFailed"]:
            return self.failed(ind, t, "start", "AllocationFailed")
        return "starting"

    def done(self, operation: str, node: str) -> Route:
        """An operation has succeeded."""

        def route(ind: Any, _: float) -> str:
            ind.attempts = 0
            self.count(ind, f"operations.{self.name_of(ind, operation)}.succeeded")
            return node

        return route


def cycle(seed: int) -> Simulated:
    """One replication of the first scenario."""
    model = Cycle(seed)
    at_once = {"off": ciw.dists.Sequential([0.0, 9e9])}
    records = model.simulate(
        dict.fromkeys(model.groups, at_once),
        {"off": model.rest(needed=False), "finding": model.step("allocating"), "starting": model.step("starting"), "on": model.rest(needed=True),
         "leaving": lambda t, ind: model.step("deallocating" if model.of(ind)["when_off"] == "deallocate" else "stopping")(t, ind),
         "start pause": model.wait, "leave pause": model.wait},
        {"off": model.try_to("start"), "finding": model.found, "starting": model.done("start", "on"), "on": model.try_to("leave"),
         "leaving": model.done("leave", "off"), "start pause": model.try_to("start"), "leave pause": model.try_to("leave")},
    )  # fmt: skip
    prices = model.asked["prices"]
    disk = prices["override_disks"]["P10"] * model.horizon / (31 * 86400)
    for name, hours in model.hours(records).items():
        group, found = model.groups[name], model.counted[name]
        off = {"deallocate": "deallocated", "stop": "stopped"}[group["when_off"]]
        found["hours.running"] = hours["on"] + hours["leave pause"]
        found[f"hours.{off}"] = hours["off"] + hours["finding"] + hours["start pause"]
        found["hours.starting"] = hours["starting"]
        found["hours.deallocating" if off == "deallocated" else "hours.stopping"] = hours["leaving"]
        found["billed_hours"] = sum(found[f"hours.{state}"] for state in ("running", "stopping", "stopped"))
        found["cost.total"] = found["billed_hours"] * prices["override"][group["size"]]["linux"] + group["count"] * disk
    return {name: dict(found) for name, found in model.counted.items()}


class Hosts(Model):
    """The second scenario."""

    NODES = ("create", "start", "starting", "running", "notice", "evicting", "create pause", "start pause", "gone", "deallocated",
             "deleting", "deleting off")  # fmt: skip

    def __init__(self, seed: int) -> None:
        super().__init__("hosts", seed)
        pool = self.asked["platform"]["hosts"][0]
        self.room = [pool["vcpus"]] * pool["count"]

    def begin(self, t: float, ind: Any) -> float:
        """The request's first step: its lifetime is drawn, and begins when it first runs."""
        if not hasattr(ind, "left"):
            ind.left, ind.attempts, ind.has_run, ind.end = draw(self.rng, self.of(ind)["arrivals"]["lifetime"]), 0, False, NEVER  # fmt: skip
            ind.works = self.of(ind)["arrivals"].get("lifetime_counts") == "running"
            ind.vcpus = {"Standard_D4s_v5": 4, "Standard_D8s_v5": 8}[self.of(ind)["size"]]
        return self.step("allocating")(t, ind)

    def rest_of(self, t: float, ind: Any) -> float:
        """What is left of the lifetime."""
        return float(ind.left if ind.works else ind.end - t)

    def run(self, t: float, ind: Any) -> float:
        """Until the work is done or the VM is evicted."""
        if not ind.has_run:
            ind.has_run, ind.end = True, t + ind.left
        rate = -math.log(1.0 - self.of(ind)["spot"]["eviction_per_hour"]) / HOUR_S
        evicted, done = self.rng.expovariate(rate), self.rest_of(t, ind)
        ind.is_done = done <= evicted
        ind.left -= min(evicted, done)
        return min(evicted, done)

    def found(self, ind: Any, t: float) -> str:
        """On the first host with room, or refused."""
        self.count(ind, "allocation.attempts")
        ind.attempts += 1
        for place, free in enumerate(self.room):
            if free >= ind.vcpus:
                self.room[place] -= ind.vcpus
                ind.place, ind.attempts = place, 0
                return "starting"
        self.count(ind, "allocation.failures")
        creates = ind.end == NEVER or self.of(ind)["spot"]["policy"] == "delete"
        if ind.attempts < self.of(ind)["retry"]["attempts"]:
            return "create pause" if creates else "start pause"
        ind.attempts = 0
        return ("" if not ind.has_run else "gone") if creates else "deallocated"

    def up(self, ind: Any, _: float) -> str:
        """Ready: a create has succeeded, or a start."""
        if not ind.has_run or self.of(ind)["spot"]["policy"] == "delete":
            self.count(ind, "vms.created")
        return "running"

    def ran(self, ind: Any, _: float) -> str:
        """Done, or evicted."""
        if ind.is_done:
            return "deleting"
        self.count(ind, "evictions")
        return "notice"

    def noticed(self, ind: Any, _: float) -> str:
        """The work went on."""
        ind.left -= 30.0
        return "evicting"

    def leave(self, t: float, ind: Any) -> float:
        """An eviction is a deallocation or a delete."""
        return self.step("deleting" if self.of(ind)["spot"]["policy"] == "delete" else "deallocating")(t, ind)

    def evicted(self, ind: Any, _: float) -> str:
        """Its room is free."""
        self.room[ind.place] += ind.vcpus
        if self.of(ind)["spot"]["policy"] == "delete":
            self.count(ind, "vms.deleted")
            return "gone"
        return "deallocated"

    def until_again(self, t: float, ind: Any) -> float:
        """Until it is requested again, or its lifetime is over."""
        return min(draw(self.rng, self.of(ind)["spot"]["restart_after"]), self.most(t, ind))

    def wait(self, t: float, ind: Any) -> float:
        """Until the next attempt, or the lifetime is over."""
        return min(self.pause(ind), self.most(t, ind))

    def most(self, t: float, ind: Any) -> float:
        """A lifetime by the clock passes meanwhile; work doesn't."""
        if ind.works:
            return NEVER if ind.left > 0.0 else 0.0
        return float(max(0.0, ind.end - t))

    def again(self, node: str) -> Route:
        """Requested again, if there is lifetime left."""

        def route(ind: Any, t: float) -> str:
            if self.rest_of(t, ind) > 1e-6:
                return node
            return "" if node == "create" else "deleting off"

        return route

    def deleted(self, gives_back: bool) -> Route:
        """The end."""

        def route(ind: Any, _: float) -> str:
            if gives_back:
                self.room[ind.place] += ind.vcpus
            self.count(ind, "vms.deleted")
            return ""

        return route


def hosts(seed: int) -> Simulated:
    """One replication of the second scenario."""
    model = Hosts(seed)
    arrivals = {name: {"create": ciw.dists.Exponential(group["arrivals"]["rate"] / HOUR_S)} for name, group in model.groups.items()}  # fmt: skip
    records = model.simulate(
        arrivals,
        {"create": model.begin, "start": model.step("allocating"), "starting": model.step("starting"), "running": model.run,
         "notice": lambda *_: 30.0, "evicting": model.leave, "create pause": model.wait, "start pause": model.wait,
         "gone": model.until_again, "deallocated": model.until_again, "deleting": model.step("deleting"), "deleting off": model.step("deleting")},
        {"create": model.found, "start": model.found, "starting": model.up, "running": model.ran, "notice": model.noticed,
         "evicting": model.evicted, "create pause": model.again("create"), "start pause": model.again("start"), "gone": model.again("create"),
         "deallocated": model.again("start"), "deleting": model.deleted(True), "deleting off": model.deleted(False)},
    )  # fmt: skip
    for name, hours in model.hours(records).items():
        group, found = model.groups[name], model.counted[name]
        found["hours.creating"], found["hours.starting"] = hours["create"], hours["starting"]
        found["hours.running"] = found["billed_hours"] = hours["running"] + hours["notice"]
        leaving = hours["evicting"] + hours["deleting"]
        found["hours.deallocating"] = leaving
        found["hours.deallocated"] = (
            hours["start"] + hours["start pause"] + hours["deallocated"] + hours["deleting off"]
        )
        found["cost.total"] = found["billed_hours"] * model.asked["prices"]["override"][group["size"]]["spot"]
    return {name: dict(found) for name, found in model.counted.items()}

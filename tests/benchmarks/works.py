"""The workloads that are measured, as scenarios, and counts of what they did.

Every scenario is processed as in `vmfleet run`: ledger, timeline, metrics and bill. `plain_simpy` and
`plain_simpy_hosts` do the same work by hand.
"""

from __future__ import annotations

import csv
import gzip
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sim import from_dict
from sim.billing.rating import rate_run
from sim.engines.simulate import simulate
from sim.lifecycle.policy import get_policy
from sim.model.demand import Replay
from sim.runs.metrics import RatedUsage, metrics_of
from sim.runs.replication import timeline_of
from sim.runs.simulation_input import SimulationInput, compile_scenario
from tests.benchmarks import plain_simpy as plain
from tests.benchmarks import plain_simpy_hosts as hosted

TRACE = Path(__file__).parents[3] / "shared" / "data" / "traces" / "azure2017_vms_one_day.csv.gz"
REAL_DAY = 87_550  # lives


def lognormal(distribution: tuple[float, float]) -> dict[str, object]:
    """A duration distribution as a scenario writes it."""
    return {"dist": "lognormal", "median": f"{math.exp(distribution[0]):.6f}s", "sigma": distribution[1]}


def question(horizon_s: float, group: Mapping[str, object], **more: object) -> SimulationInput:
    """A fleet of one group."""
    fixed = {"name": "vm", "size": "Standard_D4s_v5", "image": "specialized"}
    return compile_scenario(
        from_dict({"name": "work", "horizon": f"{horizon_s:.3f}s", "group": [{**fixed, **group}], **more})
    )


def on_and_off(machines: int, hours: float) -> SimulationInput:
    """`plain_simpy.on_and_off`."""
    exponential = {"on": plain.ON_S, "off": plain.OFF_S}
    return question(hours * plain.HOUR_S, {
        "count": machines,
        "cycle": {name: {"dist": "exponential", "mean": f"{mean_s}s"} for name, mean_s in exponential.items()},
        "when_off": "deallocate",
        "durations": {
            "allocating": "0s", "starting": lognormal(plain.STARTING), "extensions": "0s",
            "deallocating": lognormal(plain.DEALLOCATING),
        },
        "failures": {"AllocationFailed": plain.FAILED_START},
        "retry": {"attempts": 100, "backoff": f"{plain.BACKOFF_S}s", "max_backoff": f"{plain.MAX_BACKOFF_S}s"},
    })  # fmt: skip


def create_run_delete(
    lives: int, alive: int, *, hosts: int = 0, placement: str = "first-fit", feature: str = ""
) -> SimulationInput:
    """`plain_simpy.create_run_delete`, or with hosts `create_run_delete_on_hosts`, under one of `FEATURES`."""
    gap_s = plain.MEAN_LIFE_S / alive
    more: dict[str, object] = {}
    if hosts:
        pool = {"name": "all", "count": hosts, "vcpus": hosted.HOST_VCPUS, "memory_gib": hosted.HOST_MEMORY_GIB}
        more["platform"] = {"placement": placement, "hosts": [pool], **FEATURES.get(feature, {})}
    return question(lives * gap_s, {
        "arrivals": {"rate": plain.HOUR_S / gap_s, "lifetime": lognormal(plain.LIFETIME)},
        "durations": {
            "allocating": "0s", "starting": lognormal(plain.STARTING), "extensions": "0s",
            "deleting": lognormal(plain.DELETING),
        },
    }, **more)  # fmt: skip


def office_hours(machines: int, days: float) -> SimulationInput:
    """Developer VMs: on at 8, off at 19, Monday to Friday, all defaults."""
    return question(days * 24 * plain.HOUR_S, {
        "count": machines, "create_over": "1h", "disks": ["P10"],
        "schedule": {
            "days": "Mon-Fri", "on": "08:00:00", "off": "19:00:00", "time_zone": "Europe/Amsterdam",
            "jitter": {"dist": "uniform", "low": "0s", "high": "20min"},
        },
    })  # fmt: skip


FEATURES: Mapping[str, Mapping[str, object]] = {  # what a platform may do to VMs on hosts, each far above real rates
    "host failures and healing": {
        "host_failures": {"time_between": {"dist": "exponential", "mean": "500h"}, "repair": "8h", "healing": "10min"}
    },
    "rack failures": {
        "rack_failures": {"time_between": {"dist": "exponential", "mean": "2000h"}, "repair": "4h", "healing": "10min"}
    },
    "maintenance": {"maintenance": {"every": "168h", "impact": "reboot"}},
    "throttling": {"throttle": {"burst": 250, "refill_per_min": 60}},
}
SPOT_SHARE = 0.25


def on_hosts(machines: int, days: float, feature: str = "") -> SimulationInput:
    """VMs switched on and off on hosts with room for nearly all that are on, under one of `FEATURES`, "spot" or "reservations"."""
    vcpus, memory_gib = 4, 16.0
    hosts = max(1, round(machines * plain.ON_S / (plain.ON_S + plain.OFF_S) * vcpus * 1.1 / 64))
    pool = {"name": "all", "count": hosts, "vcpus": 64, "memory_gib": 16 * memory_gib, "racks": min(hosts, 10)}
    group = {
        "count": machines, "create_over": "1h", "when_off": "deallocate",
        "cycle": {
            name: {"dist": "exponential", "mean": f"{mean_s}s"} for name, mean_s in (("on", plain.ON_S), ("off", plain.OFF_S))
        },
    }  # fmt: skip
    fixed = {"size": "Standard_D4s_v5", "image": "specialized"}
    groups = [{**fixed, "name": "vm", **group}]
    more: dict[str, object] = {}
    if feature == "spot":
        spot = round(machines * SPOT_SHARE)
        groups[0]["count"] = machines - spot
        groups.append(
            {**fixed, "name": "cheap", **group, "count": spot, "priority": "spot",
             "spot": {"eviction_per_hour": 0.0, "restart_after": "10min"}}
        )  # fmt: skip
    if feature == "reservations":
        more["commitment"] = [
            {"name": "held", "kind": "capacity-reservation", "size": "Standard_D4s_v5", "quantity": machines // 4}
        ]
    platform = {"hosts": [pool], **FEATURES.get(feature, {})}
    return compile_scenario(
        from_dict({"name": "work", "horizon": f"{days}d", "group": groups, "platform": platform, **more})
    )


def autoscaled(peak: int, days: float) -> SimulationInput:
    """VMs that follow the load of a day, looked at every minute: a tenth of the peak at night."""
    load = [100.0 * peak * (0.1 + 0.9 * math.sin(math.pi * hour / 24) ** 2) * 0.6 for hour in range(24)]
    step = max(1, peak // 100)
    return question(days * 24 * plain.HOUR_S, {
        "autoscale": {
            "load": {"hourly": load}, "per_vm": 100.0, "min": max(1, peak // 20), "max": peak, "tick": "1min",
            "scale_out": [{"above": 0.7, "by": step, "cooldown": "1min"}],
            "scale_in": [{"below": 0.5, "by": step, "cooldown": "5min"}],
        },
    })  # fmt: skip


def played(asked: SimulationInput, engine: str, *, replication: int = 0, threads: int = 1) -> Mapping[str, float]:
    """One replication with ledger, hourly timeline, metrics and bill; returns the fleet's metrics."""
    run = simulate(asked.plan, seed=1, replication=replication, engine=engine, threads=threads)
    policy = get_policy(asked.billing_policy)
    bill = rate_run(asked.rated_groups, run.usages, asked.catalogue, policy, asked.commitments).bill
    for usage in run.usages.values():
        timeline_of(usage)
    return metrics_of(RatedUsage(run.fleet, bill, policy))


def changes(found: Mapping[str, float]) -> float:
    """Changes of state as `plain_simpy.on_and_off` counts them: two a start, a switching off, a failed start."""
    return 2 * (
        found["operations.create.succeeded"] + found["operations.start.succeeded"]
        + found["operations.deallocate.succeeded"] + found.get("failures.AllocationFailed", 0.0)
    )  # fmt: skip


def operations(found: Mapping[str, float]) -> float:
    """Operations that have ended."""
    return sum(
        times
        for name, times in found.items()
        if name.startswith("operations.") and name.endswith((".succeeded", ".failed"))
    )


def real_day() -> tuple[SimulationInput, list[hosted.Request], int] | None:
    """The real day: every VM of the trace as a scenario's plan and as the plain program's requests, and hosts for all.

    A lifetime known to lie between two bounds is their geometric mean; a censored one outlives the day. None where the
    file is missing.
    """
    if not TRACE.exists():
        return None
    with gzip.open(TRACE, "rt") as file:
        rows = list(csv.DictReader(file))
    first_s = float(rows[0]["created_s"])
    by_shape: dict[tuple[int, float], list[tuple[float, float]]] = {}
    requests = []
    for row in rows:
        at_s = float(row["created_s"]) - first_s
        lives_s = math.inf if row["censored"] == "1" else math.sqrt(float(row["life_lo_s"]) * float(row["life_hi_s"]))
        shape = int(row["vcpu"]), float(row["mem_gib"])
        by_shape.setdefault(shape, []).append((at_s, lives_s))
        requests.append(hosted.Request(at_s, *shape, lives_s))
    day = create_run_delete(10, 10, hosts=1)
    pattern, pool = day.plan.groups[0], day.plan.platform
    assert pool is not None
    hosts = round(sum(vcpus * len(lives) for (vcpus, _), lives in by_shape.items()) / hosted.HOST_VCPUS)
    groups = tuple(
        replace(
            pattern, name=f"{vcpus}x{memory:g}", vcpus=vcpus, memory_gib=memory,
            demand=Replay(born_s=tuple(born for born, _ in lives), lifetime_s=tuple(life for _, life in lives)),
        )
        for (vcpus, memory), lives in by_shape.items()
    )  # fmt: skip
    platform = replace(pool, hosts=(replace(pool.hosts[0], count=hosts),))
    plan = replace(day.plan, groups=groups, platform=platform, horizon_s=86_400.0)
    rated = tuple(replace(day.rated_groups[0], name=group.name) for group in groups)
    return replace(day, plan=plan, rated_groups=rated), requests, hosts

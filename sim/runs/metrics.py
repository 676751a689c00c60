"""The names and figures of one replication: what a fleet used and what it cost, as the result folder calls them.

Every group, and the whole fleet under the name "", gets the same names whatever happened, so that variants can be
compared name by name; what never happened is 0, what isn't defined (the availability of VMs nobody wanted) is NaN.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from sim.billing.meters import KINDS, Bill
from sim.billing.uptime import Uptime
from sim.errors import InputError
from sim.lifecycle.failures import FAILURES
from sim.lifecycle.operations import OPERATION_NAMES
from sim.lifecycle.policy import BillingPolicy
from sim.lifecycle.power import PowerState
from sim.usage.ledger import GroupUsage

FLEET = ""  # the group name of the whole fleet

OUTCOMES = ("accepted", "succeeded", "failed", "rejected")

RATIOS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "availability": ("served_hours", "wanted_hours"),
        "allocation.failure_rate": ("allocation.failures", "allocation.attempts"),
        "load.served_share": ("load.served", "load.offered"),
    }
)
"""Metrics that are a ratio of two others. Over replications they are the ratio of means, never the mean of ratios.

`commitment.<name>.used_fraction` isn't among them: what was bought is the same in every replication, so the two agree.
"""

HEADLINES = ("cost.total", "billed_hours", "availability")
"""What `--precision` waits for."""

COUNTED = (
    "vms.created",
    "vms.deleted",
    *(f"operations.{operation}.{outcome}" for operation in OPERATION_NAMES for outcome in OUTCOMES),
    *(f"failures.{code}" for code in FAILURES),
    "allocation.attempts",
    "allocation.failures",
    "evictions",
    "host_failures",
    "guest_crashes",
    "service_healings",
    "maintenance_impacts",
    "autoscale.out",
    "autoscale.in",
)
"""Metrics that count happenings; a replication in which none happened says 0."""

LOAD = ("load.offered", "load.served", "load.overload_hours")
"""Of autoscaled groups: load times hours, and the hours in which there was more of it than running VMs serve."""


def metrics_of(
    usage: GroupUsage, bill: Bill, policy: BillingPolicy, uptimes: Sequence[Uptime] | None = None
) -> dict[str, float]:
    """Every metric of one group of one replication (of the whole fleet if the usage is of group "").

    *uptimes* is None where nothing in the plan can take a VM away from its user.
    """
    found: dict[str, float] = {"billed_hours": usage.billed_h(policy)}
    found.update({f"hours.{state}": usage.hours(state) for state in PowerState})
    found["wanted_hours"] = usage.wanted_h
    found["served_hours"] = usage.served_h
    found["wasted_hours"] = usage.wasted_h(policy)
    found["availability"] = math.nan  # keeps its place in the table; set below
    found.update(bill.metrics(usage.group or None))
    found.update(_service_level(usage, uptimes))
    found["vms.peak_allocated"] = float(usage.peak_allocated)
    found["vms.peak_running"] = float(usage.peak_running)
    found.update(dict.fromkeys(COUNTED, 0.0))
    found.update({name: float(number) for name, number in usage.counts.items()})
    found.update(dict.fromkeys(LOAD, 0.0))
    found.update(usage.amounts)
    for name, (top, bottom) in RATIOS.items():
        found[name] = found[top] / found[bottom] if found[bottom] else math.nan
    return found


def _service_level(usage: GroupUsage, uptimes: Sequence[Uptime] | None) -> dict[str, float]:
    """`sla.uptime`, the part of its deployed time in which the group's deployments could be reached, and `sla.credit` (USD)."""
    if uptimes is None:
        return {"sla.uptime": 1.0 if usage.hours(PowerState.RUNNING) > 0.0 else math.nan, "sla.credit": 0.0}
    own = [each for each in uptimes if usage.group in (FLEET, *each.credit_usd)]
    deployed = math.fsum(each.deployed_min for each in own)
    down = math.fsum(each.down_min for each in own)
    credit = math.fsum(usd for each in own for group, usd in each.credit_usd.items() if usage.group in (FLEET, group))
    return {"sla.uptime": 1.0 - down / deployed if deployed > 0.0 else math.nan, "sla.credit": credit}


def possible_metrics(commitments: Iterable[str] = ()) -> tuple[str, ...]:
    """Every name that a run may report, before anything is played; *commitments* are the scenario's."""
    return (
        "billed_hours",
        *(f"hours.{state}" for state in PowerState),
        "wanted_hours",
        "served_hours",
        "wasted_hours",
        "cost.total",
        *(f"cost.{kind}" for kind in KINDS),
        "sla.uptime",
        "sla.credit",
        "vms.peak_allocated",
        "vms.peak_running",
        *COUNTED,
        *LOAD,
        *RATIOS,
        *(f"commitment.{name}.{part}_fraction" for name in commitments for part in ("used", "unused")),
    )


def better_when(metric: str) -> str:
    """Which way of a metric people want: "lower", "higher", or "" where that is not for us to say.

    >>> better_when("cost.total"), better_when("availability"), better_when("hours.running")
    ('lower', 'higher', '')
    """
    if metric in ("availability", "served_hours", "sla.uptime", "load.served", "load.served_share") or metric.endswith(
        ".used_fraction"
    ):
        return "higher"
    falls = (
        "cost.",
        "failures.",
        "evictions",
        "host_failures",
        "guest_crashes",
        "billed_hours",
        "wasted_hours",
        "load.overload",
    )
    if metric.startswith((*falls, "allocation.failure")) or metric.endswith(
        (".failed", ".rejected", ".unused_fraction")
    ):
        return "lower"
    return ""


def check_metric(metric: str, names: Iterable[str]) -> None:
    """Raise InputError naming close matches if there is no such metric among *names*."""
    every = list(names)
    if metric in every:
        return
    close = difflib.get_close_matches(metric, every, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(close)}?" if close else "`metrics` in summary.json has the names"
    raise InputError(f"there is no metric {metric!r}; {hint}")

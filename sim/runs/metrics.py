"""The metrics of one replication: what a fleet used, what happened to it and what it cost; one row each (`sim.fields.metrics`).

Every group, and the whole fleet under the name "", gets the same names whatever happened, so that variants can be
compared name by name; what never happened is 0, what isn't defined (the availability of VMs that were never needed) is NaN.
"""

import difflib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from sim.billing.meters import Bill
from sim.billing.uptime import Uptime
from sim.errors import InputError, PlugInError
from sim.fields.messages import list_words
from sim.fields.metrics import HIGHER, LOWER, METRICS, Forms, Metric, Unit, add_metrics, find_metric, order_metrics
from sim.lifecycle.failures import FAILURES
from sim.lifecycle.operations import OPERATION_NAMES
from sim.lifecycle.policy import BillingPolicy
from sim.lifecycle.power import PowerState
from sim.runs.pictures import html_rows
from sim.units import HOURS_PER_MONTH, SECONDS_PER_HOUR
from sim.usage.ledger import GroupUsage
from sim.usage.ready import ReadyTimes

FLEET = ""  # the group name of the whole fleet
HEADLINES = ("cost.total", "billed_hours", "availability")
"""What `--precision` waits for."""
SHOWN = ("cost.total", "billed_hours", "served_hours", "wasted_hours", "availability")
"""What a notebook shows of a run."""


@dataclass(frozen=True, slots=True)
class RatedUsage:
    """One group of one rated replication (the whole fleet if the usage is of group ""): what metrics are computed from."""

    usage: GroupUsage
    bill: Bill
    policy: BillingPolicy
    uptimes: Sequence[Uptime] | None = None  # None where nothing in the plan can take a VM away from its user
    forgotten_usd: Mapping[str, float] = field(default_factory=dict)  # cost of forgotten hours by group

    @property
    def bill_group(self) -> str | None:
        """The group as a bill selects it: None for the whole fleet."""
        return self.usage.group or None

    def count(self, name: str) -> float:
        """How often something happened."""
        return float(self.usage.counts.get(name, 0))

    def forgotten_cost(self) -> float:
        """What its forgotten hours cost."""
        own = self.forgotten_usd
        return math.fsum(own.values()) if self.usage.group == FLEET else own.get(self.usage.group, 0.0)

    def cost_per_month(self) -> float:
        """Its cost for a month of 730 hours."""
        hours = (self.usage.end_s - self.usage.start_s) / SECONDS_PER_HOUR
        return self.bill.cost(group=self.bill_group) * HOURS_PER_MONTH / hours

    def uptime(self) -> float:
        """The part of their deployed time in which the group's deployments could be reached."""
        if self.uptimes is None:
            return 1.0 if self.usage.hours(PowerState.RUNNING) > 0.0 else math.nan
        own = [each for each in self.uptimes if self.usage.group in (FLEET, *each.credit_usd)]
        deployed = math.fsum(each.deployed_min for each in own)
        return 1.0 - math.fsum(each.down_min for each in own) / deployed if deployed > 0.0 else math.nan

    def credit(self) -> float:
        """Service credits for the group's deployments."""
        return math.fsum(
            usd
            for each in self.uptimes or ()
            for group, usd in each.credit_usd.items()
            if self.usage.group in (FLEET, group)
        )


def _counter(name: str, label: str, definition: str, better: str = "", section: str = "events") -> Metric:
    """A metric that counts what the engine counts under the same name; 0 where it never happened."""
    unit = Unit.VMS if name.startswith("vms.") else Unit.COUNT
    return Metric(
        name=name, label=label, unit=unit, definition=definition, section=section, better=better,
        compute=lambda rated: rated.count(name),
    )  # fmt: skip


def _operation_counter(outcome: str, definition: str, better: str = "") -> Metric:
    return Metric(
        name=f"operations.<operation>.{outcome}", label=f"<operation> operations {outcome}", unit=Unit.COUNT,
        definition=definition, section="events", better=better,
        compute=lambda rated: {each: rated.count(f"operations.{each}.{outcome}") for each in OPERATION_NAMES},
    )  # fmt: skip


def _ready(name: str, label: str, definition: str, compute: Callable[[ReadyTimes], float]) -> Metric:
    """A metric of the time until VMs are ready; there is none where no VM came to be ready."""
    return Metric(
        name=f"ready.{name}_s", label=label, unit=Unit.SECONDS, section="ready on time", better=LOWER,
        definition=f"{definition}, from the moment a VM is needed until it is ready",
        compute=lambda rated: compute(rated.usage.ready) if rated.usage.ready.ready else None,
    )  # fmt: skip


def _load(name: str, label: str, unit: Unit, definition: str, better: str = "") -> Metric:
    return Metric(
        name=name, label=label, unit=unit, definition=definition, section="load", better=better,
        compute=lambda rated: rated.usage.amounts.get(name, 0.0),
    )  # fmt: skip


add_metrics(
    Metric(
        name="billed_hours", label="billed hours", unit=Unit.VM_HOURS, section="usage", better=LOWER,
        definition="VM hours in the states that the billing policy bills",
        compute=lambda rated: rated.usage.billed_h(rated.policy),
    ),
    Metric(
        name="hours.<state>", label="<state> hours", unit=Unit.VM_HOURS, section="usage",
        definition="VM hours in a power state; creating: accepted, no power state yet",
        compute=lambda rated: {str(state): rated.usage.hours(state) for state in PowerState},
    ),
    Metric(
        name="wanted_hours", label="needed hours", unit=Unit.VM_HOURS, section="usage",
        definition="VM hours in which the group's demand asks for the VM on",
        compute=lambda rated: rated.usage.wanted_h,
    ),
    Metric(
        name="served_hours", label="hours ready while needed", unit=Unit.VM_HOURS, section="usage", better=HIGHER,
        definition="needed VM hours in which the VM is Running and its last create or start has succeeded",
        compute=lambda rated: rated.usage.served_h,
    ),
    Metric(
        name="wasted_hours", label="hours billed but idle", unit=Unit.VM_HOURS, section="usage", better=LOWER,
        definition="billed VM hours that are not ready while needed",
        compute=lambda rated: rated.usage.wasted_h(rated.policy),
    ),
    Metric(
        name="forgotten_hours", label="hours left on by people", unit=Unit.VM_HOURS, section="usage", better=LOWER,
        definition="VM hours from the end of a window at which a VM was forgotten until it is switched off or needed again; "
        "part of the hours billed but idle",
        compute=lambda rated: rated.usage.forgotten_h,
    ),
    Metric(
        name="cost.per_month", label="cost per month", unit=Unit.MONEY, section="cost", better=LOWER,
        definition="the cost times 730 hours, over the hours that were simulated and counted",
        compute=lambda rated: rated.cost_per_month(),
    ),
    Metric(
        name="forgotten_cost", label="cost of hours left on by people", unit=Unit.MONEY, section="usage", better=LOWER,
        definition="compute and licence of these hours at pay-as-you-go prices; part of the cost, or of what commitments cover",
        compute=lambda rated: rated.forgotten_cost(),
    ),
    Metric(
        name="availability", label="availability", unit=Unit.SHARE, section="usage", better=HIGHER,
        definition="hours ready while needed over needed hours", ratio_of=("served_hours", "wanted_hours"),
    ),
    _ready("mean", "mean time until ready (if ever)", "mean of the times", lambda ready: ready.mean_s),
    _ready("p50", "median time until ready (if ever)", "median of the times", lambda ready: ready.percentile_s(50)),
    _ready("p95", "95th percentile of time until ready (if ever)", "95 % take no longer", lambda ready: ready.percentile_s(95)),
    _ready("p99", "99th percentile of time until ready (if ever)", "99 % take no longer", lambda ready: ready.percentile_s(99)),
    _ready("max", "longest time until ready (if ever)", "the longest time", lambda ready: ready.percentile_s(100)),
    Metric(
        name="ready.moments", label="times needed", unit=Unit.COUNT, section="ready on time",
        definition="moments at which a VM is needed, those still awaited at the horizon left out",
        compute=lambda rated: float(rated.usage.ready.moments),
    ),
    Metric(
        name="ready.late_share", label="late or never ready", unit=Unit.SHARE, section="ready on time", better=LOWER,
        definition="share of the moments at which a VM is needed that it is not ready within the group's limit, or never",
        compute=lambda rated: rated.usage.ready.late_share,
    ),
    Metric(
        name="ready.never", label="times never ready", unit=Unit.COUNT, section="ready on time", better=LOWER,
        definition="how often a VM was not ready before it was no longer needed",
        compute=lambda rated: float(rated.usage.ready.never),
    ),
    Metric(
        name="sla.uptime", label="uptime of deployments", unit=Unit.SHARE, section="service level", better=HIGHER,
        definition="share of deployed time in which a deployment could be reached, as the SLA counts it",
        compute=lambda rated: rated.uptime(),
    ),
    Metric(
        name="sla.credit", label="service credits to claim", unit=Unit.MONEY, section="service level",
        definition="credits that the SLA grants for the months whose uptime is below its level",
        compute=lambda rated: rated.credit(),
    ),
    Metric(
        name="vms.peak_allocated", label="peak of VMs on hosts", unit=Unit.VMS, section="VMs",
        definition="most VMs that were on a host at one instant",
        compute=lambda rated: float(rated.usage.peak_allocated),
    ),
    Metric(
        name="vms.peak_running", label="peak of VMs running", unit=Unit.VMS, section="VMs",
        definition="most VMs that were Running at one instant",
        compute=lambda rated: float(rated.usage.peak_running),
    ),
    Metric(
        name="hosts.used_share", label="vCPUs of hosts in use", unit=Unit.SHARE, section="VMs",
        definition="vCPUs of hosts that VMs hold over the vCPUs of all hosts, time average; of a group: those that its VMs hold, over those of its region",
        compute=lambda rated: rated.usage.amounts.get("hosts.used_share"),
    ),
    Metric(
        name="hosts.peak_used", label="peak of hosts in use", unit=Unit.COUNT, section="VMs",
        definition="most hosts that held a VM at one instant; of the fleet",
        compute=lambda rated: rated.usage.counts.get("hosts.peak_used"),
    ),
    _counter("vms.created", "VMs created", "creates that reached Succeeded", section="VMs"),
    _counter("vms.deleted", "VMs deleted", "VMs whose deletion was completed", section="VMs"),
    _operation_counter("accepted", "operations that the platform accepted"),
    _operation_counter("succeeded", "operations that succeeded"),
    _operation_counter("failed", "operations that failed", LOWER),
    _operation_counter("rejected", "operations refused at once (quota, another operation under way)", LOWER),
    Metric(
        name="failures.<code>", label="failures: <code>", unit=Unit.COUNT, section="events", better=LOWER,
        definition="failures by the platform's error code",
        compute=lambda rated: {code: rated.count(f"failures.{code}") for code in FAILURES},
    ),
    _counter(
        "allocation.attempts", "attempts to find hardware",
        "attempts to find a host: of creates and starts, each retry counted; of each VM that the platform moves, once",
    ),
    _counter(
        "allocation.failures", "attempts that found no hardware", "of these attempts, those that found no host", LOWER
    ),
    _counter(
        "allocation.platform_looks", "looks for hardware by the platform",
        "how often the platform looked for a host for VMs of failed or emptied hosts, each time counted", LOWER,
    ),
    _counter("evictions", "spot evictions", "evictions of spot VMs", LOWER),
    _counter("host_failures", "host failures", "failures of hosts; of a group: those that hit its VMs", LOWER),
    _counter("guest_crashes", "guest OS crashes", "crashes of the guest OS while Running", LOWER),
    _counter("service_healings", "service healings", "VMs started again on another host after a host failure"),
    _counter("maintenance_impacts", "VMs hit by maintenance", "freezes, reboots and redeployments by maintenance"),
    _counter("autoscale.out", "scale-outs", "times that the autoscale rule added VMs"),
    _counter("autoscale.in", "scale-ins", "times that the autoscale rule removed VMs"),
    _load("load.offered", "offered load", Unit.LOAD_HOURS, "load of an autoscaled group, times hours"),
    _load("load.served", "served load", Unit.LOAD_HOURS, "load that running VMs could serve, times hours", HIGHER),
    _load("load.overload_hours", "overloaded hours", Unit.HOURS, "hours with more load than running VMs serve", LOWER),
    _counter("deadline.due", "work due", "requests whose deadline lies before the horizon"),
    _counter("deadline.met", "work done in time", "of these, requests whose work was done by then", HIGHER),
    _counter("deadline.missed", "work done late", "of these, the others: late, or not done at all", LOWER),
    Metric(
        name="deadline.late_s", label="lateness of work", unit=Unit.SECONDS, section="events", better=LOWER,
        definition="time from the deadline until the work was done, or to the horizon, of all requests that missed it",
        compute=lambda rated: rated.usage.amounts.get("deadline.late_s", 0.0),
    ),
    Metric(
        name="lost_work_hours", label="work lost at evictions", unit=Unit.VM_HOURS, section="usage", better=LOWER,
        definition="work since the last checkpoint, lost at evictions and made up; part of the hours ready while needed",
        compute=lambda rated: rated.usage.amounts.get("lost_work_hours", 0.0),
    ),
    Metric(
        name="deadline.met_share", label="share of work done in time", unit=Unit.SHARE, section="ratios", better=HIGHER,
        definition="work done in time over work due", ratio_of=("deadline.met", "deadline.due"),
    ),
    Metric(
        name="deadline.late_mean_s", label="mean lateness", unit=Unit.SECONDS, section="ratios", better=LOWER,
        definition="lateness of work over work done late", ratio_of=("deadline.late_s", "deadline.missed"),
    ),
    Metric(
        name="allocation.failure_rate", label="share of attempts that found no hardware", unit=Unit.SHARE, section="ratios",
        definition="allocation failures over allocation attempts", better=LOWER,
        ratio_of=("allocation.failures", "allocation.attempts"),
    ),
    Metric(
        name="load.served_share", label="share of load served", unit=Unit.SHARE, section="ratios", better=HIGHER,
        definition="served load over offered load", ratio_of=("load.served", "load.offered"),
    ),
)  # fmt: skip


class _Ratios(Mapping[str, tuple[str, str]]):
    """Metrics that are a ratio of two others, from the registry."""

    def __getitem__(self, name: str) -> tuple[str, str]:
        row = find_metric(name)
        if row is None or row.ratio_of is None:
            raise KeyError(name)
        return row.ratio_of

    def __iter__(self) -> Iterator[str]:
        return (row.name for row in METRICS.values() if row.ratio_of is not None and not row.is_pattern)

    def __len__(self) -> int:
        return sum(1 for _ in self)


RATIOS: Mapping[str, tuple[str, str]] = _Ratios()
"""Metrics that are a ratio of two others. Over replications they are the ratio of means, never the mean of ratios.

`commitment.<name>.used_fraction` isn't among them: what was bought is the same in every replication, so the two agree.
"""


def metrics_of(rated: RatedUsage) -> dict[str, float]:
    """Every metric of one group of one replication, in the registry's order."""
    found: dict[str, Any] = {}
    ratios: list[tuple[str, str, str]] = []
    for plain, patterns in _families(METRICS.version):
        for row in plain:
            value: Any = math.nan if row.compute is None else _computed(row, rated)
            if value is not None:
                found[row.name] = float(value)
        ratios += [(row.name, *row.ratio_of) for row in plain if row.ratio_of]
        figures: list[Any] = [_computed(row, rated) if row.compute is not None else None for row in patterns]
        for word in next((words for words in figures if words is not None), ()):
            for row, words in zip(patterns, figures, strict=True):
                found[name := row.of(word)] = math.nan if words is None else float(words[word])
                if row.ratio_of:
                    ratios.append((name, *RATIOS[name]))
    unknown = {*rated.usage.counts, *rated.usage.amounts} - found.keys()
    if unknown:
        raise AssertionError(f"counted without a row in the registry of metrics: {', '.join(sorted(unknown))}")
    for name, top, bottom in ratios:
        if not {top, bottom} <= found.keys():
            raise PlugInError(
                f"metric {name}: is {top} over {bottom}, and there is no {top if top not in found else bottom}"
            )
        found[name] = found[top] / found[bottom] if found[bottom] else math.nan
    return found


def _computed(row: Metric, rated: RatedUsage) -> Any:
    """The figures of a row. Raises PlugInError for a plug-in's that fails, or gives something else."""
    assert row.compute is not None
    if (module := METRICS.origins.get(row.name, "sim.")).startswith("sim."):
        return row.compute(rated)
    try:
        found = row.compute(rated)
    except Exception as wrong:
        raise PlugInError(f"metric {row.name} of {module} failed ({type(wrong).__name__}: {wrong})") from wrong
    if found is None:
        return None
    figures: Any = found if row.is_pattern else {"": found}
    if not isinstance(figures, Mapping) or not all(
        isinstance(each, float | int | np.number) for each in figures.values()
    ):
        expected = "a mapping from words to numbers" if row.is_pattern else "a number, or None"
        raise PlugInError(f"metric {row.name} of {module} gave {found!r}; it gives {expected}")
    numbers = {word: float(each) for word, each in figures.items()}
    low, high = row.domain
    if any(math.isinf(each) or each < low or each > high for each in numbers.values()):
        domain = f"{'any' if row.is_signed else 'no negative'} number{' up to 1' if high == 1.0 else ''}, or NaN where there is none"
        signed = "" if row.is_signed else " (is_signed=True in its row allows a negative one)"
        raise PlugInError(f"metric {row.name} of {module} gave {found!r}; it gives {domain}{signed}")
    return numbers if row.is_pattern else numbers[""]


def metric_rows() -> list[Metric]:
    """All rows of the registry, in the order of a result."""
    return [row for family in _families(METRICS.version) for rows in family for row in rows]


@lru_cache(maxsize=1)
def _families(_version: int) -> Sequence[tuple[Sequence[Metric], Sequence[Metric]]]:
    """Rows of single metrics, and those that stand together word by word: `operations.create.accepted`, `operations.create.succeeded` ..."""
    by_family: dict[str, tuple[list[Metric], list[Metric]]] = {}
    for row in order_metrics(METRICS.values()):
        by_family.setdefault(row.family, ([], []))[row.is_pattern].append(row)
    return [*by_family.values()]


def possible_metrics(commitments: Iterable[str] = ()) -> tuple[str, ...]:
    """Every name that a run may report, before anything is simulated; *commitments* are the scenario's."""
    words = {
        "hours.": [str(state) for state in PowerState],
        "operations.": list(OPERATION_NAMES),
        "failures.": list(FAILURES),
        "commitment.": list(commitments),
    }
    return tuple(
        name
        for row in order_metrics(METRICS.values())
        for name in ([row.of(word) for word in words.get(row.family, ())] if row.is_pattern else [row.name])
    )


def check_metric(metric: str, names: Iterable[str]) -> None:
    """Raise InputError naming close matches if there is no such metric among *names*."""
    every = list(names)
    if metric in every:
        return
    begin = metric.casefold()
    family = [name for name in every if begin and name.startswith(begin)]  # of `cost`, `cost.total` before the rest
    family.sort(key=lambda name: (name not in SHOWN, not name.endswith(".total")))
    close = family[:3] or difflib.get_close_matches(metric, every, n=3, cutoff=0.4)
    hint = f"did you mean {list_words(close)}?" if close else "`vmfleet metrics` lists the names"
    raise InputError(f"there is no metric {metric!r}; {hint}")


def html_table(caption: str, metrics: Mapping[str, Mapping[str, Any]], currency: str) -> str:
    """A run's main metrics as a small table for notebooks, from the metrics of its summary."""
    forms = Forms(currency=currency, means={name: found["mean"] for name, found in metrics.items()})
    columns = ("mean", "low", "high", "p05", "p50", "p95")
    rows = []
    for name in SHOWN:
        found = metrics.get(name)
        if found is not None:
            form = forms.of(name, found["mean"], found["low"], found["high"])
            rows.append([form.title, *(form.text(found[column]) for column in columns)])
    return html_rows(caption, ("metric", *columns), rows)

"""Cases whose answer mathematics or a calendar knows: `vmfleet verify` simulates them, and so do the tests.

Each is a scenario of its own, whose operations take no time unless they are the question. Beside the exact figure stands what a
plausible shortcut would give (no transient, medians for means, every attempt a success ...): the check must refuse that.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from sim.errors import InputError
from sim.fields.messages import close_match
from sim.runs.run import run
from sim.scenario.scenario import from_dict

AT_ONCE = dict.fromkeys(
    ("allocating", "starting", "os_provisioning", "stopping", "deallocating", "restarting", "updating", "deleting"),
    "0s",
)
FALSE_ALARM = (
    1e-4  # how often a correct simulator would fail one of the cases with random numbers, were the seed drawn anew
)
ROUNDING = 1e-9  # relative, of cases without random numbers
COLUMNS = ("case", "exact", "simulated", "low", "high", "z", "verdict")
EVERY_DAY = {"days": "Mon-Sun", "on": "08:00:00", "off": "18:00:00"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A scenario, a metric of it, and the metric's exact mean."""

    name: str
    says: str  # the formula or the count, with its source
    metric: str
    exact: float
    shortcut: float  # what a wrong model would give
    document: Mapping[str, Any]
    replications: int = 100  # 1: there are no random numbers in it


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was simulated of a case: mean and its interval at the level of `FALSE_ALARM`, and standard errors from the exact figure."""

    case: Case
    simulated: float
    low: float
    high: float
    z: float  # 0 where there are no random numbers
    holds: bool

    def refuses(self, figure: float) -> bool:
        """Whether the simulation excludes another figure by twice as much as a right one may deviate."""
        reach = 2 * max(self.high - self.simulated, self.simulated - self.low, ROUNDING * abs(self.simulated))
        return abs(figure - self.simulated) > reach


def verify(names: Sequence[str] = (), *, seed: int = 1) -> list[Verdict]:
    """Simulate the cases of these names, or all. Raises InputError: there is no such case."""
    cases = {case.name: case for case in all_cases()}
    for name in names:
        if name not in cases:
            raise InputError(f"--case {name}: there is no such case ({close_match(name, cases) or ', '.join(cases)})")
    return [_simulated(cases[name], seed) for name in names or cases]


def _simulated(case: Case, seed: int) -> Verdict:
    result = run(from_dict({"name": "case", **case.document}), replications=case.replications, seed=seed)
    found = result.estimate(case.metric)
    mean = math.nan if found.mean is None else found.mean
    error = (found.sd or 0.0) / math.sqrt(case.replications)
    reach, z, holds = 0.0, 0.0, math.isclose(mean, case.exact, rel_tol=ROUNDING)
    if case.replications > 1 and error:
        reach, z = NormalDist().inv_cdf(1 - FALSE_ALARM / 2) * error, (mean - case.exact) / error
        holds = abs(mean - case.exact) <= reach
    return Verdict(case=case, simulated=mean, low=mean - reach, high=mean + reach, z=z, holds=holds)


def _fleet(horizon: str, *, above: Mapping[str, Any] | None = None, **group: Any) -> dict[str, Any]:
    return {"horizon": horizon, **(above or {}), "group": [{"name": "vm", "durations": AT_ONCE, **group}]}


def all_cases() -> list[Case]:
    """Every case, those without random numbers first."""
    return [*_counted(), *_renewal(), *_queues(), *_attempts()]


def _counted() -> Iterator[Case]:
    """Cases that a calendar or a price list answers."""
    yield Case(
        name="always-on", says="3 VMs x 48 h", metric="billed_hours", exact=144.0, shortcut=3 * 47.0,
        document=_fleet("2d", count=3), replications=1,
    )  # fmt: skip
    office = {**EVERY_DAY, "days": "Mon-Fri"}
    yield Case(
        name="office-hours", says="20 weekdays x 10 h of four weeks", metric="billed_hours", exact=200.0, shortcut=280.0,
        document=_fleet("28d", schedule=office), replications=1,
    )  # fmt: skip
    yield Case(
        name="stopped-is-billed", says="stopped at night, billed all the same: 28 x 24 h", metric="billed_hours", exact=672.0,
        shortcut=200.0, document=_fleet("28d", schedule=office, when_off="stop"), replications=1,
    )  # fmt: skip
    night = {"days": "Mon-Sun", "on": "00:00:00", "off": "12:00:00", "time_zone": "Europe/Amsterdam"}
    yield Case(
        name="summer-time", says="7 mornings of 12 h; on 29 March 2026 the clock skips 02:00 to 03:00", metric="wanted_hours",
        exact=83.0, shortcut=84.0, replications=1,
        document=_fleet("156h", above={"start": "2026-03-22T23:00:00Z"}, schedule=night),
    )  # fmt: skip
    own = {"prices": {"override": {"Standard_D4s_v5": {"linux": 0.25, "reservation_1y": 0.15}}}}
    held = [{"name": "ri", "kind": "reservation", "size": "Standard_D4s_v5", "quantity": 2, "term": "1y"}]
    yield Case(
        name="reservation", says="2 units x 240 h x 0.15 for 24 h a day, 1 VM beside them x 100 h x 0.25", metric="cost.total",
        exact=2 * 240 * 0.15 + 100 * 0.25, shortcut=3 * 100 * 0.25, replications=1,
        document=_fleet("10d", above={**own, "commitment": held}, count=3, schedule=EVERY_DAY),
    )  # fmt: skip
    yield Case(
        name="reservation-utilisation", says="needed for 10 of 24 h", metric="commitment.ri.used_fraction", exact=10 / 24,
        shortcut=1.0, replications=1, document=_fleet("10d", above={**own, "commitment": held}, count=2, schedule=EVERY_DAY),
    )  # fmt: skip
    yield Case(
        name="disk-month", says="the price of a month, 20 USD, in a month of 31 days", metric="cost.disk", exact=20.0,
        shortcut=20.0 * 744 / 730, replications=1,
        document=_fleet("31d", above={"start": "2026-01-01T00:00:00Z", "prices": {"override_disks": {"P10": 20.0}}}, disks=["P10"]),
    )  # fmt: skip
    yield Case(
        name="quota", says="20 vCPUs hold 5 VMs of 4", metric="vms.created", exact=5.0, shortcut=10.0, replications=1,
        document=_fleet("1d", above={"platform": {"quota": {"regional_vcpus": 20}}}, count=10),
    )  # fmt: skip
    hosts = [{"name": "rack", "count": 3, "vcpus": 18, "memory_gib": 1024}]
    yield Case(
        name="hosts", says="3 hosts of 18 vCPUs hold 4 VMs of 4 each", metric="vms.peak_allocated", exact=12.0,
        shortcut=3 * 18 / 4, replications=1, document=_fleet("1d", above={"platform": {"hosts": hosts}}, count=20),
    )  # fmt: skip


def _mean_up(up_h: float, down_h: float, span_h: float) -> float:
    """Expected hours up of an alternating process with exponential times that begins up (Trivedi 2016, 8.4)."""
    a, b = 1 / up_h, 1 / down_h
    return b / (a + b) * span_h + a / (a + b) ** 2 * -math.expm1(-(a + b) * span_h)


def _renewal() -> Iterator[Case]:
    """A VM that goes up and down by itself, and means of distributions."""
    up, down = {"dist": "exponential", "mean": "5h"}, {"dist": "exponential", "mean": "3h"}
    yield Case(
        name="on-and-off", says="two-state Markov chain that begins on, 12 h", metric="billed_hours", replications=200,
        exact=100 * _mean_up(5, 3, 12), shortcut=100 * 12 * 5 / 8,
        document=_fleet("12h", count=100, cycle={"on": up, "off": down}),
    )  # fmt: skip
    yield Case(
        name="guest-crash", says="up 5 h, down 3 h until it is noticed; the restart takes no time", metric="served_hours",
        exact=100 * _mean_up(5, 3, 12), shortcut=100 * 12.0, replications=200,
        document=_fleet("12h", count=100, guest_crash={"time_between": up, "detection": down}),
    )  # fmt: skip
    rate = -math.log1p(-0.2)
    yield Case(
        name="eviction", says="0.2 an hour, never restarted: (1 - e^(-rt))/r with r = -ln 0.8", metric="billed_hours",
        exact=200 * -math.expm1(-rate * 10) / rate, shortcut=200 * -math.expm1(-0.2 * 10) / 0.2,
        document=_fleet("10h", count=200, priority="spot", spot={"eviction_per_hour": 0.2, "notice": "0s"}),
    )  # fmt: skip
    yield Case(
        name="eviction-and-return", says="evictions per hour of running time x hours up, down 3 h on average", metric="evictions",
        exact=200 * rate * _mean_up(1 / rate, 3, 10), shortcut=200 * rate * 10,
        document=_fleet(
            "10h", count=200, priority="spot", spot={"eviction_per_hour": 0.2, "notice": "0s", "restart_after": down}
        ),
    )  # fmt: skip
    for spread, mean_h, shortcut_h in (
        ({"dist": "lognormal", "median": "30min", "sigma": 1.0}, 0.5 * math.exp(0.5), 0.5),
        ({"dist": "weibull", "shape": 0.5, "scale": "30min"}, 0.5 * math.gamma(3.0), 0.5),
        ({"dist": "gamma", "shape": 2.0, "mean": "45min"}, 0.75, 0.75 * 1.678347 / 2),  # the median of shape 2
        ({"dist": "triangular", "low": "0s", "mode": "30min", "high": "3h"}, (0.5 + 3) / 3, 1.5),
    ):
        yield Case(
            name=f"mean-{spread['dist']}", says="mean of the distribution x 400 VMs", metric="hours.starting", exact=400 * mean_h,
            shortcut=400 * shortcut_h, document=_fleet("30d", count=400, durations={**AT_ONCE, "starting": spread}),
        )  # fmt: skip
    yield Case(
        name="forgotten-evenings", says="6 nights of 14 h and 6 h of the last, each forgotten with probability 0.3",
        metric="forgotten_hours", exact=200 * 0.3 * (6 * 14 + 6), shortcut=200 * 0.3 * 7 * 14,
        document=_fleet("7d", count=200, schedule=EVERY_DAY, people={"forgets": 0.3}),
    )  # fmt: skip


def _erlang_loss(offered: float, servers: int) -> float:
    """Share of requests that find all servers busy (Erlang 1917, by his recursion)."""
    blocked = 1.0
    for k in range(1, servers + 1):
        blocked = offered * blocked / (k + offered * blocked)
    return blocked


def _queues() -> Iterator[Case]:
    """Requests that come by a Poisson process."""
    lifetime = {"dist": "exponential", "mean": "2h"}
    yield Case(
        name="arrivals", says="Poisson: 12 an hour x 24 h", metric="vms.created", exact=288.0, shortcut=12 * 23.0, replications=200,
        document=_fleet("24h", arrivals={"rate": 12.0, "lifetime": lifetime}),
    )  # fmt: skip
    yield Case(
        name="infinite-servers", says="M/M/infinity that begins empty: 12 (2 t - 4 (1 - e^(-t/2))), t = 24 h", metric="billed_hours",
        exact=12 * (2 * 24 - 4 * -math.expm1(-12)), shortcut=12 * 2 * 24.0,
        document=_fleet("24h", arrivals={"rate": 12.0, "lifetime": lifetime}),
    )  # fmt: skip
    hosts = {"hosts": [{"name": "rack", "count": 6, "vcpus": 4, "memory_gib": 64}]}
    offered = 3.0 * 2.0
    busy = offered * (1 - _erlang_loss(offered, 6))
    yield Case(
        name="erlang-loss", says="M/M/6/6 with 6 erlangs: carried load x 240 h after a day", metric="billed_hours", exact=240 * busy,
        shortcut=240 * offered,
        document=_fleet(
            "11d", above={"warm_up": "1d", "platform": hosts}, arrivals={"rate": 3.0, "lifetime": lifetime}, retry={"attempts": 1}
        ),
    )  # fmt: skip


def _attempts() -> Iterator[Case]:
    """Operations that fail by chance and are tried again."""
    failing = {"AllocationFailed": 0.4}
    retry = {"attempts": 3, "backoff": "1min"}
    yield Case(
        name="attempts", says="truncated geometric: (1 - p^3)/(1 - p) attempts each", metric="allocation.attempts",
        exact=500 * (1 - 0.4**3) / 0.6, shortcut=500 / 0.6, document=_fleet("1d", count=500, failures=failing, retry=retry),
    )  # fmt: skip
    yield Case(
        name="creates-after-retries", says="1 - p^3 of them", metric="vms.created", exact=500 * (1 - 0.4**3), shortcut=500 * 0.6,
        document=_fleet("1d", count=500, failures=failing, retry=retry),
    )  # fmt: skip
    timed_out = {"OSProvisioningTimedOut": 0.25, "os_provisioning_timeout": "1h", "reaction": "0s"}
    yield Case(
        name="failed-provisioning", says="p/(1 - p) failed creates each, 1 h Running and billed", metric="wasted_hours",
        exact=500 * 0.25 / 0.75, shortcut=500 * 0.25, document=_fleet("10d", count=500, failures=timed_out),
    )  # fmt: skip


def table(verdicts: Iterable[Verdict]) -> list[tuple[str, ...]]:
    """A row a case: case, exact, simulated, low, high, z, verdict."""
    return [
        (
            each.case.name, f"{each.case.exact:,.6g}", f"{each.simulated:,.6g}", f"{each.low:,.6g}", f"{each.high:,.6g}",
            f"{each.z:+.2f}", "holds" if each.holds else "FAILS",
        )
        for each in verdicts
    ]  # fmt: skip

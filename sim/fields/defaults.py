"""What a scenario assumes where it says nothing: every default number with its unit, source and trust.

The values are written as a scenario file writes them (`"90s"`, `{dist = "lognormal", ...}`), so the scenario model
reads a default exactly as it reads the user's own line. A key is the dotted place in the scenario file; one that
depends on the guest OS ends in `.linux` or `.windows`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from types import MappingProxyType
from typing import Any

from sim.fields.registry import DOTTED, Registry

TomlValue = str | int | float | bool | Mapping[str, str | float]


class Trust(StrEnum):
    """How far a number may be believed, most first."""

    DOCUMENTED = "documented"  # the platform's own documentation states it
    LIST_PRICE = "list price"  # read from the public price list
    IMPORTED = "imported"  # read from the user's own saved pages
    USER = "user"  # the user set it in the scenario
    MEASURED = "measured elsewhere"  # observed by others, in other circumstances
    CONVENTION = "convention"  # a free choice that changes what is asked, not what is true
    STAND_IN = "stand-in"  # a real figure of another place, used for want of this one's
    ESTIMATE = "estimate"  # computed by a rule of thumb from real figures
    ASSUMPTION = "assumption"  # our guess; vary it before you rely on it


TRUSTED = frozenset({Trust.DOCUMENTED, Trust.LIST_PRICE, Trust.IMPORTED, Trust.USER})
"""Of prices: those that a bill may rest on; the others are estimates and stand-ins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sourced:
    """A number that knows its unit, where it came from and how far to trust it."""

    value: TomlValue
    unit: str
    source: str
    trust: Trust

    @property
    def is_assumption(self) -> bool:
        """Whether a reader must be warned that it is our guess."""
        return self.trust is Trust.ASSUMPTION


OURS = "chosen by vmfleet; the platform publishes no figure"
_RECORDINGS = "recordings of the Azure SDKs' tests, as the platform timed them (docs/durations.md)"
_START = (
    "a measured start (19 starts of 2020-2021, 14 clusters, median 8.4 s, 95 % interval 5.7 to 12.2 s), its mean shared out as "
    f"allocating 10 : starting 25: total measured, split assumed; {_RECORDINGS}"
)


def _lognormal(median: str, sigma: float) -> Mapping[str, str | float]:
    return {"dist": "lognormal", "median": median, "sigma": sigma}  # a plain dict: it is pickled and written as JSON


def _neutral(value: TomlValue, source: str, unit: str = "") -> Sourced:
    return Sourced(value=value, unit=unit, source=source, trust=Trust.CONVENTION)


def _stated(trust: Trust, value: TomlValue, source: str, unit: str = "duration") -> Sourced:
    return Sourced(value=value, unit=unit, source=source, trust=trust)


_assumed, _documented, _measured = (
    partial(_stated, trust) for trust in (Trust.ASSUMPTION, Trust.DOCUMENTED, Trust.MEASURED)
)


def _timed(median: str, sigma: float, counted: str, interval: str, years: str = "2020-2021") -> Sourced:
    source = f"{counted}, {years}, 95 % interval of the median {interval}; {_RECORDINGS}"
    return _measured(_lognormal(median, sigma), source)


def _create(median: str, sigma: float, counted: str) -> Sourced:
    source = f"what a measured create takes beyond a start ({counted}, 2020-2021): total measured, split assumed; {_RECORDINGS}"
    return _measured(_lognormal(median, sigma), source)


_COOLDOWN = _documented("5min", "autoscale-understanding-settings.md, 2026-08-05: PT5M in the examples")
_BY = _neutral(1, "the smallest step", "VMs")
_REPAIR = _measured(
    _lognormal("1.05h", 1.42), "LANL 2005 clusters (Javadi et al., JPDC 2013): lognormal(0.05, 1.42) hours"
)
_HEALING = _assumed("10min", "service healing usually takes within 15 min (SupportArticles, undated)")
_THROTTLING = "compute-throttling-limits.md, 2024-05-27: per subscription and class of operations, burst 1,500, refill 500 a minute"

_ROWS: Mapping[str, Sourced] = MappingProxyType(
    {
        # Neutral readings of an absent key, which no source could give.
        "start": _neutral("2026-01-05T00:00:00Z", "a Monday, so that hours of a week count from t = 0"),
        "rounding": _neutral("exact", "nothing is rounded before it is multiplied by its price"),
        "commitment.size_flexible": _neutral(value=True, source="how the platform applies a reservation"),
        "group.name": _neutral("vm", "the name of a group that has none"),
        "group.size": _neutral("Standard_D4s_v5", "a current general-purpose size"),
        "group.os": _neutral("linux", "no licence"),
        "group.hybrid_benefit": _neutral(value=False, source="licences are bought with the VM"),
        "group.image": _neutral("generalized", "a marketplace image: the guest OS is provisioned"),
        "group.count": _neutral(1, "one VM", "VMs"),
        "group.create_over": _neutral("0s", "all created at t = 0", "duration"),
        "group.priority": _neutral("regular", "not evicted"),
        "group.public_ip": _neutral(value=False, source="none billed"),
        "group.keeps_disks": _neutral(value=False, source="disks are deleted with their VM"),
        "group.autoscale.time_zone": _neutral("UTC", "the clock of the simulation"),
        "group.autoscale.when_off": _neutral("delete", "scale-in of the platform's autoscale deletes VMs"),
        "group.spot.fall_back": _neutral("never", "work waits for spot VMs"),
        "group.spot.availability.column": _neutral("value", "the name of the column in published records"),
        "group.spot.availability.available": _neutral(1, "1: there is capacity, 0: there is none"),
        "group.trace.sizes": _neutral("auto", "the size of the price list that has room and is nearest"),
        "group.trace.durations": _neutral(
            "0s", "the trace's hours hold every step already: hours replayed are hours recorded", "duration"
        ),
        "group.wanted": _neutral(value=True, source="VMs are there to be used"),
        "group.when_off": _neutral("deallocate", "what the platform's auto-shutdown does"),
        "group.ready.within": _neutral("5min", OURS, "duration"),
        "group.schedule.time_zone": _neutral("UTC", "the clock of the simulation"),
        "group.arrivals.time_zone": _neutral("UTC", "the clock of the simulation"),
        "group.arrivals.lifetime_counts": _neutral("clock", "demand ends at its hour, whatever became of the VM"),
        # How long each step of an operation takes.
        "group.durations.allocating": _measured(_lognormal("2.1s", 0.8), _START),
        "group.durations.starting": _measured(_lognormal("5.4s", 0.8), _START),
        "group.durations.os_provisioning.linux": _create(
            "38s", 0.58, "166 Linux creates, 12 clusters, median 49 s (38 to 64)"
        ),
        "group.durations.os_provisioning.windows": _create(
            "82s", 0.55, "43 Windows creates, 19 clusters, median 93 s (73 to 117)"
        ),
        "group.durations.extensions": _neutral("0s", "a VM without extensions", "duration"),
        "group.durations.stopping": _timed("9.4s", 0.52, "31 power-offs, 12 clusters", "7.7 to 11.4 s"),
        "group.durations.deallocating": _timed("46s", 0.55, "35 deallocations, 18 clusters", "35 to 61 s"),
        "group.durations.restarting": _assumed(
            "30s", f"{OURS}: 22 of 24 measured restarts were answered in under 1 s, before the guest OS was back"
        ),
        "group.durations.updating": _timed(
            "10.4s", 0.76, "25 updates that changed something, 9 clusters", "6.3 to 17 s"
        ),
        "group.durations.deleting.linux": _timed(
            "50s", 0.63, "28 Linux deletes, 15 clusters", "36 to 71 s", "2017-2021"
        ),
        "group.durations.deleting.windows": _timed(
            "108s", 0.98, "30 Windows deletes, 17 clusters", "65 to 180 s", "2016-2021"
        ),
        # What goes wrong, and who notices.
        "group.failures.os_provisioning_timeout.linux": _measured(
            "20min", "observed in the field (claudie issue 386, 2022); no official number"
        ),
        "group.failures.os_provisioning_timeout.windows": _measured(
            "40min", "observed in the field (salt issue 46246, 2018; WALinuxAgent issue 664, 2017); no official number"
        ),
        "group.failures.extensions_timeout": _documented(
            "90min", "extensionsTimeBudget, default PT1H30M (Compute REST API)"
        ),
        "group.failures.reaction": _assumed(_lognormal("2h", 1.0), OURS),
        # The user's automation.
        "group.retry.attempts": _assumed(5, OURS, "attempts, the first one counted"),
        "group.retry.backoff": _assumed("1min", OURS),
        "group.retry.multiplier": _assumed(2.0, OURS, "factor per attempt"),
        "group.retry.max_backoff": _assumed("1h", OURS),
        "group.guest_crash.detection": _assumed("5min", OURS),
        # Spot.
        "group.spot.eviction_per_hour": _neutral(
            0.0,
            "shown by size and region to account holders only, as bands: none by chance unless the scenario says so",
            "probability per hour of running",
        ),
        "group.spot.policy": _documented("deallocate", "spot-vms.md, 2024-08-05: Deallocate is the default", ""),
        "group.spot.notice": _documented("30s", "scheduled-events.md, 2023-01-25: Preempt, at least 30 s, best effort"),
        # Autoscale.
        "group.autoscale.tick": _documented(
            "1min", "autoscale-understanding-settings.md, 2026-08-05: the engine runs every 30 to 60 s"
        ),
        "group.autoscale.scale_out.by": _BY,
        "group.autoscale.scale_out.cooldown": _COOLDOWN,
        "group.autoscale.scale_in.by": _BY,
        "group.autoscale.scale_in.cooldown": _COOLDOWN,
        # The platform under the fleet.
        "platform.placement": _assumed("best-fit", OURS, ""),
        "platform.hosts.racks": _neutral(1, "all hosts of a cluster in one fault domain", "racks"),
        "platform.host_failures.repair": _REPAIR,
        "platform.host_failures.healing": _HEALING,
        "platform.rack_failures.repair": _REPAIR,
        "platform.rack_failures.healing": _HEALING,
        "platform.zone_failures.repair": _REPAIR,
        "platform.zone_failures.healing": _HEALING,
        "platform.maintenance.update_domains": _measured(
            5, "availability sets: 5 by default (field)", "update domains"
        ),
        "platform.maintenance.between_domains": _documented(
            "30min", "availability-set-overview.md, 2024-10-10: 30 min to recover before the next update domain"
        ),
        "platform.maintenance.freeze": _assumed(
            "9s",
            "maintenance-and-updates.md, 2026-04-30: a memory-preserving pause is almost always under 10 s; the figure is ours",
        ),
        "platform.throttle.burst": _documented(1500, _THROTTLING, "operations"),
        "platform.throttle.refill_per_min": _documented(500, _THROTTLING, "operations per minute"),
        # The experiment itself.
        "replications": _neutral(20, OURS, "replications"),
        "confidence": _neutral(0.95, OURS, "probability"),
        "seed": _neutral(1, OURS),
        "warm_up": _neutral("0s", "nothing is left out", "duration"),
        "billing_policy": _documented("2018-08", "the source document, 2018-08-09", ""),
        "prices.region": _neutral("westeurope", OURS),
        "prices.discount": _neutral(0.0, "list prices", "share of the price"),
        "prices.currency": _neutral("USD", "the price list's own currency"),
    }
)

DEFAULTS: Registry[Sourced] = Registry("default", names=DOTTED)
"""Every default by its dotted place in the scenario file; a concept of a user's own adds its rows."""

for _key, _sourced in _ROWS.items():
    DEFAULTS.add(_key, _sourced)


SYSTEMS = ("linux", "windows")
"""Guest operating systems; a place whose default depends on them has a row for each."""


def default_key(key: str, *, os: str = SYSTEMS[0]) -> str:
    """The key of the default that holds at a dotted place of the scenario file under a guest OS; "": there is none."""
    return next((one for one in (key, f"{key}.{os}") if one in DEFAULTS), "")


def get_default(key: str, *, os: str = SYSTEMS[0]) -> Sourced:
    """The default at a dotted place of the scenario file, for a guest OS where it matters.

    >>> get_default("group.failures.os_provisioning_timeout", os="windows").value
    '40min'
    """
    found = default_key(key, os=os)
    if not found:
        raise KeyError(f"no default is catalogued for {key!r}")
    return DEFAULTS[found]


def default_value(key: str, *, os: str = SYSTEMS[0]) -> Any:
    """The default at a dotted place, in the form a TOML reader would have given it."""
    return to_plain(get_default(key, os=os).value)


def to_plain(value: Any) -> Any:
    """The same value as plain dicts, lists and scalars, all of them new."""
    if isinstance(value, Mapping):
        return {str(key): to_plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(part) for part in value]
    return value

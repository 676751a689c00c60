"""What a scenario file means where it is silent: the catalogue's sourced defaults, and the file's own conventions.

Numbers about the platform stand in `sim.catalog.defaults`. What stands here are only the neutral readings of an
absent key (one VM, no disks billed, regular priority), which no source could give.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sim.catalog.defaults import DEFAULTS, Sourced, Trust


def _neutral(value: Any, source: str, unit: str = "") -> Sourced:
    return Sourced(value=value, unit=unit, source=source, trust=Trust.CONVENTION)


_READINGS: Mapping[str, Sourced] = MappingProxyType(
    {
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
        "group.trace.sizes": _neutral("auto", "the size of the price list that has room and is nearest"),
        "group.trace.durations": _neutral(
            "0s", "the record's hours hold every step already: hours replayed are hours recorded", "duration"
        ),
        "group.when_off": _neutral("deallocate", "what the platform's auto-shutdown does"),
        "group.schedule.time_zone": _neutral("UTC", "the clock of the simulation"),
        "group.arrivals.time_zone": _neutral("UTC", "the clock of the simulation"),
    }
)

SCENARIO_DEFAULTS: Mapping[str, Sourced] = MappingProxyType({**_READINGS, **DEFAULTS})
"""Every default of a scenario file by its dotted place, as the catalogue writes them."""


def default_value(key: str) -> Any:
    """The default at a dotted place, in the form a TOML reader would have given it."""
    return to_plain(SCENARIO_DEFAULTS[key].value)


def to_plain(value: Any) -> Any:
    """The same value as plain dicts, lists and scalars, all of them new."""
    if isinstance(value, Mapping):
        return {str(key): to_plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(part) for part in value]
    return value

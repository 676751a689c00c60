"""What a result folder says of promises: commitments hour by hour, uptime month by month."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sim.report.columns import column, read_table

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentUse:
    """One commitment in the first replication, by clock hour, in its own unit."""

    name: str
    unit: str
    first_hour: int
    bought: Floats
    used: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class UptimeRow:
    """One deployment (or all single VMs of a group) in one month: means over the replications, and the worst of them."""

    month: str
    name: str
    deployment: str
    deployments: float
    promised: float | None
    uptime: float
    worst: float
    breaches: float
    credit: float


def read_commitments(folder: Path) -> tuple[CommitmentUse, ...]:
    """Every commitment of the first replication, in the order of the bill."""
    table = read_table(folder / "commitments.parquet", ("commitment", "hour", "unit", "bought", "used"))
    if table is None:
        return ()
    name, names = column(table, "commitment")
    unit, units = column(table, "unit")
    hour, bought, used = (np.asarray(column(table, each)) for each in ("hour", "bought", "used"))
    found = []
    for code in dict.fromkeys(name.tolist()):
        own = name == code
        found.append(
            CommitmentUse(
                name=str(names[code]),
                unit=str(units[unit[own][0]]),
                first_hour=int(hour[own].min()),
                bought=bought[own].astype(np.float64),
                used=used[own].astype(np.float64),
            )
        )
    return tuple(found)


def read_uptimes(folder: Path, replications: int) -> tuple[UptimeRow, ...]:
    """By month and deployment; a replication in which nothing was deployed in a month doesn't count for its uptime."""
    words = ("month", "name", "deployment")
    numbers = ("deployments", "promised", "deployed_min", "down_min", "worst", "breaches", "credit")
    table = read_table(folder / "sla.parquet", words + numbers)
    if table is None:
        return ()
    columns = {each: table.column(each).to_pylist() for each in words + numbers}
    places: dict[tuple[str, ...], list[int]] = {}
    for place, key in enumerate(zip(*(columns[word] for word in words), strict=True)):
        places.setdefault(key, []).append(place)
    found = []
    for (month, name, deployment), own in places.items():
        sums = {each: math.fsum(columns[each][i] for i in own) for each in numbers if each != "promised"}
        found.append(
            UptimeRow(
                month=month,
                name=name,
                deployment=deployment,
                deployments=sums["deployments"] / replications,
                promised=columns["promised"][own[0]],
                uptime=1.0 - sums["down_min"] / sums["deployed_min"],
                worst=min(columns["worst"][i] for i in own),
                breaches=sums["breaches"] / replications,
                credit=sums["credit"] / replications,
            )
        )
    return tuple(sorted(found, key=lambda each: (each.month, each.name)))

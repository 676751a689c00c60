"""vCPUs in use against the limits of a subscription: whatever exists counts, on or off.

The functions of `RULES` take lists from the SimPy engine and arrays from the compiled one, which compiles them.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sim.engines.shared.linked_list import Cells
from sim.model.plan import GroupPlan, Platform

NO_LIMIT = 1 << 60
REGIONAL, SPOT, FAMILIES = range(3)  # rows of the limits of a region; each family has one from FAMILIES on


class QuotaUse(NamedTuple):
    """What is in use of each limit."""

    # By limit:
    in_use: Cells
    limit: Cells
    # By group:
    vcpus: Cells
    regional: Cells  # row of its region's limit; -1 for spot VMs
    family: Cells  # row of its family's limit, or of that of spot VMs
    held_by: Cells  # row of `alive`: groups that the same reservations hold quota for share one
    held: Cells  # for how many VMs they do
    alive: Cells


def ask(quota: QuotaUse, group: int) -> bool:
    """Whether every limit leaves room for one more VM of the group, which is counted then."""
    more, regional, family = quota.vcpus[group], quota.regional[group], quota.family[group]
    if regional >= 0:
        alive = quota.alive[quota.held_by[group]] + 1
        if alive <= quota.held[group]:
            more = 0
        if quota.in_use[regional] + more > quota.limit[regional]:
            return False
    if quota.in_use[family] + more > quota.limit[family]:
        return False
    quota.in_use[family] += more
    if regional >= 0:
        quota.in_use[regional] += more
        quota.alive[quota.held_by[group]] += 1
    return True


def give(quota: QuotaUse, group: int) -> None:
    """One VM of the group is gone."""
    regional, family = quota.regional[group], quota.family[group]
    if regional < 0:
        quota.in_use[family] -= quota.vcpus[group]
        return
    alive = quota.alive[quota.held_by[group]]
    if alive > quota.held[group]:
        quota.in_use[regional] -= quota.vcpus[group]
        quota.in_use[family] -= quota.vcpus[group]
    quota.alive[quota.held_by[group]] = alive - 1


RULES = (ask, give)


def quota_use(platform: Platform, groups: Sequence[GroupPlan]) -> QuotaUse:
    """The limits of a platform, in each region for itself; only what is reserved is in use.

    VMs on dedicated hosts use no quota of VMs and no capacity reservation: their hosts do, which the plan buys beforehand.
    """
    dedicated = [platform.is_dedicated(group) for group in groups]
    families = sorted({one.family.lower() for one in groups} | {one.family.lower() for one in platform.reserved})
    regions = sorted({one.region for one in groups} | {one.region for one in platform.reserved})
    rows_of = {region: place * (FAMILIES + len(families)) for place, region in enumerate(regions)}
    limit = [NO_LIMIT] * (FAMILIES + len(families))
    if platform.quota is not None:
        by_family = {name.lower(): vcpus for name, vcpus in platform.quota.families.items()}
        limits = (
            platform.quota.regional_vcpus,
            platform.quota.spot_vcpus,
            *(by_family.get(family) for family in families),
        )
        limit = [NO_LIMIT if vcpus is None else vcpus for vcpus in limits]
    limit = limit * len(regions)
    in_use = [0] * len(limit)
    for held in platform.reserved:
        for row in (REGIONAL, FAMILIES + families.index(held.family.lower())):
            in_use[rows_of[held.region] + row] += held.vcpus * held.quantity
    holders = [
        [] if apart else [held for held in platform.reserved if held.is_for(group)]
        for group, apart in zip(groups, dedicated, strict=True)
    ]
    keys = [
        tuple(held.name for held in mine) or ("", group.region, group.size)
        for mine, group in zip(holders, groups, strict=True)
    ]
    rows = {key: row for row, key in enumerate(dict.fromkeys(keys))}
    return QuotaUse(
        in_use=in_use,
        limit=limit,
        vcpus=[0 if apart else group.vcpus for group, apart in zip(groups, dedicated, strict=True)],
        regional=[-1 if group.priority == "spot" else rows_of[group.region] + REGIONAL for group in groups],
        family=[
            rows_of[group.region]
            + (SPOT if group.priority == "spot" else FAMILIES + families.index(group.family.lower()))
            for group in groups
        ],
        held_by=[rows[key] for key in keys],
        held=[sum(held.quantity for held in mine) for mine in holders],
        alive=[0] * len(rows),
    )

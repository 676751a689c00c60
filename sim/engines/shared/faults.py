"""What may fail on a platform: every host, rack and zone by itself, in the order in which they strike at one instant."""

from collections.abc import Sequence
from dataclasses import dataclass

from sim.engines.shared.placement import HostIndex
from sim.model.faults import Failing
from sim.model.plan import HostPool, Platform

STREAMS = BETWEEN, REPAIR = ("time_between", "repair")


@dataclass(frozen=True, slots=True)
class Union:
    """Things of one kind that fail by themselves, such as the hosts of a cluster."""

    name: str  # of their random streams
    failing: Failing
    members: Sequence[Sequence[int]]  # the hosts of each


def unions_that_fail(platform: Platform, index: HostIndex) -> list[Union]:
    """Hosts and racks by cluster, then zones."""
    clusters = [
        hosts for pool, hosts in zip(platform.hosts, clusters_of(platform, index), strict=True) if not pool.holds
    ]
    pools = [pool for pool in platform.hosts if not pool.holds]
    zones: dict[tuple[str, int], list[int]] = {}
    for pool, hosts in zip(pools, clusters, strict=True):
        if pool.zone:  # a cluster without a zone is in none
            zones.setdefault((pool.region, pool.zone), []).extend(hosts)
    names = [pool.name for pool in pools]
    found = []
    for kind, failing, unions in (
        ("host", platform.host_failures, zip(names, ([[host] for host in hosts] for hosts in clusters), strict=True)),
        ("rack", platform.rack_failures, zip(names, racks_of(pools, clusters), strict=True)),
        (
            "zone",
            platform.zone_failures,
            ((f"{region} {zone}".strip(), [hosts]) for (region, zone), hosts in sorted(zones.items())),
        ),
    ):
        if failing is not None:
            found += [Union(f"{kind} {name}", failing, members) for name, members in unions]
    return found


def update_domains_of(platform: Platform, index: HostIndex) -> list[int]:
    """The update domain of each host: those of a region are numbered round robin, in the order of its pools. -1: it is never
    maintained, for it stands for the room of a capacity reservation where hosts aren't modelled.
    """
    found = [-1] * len(index.unit_of)
    domains = platform.maintenance.update_domains if platform.maintenance is not None else 1
    numbered: dict[str, int] = {}
    for pool, hosts in zip(platform.hosts, clusters_of(platform, index), strict=True):
        first = numbered.get(pool.region, 0)
        if not pool.holds:
            numbered[pool.region] = first + len(hosts)
            for number, host in enumerate(hosts, first):
                found[host] = number % domains
    return found


def clusters_of(platform: Platform, index: HostIndex) -> list[list[int]]:
    """Hosts of each cluster."""
    found: list[list[int]] = [[] for _ in platform.hosts]
    for host, unit in enumerate(index.unit_of):
        found[index.cluster[unit]].append(host)
    return found


def racks_of(pools: Sequence[HostPool], clusters: Sequence[Sequence[int]]) -> list[list[Sequence[int]]]:
    """Hosts of each rack of each cluster; a rack's hosts are neighbours, as in `placement`."""
    racks = []
    for pool, hosts in zip(pools, clusters, strict=True):
        parts = min(pool.racks, pool.count)
        sizes = [pool.count // parts + (rack < pool.count % parts) for rack in range(parts)]
        starts = [sum(sizes[:rack]) for rack in range(parts)]
        racks.append([hosts[start : start + size] for start, size in zip(starts, sizes, strict=True)])
    return racks

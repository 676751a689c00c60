"""Small platforms for cases checked by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fleets import RunOutput, fleet, group, rows

from sim.engines.events import EventRows, VmTimelines
from sim.engines.shared.priorities import FAULTS
from sim.engines.simpy.fleet import Fleet
from sim.engines.simpy.platform import SharedPlatform
from sim.model.plan import FleetPlan, GroupPlan, HostPool, Platform

VM = {"size": "D4", "family": "fD", "vcpus": 4, "memory_gib": 16.0}


def vms(name: str = "g", **changes: Any) -> GroupPlan:
    """A group whose VMs take 4 vCPUs and 16 GiB, four to a host of `hosts`."""
    return group(name, **(VM | changes))


def hosts(count: int = 1, name: str = "p", *, fit: int = 4, **changes: Any) -> HostPool:
    """Hosts that hold *fit* of those VMs each."""
    return HostPool(**({"name": name, "count": count, "vcpus": 4 * fit, "memory_gib": 16.0 * fit} | changes))


def shared(*groups: GroupPlan, hours: float = 1.0, warm_up_s: float = 0.0, **platform: Any) -> FleetPlan:
    """Those groups on that platform."""
    return replace(fleet(*groups, hours=hours, warm_up_s=warm_up_s), platform=Platform(**platform))


def failed(output: RunOutput, vm: str) -> list[tuple[float, str, str]]:
    """What came to nothing for a VM: (s, operation, code)."""
    return [
        (row[0], row[5], row[6])
        for row in output.events
        if row[1] == vm and row[2] == "operation" and row[4] == "failed"
    ]


def run_with_events(
    plan: FleetPlan, *platform_events: tuple[float, Callable[[SharedPlatform], None]]
) -> tuple[RunOutput, Fleet]:
    """A SimPy run with platform events at given instants (s), and the fleet at the horizon."""
    output: list[Any] = []
    moves, timelines = EventRows(lambda some: output.extend(rows(some))), VmTimelines(10**6)

    def on_move(*of_group: Any) -> None:
        moves.listen(*of_group)
        timelines.listen(*of_group)

    fleet = Fleet(plan, 1, 0, listener=on_move, on_flush=moves.flush, on_event=moves.note)

    def trigger() -> Any:
        assert fleet.platform is not None
        for t_s, event in platform_events:
            yield fleet.env.at(t_s, FAULTS)
            event(fleet.platform)

    fleet.env.process(trigger())
    run = fleet.run()
    moves.flush()
    return RunOutput(replace(run, vm_timelines=timelines.timelines()), tuple(output)), fleet


def hosts_of(fleet: Fleet, group: str = "g") -> list[int]:
    """The host of each VM of a group that is alive at the horizon; -1 for none."""
    return [vm.host for _, vm in sorted(fleet.groups[group].vms.items())]

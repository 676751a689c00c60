"""What is paid and used by no one: VMs that are stopped but keep their host, disks and addresses of no VM, disks of VMs that never ran."""

from datetime import timedelta
from typing import Any

from sim.azure.demands import outlived
from sim.azure.importing import Imported
from sim.billing.calendar_months import months_between
from sim.billing.disks import month_price
from sim.catalog import Catalogue
from sim.catalog.terms import PAY_AS_YOU_GO
from sim.units import SECONDS_PER_HOUR

STOPPED, UNATTACHED = "stopped but allocated", "disk or address of no VM"
LEFT, PARKED = "disks left by a VM that was deleted", "disks of a VM that never ran"


def idle_costs(found: Imported, catalogue: Catalogue, times: float = 1.0) -> list[dict[str, Any]]:
    """Each with its hours in the period and its list price, the dearest first. *times*: what loose resources' prices are multiplied by."""
    rows = [
        _row(UNATTACHED, each.key.name, each.key.resource_group, 24.0 * len(each.days), each.list_cost * times)
        for each in found.fleet.loose
    ]
    for member in (each for group in found.groups for each in group.members):
        vm, time = member.vm, member.time
        term = PAY_AS_YOU_GO[vm.priority if vm.priority == "spot" else "regular"]["linux"]
        if time.stopped_s > 0:
            hours = time.stopped_s / SECONDS_PER_HOUR
            cost = hours * catalogue.price_per_h(vm.size, vm.region, term)
            rows.append(_row(STOPPED, vm.name, vm.resource_group, hours, cost))
        a_month = sum(month_price(catalogue, disk, vm.region) for disk in vm.disks)
        there = None if time.on_h else tuple(found.start + timedelta(seconds=at_s) for at_s in time.exists)
        for why, span in ((LEFT, outlived(member, found.start)), (PARKED, there)):
            if span and a_month and (hours := (span[1] - span[0]) / timedelta(hours=1)):
                rows.append(_row(why, vm.name, vm.resource_group, hours, a_month * months_between(*span)))
    return sorted(rows, key=lambda row: -row["list"])


def _row(why: str, name: str, resource_group: str, hours: float, cost: float) -> dict[str, Any]:
    return {"why": why, "name": name, "resource_group": resource_group, "hours": hours, "list": cost}

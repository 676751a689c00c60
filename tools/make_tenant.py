"""Make a small tenant with known truth: the files that people save of a subscription, for tests and examples.

    python tools/make_tenant.py FOLDER [--days 28] [--seed 1] [--come-per-day 0.05]

Writes vm_list.json, activity_log.json (REST), activity_log.csv (portal), focus.csv (FOCUS 1.0) and, beside the folder's `in`,
truth.json. Nothing in it is real. The same arguments give the same bytes.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sim.billing.disks import month_price
from sim.catalog import load_bundled
from sim.catalog.terms import Term
from sim.files import write_whole

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
ZONE = ZoneInfo("Europe/Amsterdam")
START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday; the clocks change on the last Sunday of March
ON, OFF, JITTER_S = time(8), time(18), 600.0
ABSENT, FORGETS = 0.1, 0.08
STAY_D = 40.0  # days for which VMs stay that come at random, on average
UNKNOWN_SIZE = "Standard_D4s_v99"


@dataclass
class Made:
    """One VM: when it was on (hours from the start), and the operations that did it (hour, kind, succeeded)."""

    name: str
    group: str
    size: str = "Standard_D2s_v5"
    disk: str = "E4"
    priority: str = "Regular"
    power: str = "VM running"
    on: list[tuple[float, float]] = field(default_factory=list)
    operations: list[tuple[float, str, bool]] = field(default_factory=list)
    evicted: list[float] = field(default_factory=list)
    exists: tuple[float, float] | None = None  # None: throughout
    listed: bool = True

    @property
    def id(self) -> str:
        return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-{self.group}/providers/Microsoft.Compute/virtualMachines/{self.name}"


def tenant(days: int, seed: int, come_per_day: float | None = None) -> list[Made]:
    """The VMs of the tenant; one that comes for good, or with *come_per_day* a Poisson process of VMs that stay for `STAY_D` on average."""
    draw = random.Random(seed)
    hours = 24.0 * days
    vms = [Made(f"web-{n:02}", "web", on=[(0, hours)]) for n in range(1, 4)]
    vms += [Made("old-01", "old", "Standard_B2ms", power="VM stopped", on=[(0, hours)])]
    vms += [Made("odd-01", "odd", UNKNOWN_SIZE, on=[(0, hours)])]
    vms += [_office(f"dev-{n:02}", days, draw) for n in range(1, 9)]
    vms += [_spot(f"calc-{n:02}", hours, draw) for n in range(1, 3)]
    vms += list(_elastic(days, draw))
    if come_per_day is None:
        return [*vms, _comer("new-01", hours * 0.4 + draw.random(), math.inf, hours)]
    born = 0.0
    while come_per_day and (born := born + draw.expovariate(come_per_day / 24)) < hours:
        name = f"new-{sum(vm.group == 'new' for vm in vms) + 1:02}"
        vms.append(_comer(name, born, born + draw.expovariate(1 / (24 * STAY_D)), hours))
    return vms


def _comer(name: str, born: float, ends: float, hours: float) -> Made:
    """On from its creation to its deletion."""
    operations = [(born, "write", True)] + ([(ends, "delete", True)] if ends < hours else [])
    span = born, min(ends, hours)
    return Made(name, "new", "Standard_D4s_v5", on=[span], operations=operations, exists=span, listed=ends >= hours)


def _hour(day: date, at: time, shift_s: float) -> float:
    return (datetime.combine(day, at, ZONE).astimezone(UTC) - START).total_seconds() / 3600 + shift_s / 3600


def _office(name: str, days: int, draw: random.Random) -> Made:
    """On a schedule, with absences and forgotten evenings."""
    made = Made(name, "dev", "Standard_D4s_v5", "P10", power="VM deallocated")
    since: float | None = None
    for day in (START.date() + timedelta(days=n) for n in range(days)):
        absent, forgets = draw.random() < ABSENT, draw.random() < FORGETS
        on, off = (_hour(day, at, draw.uniform(0, JITTER_S)) for at in (ON, OFF))
        if day.weekday() > 4 or absent:
            continue
        if since is None:
            since = on
            made.operations.append((on, "start", True))
        if not forgets:
            made.operations.append((off, "deallocate", True))
            made.on.append((since, off))
            since = None
    if since is not None:
        made.on.append((since, 24.0 * days))
        made.power = "VM running"
    return made


def _spot(name: str, hours: float, draw: random.Random) -> Made:
    """Always on but for evictions, after which an automation starts it again."""
    made, at = Made(name, "batch", "Standard_F8s_v2", priority="Spot"), 0.0
    while True:
        evicted = at + draw.expovariate(0.03)
        if evicted >= hours - 1:
            made.on.append((at, hours))
            return made
        made.evicted.append(evicted)
        made.on.append((at, evicted))
        at = evicted + draw.uniform(0.1, 0.5)
        made.operations.append((at, "start", True))


def _elastic(days: int, draw: random.Random) -> Iterator[Made]:
    """Two VMs each weekday that a scale set makes and deletes."""
    for day in (START.date() + timedelta(days=n) for n in range(days)):
        for _ in range(2 if day.weekday() < 5 else 0):
            on, off = _hour(day, time(7), draw.uniform(0, 1800)), _hour(day, time(17), draw.uniform(0, 1800))
            name = f"vmss-shop_{draw.getrandbits(32):08x}"
            yield Made(
                name,
                "web",
                on=[(on, off)],
                operations=[(on, "write", True), (off, "delete", True)],
                exists=(on, off),
                listed=False,
            )


# --- files

_KINDS = {"start": ("start/action", "Start Virtual Machine"), "deallocate": ("deallocate/action", "Deallocate Virtual Machine"),
          "delete": ("delete", "Delete Virtual Machine"), "write": ("write", "Create or Update Virtual Machine")}  # fmt: skip


def vm_list(vms: list[Made]) -> list[dict[str, Any]]:
    """As `az vm list -d` at the end; a disk of a VM that is off has neither kind nor size."""
    found = []
    for vm in (each for each in vms if each.listed):
        is_off = vm.power == "VM deallocated"
        disk = {
            "id": vm.id.replace("virtualMachines", "disks") + "_OsDisk_1",
            "storageAccountType": None if is_off else _SKUS[vm.disk][0],
        }
        born = START - timedelta(days=100) if vm.exists is None else _at(vm.exists[0])
        found.append(
            {
                "id": vm.id, "name": vm.name, "resourceGroup": f"rg-{vm.group}", "location": "westeurope", "powerState": vm.power,
                "hardwareProfile": {"vmSize": vm.size}, "priority": vm.priority, "zones": None, "publicIps": "", "licenseType": None,
                "evictionPolicy": "Deallocate" if vm.priority == "Spot" else None, "tags": {"team": vm.group},
                "timeCreated": born.isoformat(),
                "storageProfile": {"osDisk": {"osType": "Linux", "diskSizeGb": None if is_off else _SKUS[vm.disk][1], "managedDisk": disk}},
            }
        )  # fmt: skip
    return found


_SKUS = {"E4": ("StandardSSD_LRS", 32), "P10": ("Premium_LRS", 128)}


def _at(hour: float) -> datetime:
    return START + timedelta(seconds=round(3600 * hour))


def events(vms: list[Made], seed: int) -> list[dict[str, str]]:
    """What happened, newest first: one row for Started and one for the end of each operation, and evictions."""
    draw, rows = random.Random(seed + 1), []
    for vm in vms:
        for hour, kind, well in vm.operations:
            correlation = str(UUID(int=draw.getrandbits(128)))
            took = timedelta(seconds=draw.lognormvariate(3.5, 0.4))
            for status, at in (("Started", _at(hour)), ("Succeeded" if well else "Failed", _at(hour) + took)):
                rows.append(
                    {
                        "vm": vm.id,
                        "kind": kind,
                        "status": status,
                        "at": at.isoformat(),
                        "correlation": correlation,
                        "title": "",
                    }
                )
        for hour in vm.evicted:
            rows.append(
                {
                    "vm": vm.id,
                    "kind": "health",
                    "status": "Active",
                    "at": _at(hour).isoformat(),
                    "correlation": str(UUID(int=draw.getrandbits(128))),
                    "title": "Preempted",
                }
            )
    return sorted(rows, key=lambda row: row["at"], reverse=True)


def rest(row: dict[str, str]) -> dict[str, Any]:
    """An event as the REST interface writes it."""
    health = row["kind"] == "health"
    name = (
        "Microsoft.Resourcehealth/healthevent/Activated/action"
        if health
        else "Microsoft.Compute/virtualMachines/" + _KINDS[row["kind"]][0]
    )
    created = {"value": "Created"} if row["kind"] == "write" else {"value": ""}
    return {
        "eventTimestamp": row["at"], "operationName": {"value": name}, "status": {"value": row["status"]}, "resourceId": row["vm"],
        "correlationId": row["correlation"], "caller": "automation", "category": {"value": "ResourceHealth" if health else "Administrative"},
        "subStatus": created, "properties": {"title": row["title"]},
    }  # fmt: skip


def portal(row: dict[str, str]) -> list[str]:
    """An event as a row of the portal's CSV."""
    health = row["kind"] == "health"
    name = "Health Event Activated" if health else _KINDS[row["kind"]][1]
    group, vm = row["vm"].split("/")[4], row["vm"].rsplit("/", 1)[-1]
    category = "ResourceHealth" if health else "Administrative"
    return [
        row["correlation"],
        name,
        row["status"],
        category,
        "Informational",
        row["at"],
        SUBSCRIPTION,
        "automation",
        "Microsoft.Compute/virtualMachines",
        group,
        vm,
    ]


PORTAL = [
    "Correlation id",
    "Operation name",
    "Status",
    "Event category",
    "Level",
    "Time",
    "Subscription",
    "Event initiated by",
    "Resource type",
    "Resource group",
    "Resource",
]
FOCUS = ["ChargePeriodStart", "ChargePeriodEnd", "ChargeCategory", "BillingCurrency", "BilledCost", "EffectiveCost", "ListUnitPrice", "ContractedUnitPrice", "PricingQuantity", "x_PricingUnitDescription", "x_SkuMeterCategory", "x_SkuMeterSubcategory", "x_SkuMeterName", "x_SkuDescription", "x_SkuDetails", "RegionId", "ResourceId", "ServiceName", "PricingCategory", "SubAccountId"]  # fmt: skip


def charges(vms: list[Made], days: int) -> Iterator[list[object]]:
    """FOCUS rows by VM and day, its disk's beside it, and a tax row."""
    prices = load_bundled()
    for vm in vms:
        spot = vm.priority == "Spot"
        price = (
            0.5
            if vm.size == UNKNOWN_SIZE
            else prices.price_per_h(vm.size, "westeurope", Term.SPOT_LINUX if spot else Term.LINUX)
        )
        month = month_price(prices, vm.disk, "westeurope")
        meter = vm.size.removeprefix("Standard_").replace("_", " ") + (" Spot" if spot else "")
        for day in range(days):
            used = _overlap(vm.on, 24.0 * day)
            there = _overlap([vm.exists or (0.0, 24.0 * days)], 24.0 * day) / 24 / 31  # of March
            details = json.dumps({"ServiceType": vm.size, "ImageType": "Canonical"})
            if used > 0:
                yield _charge(
                    day,
                    used,
                    "1 Hour",
                    price,
                    "Virtual Machines",
                    meter,
                    vm.id,
                    details,
                    "Dynamic" if spot else "Standard",
                )
            if there > 0:
                disk = vm.id.replace("virtualMachines", "disks").lower() + "_osdisk_1"
                yield _charge(day, there, "1/Month", month, "Storage", f"{vm.disk} LRS Disk", disk, "", "Standard")
    yield [
        _at(0).isoformat(),
        _at(24).isoformat(),
        "Tax",
        "USD",
        12.34,
        12.34,
        "",
        "",
        1,
        "",
        "",
        "",
        "",
        "Tax",
        "",
        "",
        "",
        "",
        "",
        SUBSCRIPTION,
    ]


def _charge(
    day: int,
    quantity: float,
    unit: str,
    price: float,
    category: str,
    meter: str,
    resource: str,
    details: str,
    pricing: str,
) -> list[object]:
    cost = quantity * price
    return [
        _at(24.0 * day).isoformat(), _at(24.0 * day + 24).isoformat(), "Usage", "USD", cost, cost, price, price, quantity, unit, category,
        "Managed Disks" if category == "Storage" else "Series", meter, f"{category} - {meter} - EU West", details, "westeurope", resource,
        "Virtual Machines", pricing, SUBSCRIPTION,
    ]  # fmt: skip


def _overlap(spans: list[tuple[float, float]], begin: float) -> float:
    return sum(max(0.0, min(end, begin + 24) - max(start, begin)) for start, end in spans)


def make_tenant(folder: Path, *, days: int = 28, seed: int = 1, come_per_day: float | None = None) -> dict[str, Any]:
    """Write the files into *folder*/in, and the truth beside it; the answer is the truth."""
    vms = tenant(days, seed, come_per_day)
    place = folder / "in"
    place.mkdir(parents=True, exist_ok=True)
    rows = events(vms, seed)
    write_whole(place / "vm_list.json", json.dumps(vm_list(vms)))
    write_whole(place / "activity_log.json", json.dumps({"value": [rest(row) for row in rows]}))
    for name, head, lines in (
        ("activity_log.csv", PORTAL, [portal(row) for row in rows]),
        ("focus.csv", FOCUS, list(charges(vms, days))),
    ):
        stream = io.StringIO()
        csv.writer(stream, lineterminator="\n").writerows([head, *lines])
        write_whole(place / name, stream.getvalue())
    groups: dict[str, float] = {}
    for vm in vms:
        groups[vm.name.rsplit("-", 1)[0]] = groups.get(vm.name.rsplit("-", 1)[0], 0.0) + sum(
            off - on for on, off in vm.on
        )
    truth = {
        "vms": [vm.name for vm in vms],
        "billed_hours": groups,
        "days": days,
        "evictions": sum(len(vm.evicted) for vm in vms),
    }
    write_whole(folder / "truth.json", json.dumps(truth, indent=1))
    return truth


def main() -> None:
    """Make a tenant from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--days", type=int, default=28)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--come-per-day", type=float)
    given = parser.parse_args()
    truth = make_tenant(given.folder, days=given.days, seed=given.seed, come_per_day=given.come_per_day)
    print(f"{len(truth['vms'])} VMs in {given.folder / 'in'}")


if __name__ == "__main__":
    main()

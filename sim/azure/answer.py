"""What was found, as a scenario file and as the JSON of `vmfleet from-azure --json`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.azure.importing import Imported, import_fleet
from sim.azure.scenario_text import Block, Setting, assumed, measured, number, render
from sim.billing.conversion import conversion
from sim.errors import ScenarioError
from sim.fields.numbers import how_many
from sim.files import write_whole
from sim.scenario.writing import toml_value

# start-up: a scenario is loaded where one is written
if TYPE_CHECKING:
    from sim.scenario.scenario import Scenario

MOST_NAMED = 200  # VMs left out that are named in the file; all are in the JSON
MOST_OTHERS = 40


def as_object(found: Imported, scenario: str) -> dict[str, Any]:
    """The answer as JSON."""
    placed = {member.vm.key: group.name for group in found.groups for member in group.members}
    period = found.period
    vms = [
        {
            "id": vm.id or None, "name": vm.name, "resource_group": vm.resource_group or None, "size": vm.size or None,
            "region": vm.region or None, "placed": vm.key in placed, "group": placed.get(vm.key),
            "reason": None if vm.key in placed else vm.reason or "no group could be found for it", "seen_in": vm.seen_in,
        }
        for vm in found.vms
    ]  # fmt: skip
    return {
        "scenario": scenario,
        "period": {"from": period[0].isoformat() if period else None, "to": period[1].isoformat() if period else None},
        "inputs": [each.as_object() for each in found.inputs],
        "vms": vms,
        "groups": [group.as_object() for group in found.groups],
        "commitments": [each.as_object() for each in found.commitments],
        "counts": {"vms": len(vms), "placed": len(placed), "listed": len(vms) - len(placed)},
        "warnings": found.warnings,
        "discount": found.charges.discount or None,
        "not_in_the_scenario": [
            {"what": what, "reason": why, "rows": len(costs), "cost": sum(costs), "currency": found.charges.currency}
            for (what, why), costs in sorted(found.charges.others.items(), key=lambda each: -abs(sum(each[1])))
        ],
    }  # fmt: skip


def scenario_text(found: Imported, name: str, folder: Path = Path()) -> str:
    """The scenario file, to be written into *folder*."""
    rate = conversion("USD", found.charges.currency).rate
    same = found.charges.currency == found.list_currency
    in_currency = same or (rate is not None and found.list_currency == "USD")
    blocks = [Block("", _head(found, name)), Block("[prices]", _prices(found, folder, in_currency=in_currency))]
    blocks += [group.block for group in found.groups]
    blocks += [each.block(1.0 if in_currency else 1.0 / (rate or 1.0)) for each in found.commitments]
    return render(_remarks(found), blocks)


def write(found: Imported, out: Path, content: str, *, update: bool = False) -> list[str]:
    """Write the scenario, the tables beside it, and a copy that tells edits later; the answer is which edits were kept.

    What is written is read once: it can be run. An edited file that can't be read is the user's to mend.
    """
    from sim.azure.update import base_of, updated  # start-up: tomlkit only where it is needed
    from sim.scenario.scenario import load  # start-up: likewise

    merged, kept = updated(out, content) if update and out.exists() else (content, [])
    for group in found.groups:
        if group.table:
            write_whole(out.with_name(f"{out.stem}.{group.name}.csv"), group.table)
    write_whole(out, merged)
    write_whole(base_of(out), content)
    try:
        load(out)
    except ScenarioError as wrong:
        if kept:
            raise
        raise AssertionError(f"the scenario that was written can't be read: {wrong}") from wrong
    return kept


def from_azure(
    inputs: Sequence[str | Path], out: str | Path, *, first: date | None = None, last: date | None = None
) -> Scenario:
    """Write a scenario file from files that were saved of a subscription (docs/from-azure.md), and load it; an earlier file is replaced.

    *first* and *last*, days of UTC and both included, cut the period to look at.
    """
    from sim.scenario.scenario import load  # start-up: as above

    place = Path(out)
    found = import_fleet([Path(each) for each in inputs], first=first, last=last, stem=place.stem)
    write(found, place, scenario_text(found, safe_stem(place), place.absolute().parent))
    return load(place)


def safe_stem(out: Path) -> str:
    """A scenario's name from its file's."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", out.stem).strip("-_")[:60] or "fleet"


def _head(found: Imported, name: str) -> list[Setting]:
    files = ", ".join(each.path.name for each in found.inputs if each.used)
    rows = [Setting("name", toml_value(name)), Setting("title", toml_value(f"Imported fleet {name}"))]
    if found.period is not None:
        rows.append(measured("start", found.start.isoformat().replace("+00:00", "Z"), f"whole days that {files} cover"))
    days = round(found.length_s / 86_400)
    horizon = f'"{days}d"'
    rows.append(
        measured("horizon", horizon, "the same") if found.period else assumed("horizon", horizon, "no file has dates")
    )
    rows.append(Setting("billing_policy", toml_value("2023-10"), "today's platform bills Starting", trust="documented"))
    return rows


def _prices(found: Imported, folder: Path, *, in_currency: bool) -> list[Setting]:
    rows = [measured("region", toml_value(found.region), "where most VMs are")]
    if found.catalogue is not None:
        beside = os.path.relpath(found.catalogue, folder.absolute())
        rows.append(Setting("catalogue", toml_value(Path(beside).as_posix()), "given"))
        if found.list_currency != "USD":
            rows.append(Setting("currency", toml_value(found.list_currency), "the catalogue's"))
    currency = found.charges.currency
    if currency != found.list_currency:
        if in_currency:
            basis = "the invoice's; list prices times the bundled, dated rate"
            rows.append(measured("currency", toml_value(currency), basis))
        else:
            here = f"the scenario is in {found.list_currency}, the list's currency"
            found.warnings.append(f"the invoice is in {currency}; {here}")
    discount = found.charges.discount
    if discount:
        paid, listed = sum(found.charges.paid), sum(found.charges.listed)
        words = f"{currency} {paid:,.2f} paid for {listed:,.2f} at list, without commitments and spot"
        rows.append(measured("discount", number(discount), words))
    return rows


def _remarks(found: Imported) -> list[str]:
    lines = [
        "Written by `vmfleet from-azure`. Every number says what it rests on: measured (how many, which file), assumed, or default;",
        "what isn't here is the documented default (`vmfleet validate` lists them).",
        "",
        "Files:",
    ]
    for each in found.inputs:
        state = "used" if each.used else f"not used: {each.reason}"
        lines.append(f"  {each.path.name}: {each.seen.words}, {how_many(each.rows, 'row')}, {state}")
    out = [vm for vm in found.vms if vm.reason]
    placed = len(found.vms) - len(out)
    lines += ["", f"VMs: {placed} of {len(found.vms)} are in the groups below."]
    lines += [
        f"  left out: {vm.name} ({vm.resource_group or 'resource group not known'}): {vm.reason}"
        for vm in out[:MOST_NAMED]
    ]
    if len(out) > MOST_NAMED:
        lines.append(f"  and {len(out) - MOST_NAMED} more, in the answer of --json")
    lines += _others(found.charges.others, found.charges.currency)
    failed = found.measures.remarks()
    if failed:
        lines += ["", *failed]
    if found.warnings:
        lines += ["", "Notes:", *(f"  {each}" for each in found.warnings)]
    return [" ".join(line.split()) if not line.startswith("  ") else "  " + " ".join(line.split()) for line in lines]


def _others(others: Mapping[tuple[str, str], list[float]], currency: str) -> list[str]:
    """Charges that are no part of the scenario."""
    if not others:
        return []
    ranked = sorted(others.items(), key=lambda each: -abs(sum(each[1])))
    total = sum(sum(costs) for _, costs in ranked)
    lines = ["", f"Invoiced, but no part of the scenario: {total:,.2f} {currency}"]
    lines += [
        f"  {what}: {sum(costs):,.2f} in {how_many(len(costs), 'row')} ({why})"
        for (what, why), costs in ranked[:MOST_OTHERS]
    ]
    rest = ranked[MOST_OTHERS:]
    if rest:
        lines.append(f"  and {how_many(len(rest), 'kind')} more: {sum(sum(costs) for _, costs in rest):,.2f}")
    return lines

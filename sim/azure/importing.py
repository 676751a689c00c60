"""From a folder of saved files to a scenario: reads, brings together, groups, writes."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from sim.azure import activity_log, charges, inventory
from sim.azure.activity_log import Log
from sim.azure.charges import Charges
from sim.azure.commitments import FoundCommitment, found_commitments
from sim.azure.facts import EXPORT, GRAPH, LOG, LOG_CSV, TERRAFORM, VM_LIST, AutoShutdown, Inventory
from sim.azure.fleet import Fleet, Vm, together
from sim.azure.groups import Context, Group, complete, make_groups
from sim.azure.habits import pools
from sim.azure.identity import Directory
from sim.azure.measures import Measures
from sim.billing.export_rows import Scan, read_export, scan_export
from sim.catalog import Catalogue, load
from sim.catalog.terms import PAY_AS_YOU_GO, Term
from sim.errors import CatalogueError, InputError, UsageError
from sim.fields.numbers import how_many
from sim.files import json_items, read_json, refusal
from sim.recognise import Recognised, recognise

DEFAULT_DAYS = 30
DEFAULT_START = datetime(2026, 1, 5, tzinfo=UTC)


@dataclass(slots=True, kw_only=True)
class InputFile:
    """One file: what it is, how much of it there is, and whether it was used."""

    path: Path
    seen: Recognised
    rows: int = 0
    start: datetime | None = None
    end: datetime | None = None
    used: bool = False
    reason: str = ""
    scan: Scan | None = None

    def as_object(self) -> dict[str, Any]:
        """As the JSON answer has it."""
        form = self.scan.format if self.scan else self.seen.format or None
        kinds = (VM_LIST, GRAPH, LOG, LOG_CSV, EXPORT, TERRAFORM)
        return {
            "file": str(self.path), "kind": self.seen.kind if self.seen.kind in kinds else "unknown", "format": form, "rows": self.rows,
            "from": _iso(self.start), "to": _iso(self.end), "used": self.used, "reason": self.reason or None,
        }  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Imported:
    """All that was found."""

    inputs: list[InputFile]
    period: tuple[datetime, datetime] | None
    start: datetime
    length_s: float
    fleet: Fleet
    charges: Charges
    groups: list[Group]
    commitments: list[FoundCommitment]
    region: str
    measures: Measures
    warnings: list[str]
    catalogue: Path | None
    list_currency: str

    @property
    def vms(self) -> list[Vm]:
        """Every VM that any file names, by name."""
        return sorted(self.fleet.vms.values(), key=lambda vm: (vm.resource_group.lower(), vm.name.lower(), vm.key))


def import_fleet(
    paths: Sequence[Path], *, first: date | None, last: date | None, stem: str, catalogue: Path | None = None
) -> Imported:
    """Read files and folders; raises UsageError where nothing in them can be used. *catalogue*: a price list of the user's own."""
    prices = load(catalogue)
    warnings: list[str] = []
    lists, log = Inventory(), Log()
    log_kinds: dict[str, str] = {}
    files = _read_all(paths, lists, log, log_kinds)
    period = _period(files, first, last, warnings)
    start, end = period or (DEFAULT_START, DEFAULT_START + timedelta(days=DEFAULT_DAYS))
    length_s = (end - start).total_seconds()
    directory = Directory()
    for facts in lists.vms:
        if facts.key.subscription:
            directory.key(facts.key)
    found = _charges(files, (start, length_s), directory, prices, warnings)
    fleet = together(lists, log, found, directory, log_kinds)
    _from_shutdowns(lists.shutdowns, fleet, directory)
    vms = list(fleet.vms.values())
    region = _main_region(vms)
    complete(vms, start.timestamp() + length_s, region, warnings)
    _refuse_unpriced(vms, prices)
    inside = [each for each in fleet.operations if start.timestamp() <= each.begun < start.timestamp() + length_s]
    log_file = ", ".join(each.path.name for each in files if each.seen.kind in (LOG, LOG_CSV)) or "no log"
    measures = Measures(inside, {vm.key: vm.os for vm in vms}, log_file)
    shutdowns = {directory.key(each.vm): each for each in lists.shutdowns}
    placed = [vm for vm in vms if not vm.reason]
    made = pools(placed, start, length_s, has_log=log.first is not None, shutdowns=shutdowns)
    context = Context(
        region=region, length_s=length_s, start=start, measures=measures, log=log_file, stem=stem, evicted=lists.evicted
    )
    groups = make_groups(made, context)
    if not groups:
        reasons = "; ".join(sorted({vm.reason for vm in vms})[:5]) or "no file names a VM"
        raise refusal(UsageError, paths[0], f"of {how_many(len(vms), 'VM')} none can be simulated: {reasons}")
    warnings += _warnings(lists, log, found, fleet, has_export=any(each.scan for each in files))
    commitments = found_commitments(found.commitments, round(length_s / 86_400), warnings)
    return Imported(
        inputs=files, period=period, start=start, length_s=length_s, fleet=fleet, charges=found, groups=groups,
        commitments=commitments, region=region, measures=measures, warnings=warnings, catalogue=catalogue,
        list_currency=prices.currency,
    )  # fmt: skip


def _read_all(paths: Sequence[Path], lists: Inventory, log: Log, log_kinds: dict[str, str]) -> list[InputFile]:
    """Every file, read as what it is; raises UsageError where none can be used."""
    files = [InputFile(path=path, seen=_recognised(path)) for path in _files(paths)]
    for each in files:
        _read(each, lists, log, log_kinds)
    if not any(each.used or each.scan for each in files):
        problems = "; ".join(f"{each.path.name}: {each.reason or each.seen.words}" for each in files[:8])
        hint = "save `az vm list -d`, an Activity Log or a cost export (docs/from-azure.md)"
        raise refusal(UsageError, paths[0], f"no file names VMs: {problems}", hint)
    return files


def _files(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(each for each in path.rglob("*") if each.is_file() and not each.name.startswith("."))
        elif path.exists():
            found.append(path)
        else:
            raise refusal(UsageError, path, "there is no such file or folder")
    if not found:
        raise refusal(UsageError, paths[0], "the folder is empty", "docs/from-azure.md says what to save in it")
    return found


def _recognised(path: Path) -> Recognised:
    try:
        return recognise(path)
    except InputError as wrong:
        return Recognised(kind="unknown", words=str(wrong))


def _read(each: InputFile, lists: Inventory, log: Log, log_kinds: dict[str, str]) -> None:
    """Read a file of any kind but a cost export, of which only the days are read; what can't be read is not used, with why."""
    kind, name = each.seen.kind, each.path.name
    try:
        if kind == VM_LIST and each.seen.columns:
            each.reason = "a list of resources from the portal has no sizes: save `az vm list -d -o json`"
        elif kind == VM_LIST:
            each.rows = inventory.read_vm_list(_listed(each.path), name, lists)
        elif kind == GRAPH:
            each.rows = inventory.read_graph(json_items(each.path, UsageError), name, lists)
        elif kind == TERRAFORM:
            each.rows = inventory.read_terraform(read_json(each.path, UsageError), name, lists)
        elif kind in (LOG, LOG_CSV):
            log_kinds[name] = kind
            if kind == LOG:
                each.rows, first, last = activity_log.read_json_log(each.path, name, log)
            else:
                each.rows, first, last = activity_log.read_csv_log(each.path, each.seen, name, log)
            each.start, each.end = _instant(first), _instant(last)
        elif kind == EXPORT:
            each.scan = scan_export(each.path, each.seen)
            each.rows, each.start, each.end = each.scan.rows, each.scan.start, each.scan.end
            each.reason = "" if each.rows else "it has no rows"
        else:
            is_error = kind == "unknown" and ":" in each.seen.words
            each.reason = each.seen.words if is_error else f"this is {each.seen.words}"
        each.used = not each.reason and kind != EXPORT and each.rows > 0
        if not each.reason and not each.rows:
            each.reason = "nothing is in it"
    except InputError as wrong:
        each.used, each.reason, each.scan = False, str(wrong).removeprefix(f"{each.path}: "), None
    except (AttributeError, KeyError, TypeError, ValueError) as wrong:  # a list of another shape than the platform's
        each.used, each.reason, each.scan = False, f"it has another shape than {each.seen.words}: {wrong}", None


def _listed(path: Path) -> Iterable[Any]:
    """A list of VMs, or one VM (`az vm show`)."""
    value = read_json(path, UsageError)
    if isinstance(value, Mapping):
        value = value.get("value") or value.get("data") or [value]
    return value if isinstance(value, list) else []


# --- period


def _period(
    files: Sequence[InputFile], first: date | None, last: date | None, warnings: list[str]
) -> tuple[datetime, datetime] | None:
    """Whole days that usage and log both cover; what the user says goes before."""
    logs = [(each.start, each.end) for each in files if each.seen.kind in (LOG, LOG_CSV) and each.start and each.end]
    exports = [(each.start, each.end) for each in files if each.scan and each.start and each.end]
    spans = [
        (
            min(start for start, _ in covered).date(),
            max(*(start for start, _ in covered), *(end - end_s for _, end in covered)).date(),
        )
        for covered, end_s in (
            (logs, timedelta()),
            (exports, timedelta(seconds=1)),
        )  # a charge's end is the next one's begin
        if covered
    ]
    if not spans:
        if not first and not last:
            return None
        if not first or not last:
            raise refusal(UsageError, "", "no file has dates", "give both, or none", field="--from, --to")
        spans = [(min(first, last), last)]
    begin, end = max(span[0] for span in spans), min(span[1] for span in spans)
    if begin > end and not (first and last):
        warnings.append(
            f"the log ({spans[0][0]} to {spans[0][1]}) and the invoice ({spans[1][0]} to {spans[1][1]}) have no day in common: the invoice's days are taken"
        )
        begin, end = spans[1]
    begin, end = first or begin, last or end
    if begin > end:
        hint = f"the files cover {spans[0][0]} to {spans[0][1]}"
        raise refusal(UsageError, "", f"the period from {begin} to {end} has no day", hint, field="--from, --to")
    if not any(since.date() <= begin and until >= _midnight(end) for since, until in (*logs, *exports)):
        warnings.append(f"no file covers all days from {begin} to {end}: what happened on the others is not known")
    return _midnight(begin), _midnight(end + timedelta(days=1))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


# --- charges, prices, regions


def _charges(
    files: Sequence[InputFile],
    period: tuple[datetime, float],
    directory: Directory,
    prices: Catalogue,
    warnings: list[str],
) -> Charges:
    """The charges of the exports, each once; the most telling export of each day is used."""
    start, end = period[0], (period[0] + timedelta(seconds=period[1])).date()
    reader = charges.Reader(prices, "westeurope", directory.key)
    exports = [(place, each.scan.format) for place, each in enumerate(files) if each.scan and each.rows]
    for place in charges.order(exports):
        each = files[place]
        assert each.scan is not None
        inside = [day for day in each.scan.days if start.date() <= day[1] < end]
        if not reader.fresh(inside):
            same = f"another export has the same charges: {reader.last}"
            each.reason = same if inside else "its days are outside the period"
            continue
        try:
            export = read_export(each.path, each.seen)
            taken = reader.add(export, each.path.name, lambda day: start.date() <= day < end, inside)
        except InputError as wrong:
            each.reason = str(wrong).removeprefix(f"{each.path}: ")
            continue
        if taken < each.rows:
            left = f"{each.rows - taken:,} of {how_many(each.rows, 'charge')}"
            warnings.append(f"{each.path.name}: of other days, or counted from another export: {left}")
        each.used, each.reason = taken > 0, "" if taken else "no charge of it could be read"
        reader.last = each.path.name
    known = {day for use in reader.found.vms.values() for day in use.hours}
    days = [start.date() + timedelta(days=place) for place in range((end - start.date()).days)]
    missing = [day for day in days if day not in known]
    if missing and reader.found.rows:
        warnings.append(
            f"the invoice has no usage on {how_many(len(missing), 'day')} of the period, the first is {missing[0]}"
        )
    return reader.finish()


def _refuse_unpriced(vms: Iterable[Vm], catalogue: Catalogue) -> None:
    """Give VMs without a list price where they are the reason."""
    found: dict[tuple[str, str, str, str], str] = {}
    for vm in vms:
        key = (vm.size, vm.region, vm.os, vm.priority or "regular")
        if vm.size and key not in found:
            term = PAY_AS_YOU_GO["spot" if vm.priority == "spot" else "regular"].get(vm.os, Term.LINUX)
            none = f"{vm.size} has no list price in {vm.region}"
            try:
                found[key] = "" if catalogue.find_price(vm.size, vm.region, term) else none
            except CatalogueError as wrong:
                known = str(wrong).split(": ", 1)[0]
                found[key] = none if vm.size in known or "size" in known else known
        vm.reason = vm.reason or found.get(key, "")


def _main_region(vms: Iterable[Vm]) -> str:
    counts = Counter(vm.region for vm in vms if vm.region)
    return max(sorted(counts), key=counts.__getitem__) if counts else "westeurope"


def _from_shutdowns(shutdowns: Sequence[AutoShutdown], fleet: Fleet, directory: Directory) -> None:
    """A VM that only an auto-shutdown names is named, too."""
    for each in shutdowns:
        key = directory.key(each.vm)
        vm = fleet.vms.setdefault(key, Vm(key=key, name=key.name, resource_group=key.resource_group, os="linux"))
        vm.saw(TERRAFORM)


def _warnings(lists: Inventory, log: Log, found: Charges, fleet: Fleet, *, has_export: bool) -> list[str]:
    said = list(lists.notes)
    if log.first is None:
        said.append("no Activity Log: schedules, durations, failures and evictions can't be measured")
    if not found.rows:
        said.append(
            f"{'the cost export charges nothing of the period' if has_export else 'no cost export'}: hours are "
            f"{'assumed' if log.first is None else 'those of the log'}, prices are list prices, commitments and discounts are not known"
        )
    if not lists.vms:
        of = "those of the invoice" if found.rows else "assumed"
        said.append(f"no inventory: sizes, disks and operating systems are {of}")
    if fleet.loose:
        cost = f"{sum(each.list_cost for each in fleet.loose):,.2f} USD at list"
        names = ", ".join(each.key.name for each in fleet.loose[:5]) + (" ..." if len(fleet.loose) > 5 else "")
        said.append(f"{len(fleet.loose)} disks and addresses belong to no VM ({cost}, not in the scenario): {names}")
    said += [
        f"scale set {key.name}: {hours:,.1f} VM hours are invoiced for all instances together, not in the scenario"
        for key, hours in found.sets.items()
    ]
    return said


def _instant(at: float | None) -> datetime | None:
    return None if at is None else datetime.fromtimestamp(at, UTC)


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()

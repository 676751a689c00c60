"""The Activity Log: operations on VMs with begin, end and outcome, and what resource health says of evictions.

Started, Accepted, Succeeded and Failed of one operation share a correlation id; an operation counts once, however many files
and events name it. Times are seconds since 1970, UTC.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sim.azure.identity import VM, Key, parse_id
from sim.azure.time_zones import instant_of
from sim.errors import UsageError
from sim.files import json_items, open_table
from sim.recognise import Recognised

START, DEALLOCATE, POWER_OFF, RESTART, DELETE, WRITE = "start", "deallocate", "power_off", "restart", "delete", "write"
SUCCEEDED, FAILED, OPEN = "succeeded", "failed", "open"

_ACTIONS = {
    "start/action": START, "deallocate/action": DEALLOCATE, "hibernate/action": DEALLOCATE, "poweroff/action": POWER_OFF,
    "restart/action": RESTART, "redeploy/action": RESTART, "delete": DELETE, "write": WRITE,
}  # fmt: skip
_PORTAL = {
    "start virtual machine": START, "deallocate virtual machine": DEALLOCATE, "power off virtual machine": POWER_OFF,
    "hibernate virtual machine": DEALLOCATE, "restart virtual machine": RESTART, "redeploy virtual machine": RESTART,
    "delete virtual machine": DELETE, "create or update virtual machine": WRITE,
    "start virtual machine in a virtual machine scale set": START, "deallocate virtual machine in a virtual machine scale set": DEALLOCATE,
    "delete virtual machine in a virtual machine scale set": DELETE, "restart virtual machine in a virtual machine scale set": RESTART,
}  # fmt: skip
_OPERATION = re.compile(r"microsoft\.compute/(?:virtualmachinescalesets/)?virtualmachines/(.+)", re.IGNORECASE)


@dataclass(slots=True)
class Operation:
    """One operation on a VM. *creates*: the platform answered that the VM is new."""

    vm: Key
    kind: str
    begun: float
    ended: float | None = None
    outcome: str = OPEN
    code: str = ""
    creates: bool = False
    file: str = ""


@dataclass(slots=True)
class Log:
    """What the log says of VMs. *health*: VM, instant, title, of resource health."""

    operations: dict[tuple[Key, str, str], Operation] = field(default_factory=dict)
    health: dict[tuple[Key, int], str] = field(default_factory=dict)
    first: float | None = None
    last: float | None = None

    def saw(self, at: float) -> None:
        """Note that an event of any kind happened: the log covers this instant."""
        self.first = at if self.first is None else min(self.first, at)
        self.last = at if self.last is None else max(self.last, at)


def read_json_log(path: Path, file: str, into: Log) -> tuple[int, float | None, float | None]:
    """REST or CLI JSON; the answer is the number of events, and the first and the last instant."""
    own, rows = Log(), 0
    for item in json_items(path, UsageError):
        if isinstance(item, Mapping):
            rows += 1
            _take({str(key).lower(): value for key, value in item.items()}, file, into, own)
    _cover(into, own)
    return rows, own.first, own.last


def _take(event: Mapping[str, Any], file: str, into: Log, own: Log) -> None:
    at = _seconds(str(event.get("eventtimestamp") or ""))
    if at is None:
        return
    own.saw(at)
    name = _value(event.get("operationname"))
    found = _OPERATION.fullmatch(name)
    kind = _ACTIONS.get(found[1].lower()) if found else None
    health = "healthevent" in name.lower()
    vm = parse_id(str(event.get("resourceid") or "")) if kind or health else None
    if vm is None or vm.kind != VM:
        return
    inner = event.get("properties")
    if isinstance(inner, str):
        inner = _object(inner)
    inner = inner if isinstance(inner, Mapping) else {}
    if health:
        into.health.setdefault((vm, round(at)), str(inner.get("title") or inner.get("cause") or ""))
        return
    assert kind is not None
    state = _value(event.get("substatus"))
    status = _value(event.get("status")).lower()
    code = ""
    if status == "failed":
        said = _object(str(inner.get("statusMessage") or "")).get("error")
        code = str((said.get("code") if isinstance(said, Mapping) else "") or inner.get("statusCode") or state)
    one = Operation(vm, kind, at, code=code, creates=state == "Created", file=file)
    _note(into, one, status, str(event.get("correlationid") or ""))


def read_csv_log(path: Path, seen: Recognised, file: str, into: Log) -> tuple[int, float | None, float | None]:
    """The portal's CSV: no resource ids, and neither Accepted events nor codes."""
    place = {name: at for at, name in reversed(list(enumerate(seen.columns)))}
    own, rows = Log(), 0
    with open_table(path, UsageError, delimiter=seen.delimiter) as (_, _, lines):
        for _, cells in lines:
            rows += 1

            def cell(name: str, cells: list[str] = cells) -> str:
                at = place.get(name, len(cells))
                return cells[at].strip() if at < len(cells) else ""

            at = _seconds(cell("time") or cell("eventtimestamp"))
            if at is None:
                continue
            own.saw(at)
            if cell("resourcetype").lower() not in (VM, "microsoft.compute/virtualmachinescalesets/virtualmachines"):
                continue
            name = cell("resource").rsplit("/", 1)[-1].lower()
            vm = Key(cell("subscription").lower(), cell("resourcegroup").lower(), VM, name)
            operation = cell("operationname").lower()
            if cell("eventcategory").lower().replace(" ", "") == "resourcehealth":
                into.health.setdefault((vm, round(at)), "")
            elif operation in _PORTAL:
                one = Operation(vm, _PORTAL[operation], at, file=file)
                _note(into, one, cell("status").lower(), cell("correlationid"))
    _cover(into, own)
    return rows, own.first, own.last


def _note(into: Log, one: Operation, status: str, correlation: str) -> None:
    """Add an event to its operation."""
    if status in (SUCCEEDED, FAILED):
        one.outcome, one.ended = status, one.begun
    _join(into.operations, (one.vm, one.kind, correlation.lower() or f"{one.begun:.0f}"), one)


def _join(into: dict[tuple[Key, str, str], Operation], key: tuple[Key, str, str], one: Operation) -> None:
    """Two views of one operation: from the first to the last that is known of it."""
    found = into.setdefault(key, one)
    found.begun = min(found.begun, one.begun)
    found.creates, found.code = found.creates or one.creates, found.code or one.code
    if one.ended is not None:
        found.outcome, found.ended = one.outcome, max(one.ended, found.ended or one.ended)


def merged(log: Log, keys: Mapping[Key, Key]) -> list[Operation]:
    """The operations with each VM under its one key, in order of time; what two files name counts once."""
    together: dict[tuple[Key, str, str], Operation] = {}
    for (vm, kind, correlation), each in log.operations.items():
        each.vm = keys[vm]
        _join(together, (each.vm, kind, correlation), each)
    return sorted(together.values(), key=lambda each: each.begun)


def _cover(into: Log, own: Log) -> None:
    for at in (own.first, own.last):
        if at is not None:
            into.saw(at)


def _value(part: Any) -> str:
    if isinstance(part, Mapping):
        part = next((value for key, value in part.items() if str(key).lower() == "value"), "")
    return str(part or "")


def _object(text: str) -> Mapping[str, Any]:
    try:
        read = json.loads(text) if text.startswith("{") else {}
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def _seconds(text: str) -> float | None:
    """Seconds since 1970."""
    at = instant_of(text)
    return None if at is None else at.timestamp()

"""Operations of an Activity Log as a fit of durations takes them: Started and Succeeded paired by their correlation id."""

from datetime import UTC, datetime
from pathlib import Path

from sim.azure.activity_log import FAILED, OPEN, WRITE, Log, read_csv_log, read_json_log
from sim.azure.activity_log import Operation as Logged
from sim.errors import TraceError
from sim.files import refusal
from sim.recognise import UNKNOWN, recognise
from sim.traces.operations import Operation, Operations, operations_of, why_left_out

LOG, LOG_CSV = "activity-log", "activity-log-csv"


def read_timed_operations(path: Path) -> Operations | None:
    """The operations of a log; None if the file is none. InputError says what can't be read.

    A log names no guest OS, and events have the time at which the platform noted them. One day is one cluster.
    """
    seen, log = recognise(path), Log()
    if seen.kind == LOG:
        read_json_log(path, path.name, log)
    elif seen.kind == LOG_CSV:
        read_csv_log(path, seen, path.name, log)
    elif seen.kind != UNKNOWN:
        hint = "timed operations are a table with operation and seconds, or an Activity Log"
        raise refusal(TraceError, path, f"this is {seen.words}", hint)
    else:
        return None
    found = [_timed(each, tells_creates=seen.kind == LOG) for each in log.operations.values()]
    return operations_of(path, found, ("the log doesn't say the guest OS: what is fitted holds for both",))


def _timed(one: Logged, *, tells_creates: bool) -> Operation | str:
    """The operation, or why it doesn't count."""
    if one.kind == WRITE and not tells_creates:
        return "that create or update: the portal's CSV doesn't say which (save the log as JSON)"
    if one.outcome == OPEN or one.ended is None:
        return "whose end isn't in the log"
    name = one.kind if one.kind != WRITE else "create" if one.creates else "update"
    seconds = one.ended - one.begun
    if why := why_left_out(name, one.outcome, seconds):
        return why
    day = datetime.fromtimestamp(one.begun, UTC)
    return Operation(name=name, seconds=seconds, failed=one.outcome == FAILED, year=day.year, cluster=f"{day:%Y-%m-%d}")

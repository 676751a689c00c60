"""A state machine for people: rows of words, a page of text, a Mermaid diagram."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sim.model.state_machine import Chance, Delay, Refusal, State, StateMachine, Transition
from sim.units import format_duration

HEADINGS = ("state", "power", "provisioning", "operation")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitRow:
    """One way out of a state."""

    cause: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineRow:
    """One state: what it shows, what it waits for, and its ways out."""

    state: str
    power: str  # empty: there is no VM
    provisioning: str
    operation: str  # under way; empty: none
    serving: bool
    waits_for: str
    transitions: tuple[ExitRow, ...]


def machine_rows(machine: StateMachine) -> list[MachineRow]:
    """Every state of a machine in words, in the order in which they were compiled."""
    return [
        MachineRow(
            state=state.name,
            power=str(state.power or ""),
            provisioning=str(state.provisioning or ""),
            operation=state.operation or "",
            serving=state.serving,
            waits_for=_delay(machine, state),
            transitions=tuple(
                ExitRow(cause=cause, target=transition.target.name) for cause, transition in _exits(machine, state)
            ),
        )
        for state in machine.states
    ]


def _delay(machine: StateMachine, state: State) -> str:
    if state.wait is Delay.SAMPLED:
        sampler = machine.samplers[state.stream]
        assert sampler is not None
        return f"{machine.stream_names[state.stream]}: {sampler.describe()}"
    if state.wait is Delay.BACKOFF:
        first, last = machine.backoff_s[0], machine.backoff_s[-1]
        return f"back-off: {format_duration(first)}" + (f" to {format_duration(last)}" if last > first else "")
    if state in (machine.first.source, machine.later.source):
        return "request of the VM"
    if state.wait is Delay.INSTANT or state.ends:
        return "nothing" if state.ends else "no time"
    return "demand or a request" if any(index == state.index for index, _ in machine.asks) else "demand"


def _exits(machine: StateMachine, state: State) -> Iterator[tuple[str, Transition]]:
    """Each way out of a state, with its cause, in the order in which an engine looks at them."""
    for first in dict.fromkeys((machine.first, machine.later)):
        if state is first.source:
            yield "requested", first
    for cause, transition in (
        ("done" if state.operation else "then", state.next),
        (f"longer than {format_duration(state.deadline_s)}" if state.late else "", state.late),
        ("demand turns on", state.up),
        ("demand turns off", state.down),
        ("guest crash", state.crash),
        ("eviction", state.evict),
        ("room needed by a regular VM", None if state.preempt is state.evict else state.preempt),
        ("end of lifetime", state.life),
        ("work goes on with a VM of the other priority", state.moves),
        ("host failure", state.host_failed),
        ("host failure, last attempt", state.host_failed_gives_up),
        ("maintenance", state.maintained),
    ):
        if transition is not None:
            yield cause, transition
    for chance in state.chances:
        yield from _refused(f"{chance.transition.code}, {chance.probability:.3g}", chance)
    for refusal in (state.no_quota, state.no_room or state.no_capacity):
        if refusal is not None:
            yield from _refused(refusal.transition.code or "no room", refusal)
    for (index, operation), transition in machine.asks.items():
        if index == state.index:
            yield f"request: {operation}", transition


def _refused(cause: str, refusal: Chance | Refusal) -> Iterator[tuple[str, Transition]]:
    transition, gives_up = refusal.transition, refusal.gives_up
    yield cause, transition
    if gives_up is not None and gives_up.target is not transition.target:
        yield f"{cause}, last attempt", gives_up


def machine_lines(rows: Sequence[MachineRow]) -> list[str]:
    """The rows as text: what each state shows in columns; below it what it waits for, and a line for each exit."""
    cells = [
        HEADINGS,
        *((row.state, row.power or "-", _last(row.provisioning) or "-", row.operation or "-") for row in rows),
    ]
    widths = [max(len(cell[column]) for cell in cells) for column in range(len(HEADINGS))]

    def columns(cell: Sequence[str]) -> str:
        return "  ".join(text.ljust(width) for text, width in zip(cell, widths, strict=True)).rstrip()

    lines = [columns(HEADINGS), "  ".join("-" * width for width in widths)]
    for row, cell in zip(rows, cells[1:], strict=True):
        lines += [columns(cell), f"    waits for {row.waits_for}" + ("; serves" if row.serving else "")]
        lines += [f"    {each.cause} -> {each.target}" for each in row.transitions]
    return lines


def mermaid_lines(rows: Sequence[MachineRow]) -> list[str]:
    """The rows as a Mermaid state diagram."""
    number = {row.state: place for place, row in enumerate(rows)}
    lines = ["stateDiagram-v2"]
    for row in rows[1:]:
        shown = ", ".join(text for text in (row.power, _last(row.provisioning)) if text) or "no VM"
        lines.append(f'    state "{row.state}<br/>{shown}" as s{number[row.state]}')
    for row in rows:
        source = "[*]" if row is rows[0] else f"s{number[row.state]}"
        for each in row.transitions:
            cause = row.waits_for if each.cause in ("done", "then") else each.cause
            lines.append(f"    {source} --> s{number[each.target]}: {cause.replace(': ', ' ').replace(';', ',')}")
        if row.waits_for == "nothing":
            lines.append(f"    {source} --> [*]")
    return lines


def _last(provisioning: str) -> str:
    """A substate without its parent."""
    return provisioning.rpartition("/")[2]

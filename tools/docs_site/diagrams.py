"""Drawings of states as SVG in the page's own colours: the power states from their table, a state machine from its Mermaid text."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape

from sim.lifecycle.operations import OPERATIONS, Operation
from sim.lifecycle.policy import BILLING_POLICIES
from sim.lifecycle.power import FIRST_STATE, ON_HOST, POWER, PowerState

WIDTH, HEIGHT = 138, 46  # of a box
SHIFT = 8  # of a line that has a counterpart
PLACES: Mapping[PowerState, tuple[int, int]] = {  # middle of each box; the only thing here that no table knows
    PowerState.CREATING: (90, 90),
    PowerState.STARTING: (345, 90),
    PowerState.RUNNING: (640, 90),
    PowerState.STOPPING: (812, 215),
    PowerState.STOPPED: (640, 340),
    PowerState.DEALLOCATING: (385, 340),
    PowerState.DEALLOCATED: (115, 340),
    PowerState.HIBERNATED: (215, 450),
}
WORDS: Mapping[tuple[PowerState, PowerState], tuple[float, str, int, int]] = {  # how far along a line; anchor; offset
    (PowerState.CREATING, PowerState.STARTING): (0.45, "middle", 0, -8),
    (PowerState.RUNNING, PowerState.STARTING): (0.5, "middle", 0, -8),
    (PowerState.STOPPED, PowerState.DEALLOCATING): (0.5, "middle", 0, 18),
    (PowerState.STARTING, PowerState.STOPPED): (0.62, "end", -8, 8),
    (PowerState.STOPPED, PowerState.STARTING): (0.2, "start", 10, 4),
    (PowerState.RUNNING, PowerState.DEALLOCATING): (0.18, "end", -6, 4),
    (PowerState.RUNNING, PowerState.STOPPING): (0.45, "start", 8, 0),
    (PowerState.DEALLOCATED, PowerState.STARTING): (0.5, "end", -8, 4),
    (PowerState.HIBERNATED, PowerState.STARTING): (0.7, "start", 8, 4),
    (PowerState.HIBERNATED, PowerState.DEALLOCATED): (0.5, "end", -8, 10),
}
MARKER = (
    '<marker id="{id}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse">'
    '<path d="M0 0L8 4L0 8z" fill="currentColor"/></marker>'
)


def moves() -> Mapping[tuple[PowerState, PowerState], tuple[str, ...]]:
    """Every move of the power table, with the operations that begin with it and the failures that cause it."""
    words: dict[tuple[PowerState, PowerState], dict[str, None]] = defaultdict(dict)
    for state, facts in POWER.items():
        for target in facts.goes_to:
            words[state, target] = {}
    for operation in OPERATIONS.values():
        for state in operation.accepted_from:
            _follow(operation, state, words)
    return {move: tuple(found) for move, found in words.items()}


def _follow(
    operation: Operation, before: PowerState | None, words: dict[tuple[PowerState, PowerState], dict[str, None]]
) -> None:
    first = True
    for stage in operation.stages:
        power = stage.power or before
        if before is not None and power is not None and power is not before:
            words[before, power].update({operation.name: None} if first else {})
            first = False
        before = power
        for failure in stage.fails:
            if failure.leaves is not None and before is not None and failure.leaves is not before:
                words[before, failure.leaves][failure.code] = None
    if operation.ends_in is not None and before is not None and operation.ends_in is not before:
        words[before, operation.ends_in].update({operation.name: None} if first else {})


def power_states() -> str:
    """The power states, the moves between them, what holds a host and what is billed (policy 2018-08)."""
    policy = BILLING_POLICIES["2018-08"]
    found = moves()
    parts = [MARKER.format(id="tip")]
    hosted = [PLACES[state] for state in PowerState if state in ON_HOST]
    left, right = min(x for x, _ in hosted) - WIDTH / 2 - 18, max(x for x, _ in hosted) + WIDTH / 2 + 44
    top, bottom = min(y for _, y in hosted) - HEIGHT / 2 - 34, max(y for _, y in hosted) + HEIGHT / 2 + 18
    parts.append(
        f'<rect class="host" x="{left}" y="{top}" width="{right - left}" height="{bottom - top}" rx="10"/>'
        f'<text class="note" x="{left + 10}" y="{top + 18}">on a host</text>'
    )
    x, y = PLACES[FIRST_STATE]
    parts.append(
        f'<circle cx="{x}" cy="{y - 62}" r="6" fill="currentColor"/>'
        f'<path class="move" d="M{x} {y - 56}V{y - HEIGHT / 2 - 2}" marker-end="url(#tip)"/>'
        f'<text class="note" x="{x + 12}" y="{y - 40}">create</text>'
    )
    labels = []
    for (before, after), words in found.items():
        line, label = _line(before, after, words, is_paired=(after, before) in found)
        parts.append(line)
        labels.append(label)
    parts += labels
    for state, (x, y) in PLACES.items():
        kind = "billed" if policy.bills(state) else "free"
        ends = f'<text class="ends" x="{x + WIDTH / 2 - 9}" y="{y - HEIGHT / 2 + 13}">&#215;</text>'
        parts.append(
            f'<g class="state {kind}" data-state="{state}"><title>{escape(POWER[state].description)}</title>'
            f'<rect x="{x - WIDTH / 2}" y="{y - HEIGHT / 2}" width="{WIDTH}" height="{HEIGHT}" rx="7"/>'
            f'<text x="{x}" y="{y + 5}">{state.capitalize()}</text>{ends if POWER[state].may_vanish else ""}</g>'
        )
    caption = (
        "Power states of a VM, drawn from the table of the code. Filled: billed under policy 2018-08. "
        "&#215;: the VM may cease to exist here, because it is deleted or its create fails. "
        "Lines without words: an operation goes on, or a delete begins, which is accepted in every state."
    )
    return _figure(parts, 940, 490, "Power states of a VM and the moves between them", caption)


def _line(before: PowerState, after: PowerState, words: tuple[str, ...], *, is_paired: bool) -> tuple[str, str]:
    """A move as an arrow from border to border, and its words beside the middle."""
    (x0, y0), (x1, y1) = PLACES[before], PLACES[after]
    length = math.hypot(x1 - x0, y1 - y0)
    ux, uy = (x1 - x0) / length, (y1 - y0) / length
    shift = SHIFT if is_paired else 0
    x0, y0, x1, y1 = x0 - uy * shift, y0 + ux * shift, x1 - uy * shift, y1 + ux * shift
    reach = min(WIDTH / 2 / abs(ux) if ux else math.inf, HEIGHT / 2 / abs(uy) if uy else math.inf)
    ax, ay, bx, by = x0 + ux * reach, y0 + uy * reach, x1 - ux * (reach + 3), y1 - uy * (reach + 3)
    label = ", ".join(word for word in words if word != "delete")
    kind = "move" if label or not words else "move delete"
    title = f"{before.capitalize()} to {after.capitalize()}" + (f": {', '.join(words)}" if words else "")
    line = (
        f'<path class="{kind}" data-move="{before} {after}" d="M{ax:.1f} {ay:.1f}L{bx:.1f} {by:.1f}" '
        f'marker-end="url(#tip)"><title>{escape(title)}</title></path>'
    )
    along, anchor, dx, dy = WORDS.get((before, after), (0.5, "start", 10, 4))
    mx, my = ax + (bx - ax) * along + dx, ay + (by - ay) * along + dy
    return line, f'<text class="words" style="text-anchor:{anchor}" x="{mx:.1f}" y="{my:.1f}">{escape(label)}</text>'


@dataclass(frozen=True, slots=True)
class Arrow:
    """A transition of a Mermaid state diagram: places of its states in the list, and its words."""

    before: int
    after: int
    words: str


STATE = re.compile(r'^\s*state "(.+?)(?:<br/>(.*?))?" as (\w+)$', re.MULTILINE)
ARROW = re.compile(r"^\s*(\S+) --> (\S+?)(?:: (.*))?$", re.MULTILINE)
ROW, BOX, LANE = 74, 290, 26  # height of a row, width of a box, distance of lines beside the boxes


def from_mermaid(text: str) -> str:
    """A state diagram as `vmfleet states --mermaid` prints it: states below each other, in its order, with their transitions."""
    states = STATE.findall(text)
    place = {name: index for index, (_, _, name) in enumerate(states)}
    arrows = [Arrow(place[a], place[b], words) for a, b, words in ARROW.findall(text) if a in place and b in place]
    parts = [MARKER.format(id="tip2")]
    for index, (name, shows, _) in enumerate(states):
        y = 12 + index * ROW
        parts.append(
            f'<g class="state free"><rect x="8" y="{y}" width="{BOX}" height="44" rx="7"/>'
            f'<text x="{8 + BOX / 2}" y="{y + 18}">{escape(name)}</text>'
            f'<text class="note" style="text-anchor:middle" x="{8 + BOX / 2}" y="{y + 35}">{escape(shows)}</text></g>'
        )
    far = [arrow for arrow in arrows if arrow.after != arrow.before + 1]
    for arrow in arrows:
        if arrow.after == arrow.before + 1:
            y = 12 + arrow.before * ROW + 44
            parts.append(f'<path class="move" d="M{8 + BOX / 4} {y}v{ROW - 47}" marker-end="url(#tip2)"/>')
            parts.append(f'<text class="words" x="{8 + BOX / 4 + 10}" y="{y + 19}">{escape(arrow.words)}</text>')
    ends = BOX + 8
    for lane, arrow in enumerate(sorted(far, key=lambda each: abs(each.after - each.before))):
        start, end = 12 + arrow.before * ROW + 28, 12 + arrow.after * ROW + 16
        x = ends + LANE * (lane + 1)
        parts.append(f'<path class="move" d="M{ends} {start}H{x}V{end}H{ends + 3}" marker-end="url(#tip2)"/>')
        parts.append(
            f'<text class="words" x="{x + 6}" y="{start + (4 if end < start else 14)}">{escape(arrow.words)}</text>'
        )
    caption = "Each box is a state of the machine, with the power state and the provisioning state that it shows."
    return _figure(parts, ends + LANE * len(far) + 200, len(states) * ROW, "State machine of a group", caption)


def _figure(parts: list[str], width: float, height: float, title: str, caption: str) -> str:
    drawn = "".join(parts)
    return (
        f'<figure class="states"><svg role="img" aria-label="{escape(title)}" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}">{drawn}</svg><figcaption>{caption}</figcaption></figure>\n'
    )


MAKERS: Mapping[str, Callable[[], str]] = {"power-states": power_states}

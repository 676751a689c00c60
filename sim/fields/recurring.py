"""What comes again and again by itself, and how often it may in one replication."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from sim.fields.issues import Issue, Path
from sim.units import SHORTEST_CYCLE_S, format_duration

MOST_EVENTS = 10_000_000  # of one table in a replication: a tick every minute for 19 years
MOST_KNOWN_BEFORE = 1_000_000  # of what is worked out, and kept, before a replication begins


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurring:
    """So many *members* that each come again every so often on average; *keys* of the table say how often."""

    keys: tuple[str, ...]
    every_s: float
    members: int = 1
    most: int = MOST_EVENTS
    words: str = ""  # for the keys, where they hold more than a duration

    def check(self, place: Path, horizon_s: float) -> Iterator[Issue]:
        """An Issue where it would come more often in a run than anyone can mean."""
        times = horizon_s / self.every_s * self.members if self.every_s > 0 else 0.0  # no time at all: another rule's
        if times <= self.most:
            return
        least = format_duration(max(1, math.ceil(horizon_s / self.most * self.members)))
        both = " together" * (len(self.keys) > 1)
        yield Issue(
            (*place, self.keys[0]),
            f"{format_duration(self.every_s)}{both}: about {float(f'{times:.2g}'):,.0f} times in {format_duration(horizon_s)}; "
            f"at most {self.most:,} are simulated",
            f"make {self.words or ' and '.join(self.keys)} {least} or longer{both}, or the horizon shorter",
            related_paths=(*((*place, key) for key in self.keys[1:]), ("horizon",)),
        )

    def check_time(self, place: Path, problem: str) -> Iterator[Issue]:
        """An Issue where it would come again without time passing."""
        if self.every_s < SHORTEST_CYCLE_S:
            hint = f"make it {format_duration(SHORTEST_CYCLE_S)} or longer"
            related = tuple((*place, key) for key in self.keys[1:])
            yield Issue((*place, self.keys[0]), problem, hint, related_paths=related)

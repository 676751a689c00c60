"""What people do with a schedule: they stay away, and forget to switch off. `[group.people]`, beside a schedule."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import time

from pydantic import Field

from sim.fields.issues import Issue, Path
from sim.fields.numbers import percent
from sim.fields.types import Section, Share, TimeOfDay
from sim.model.when_off import WhenOff


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """What people do with a schedule; probabilities."""

    absent: float = 0.0  # that a VM is not wanted on a day
    forgets: float = 0.0  # that a VM is left on when its window ends
    auto_off: time | None = None  # wall-clock time at which a forgotten VM is switched off


class PeopleSection(Section):
    """What people do with the schedule of their VMs."""

    absent: Share | None = Field(None, description="Probability that a VM is not needed on a day.")
    forgets: Share | None = Field(None, description="Probability that a VM is left on when its window ends.")
    auto_off: TimeOfDay | None = Field(
        None,
        description="Wall-clock time at which a forgotten VM is switched off; left out: it stays on until the end of the next "
        "window at which it is needed.",
    )

    def to_people(self) -> People:
        """The same for the engines."""
        return People(absent=self.absent or 0.0, forgets=self.forgets or 0.0, auto_off=self.auto_off)

    def describe(self) -> str:
        """What people do, in sentences."""
        said = []
        if self.absent is not None:
            said.append(f"On {percent(self.absent)} of days a VM is not needed.")
        if self.forgets is not None:
            until = "the end of the next window at which it is needed"
            if self.auto_off is not None:
                until = f"{self.auto_off:%H:%M}, when it is switched off"
            said.append(
                f"At {percent(self.forgets)} of the ends of windows a VM that is on is forgotten: left on until {until}."
            )
        return " ".join(said)

    def check(self, when_off: WhenOff, place: Path) -> Iterator[Issue]:
        """Keys that would have no effect."""
        if not self.model_fields_set:
            yield Issue(
                place, "it says nothing of people", "write absent or forgets, such as forgets = 0.05, or leave it out",
                related_paths=tuple((*place, key) for key in type(self).model_fields),
            )  # fmt: skip
        if self.auto_off is not None and self.forgets is None:
            yield Issue(
                (*place, "auto_off"),
                "it is for VMs that were forgotten, and none is forgotten",
                "write forgets, such as 0.05; a rule that only stops, while people start by hand, is forgets = 1.0",
                related_paths=((*place, "forgets"),),
            )
        if self.forgets and when_off == "keep":
            yield Issue(
                (*place, "forgets"),
                'with when_off = "keep" every VM is left on',
                'write when_off = "deallocate", or leave forgets out',
                related_paths=((*place[:-1], "when_off"),),
            )

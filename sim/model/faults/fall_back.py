"""Work that goes on with a regular VM when spot VMs take too long: `fall_back` of `[group.spot]`.

The rules are those of Wu et al., *Can't Be Late: Optimizing Spot Instance Savings under Deadlines*, NSDI 2024.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Any, NamedTuple, Protocol

from pydantic import BeforeValidator, WithJsonSchema

from sim.fields.messages import list_words
from sim.fields.registry import Registry

NEVER = "never"


class FallBackRule(IntEnum):
    """When a request goes on with a regular VM."""

    AFTER = 1  # a number of evictions
    DEADLINE = 2  # where the time left is only just enough
    PROGRESS = 3  # where less of the work is done than of the time is over; back to spot once it is ahead
    PLUG_IN = 4  # as a plug-in says


RULES = {"deadline": FallBackRule.DEADLINE, "uniform-progress": FallBackRule.PROGRESS}


class Request(NamedTuple):
    """A request with work, at some instant."""

    made_s: float
    deadline_s: float  # from then
    work_s: float
    left_s: float  # of it


CapacityFrom = Callable[[float], float]
"""From an instant on, the first at which there is spot capacity (s): what happens, which a real policy can't know."""


class FallBackPolicy(Protocol):
    """The policy of a plug-in: a frozen dataclass whose methods are pure functions; instants are seconds since t = 0."""

    @property
    def words(self) -> str:
        """A sentence for `vmfleet validate`."""

    def goes_on_at(self, now_s: float, request: Request, changeover_s: float, capacity_from: CapacityFrom) -> float:
        """When work that waits for a spot VM goes on with a regular one, if nothing happens until then; infinite: never."""

    def returns_at(self, now_s: float, request: Request, changeover_s: float, capacity_from: CapacityFrom) -> float:
        """When work that a regular VM does goes on with a spot one; infinite: never."""


FALL_BACKS: Registry[FallBackPolicy] = Registry(
    "fall-back policy", own=("words", "goes_on_at", "returns_at"), texts=("words",), taken=(NEVER, *RULES)
)
"""The policies of plug-ins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FallBack:
    """When a request goes on with a regular VM, and when with a spot VM again."""

    rule: FallBackRule
    evictions: int = 0  # with AFTER
    changeover_s: float  # what going on with another VM takes, on average, and the work that an eviction loses
    policy: FallBackPolicy | None = None  # with PLUG_IN

    @property
    def returns(self) -> bool:
        """Whether work may go back to a spot VM."""
        return self.rule in (FallBackRule.PROGRESS, FallBackRule.PLUG_IN)


def _read(value: Any) -> str | int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    if isinstance(value, str) and (value == NEVER or value in RULES or value in FALL_BACKS):
        return value
    names = list_words(f'"{name}"' for name in (*RULES, *FALL_BACKS))
    raise ValueError(f'no such rule; must be "never", a number of evictions from 1 on, {names}')


_NAMES = [NEVER, *RULES]
FALL_BACKS.watch(lambda name, _: _NAMES.append(name))
FallBackKey = Annotated[
    Any, BeforeValidator(_read), WithJsonSchema({"anyOf": [{"enum": _NAMES}, {"type": "integer", "minimum": 1}]})
]
"""`"never"`, a number of evictions, one of `RULES`, or a policy of a plug-in."""

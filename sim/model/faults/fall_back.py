"""Work that goes on with a regular VM when spot VMs take too long: `fall_back` of `[group.spot]`.

The rules are those of Wu et al., *Can't Be Late: Optimizing Spot Instance Savings under Deadlines*, NSDI 2024.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

NEVER = "never"


class FallBackRule(IntEnum):
    """When a request goes on with a regular VM."""

    AFTER = 1  # a number of evictions
    DEADLINE = 2  # where the time left is only just enough
    PROGRESS = 3  # where less of the work is done than of the time is over; back to spot once it is ahead


RULES = {"deadline": FallBackRule.DEADLINE, "uniform-progress": FallBackRule.PROGRESS}


@dataclass(frozen=True, slots=True, kw_only=True)
class FallBack:
    """When a request goes on with a regular VM, and when with a spot VM again."""

    rule: FallBackRule
    evictions: int = 0  # with AFTER
    changeover_s: float  # what going on with another VM takes, on average, and the work that an eviction loses


def _read(value: Any) -> str | int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    if isinstance(value, str) and (value == NEVER or value in RULES):
        return value
    raise ValueError('no such rule; must be "never", a number of evictions from 1 on, "deadline" or "uniform-progress"')


FallBackKey = Annotated[
    Any,
    BeforeValidator(_read),
    WithJsonSchema({"anyOf": [{"enum": [NEVER, *RULES]}, {"type": "integer", "minimum": 1}]}),
]
"""`"never"`, a number of evictions, or one of `RULES`."""

"""What the operation rows name: keys of durations, and failures that a scenario may give a probability."""

from __future__ import annotations

from sim.lifecycle.operations import OPERATIONS

DURATION_KEYS = tuple(dict.fromkeys(stage.name for row in OPERATIONS.values() for stage in row.stages))
"""Every duration that some row draws, in order of first use."""

CHANCE_CODES = tuple(
    dict.fromkeys(
        failure.code
        for row in OPERATIONS.values()
        for failure in (
            *(failure for stage in row.stages for failure in stage.fails),
            *((row.fails_at_once,) if row.fails_at_once else ()),
        )
        if failure.by_chance
    )
)
"""Codes that may strike with a probability per attempt, in order of first use."""

"""Rate limits of a subscription: a token bucket for each class of operations."""

from __future__ import annotations

import math
from collections.abc import MutableSequence
from types import MappingProxyType
from typing import NamedTuple

from sim.model.faults import Throttle

# Microsoft: Compute throttling limits, 2024-05-27.
CREATES, UPDATES, DELETES = range(3)
BUCKET_OF = MappingProxyType({
    "create": CREATES, "start": UPDATES, "restart": UPDATES, "power_off": UPDATES, "hibernate": UPDATES, "update": UPDATES,
    "deallocate": DELETES, "delete": DELETES,
})  # fmt: skip
NEVER = math.inf
LAST_BITS = 1e-9  # of a token: a refill that is due at this instant has come, however its fractions were rounded


class Buckets(NamedTuple):
    """Tokens by class of operations; they refill evenly."""

    burst: float
    refill_per_s: float
    tokens: MutableSequence[float]
    at_s: MutableSequence[float]  # when the tokens were counted


def full_buckets(throttle: Throttle) -> Buckets:
    """Every bucket full at time 0."""
    burst = float(throttle.burst)
    return Buckets(burst, throttle.refill_per_min / 60, [burst] * 3, [0.0] * 3)


def take_token(buckets: Buckets, bucket: int, now_s: float) -> float:
    """Take a token, if there is one: 0. Else how long it will be until there is one (s)."""
    refilled = buckets.tokens[bucket] + (now_s - buckets.at_s[bucket]) * buckets.refill_per_s
    tokens = min(buckets.burst, refilled)
    buckets.tokens[bucket] = tokens
    buckets.at_s[bucket] = now_s
    if tokens < 1 - LAST_BITS:
        return (1 - tokens) / buckets.refill_per_s if buckets.refill_per_s > 0 else NEVER
    buckets.tokens[bucket] = tokens - 1
    return 0.0

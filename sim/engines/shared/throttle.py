"""Rate limits of a subscription: a token bucket for each class of operations, in each region."""

import math
from collections.abc import MutableSequence, Sequence
from types import MappingProxyType
from typing import NamedTuple

from sim.engines.shared.linked_list import Cells
from sim.model.faults import Throttle
from sim.model.plan import GroupPlan

# Microsoft: Compute throttling limits, 2024-05-27.
CREATES, UPDATES, DELETES = range(3)
CLASSES = 3
BUCKET_OF = MappingProxyType({
    "create": CREATES, "start": UPDATES, "restart": UPDATES, "power_off": UPDATES, "hibernate": UPDATES, "update": UPDATES,
    "deallocate": DELETES, "delete": DELETES,
})  # fmt: skip
NEVER = math.inf
LAST_BITS = 1e-9  # of a token: a refill that is due at this instant has come, however its fractions were rounded


class Buckets(NamedTuple):
    """Tokens by region and class of operations; they refill evenly."""

    burst: float
    refill_per_s: float
    tokens: MutableSequence[float]
    at_s: MutableSequence[float]  # when the tokens were counted
    first: Cells  # by group: the first bucket of its region


def full_buckets(throttle: Throttle, groups: Sequence[GroupPlan] = ()) -> Buckets:
    """Every bucket full at time 0."""
    burst, regions = float(throttle.burst), sorted({group.region for group in groups}) or [""]
    first = [CLASSES * regions.index(group.region) for group in groups]
    many = CLASSES * len(regions)
    return Buckets(burst, throttle.refill_per_min / 60, [burst] * many, [0.0] * many, first)


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

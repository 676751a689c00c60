"""The least of a cost that is convex in a whole number, and how far from it nothing is shown to cost more."""

from collections.abc import Callable, Sequence

from sim.statistics.intervals import bounded_mean, mean_of

Costs = Callable[[int], Sequence[float]]
"""The cost of every replication at a quantity, in steps."""
ROUNDING = 1e-9  # of a cost: what sums in another order may differ by


def least(cost: Callable[[int], float], top: int, near: int | None = None) -> int:
    """The smallest number from 0 to *top* with the least cost: bisection on the sign of the slope, at first around *near*.

    >>> least(lambda n: abs(n - 7.0), 100), least(lambda n: abs(n - 7.0), 100, near=8), least(lambda n: 1.0, 5)
    (7, 7, 0)
    """
    known: dict[int, float] = {}

    def at(number: int) -> float:
        if number not in known:
            known[number] = cost(number)
        return known[number]

    low, high, reach = 0, top, 1
    while low < high:
        middle = (low + high) // 2
        if near is not None:
            middle = min(max(near - reach, min(middle, near + reach - 1)), high - 1)
            middle, reach = max(middle, low), 2 * reach
        if at(middle + 1) - at(middle) < -ROUNDING * abs(at(middle)):
            low = middle + 1
        else:
            high = middle
    return low


def edge(costs: Costs, best: int, end: int, confidence: float) -> int:
    """The number furthest from the *best*, towards *end*, that isn't shown to cost more (paired t)."""
    base = costs(best)
    slack = ROUNDING * abs(mean_of(base))

    def alike(number: int) -> bool:
        differences = [there - here for there, here in zip(costs(number), base, strict=True)]
        low = bounded_mean(differences, confidence).low
        return low is not None and low <= slack

    near, far = best, end
    if alike(far):
        return far
    while abs(far - near) > 1:
        middle = (near + far) // 2
        if alike(middle):
            near = middle
        else:
            far = middle
    return near

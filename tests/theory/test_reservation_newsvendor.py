"""The cheapest number of reservations is a quantile of hourly use, and the rating must agree."""

from __future__ import annotations

import numpy as np
import pytest

from sim.billing import RatedGroup, Reservation, rate_in_full
from sim.billing.hours import CountedHours, RatedHours
from sim.billing.newsvendor import best_quantity
from sim.catalog import load_bundled

REGION, SIZE = "westeurope", "Standard_D4s_v5"
RESERVED, PAYG = 0.10, 0.23
CATALOGUE = load_bundled().with_overrides(REGION, {SIZE: {"linux": PAYG, "reservation_1y": RESERVED}})


def rated(use: np.ndarray, quantity: float) -> float:
    """The bill's total with so many reservations."""
    run, none = CountedHours(hourly=use, total_h=float(use.sum())), CountedHours(hourly=np.zeros(len(use)), total_h=0.0)
    group = RatedGroup(name="g", size=SIZE, region=REGION)
    hours = [RatedHours(group=group, billed=run, licensed=none, existing=none, orphaned=none)]
    reservation = Reservation(name="ri", size=SIZE, quantity=quantity, term="1y", region=REGION)
    return rate_in_full(hours, np.ones(len(use)), CATALOGUE, [reservation]).bill.total


@pytest.mark.parametrize("seed", range(5))
def test_the_newsvendor_quantile_is_the_minimum_of_the_rated_bill(seed):
    """Every whole quantity is rated; none is cheaper than the quantile. The mean of use, a common rule, costs more."""
    use = np.random.default_rng(seed).poisson(20, 24 * 28).astype(float) * (np.arange(24 * 28) % 24 > 8)
    costs = [rated(use, quantity) for quantity in range(41)]
    best = best_quantity(use, RESERVED, PAYG)
    assert rated(use, best) == pytest.approx(min(costs), abs=1e-6)
    assert rated(use, float(use.mean())) > min(costs) + 1.0


def test_the_closed_form_of_cost_equals_the_rating():
    """Quantity times price, and the hours beyond it as they go: what the quantile is derived from."""
    use = np.random.default_rng(9).gamma(3.0, 4.0, 500)
    quantities = np.array([0.0, 3.5, 12.0, 50.0])
    expected = [rated(use, float(quantity)) for quantity in quantities]
    short = np.maximum(use[np.newaxis, :] - quantities[:, np.newaxis], 0.0).sum(axis=1)
    assert quantities * len(use) * RESERVED + short * PAYG == pytest.approx(expected, abs=1e-6)


def test_reserving_never_pays_at_or_above_the_list_price():
    """Nothing is saved, so nothing is bought."""
    assert best_quantity(np.full(10, 5.0), PAYG, PAYG) == 0.0
    assert best_quantity(np.full(10, 5.0), 0.2, PAYG) == 5.0

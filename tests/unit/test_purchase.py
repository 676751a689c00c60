"""How much to commit to: the newsvendor's answer, and an honest interval around it."""

from __future__ import annotations

import numpy as np
import pytest

import sim
from sim.errors import InputError
from sim.lifecycle.power import PowerState
from sim.studies.purchase import best_commitment


@pytest.fixture(scope="module")
def jobs() -> sim.Scenario:
    """About ten jobs at a time, come and gone at random, and a one-year reservation of yet unknown size."""
    return sim.from_dict(
        {
            "name": "jobs",
            "horizon": "10d",
            "warm_up": "1d",
            "replications": 6,
            "group": [{"name": "jobs", "arrivals": {"rate": 2.0, "lifetime": {"dist": "exponential", "mean": "5h"}}}],
            "commitment": [
                {"name": "ri", "kind": "reservation", "size": "Standard_D4s_v5", "quantity": 0, "term": "1y"}
            ],
        }
    )


def test_the_best_quantity_is_the_newsvendors(jobs: sim.Scenario):
    """Buy the unit that is used in as large a share of hours as its price is of the hourly price, and no further.

    The check knows nothing of billing: it is the quantile of hourly running VMs at 1 - reserved / pay as you go.
    Half of that share, as a wrong model would use, gives another quantity.
    """
    found = best_commitment(jobs, "ri")
    catalogue = jobs.catalogue()
    reserved = catalogue.find_price("Standard_D4s_v5", "westeurope", "reservation_1y").per_h
    payg = catalogue.find_price("Standard_D4s_v5", "westeurope", "linux").per_h
    run = sim.run(jobs)
    place = list(PowerState).index(PowerState.RUNNING)
    hourly = np.concatenate([each.timeline["jobs"].vms[:, place] for each in run.replications])

    def newsvendor(share: float) -> int:
        costs = [share * q + np.maximum(0.0, hourly - q).mean() for q in range(40)]
        return int(np.argmin(costs))

    assert found.best == newsvendor(reserved / payg)
    assert found.best != newsvendor(reserved / payg / 2)
    assert found.low <= found.best <= found.high
    assert found.saving.low > 0.0
    assert min(found.costs.values()) == pytest.approx(found.cost.mean)
    assert "has the least mean bill" in found.words


def test_buying_it_gives_the_bill_that_was_predicted(jobs: sim.Scenario):
    """The scenario with that quantity, run as any other, costs the same to the last bit."""
    found = best_commitment(jobs, "ri", replications=3)
    bought = sim.run(jobs.replace("commitment.ri.quantity", int(found.best)), replications=3)
    assert bought.estimate("cost.total").mean == found.cost.mean


def test_vms_that_always_run_are_all_reserved(jobs: sim.Scenario):
    """Three steady VMs: reserve three, not four, and the answer has no width."""
    steady = sim.from_dict(
        {
            "name": "steady",
            "horizon": "5d",
            "warm_up": "1h",
            "group": [{"name": "web", "count": 3}],
            "commitment": [
                {"name": "ri", "kind": "reservation", "size": "Standard_D4s_v5", "quantity": 9, "term": "3y"}
            ],
        }
    )
    found = best_commitment(steady, "ri", replications=3, most=10)
    assert (found.best, found.low, found.high) == (3.0, 3.0, 3.0)
    assert set(found.single) == {3.0}


def test_wrong_purchases_are_refused(jobs: sim.Scenario):
    """Which commitment, how many replications, how much at most."""
    with pytest.raises(InputError, match="there are ri"):
        best_commitment(jobs, "sp")
    with pytest.raises(InputError, match="at least 2"):
        best_commitment(jobs, "ri", replications=1)
    with pytest.raises(InputError, match="most is 0"):
        best_commitment(jobs, "ri", most=0, replications=2)

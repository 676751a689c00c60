"""Shares and probabilities: a number, or a percentage in quotes, wherever one may stand."""

import pytest

import sim

PLACES = {
    "group.vm.failures.AllocationFailed": "5 %",
    "group.vm.failures.InternalOperationError": "5%",
    "group.vm.spot.eviction_per_hour": "5.0 %",
}


@pytest.mark.parametrize(("place", "text"), PLACES.items())
def test_a_percentage_is_the_number_that_it_means(place: str, text: str):
    """0.05 and "5 %" are the same fleet; 0.06 is another."""
    bare = {
        "name": "a",
        "horizon": "1d",
        "group": [{"name": "vm", "priority": "spot", "spot": {"eviction_per_hour": 0.1}}],
    }
    plans = [sim.from_dict(bare).replace(place, value).fleet_plan() for value in (text, 0.05, 0.06)]
    assert plans[0] == plans[1]
    assert plans[0] != plans[2]

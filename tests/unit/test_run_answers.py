"""What scripts ask a run besides its metrics: hours one by one, ratios, what is missing."""

from __future__ import annotations

import pytest

from sim import from_dict, run
from sim.statistics.intervals import estimate_mean

DAY = {
    "name": "two",
    "horizon": "6h",
    "replications": 3,
    "group": [
        {"name": "kept", "size": "Standard_D4s_v5", "count": 4, "when_off": "keep"},
        {
            "name": "jobs",
            "size": "Standard_D2s_v5",
            "arrivals": {"rate": 10.0, "lifetime": {"dist": "exponential", "mean": "1h"}},
        },
    ],
}


@pytest.fixture(scope="module")
def result():
    """Two groups over six hours."""
    return run(from_dict(DAY))


def test_vms_by_hour_add_up_to_the_hours_of_the_state(result) -> None:
    """The fleet is the sum of its groups in every hour, and hours over the horizon are the metric."""
    fleet, kept, jobs = (result.hourly("running", group) for group in ("", "kept", "jobs"))
    assert len(fleet) == 6
    for whole, one, other in zip(fleet, kept, jobs, strict=True):
        assert whole.mean == pytest.approx(one.mean + other.mean)
    assert sum(hour.mean for hour in fleet) == pytest.approx(result.estimate("hours.running").mean)
    assert kept[3].mean == 4.0
    assert jobs[3].low is not None
    with pytest.raises(ValueError, match="walking"):
        result.hourly("walking")


def test_a_ratio_is_one_of_means(result) -> None:
    """USD per hour served: the whole bill over all the hours, not the mean of each replication's price."""
    output = result.ratio("cost.total", "served_hours")
    tops, bottoms = result.values("cost.total"), result.values("served_hours")
    assert output.mean == pytest.approx(sum(tops) / sum(bottoms))
    assert output.mean != sum(top / bottom for top, bottom in zip(tops, bottoms, strict=True)) / 3
    assert output.low < output.mean < output.high


def test_the_complement_turns_its_bounds_around() -> None:
    """The share that is late is known as well as the share that is there."""
    there = estimate_mean([0.90, 0.94, 0.98])
    late = there.complement
    assert late.mean == pytest.approx(0.06)
    assert (late.low, late.high) == (1 - there.high, 1 - there.low)
    assert estimate_mean([0.9]).complement.low is None

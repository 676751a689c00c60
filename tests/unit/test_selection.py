"""The best of several: right as often as stated, and an unbiased estimate of the winner."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

import sim
from sim.errors import InputError
from sim.studies.selection import best_of, kim_nelson


def _choose(rng: np.random.Generator, means: Sequence[float], shared: float) -> tuple[int, int]:
    """Index chosen and replications used: systems with common random numbers (weight *shared*) and their own."""
    randomness, own = rng.normal(0, shared, 3000), rng.normal(0, 1, (len(means), 3000))
    values = np.asarray(means)[:, None] + randomness + own
    found = kim_nelson(
        lambda systems, n: [values[i, :n].tolist() for i in systems],
        len(means), indifference=1.0, confidence=0.90, first=10, cap=3000,
    )  # fmt: skip
    assert found.done
    return found.left[0], found.r


def test_the_best_is_chosen_as_often_as_stated():
    """The hardest case: four others exactly the indifference behind; 300 choices at 90 %, band of 1e-4.

    The wrong model, the best of five replications, is right less often than the band allows and is refused.
    """
    rng = np.random.default_rng(23)
    means, studies = [1.0, 1.0, 0.0, 1.0, 1.0], 300
    right = sum(_choose(rng, means, 3.0)[0] == 2 for _ in range(studies))
    band = stats.binom.ppf(1e-4, studies, 0.90)
    assert right >= band
    naive = sum(
        int(np.argmin((np.asarray(means)[:, None] + rng.normal(0, 1.5, (5, 5))).mean(axis=1))) == 2
        for _ in range(studies)
    )
    assert naive < band


def test_clear_losers_are_dropped_early():
    """What is far behind costs few replications: the procedure ends at its first looks."""
    _, used = _choose(np.random.default_rng(29), [0.0, 9.0, 12.0], 3.0)
    assert used <= 12


def test_variants_that_are_equal_to_the_last_bit_end_at_once():
    """No variance of the differences, no difference: any of them is best."""
    found = kim_nelson(lambda s, n: [[1.0] * n for _ in s], 3, indifference=1.0, confidence=0.95, first=5)
    assert (found.done, found.r) == (True, 5)


def test_a_real_choice_can_be_checked_by_hand():
    """Deallocating at night is cheaper than stopping, which costs as much as keeping; the new figure is near the first."""
    office = sim.from_dict(
        {
            "name": "office",
            "horizon": "2d",
            "group": [
                {"name": "dev", "count": 2, "schedule": {"days": "Mon-Fri", "on": "08:00:00", "off": "19:00:00"}}
            ],
        }
    )
    variants = {way: office.replace("group.dev.when_off", way) for way in ("keep", "stop", "deallocate")}
    found = best_of(variants, indifference=0.5)
    assert found.best == "deallocate"
    assert not found.capped
    assert set(found.dropped_at) == {"keep", "stop"}
    assert found.fresh.mean == pytest.approx(found.means["deallocate"], rel=0.01)
    assert found.fresh.mean != found.means["deallocate"]
    assert "deallocate is chosen in cost.total" in found.words


def test_what_is_too_close_for_the_cap_is_said():
    """Two normals 0.01 apart: after 12 replications both are left, that of the smaller mean first."""
    values = np.random.default_rng(31).normal([[0.0], [0.01]], 1, (2, 12))
    found = kim_nelson(lambda s, n: [values[i, :n].tolist() for i in s], 2, indifference=0.01, confidence=0.95, first=5, cap=12)  # fmt: skip
    assert (found.done, found.r) == (False, 12)
    assert found.left == tuple(np.argsort(values.mean(axis=1)).tolist())
    sizes = {name: sim.from_dict({"name": name, "horizon": "2h", "group": [{"name": "a", "arrivals": {"rate": 9.0, "lifetime": {"dist": "exponential", "mean": life}}}]}) for name, life in (("x", "30min"), ("y", "31min"))}  # fmt: skip
    capped = best_of(sizes, indifference=1e-9, cap=12)
    assert capped.capped
    assert (
        capped.words
        == f"{capped.best} looks best in cost.total, but the cap on replications was met before that was sure"
    )


def test_a_metric_that_is_not_defined_everywhere_chooses_nothing():
    """In a quiet hour no VM comes, so none has an uptime: a mean of such values would choose at random."""
    quiet, busy = (
        sim.from_dict({"name": "x", "horizon": "1h", "group": [{"name": "a", "arrivals": {"rate": rate, "lifetime": "20min"}}]})
        for rate in (0.1, 99.0)
    )  # fmt: skip
    with pytest.raises(InputError, match=r"sla\.uptime isn't defined in every replication of quiet; choose by another"):
        best_of({"busy": busy, "quiet": quiet}, indifference=0.1, metric="sla.uptime")


def test_wrong_choices_are_refused():
    """One variant, no indifference, no confidence, a ratio, a metric that isn't there."""
    one = sim.from_dict({"name": "one", "horizon": "1h", "group": [{"name": "a"}]})
    two = {"a": one, "b": one}
    with pytest.raises(InputError, match="at least two"):
        best_of({"a": one}, indifference=1.0)
    with pytest.raises(InputError, match="above 0"):
        best_of(two, indifference=0.0)
    for confidence in (0.5, 1.0):
        with pytest.raises(InputError, match=f"confidence is {confidence}; it is above 0.5 and below 1"):
            best_of(two, indifference=0.1, confidence=confidence)
    with pytest.raises(InputError, match="ratio of means"):
        best_of(two, indifference=0.1, metric="availability")
    with pytest.raises(InputError, match="did you mean"):
        best_of(two, indifference=0.1, metric="cost.al")

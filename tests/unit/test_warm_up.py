"""Warm-up and batch means, on series whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import sim
from sim.cli import main
from sim.errors import InputError
from sim.runs.warm_up import batch_means, long_run, mser, warm_up_found


def _ar1(rng: np.random.Generator, n: int, phi: float) -> np.ndarray:
    values = np.empty(n)
    values[0] = rng.normal(0, 1 / np.sqrt(1 - phi**2))
    for i, step in enumerate(rng.normal(0, 1, n - 1)):
        values[i + 1] = phi * values[i] + step
    return values


def test_the_start_up_is_cut_off():
    """A fleet that fills with a time constant of 20 hours: the cut lies where the bias is below the noise, not at 0."""
    rng = np.random.default_rng(31)
    hours = np.arange(1000)
    averaged = 100 * (1 - np.exp(-hours / 20)) + rng.normal(0, 1, 1000)
    cut = mser(averaged.tolist(), 5)
    assert cut.settled
    # 100 exp(-h / 20) is below the noise of 1 from hour 92 on, and below the noise of a batch mean from hour 108 on.
    assert 60 <= cut.observations <= 160


def test_what_is_steady_from_the_start_keeps_nearly_all():
    """Nothing to cut: on average over 50 series less than a fifth goes."""
    rng = np.random.default_rng(37)
    cuts = [mser(rng.normal(5, 1, 500).tolist(), 5).observations for _ in range(50)]
    assert np.mean(cuts) < 100


def test_a_run_without_a_steady_state_says_so():
    """A ramp: the best cut is the last one allowed, which is no answer."""
    assert not mser(np.arange(400.0).tolist(), 5).settled
    with pytest.raises(InputError, match="lengthen the horizon"):
        mser([1.0] * 12, 5)


@pytest.mark.parametrize("phi", [0.0, 0.9])
def test_batch_means_cover_the_true_mean(phi: float):
    """200 long runs, correlated from hour to hour: 95 % intervals cover 0, within the binomial's 1e-4 band (less two
    points for what correlation the test of independence lets through).

    The wrong model, a t interval over single hours, covers far less at 0.9 and is refused.
    """
    rng = np.random.default_rng(41)
    studies, hits, naive = 200, 0, 0
    for _ in range(studies):
        series = _ar1(rng, 4000, phi)
        found = batch_means(series.tolist()).interval
        hits += found.low <= 0.0 <= found.high
        half = stats.t.isf(0.025, len(series) - 1) * series.std(ddof=1) / np.sqrt(len(series))
        naive += abs(series.mean()) <= half
    band = stats.binom.ppf(1e-4, studies, 0.93)
    assert hits >= band
    if phi:
        assert naive < band


def test_a_short_run_admits_its_correlation():
    """Too short for ten independent batches: the interval is given, and that it can't be relied on."""
    found = batch_means(np.cumsum(np.random.default_rng(43).normal(0, 1, 60)).tolist())
    assert not found.independent
    assert "run longer" in found.words
    with pytest.raises(InputError, match="at least 20 hours"):
        batch_means([1.0] * 19)


def test_a_fleet_that_fills_needs_a_warm_up():
    """Arrivals into an empty fleet: hours are cut, by the time constant of the lifetimes; an always-on fleet cuts none."""
    filling = sim.from_dict(
        {
            "name": "filling",
            "horizon": "60d",
            "group": [{"name": "jobs", "arrivals": {"rate": 0.5, "lifetime": {"dist": "exponential", "mean": "48h"}}}],
        }
    )
    needed_s = warm_up_found(filling, seed=1)
    assert 2 * 86_400 <= needed_s <= 25 * 86_400
    assert needed_s % (5 * 3_600) == 0
    steady = sim.from_dict({"name": "steady", "horizon": "10d", "group": [{"name": "web", "count": 2}]})
    assert warm_up_found(steady, seed=1) <= 5 * 3_600
    found = long_run(sim.run(steady, replications=1), "running")
    assert found.interval.mean == pytest.approx(2.0, abs=0.01)
    with pytest.raises(InputError, match="no state"):
        long_run(sim.run(steady, replications=1), "sleeping")


FILLING = {
    "name": "filling",
    "horizon": "20d",
    "warm_up": "auto",
    "replications": 4,
    "group": [{"name": "jobs", "arrivals": {"rate": 1.0, "lifetime": {"dist": "exponential", "mean": "24h"}}}],
}


def test_a_scenario_may_leave_its_warm_up_to_be_found(tmp_path: Path):
    """`warm_up = "auto"`: found before anything is counted, the same as asked for in Python, and the result says so."""
    fleet = sim.from_dict(FILLING)
    assert fleet.warm_up_s == 0.0
    assert "yet to be found" in fleet.describe()[0]
    result = sim.run(fleet)
    assert result.scenario.warm_up_s == warm_up_found(fleet, seed=1) > 0
    assert result.summary()["warm_up_found"] is True
    sim.write(result, tmp_path / "found")
    again = sim.load(tmp_path / "found" / "scenario.toml")
    assert again.warm_up_s == result.scenario.warm_up_s
    assert "warm_up_found" not in sim.run(again).summary()
    assert sim.run(again).values("cost.total") == result.values("cost.total")


def test_fleets_that_are_compared_count_the_same_hours():
    """The longest warm-up of all: a fleet with a longer start-up phase must not look cheaper for it."""
    quick, slow = (
        sim.from_dict(FILLING).replace("group.jobs.arrivals.lifetime", {"dist": "exponential", "mean": mean})
        for mean in ("2h", "36h")
    )
    needed = [warm_up_found(each, seed=1) for each in (quick, slow)]
    assert needed[0] < needed[1]
    found = sim.compare(quick, {"slow": slow})
    assert {run.scenario.warm_up_s for run in (found.base, *found.variants.values())} == {needed[1]}
    swept = sim.sweep(sim.from_dict(FILLING), {"group.jobs.arrivals.rate": [0.5, 2.0]}, replications=2)
    assert len({run.scenario.warm_up_s for run in swept.runs}) == 1
    sized = sim.size(sim.from_dict(FILLING), "group.jobs.arrivals.rate=1..3", "cost.total<=100", largest=True)
    assert len({trial.run.scenario.warm_up_s for trial in sized.trials}) == 1
    assert sized.scenario.warm_up_found
    moved = sim.sensitivity(sim.from_dict(FILLING), ["group.jobs.arrivals.rate=1..3"], replications=2)
    assert moved.scenario.warm_up_found


def test_demand_that_repeats_by_the_week_is_cut_by_the_week():
    """A cut inside a week would set working days against a weekend; a week too short for four of them is cut by the day."""
    office = {
        "name": "office",
        "horizon": "28d",
        "group": [{"name": "dev", "count": 3, "schedule": {"days": "Mon-Fri", "on": "08:00", "off": "18:00"}}],
    }
    assert warm_up_found(sim.from_dict(office), seed=1) % (7 * 86_400) == 0
    with pytest.raises(InputError, match=r"office: warm_up = \"auto\": group dev: .* at least 96 are needed"):
        sim.run(sim.from_dict({**office, "horizon": "3d", "warm_up": "auto"}))


def test_the_invoice_of_a_run_counts_from_the_warm_up_that_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """The command, with everything that reads the scenario once more: invoice and result folder must come to the same."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "filling.toml").write_text(sim.from_dict({**FILLING, "warm_up": "0s"}).to_toml())
    call = ["run", "filling.toml", "--set", "warm_up=auto", "-n", "2", "--no-report", "--focus", "invoice.csv"]
    with pytest.raises(SystemExit) as end:
        main(call)
    assert not end.value.code
    assert "found in a pilot" in capsys.readouterr().out
    assert (tmp_path / "invoice.csv").stat().st_size > 1_000

"""What a fit prints is a group of a scenario file, and says what it cannot assure."""

from __future__ import annotations

import math
import tomllib
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from sim.distributions.kinds import Exponential, Lognormal, Mixture, Weibull
from sim.scenario.scenario import from_dict
from sim.traces import open_trace
from sim.traces.arrivals import gathered
from sim.traces.fit import Fit, fit
from sim.traces.to_toml import distribution_toml, group_section

SHARED = Path(__file__).resolve().parents[3] / "shared"
REAL = SHARED / "data" / "traces" / "azure2017_vms_one_day.csv.gz"
SIZE = "Standard_D2s_v5"


def scenario_of(section: str):
    """The section in the smallest scenario file there is."""
    document = tomllib.loads('name = "pasted"\nhorizon = "2d"\n' + section)
    return from_dict(document)


def made_trace(path: Path, *, days: float, start: str = "") -> Path:
    """Requests of one to three VMs all day long, lognormal lifetimes, two kinds of VM."""
    rng = np.random.default_rng(1)
    lines = ["created,lifetime,vcpus,memory,tenant"]
    for number, at in enumerate(np.sort(rng.integers(0, int(days * 86400), 2000))):
        instant = np.datetime64(start) + np.timedelta64(int(at), "s") if start else None
        for _ in range(rng.integers(1, 4)):
            life = math.floor(2000 * math.exp(rng.standard_normal()))
            kind = "2,8" if number % 3 else "4,32"
            lines.append(f"{f'{instant}Z' if start else at},{life},{kind},{number}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def found_in(tmp_path_factory):
    """The fit of a made trace of so many days; each is made once."""

    @cache
    def make(days: float) -> Fit:
        return fit(open_trace(made_trace(tmp_path_factory.mktemp("made") / "t.csv", days=days), "columns"))

    return make


@pytest.mark.parametrize(("days", "profile", "numbers"), [(0.5, "rate", 1), (3, "hourly", 24), (15, "weekly", 168)])
def test_the_pasted_section_is_a_scenario_with_the_fitted_figures(found_in, days, profile, numbers):
    """Every family and every profile goes through the scenario's own checks, and comes back as it was."""
    found = found_in(days)
    assert found.arrivals.profile == profile
    for one in found.distributions:
        scenario = scenario_of(group_section(found, name="pasted", size=SIZE, family=one.family))
        demand = scenario.fleet_plan().groups[0].demand
        assert len(demand.rate_per_h) == numbers
        assert demand.rate_per_h == pytest.approx(found.arrivals.requests_per_h, rel=1e-5)
        assert demand.batch_sizes == found.arrivals.batch_sizes
        assert demand.batch_weights == pytest.approx(found.arrivals.batch_weights, rel=1e-5)
        ages = np.geomspace(1, 1e5, 50)
        assert demand.lifetime_s.cdf(ages) == pytest.approx(one.distribution.cdf(ages), abs=1e-5)


def test_hours_of_instants_are_hours_of_the_clock(tmp_path):
    """The trace begins at 21:00 on a Thursday; the first of the pasted numbers is midnight's (of Monday)."""
    quiet_before = "2026-01-08T21:00:00"  # a Thursday
    path = tmp_path / "t.csv"
    lines = ["created,lifetime,vcpus,memory,tenant"]
    for day in range(15):
        for number in range(30):  # all requests in the hour from 23:00
            instant = np.datetime64(quiet_before) + np.timedelta64(day * 86400 + 2 * 3600 + number * 60, "s")
            lines.append(f"{instant}Z,{number * 10},2,8,{day}-{number}")
    lines.insert(1, f"{quiet_before}Z,60,2,8,first")
    path.write_text("\n".join(lines) + "\n")
    found = fit(open_trace(path, "columns")).arrivals
    if found.profile == "weekly":
        busy = {at % 24 for at, rate in enumerate(found.requests_per_h) if rate > 5}
        thursday = found.requests_per_h[3 * 24 + 21]
        assert thursday > 0
    else:
        busy = {at for at, rate in enumerate(found.requests_per_h) if rate > 5}
    assert busy == {23}


def test_distributions_are_written_as_the_scenario_file_has_them():
    """Durations with their unit, numbers that TOML takes for floats."""
    assert distribution_toml(Exponential(mean=90.5)) == '{ dist = "exponential", mean = "90.5s" }'
    assert (
        distribution_toml(Lognormal(median=1e6, sigma=2.0))
        == '{ dist = "lognormal", median = "1000000s", sigma = 2.0 }'
    )
    mixed = Mixture(weights=(0.25, 0.75), of=(Lognormal(median=0.001, sigma=1.5), Weibull(shape=1.0, scale=12.0)))
    assert distribution_toml(mixed) == (
        '{ dist = "mixture", weights = [0.25, 0.75], of = [{ dist = "lognormal", median = "0.001s", sigma = 1.5 }, '
        '{ dist = "weibull", shape = 1.0, scale = "12s" }] }'
    )


def test_large_batches_are_gathered_with_their_vms():
    """Weights are shares, the mean hardly moves, and few sizes are left of a thousand."""
    rng = np.random.default_rng(3)
    sizes, numbers = np.unique(np.rint(np.exp(rng.exponential(1.3, 20_000))).astype(int), return_counts=True)
    kept, weights = gathered(sizes, numbers)
    assert len(kept) < 30
    assert list(kept) == sorted(set(kept))
    assert math.fsum(weights) == pytest.approx(1)
    mean = (sizes * numbers).sum() / numbers.sum()
    assert math.fsum(s * w for s, w in zip(kept, weights, strict=True)) == pytest.approx(mean, rel=0.01)


def test_what_cannot_be_fitted_is_said(tmp_path):
    """Too few ends, an unknown family, a name that is no group's."""
    few = tmp_path / "few.csv"
    few.write_text("created,lifetime,vcpus,memory\n0,10,1,1\n5,,1,1\n")
    with pytest.raises(ValueError, match="1 VM began and ended"):
        fit(open_trace(few, "columns"))
    trace = open_trace(made_trace(tmp_path / "t.csv", days=1), "columns")
    with pytest.raises(ValueError, match="gamma: the families of distributions are exponential"):
        fit(trace, families=("gamma",))
    with pytest.raises(ValueError, match="is not a group's name"):
        group_section(fit(trace, families=("exponential",)), name='a"\n[x]', size=SIZE)


def test_the_curve_of_a_fit_is_what_a_figure_needs(found_in):
    """Shares rise from 0 to 1; the seen ones end where no VM was observed longer."""
    found = found_in(3)
    curve = found.curve()
    assert set(curve.distributions) == {one.family for one in found.distributions}
    for share in [curve.seen, *curve.distributions.values()]:
        assert (np.diff(share) >= 0).all()
        assert 0 <= share[0] <= share[-1] <= 1
    best = curve.distributions[found.best.family]
    at_seen = np.interp(curve.seen_s, curve.at_s, best)
    assert np.abs(at_seen - curve.seen).max() <= found.best.goodness.distance + 0.01


# --- one real day of 87,550 VMs

real = pytest.mark.skipif(not REAL.exists(), reason="the shared data are not here")


@real
def test_the_real_day_is_read_whole():
    """Every VM of the file, and its hours by a sum made without our code."""
    import csv
    import gzip

    trace = open_trace(REAL, "columns")
    assert (trace.rows, trace.still_alive, trace.alive_at_start) == (87_550, 3_717, 0)
    assert (
        trace.window_s == 5 * 86400 - 600
    )  # its thirty days end at stamp 2,591,400: the bins of the censored lifetimes leave no other
    assert trace.stamp_s == 300
    seconds = 0.0
    with gzip.open(REAL, "rt") as stream:
        for row in csv.DictReader(stream):
            created, low, high = (float(row[name]) for name in ("created_s", "life_lo_s", "life_hi_s"))
            left = 30 * 86400 - 600 - created
            seconds += left if row["censored"] == "1" else (low + min(high, left)) / 2
    assert trace.vm_h == pytest.approx(seconds / 3600, rel=1e-12)


@real
def test_the_real_day_has_the_distributions_of_its_nine_days():
    """The data's own description gives the distributions of nine days of this stream; one of them is within its error of that.

    Errors are those by hours, because VMs of one batch have similar lifetimes; nine days have a third of one day's. Z = 3.5 for seven
    numbers is passed by chance once in 300 times, and the errors by independence would reject the same numbers.
    """
    found = fit(open_trace(REAL, "columns"))
    output = {
        "lognormal": {"median_s": 3122, "sigma": 1.811},
        "lognormal mixture": {
            "weight": 0.513, "median_s": 1097, "sigma": 0.591, "other_median_s": 9971, "other_sigma": 2.022,
        },
    }  # fmt: skip
    strict = 0
    for family, parameters in output.items():
        dist = found.of_family(family)
        for symbol, value in parameters.items():
            off = abs(dist.parameters[symbol] - value)
            assert off <= 3.5 * dist.robust_errors[symbol] * math.sqrt(1 + 1 / 9), (family, symbol)
            strict += off > 3.5 * dist.standard_errors[symbol] * math.sqrt(1 + 1 / 9)
    assert strict > 0
    assert found.best.family == "lognormal mixture"
    assert found.best.goodness.distance < 0.03
    assert found.of_family("lognormal").goodness.distance > 0.1
    assert found.arrivals.profile == "hourly"
    assert found.arrivals.vms_per_h * 24 == pytest.approx(87_550)
    scenario_of(group_section(found, name="real", size=SIZE))

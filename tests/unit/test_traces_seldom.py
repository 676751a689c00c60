"""What a fit says of traces that hardly say anything, or too much."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sim.distributions.kinds import Constant
from sim.traces import lifetimes, open_trace, turnbull
from sim.traces.arrivals import fit_arrivals
from sim.traces.durations import fit_durations
from sim.traces.estimate import estimate
from sim.traces.families import FAMILIES
from sim.traces.fit import fit
from sim.traces.goodness import judge
from sim.traces.lifetimes import Lifetimes, gather
from sim.traces.operations import Operation, Operations
from sim.traces.step_durations import group_sections, step_durations
from sim.traces.to_toml import distribution_toml, group_section
from sim.traces.turnbull import Empirical


def lives(*rows: tuple[float, float, float], followed_s: float) -> Lifetimes:
    """Intervals with counts, all VMs followed as long."""
    low, high, count = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    return Lifetimes(
        low_s=low, high_s=high, count=count, follow_s=np.array([followed_s]), followed=np.array([count.sum()])
    )


def opened(tmp_path, *rows: str, **reading):
    """A trace with these rows."""
    file = tmp_path / "t.csv"
    file.write_text("created,lifetime,vcpus,memory,tenant\n" + "".join(f"{row}\n" for row in rows))
    return open_trace(file, "columns", **reading)


def test_arrivals_are_the_same_however_the_trace_is_cut(tmp_path):
    """Also where a batch has only VMs that were there before, or only a part of one instant's."""
    rows = ["-5,50,1,1,a", "-3,50,1,1,a", *("10,20,1,1,b",) * 4, *(f"{at},20,1,1,c" for at in range(20, 90, 10))]
    trace = opened(tmp_path, *rows, origin_s=0.0, window_s=100.0)
    found = [fit_arrivals(trace.blocks(each), stamp_s=1.0, window_s=100.0) for each in (1, 2, 3, 100)]
    assert found[0] is not None
    assert all(other == found[0] for other in found[1:])
    assert math.fsum(found[0].requests_per_h) > 0


def test_a_trace_in_which_no_vm_comes_has_no_arrivals(tmp_path):
    """Those that were there before say nothing of when VMs come."""
    trace = opened(tmp_path, "-5,50,1,1,a", "-3,50,1,1,a", origin_s=0.0, window_s=100.0)
    assert fit_arrivals(trace.blocks(), stamp_s=1.0, window_s=100.0) is None


def test_vms_that_were_there_at_the_start_are_left_out_of_a_fit_and_said(tmp_path):
    """And so is a clock of arrivals far from a Poisson process."""
    rng = np.random.default_rng(3)
    crowds = [
        f"{at},{life:.0f},1,1,{at}-{n}"
        for at in range(600, 36000, 6000)
        for n, life in enumerate(1 + 900 * rng.exponential(size=40))
    ]
    found = fit(opened(tmp_path, "-50,90,1,1,x", *crowds, origin_s=0.0), families=("exponential",))
    assert found.vms == len(crowds)
    assert "VMs that were there at the start (1) are left out here: of their lifetimes a part is seen" in found.notes
    section = group_section(found, name="crowds", size="Standard_D2s_v5")
    assert "times as unevenly as the Poisson process of this section" in section


def test_many_different_lifetimes_are_rounded_so_that_memory_stays_bounded(tmp_path, monkeypatch):
    """Ends move by less than the share they are rounded to; no VM is lost."""
    trace = opened(tmp_path, *(f"{n},{100 + 7 * n},1,1,a" for n in range(400)))
    exact = gather(trace.blocks(), stamp_s=0.0, follow_up_s=trace.window_s)
    monkeypatch.setattr(lifetimes, "MOST_INTERVALS", 60)
    rounded = gather(trace.blocks(90), stamp_s=0.0, follow_up_s=trace.window_s)
    assert len(exact.low_s) == 400
    assert len(rounded.low_s) <= 60
    assert rounded.total == exact.total == 400
    mean = [float((each.low_s * each.count).sum() / each.total) for each in (exact, rounded)]
    assert mean[1] == pytest.approx(mean[0], rel=0.06)
    assert mean[1] <= mean[0]


def test_turnbulls_estimate_ends_after_its_most_steps(monkeypatch):
    """Then it is what was reached: shares that rise to at most 1."""
    crossing = lives((0, 3, 5), (2, 5, 4), (4, 7, 3), (1, 6, 6), followed_s=9)
    best = turnbull.turnbull(crossing)
    monkeypatch.setattr(turnbull, "MOST_STEPS", 1)
    first = turnbull.turnbull(crossing)
    assert np.array_equal(first.at_s, best.at_s)
    assert not np.allclose(first.gone, best.gone, atol=1e-6)
    assert (np.diff(first.gone) >= 0).all()
    assert first.gone[-1] <= 1.0


def test_the_goodness_of_a_fit_is_unknown_where_no_age_is():
    """Nothing can be compared where no share of VMs gone is known, and no bootstrap be drawn from few ages."""
    some = lives((10, 11, 30), (20, 21, 30), (40, 41, 40), followed_s=100)
    exponential = estimate(FAMILIES["exponential"], some)
    nowhere = judge(exponential, some, Empirical(at_s=np.empty(0), gone=np.empty(0)))
    assert (nowhere.distance, nowhere.at_s, nowhere.p) == (0.0, 0.0, None)
    few = judge(exponential, some, turnbull.turnbull(some))
    assert few.p is None
    assert few.at_s in {11.0, 21.0, 41.0}


def test_a_distribution_that_no_fit_gives_has_no_section():
    """A mistake of the caller, by name."""
    with pytest.raises(TypeError, match="a fit gives no Constant"):
        distribution_toml(Constant(value=3.0))


def timed(*names: str, os: str = "linux", years: tuple[int, ...] = (2024,), each: int = 10, spread: float = 0.3):
    """Operations in clusters of one, some lognormal seconds each."""
    rng = np.random.default_rng(8)
    return [
        Operation(name=name, seconds=float(30 * math.exp(spread * rng.standard_normal())), os=os, year=year, cluster=f"{os}{name}{year}{n}")
        for name in names for year in years for n in range(each)
    ]  # fmt: skip


def fits_of(*operations: Operation):
    """Their fits."""
    return fit_durations(Operations(source="t", operations=operations, rows=len(operations), notes=()))


def test_rows_of_no_known_system_are_left_out_where_both_systems_have_enough():
    """They are counted, for where they belong is not known."""
    found = fits_of(*timed("start"), *timed("start", os="windows"), *timed("start", os="", each=3))
    assert [each.os for each in found.fits] == ["linux", "windows"]
    assert found.notes == ("left out: 3 start (vm) whose guest OS isn't known",)


def test_an_operation_with_few_clusters_is_not_fitted_and_said():
    """The others are."""
    found = fits_of(*timed("start"), *timed("delete", each=3))
    assert [each.operation for each in found.fits] == ["start"]
    assert found.notes == ("not fitted: delete (vm), 3 in 3 clusters; 8 are needed",)
    with pytest.raises(ValueError, match="no operation has 8 clusters of rows that succeeded: too little to fit"):
        fits_of(*timed("delete", each=3))


def test_years_with_few_clusters_join_those_after_them():
    """Latest first; a single period says nothing more than the whole."""
    rows = [*timed("start", years=(2024, 2025)), *timed("start", years=(2022, 2023), each=3)]
    assert [each.years for each in fits_of(*rows).fits[0].periods] == [(2025, 2025), (2022, 2024)]
    rows = timed("start", years=(2024,)) + timed("start", years=(2023,), each=3)
    assert fits_of(*rows).fits[0].periods == ()


def test_steps_come_from_what_was_measured():
    """Only starts: the steps of a start. Only creates: all of them share its mean. Neither: none."""
    starts = step_durations(fits_of(*timed("start")), "linux")
    creates = step_durations(fits_of(*timed("create")), "linux")
    assert set(creates) - set(starts) == {"os_provisioning"}
    start = fits_of(*timed("start")).fits[0].of_family("lognormal").distribution.mean
    assert math.fsum(each.distribution.mean for each in starts.values()) == pytest.approx(start)
    with pytest.raises(ValueError, match="no step was measured: one of create, start, "):
        group_sections(fits_of(*timed("reapply")), name="t")


def test_a_measured_extension_is_proposed_as_a_comment():
    """A VM without extensions takes no time for them, so the section leaves it to the user."""
    section = group_sections(fits_of(*timed("start", "extension_create")), name="t")
    assert "; without extensions a VM takes no time for them" in section
    assert '  # extensions = { dist = "lognormal", median = "' in section

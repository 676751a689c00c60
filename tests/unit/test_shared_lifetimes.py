"""Batches whose VMs share a lifetime: how often, with the same law for each VM, and the same in both engines."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from fleets import MONDAY, differences, fleet, run_until
from scripts import load_tool

from sim import fit_trace, from_dict
from sim.distributions.kinds import Exponential
from sim.model.demand import Arrivals, RequestContext

WEEK_S = 7 * 86_400.0


def owners(share: float, sizes: tuple[int, ...] = (3,), horizon_s: float = 8 * WEEK_S, key: int = 5) -> np.ndarray:
    """Whose lifetime each VM takes."""
    demand = Arrivals(
        rate_per_h=(6.0,), lifetime_s=Exponential(mean=3600.0), batch_sizes=sizes,
        batch_weights=(1 / len(sizes),) * len(sizes), shared_lifetime=share,
    )  # fmt: skip
    found = demand.lifetime_owners(RequestContext(start=MONDAY, horizon_s=horizon_s, group_key=key))
    return np.zeros(0, dtype=np.int64) if found is None else found


def test_a_batch_shares_the_lifetime_of_its_first_vm_or_none_does() -> None:
    """All of a batch or none; with probability q, within 4.5 standard errors."""
    found = owners(0.3).reshape(-1, 3)
    first = np.arange(len(found)) * 3
    shared = (found == first[:, None]).all(axis=1)
    assert (found[~shared] == first[~shared][:, None] + np.arange(3)).all()
    error = math.sqrt(0.3 * 0.7 / len(found))
    assert abs(shared.mean() - 0.3) <= 4.5 * error
    assert abs(shared.mean() - 0.35) > 4.5 * error
    assert (owners(1.0).reshape(-1, 3) == first[:, None]).all()


def test_batches_of_several_sizes_and_longer_horizons_keep_their_draws() -> None:
    """The same batches share, wherever the horizon lies."""
    short, long = owners(0.5, (1, 2, 5), WEEK_S), owners(0.5, (1, 2, 5))
    assert (long[: len(short)] == short).all()
    assert (short <= np.arange(len(short))).all()


def test_vms_that_share_a_lifetime_end_together_and_others_don_t() -> None:
    """Creates take the same time here: of ten batches of two, all end in pairs, or none."""
    for share, pairs in ((1.0, 2), (0.0, 1)):
        demand = Arrivals(
            rate_per_h=(0.4,), lifetime_s=Exponential(mean=7200.0), batch_sizes=(2,), batch_weights=(1.0,),
            shared_lifetime=share,
        )  # fmt: skip
        one, other = (run_until(fleet(count=0, demand=demand, hours=48.0), engine) for engine in ("simpy", "compiled"))
        assert not differences(one, other)
        ended = Counter(row[0] for row in one.events if row[2:6] == ("power", "running", "deallocating", row[5]))
        assert len(ended) > 5
        assert set(ended.values()) == {pairs}


def test_the_number_of_vms_varies_more_with_the_same_mean() -> None:
    """An M/G/infinity of batches of b: mean b r L; the variance is b times the mean if lifetimes are shared.

    With own lifetimes, of exponential law, it is (b + 1) / 2 times the mean (Takagi and Wu, 2004: batch arrivals).
    """
    size, mean_s, rate = 8, 3600.0, 2.0
    counts = {}
    for share in (0.0, 1.0):
        demand = Arrivals(
            rate_per_h=(rate,), lifetime_s=Exponential(mean=mean_s), batch_sizes=(size,), batch_weights=(1.0,),
            shared_lifetime=share,
        )  # fmt: skip
        zero = {step: Exponential(mean=1e-6) for step in ("allocating", "starting", "os_provisioning", "extensions", "deleting")}  # fmt: skip
        seen = []
        for replication in range(3):
            run = run_until(
                fleet(count=0, demand=demand, hours=24 * 120.0, steps=zero), "compiled", replication=replication
            )
            seen.append(run.run.usages["g"].existing_hourly[24:])
        counts[share] = np.concatenate(seen)
    mean = size * rate
    for hourly in counts.values():
        assert abs(hourly.mean() / mean - 1) < 0.08
    # The mean over a clock hour varies less than the number at an instant; the ratio of the two variances stays near.
    ratio = counts[1.0].var() / counts[0.0].var()
    assert 1.2 < ratio < 2 * size / (size + 1) + 0.35


def test_the_words_say_how_many_share() -> None:
    """In `validate`."""
    document = {"name": "b", "horizon": "1d", "group": [{"name": "a", "arrivals": {"rate": 1.0, "lifetime": "1h", "batch": {"sizes": [1, 4], "weights": [1, 1], "shared_lifetime": "50 %"}}}]}  # fmt: skip
    assert any(
        "of which 50.0" in line and "one lifetime for all their VMs" in line for line in from_dict(document).describe()
    )
    with pytest.raises(Exception, match="every batch is one VM"):
        from_dict(document).replace("group.a.arrivals.batch.sizes", [1, 1])


@pytest.mark.parametrize("shared", [0.0, 0.6])
def test_the_probability_is_estimated_from_a_trace(
    shared: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """About 990 batches of several VMs in ten days: 0.6 within four standard deviations of a share; where no lifetimes are shared, none."""
    tool = load_tool("make_trace")
    monkeypatch.setattr(tool, "SHARED", shared)
    head = "created_s,lifetime_s,vcpus,memory_gib,tenant"
    lines = [head, *(",".join(map(str, row)) for row in tool.rows(10, 4))]
    (tmp_path / "trace.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    batch = fit_trace(tmp_path / "trace.csv", size="Standard_D4s_v5")["arrivals"]["batch"]
    found = batch.get("shared_lifetime", 0.0)
    # VMs are weighed, and the large batches have most of them: some 250 batches of 8 or 20 count.
    assert found == pytest.approx(shared, abs=4 * 0.5 / 250**0.5 if shared else 0.03)

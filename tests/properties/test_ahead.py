"""SimPy processes that sleep through private stretches: the same bits as when every step is an event."""

from __future__ import annotations

from dataclasses import replace

import pytest
from drawn_platforms import beset_fleets
from fleets import always, differences, fleet, group, run_until
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from sim.engines.simpy.ahead import AheadVm
from sim.model.plan import Cycle, FleetPlan, HostPool, Platform, Retry, Throttle

drawn = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
seeds = st.integers(0, 2**64 - 1)


def must_agree(plan: FleetPlan, seed_: int) -> None:
    """Play step by step and in stretches, and compare all that a user may see."""
    steps, stretches = run_until(plan, "simpy", seed=seed_), run_until(plan, "ahead", seed=seed_)
    assert not differences(steps, stretches), differences(steps, stretches)


@seed(20261123)
@settings(drawn, max_examples=25)
@given(plan=beset_fleets(), seed_=seeds)
def test_stretches_walked_ahead_have_the_same_bits(plan: FleetPlan, seed_: int) -> None:
    """Hosts fail, rooms are wanted, rates are limited: a VM may be called away in the middle of any stretch."""
    must_agree(plan, seed_)


@pytest.mark.slow
@settings(drawn, max_examples=300)
@given(plan=beset_fleets(), seed_=seeds)
def test_stretches_of_hundreds_of_fleets_have_the_same_bits(plan: FleetPlan, seed_: int) -> None:
    """The same at length, with fresh draws at every run."""
    must_agree(plan, seed_)


def test_demand_turns_for_who_waits_for_others_at_the_horizon() -> None:
    """Nine times ten minutes are wanted of each of six VMs in three hours, whoever still waits for a token at their end."""
    on_and_off = Cycle(on_s=always(600), off_s=always(600))
    crowd = group("b", count=6, demand=on_and_off, when_off="deallocate", retry=Retry(attempts=1, max_backoff_s=3600.0))
    plan = replace(
        fleet(crowd, hours=3.0),
        platform=Platform(
            hosts=(HostPool(name="roomy", count=2, vcpus=16, memory_gib=64.0),),
            throttle=Throttle(burst=1.0, refill_per_min=0.02),
        ),
    )
    for engine in ("simpy", "ahead"):
        assert run_until(plan, engine).run.usages["b"].wanted_h == 9.0
    must_agree(plan, 0)


def test_a_vm_that_does_not_go_back_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were a stretch booked to its end although its VM is called away, the comparison would see it."""

    def stay_ahead(self: AheadVm) -> None:
        self._book(self.lines)
        self._know()

    monkeypatch.setattr(AheadVm, "_go_back", stay_ahead)
    caught = 0

    @seed(20261124)
    @settings(drawn, max_examples=25)
    @given(plan=beset_fleets(), seed_=seeds)
    def play_some(plan: FleetPlan, seed_: int) -> None:
        nonlocal caught
        try:
            must_agree(plan, seed_)
        except Exception:  # noqa: BLE001 - whatever it is that the wrong walker stumbles over
            caught += 1

    play_some()
    assert caught > 0

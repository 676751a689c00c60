"""SimPy and the compiled engine run the same state machine with the same bits, whatever the scenario; and a wrong engine is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import time
from typing import Any

import numpy as np
import pytest
from drawn_fleets import fleet_plans
from fleets import always, differences, fleet, run_until
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from sim.distributions.kinds import Exponential, Lognormal, Uniform
from sim.engines.compiled import layout, private_fleet
from sim.engines.compiled.births import with_own_edges
from sim.engines.simpy.vm import Vm
from sim.errors import AuditError
from sim.model.demand import Arrivals, Cycle, People, Schedule, Windows
from sim.model.faults import GuestCrash, Spot
from sim.model.plan import FleetPlan, Retry

drawn = settings(database=None)


def must_agree(plan: FleetPlan, seed_: int, replication: int) -> None:
    """Simulate in both engines, and compare everything that a user may see."""
    one = run_until(plan, "simpy", seed=seed_, replication=replication)
    other = run_until(plan, "compiled", seed=seed_, replication=replication)
    assert not differences(one, other), differences(one, other)


@seed(20260105)
@settings(drawn, max_examples=25)
@given(plan=fleet_plans(), seed_=st.integers(0, 2**64 - 1), replication=st.integers(0, 100))
def test_any_fleet_has_the_same_ledger_events_and_timelines_in_both_engines(plan: FleetPlan, seed_: int, replication: int) -> None:  # fmt: skip
    """One state machine, two engines: a difference of one bit is a defect of one of them."""
    must_agree(plan, seed_, replication)


@pytest.mark.slow
@settings(drawn, max_examples=400)
@given(plan=fleet_plans(), seed_=st.integers(0, 2**64 - 1), replication=st.integers(0, 2**64 - 1))
def test_hundreds_of_fleets_have_the_same_bits_in_both_engines(plan: FleetPlan, seed_: int, replication: int) -> None:
    """The same at length, with fresh draws at every run."""
    must_agree(plan, seed_, replication)


# --- a wrong engine --------------------------------------------------------------------------------------------------

BUSY = {
    "count": 6,
    "steps": {
        "starting": Lognormal(median=25.0, sigma=0.5),
        "os_provisioning": Lognormal(median=40.0, sigma=0.6),
        "deallocating": Lognormal(median=45.0, sigma=0.7),
    },
    "failures": {"AllocationFailed": 0.4, "VMStartTimedOut": 0.2, "InternalOperationError": 0.1},
    "os_provisioning_timeout_s": 60.0,
    "reaction_s": Exponential(mean=1800.0),
    "retry": Retry(attempts=3, backoff_s=60.0, multiplier=2.0),
}
CYCLING = fleet(
    **BUSY, hours=200.0, demand=Cycle(on_s=Exponential(mean=7200.0), off_s=Exponential(mean=3600.0)),
    guest_crash=GuestCrash(time_between_s=Exponential(mean=9000.0), detection_s=always(300)),
    spot=Spot(eviction_per_hour=0.2, notice_s=always(30), restart_after_s=always(900)),
)  # fmt: skip
IMPATIENT = replace(CYCLING, groups=(replace(CYCLING.groups[0], retry=Retry(attempts=1)),))
OFFICE = fleet(
    **BUSY, hours=200.0,
    demand=Schedule(days=(0, 1, 2, 3, 4), on=time(8), off=time(19), time_zone="Europe/Amsterdam", jitter_s=Uniform(low=0.0, high=1200.0)),
)  # fmt: skip
FORGETFUL = fleet(
    **BUSY, hours=400.0,
    demand=Windows(schedules=(OFFICE.groups[0].demand,), people=People(absent=0.2, forgets=0.4, auto_off=time(22))),
)  # fmt: skip
ARRIVING = fleet(
    **(BUSY | {"count": 0}), hours=100.0,
    demand=Arrivals(rate_per_h=(2.0,), lifetime_s=Lognormal(median=3000.0, sigma=1.0)),
)  # fmt: skip
ARRIVING_REFUSED = replace(ARRIVING, groups=(replace(ARRIVING.groups[0], retry=Retry(attempts=1)),))
WORKING = fleet(
    **(BUSY | {"count": 0}), hours=100.0,
    demand=Arrivals(rate_per_h=(2.0,), lifetime_s=Lognormal(median=3000.0, sigma=1.0), lifetime_counts="running"),
    spot=Spot(eviction_per_hour=0.5, policy="delete", notice_s=always(30), restart_after_s=always(900)),
)  # fmt: skip


Change = Callable[[dict[str, Any]], None]
"""Defects planted in the compiled engine's arrays, by name."""


def node_column(column: int, value: int) -> Change:
    """The compiled engine's state table with one column overwritten."""

    def change(arrays: dict[str, Any]) -> None:
        arrays["states"][:, column] = value

    return change


def arc_column(column: int, value: int) -> Change:
    """The compiled engine's transition table with one column overwritten."""

    def change(arrays: dict[str, Any]) -> None:
        arrays["transitions"][:, column] = value

    return change


def setting(which: int, change_by: int) -> Change:
    """One of the group's settings changed."""

    def change(arrays: dict[str, Any]) -> None:
        arrays["settings"][:, which] += change_by

    return change


def on_and_off_mistaken(arrays: dict[str, Any]) -> None:
    """A cycle's times of on and off in each other's place."""
    settings = arrays["settings"]
    settings[:, [layout.ON_STREAM, layout.OFF_STREAM]] = settings[:, [layout.OFF_STREAM, layout.ON_STREAM]]
    settings[:, [layout.ON_SAMPLER, layout.OFF_SAMPLER]] = settings[:, [layout.OFF_SAMPLER, layout.ON_SAMPLER]]


def scaled(which: str) -> Change:
    """An array of times, one part in 10**12 too long: a millionth of a second in ten days."""

    def change(arrays: dict[str, Any]) -> None:
        arrays[which] *= 1 + 1e-12

    return change


def likelier(arrays: dict[str, Any]) -> None:
    """Failures strike more often."""
    arrays["probabilities"] += 0.05


def none_forgets(arrays: dict[str, Any]) -> None:
    """A VM that is left on at the end of a window is switched off."""
    arrays["turns_to"] %= 2


def no_chances_left_to_give_up(arrays: dict[str, Any]) -> None:
    """The automation never gives up; there is a back-off for each attempt that it makes then."""
    arrays["backoffs_s"] = np.repeat(arrays["backoffs_s"][-1:], 100_000)
    arrays["chances"][:, layout.CHANCE_GIVES_UP] = -1


WRONG: dict[str, tuple[FleetPlan, Change]] = {
    "back-offs too long by 1e-12": (CYCLING, scaled("backoffs_s")),
    "deadlines too long by 1e-12": (CYCLING, scaled("deadlines_s")),
    "window edges too late by 1e-12": (OFFICE, scaled("edges_s")),
    "failures too likely": (CYCLING, likelier),
    "attempts never used up": (IMPATIENT, no_chances_left_to_give_up),
    "one attempt more": (CYCLING, setting(layout.ATTEMPTS_IN_ALL, 1)),
    "one attempt less": (CYCLING, setting(layout.ATTEMPTS_IN_ALL, -1)),
    "edges of single VMs too late by 1e-12": (FORGETFUL, scaled("edges_s")),
    "none forgets": (FORGETFUL, none_forgets),
    "VMs that are off are left on": (FORGETFUL, node_column(layout.RUNNING, 1)),
    "a forgotten VM is never on": (FORGETFUL, node_column(layout.RUNNING, 0)),
    "demand begins unwanted": (OFFICE, setting(layout.WANTED_FIRST, 1)),
    "on and off times mistaken": (CYCLING, on_and_off_mistaken),
    "no crashes": (CYCLING, node_column(layout.CRASH, -1)),
    "no evictions": (CYCLING, node_column(layout.EVICT, -1)),
    "the guest never wears": (CYCLING, node_column(layout.RUNS_CRASH, 0)),
    "the guest wears everywhere": (CYCLING, node_column(layout.RUNS_CRASH, 1)),
    "exposure never ends": (CYCLING, node_column(layout.RUNS_EVICTION, 0)),
    "no look at demand on entry": (CYCLING, node_column(layout.LEVEL, 0)),
    "no one switches on": (OFFICE, node_column(layout.UP, -1)),
    "no one switches off": (OFFICE, node_column(layout.DOWN, -1)),
    "no lifetimes": (ARRIVING, node_column(layout.LIFE, -1)),
    "the lifetime begins at every move": (ARRIVING, arc_column(layout.LIFE_CHANGE, 1)),
    "an arrival that is given up is wanted on": (ARRIVING_REFUSED, setting(layout.ATTEMPTS_IN_ALL, 1)),
    "work passes by the clock": (WORKING, node_column(layout.LIFE_TIMER, 0)),
    "work is done by VMs that don't serve": (WORKING, node_column(layout.LIFE_TIMER, 1)),
    "work begins as an instant": (WORKING, setting(layout.LIFE_IS_WORK, -1)),
    "demand outlives the VM": (ARRIVING, arc_column(layout.ENDS_DEMAND, 0)),
    "attempts are never forgotten": (CYCLING, arc_column(layout.ATTEMPTS, 0)),
    "clocks aren't set anew": (CYCLING, arc_column(layout.RESAMPLES_CRASH, 0)),
}


def make_wrong(monkeypatch: pytest.MonkeyPatch, change: Change) -> None:
    """Let the compiled engine read changed tables."""

    def wrong_tables(tables: layout.Tables, *args: Any) -> tuple[layout.Tables, layout.Births]:
        made, births = with_own_edges(tables, *args)
        arrays = {name: array.copy() for name, array in made._asdict().items()}
        change(arrays)
        return layout.Tables(**arrays), births

    monkeypatch.setattr(private_fleet, "with_own_edges", wrong_tables)


@pytest.mark.parametrize("wrong", WRONG)
def test_a_compiled_engine_with_another_table_is_found(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    """The comparison can fail: it sees each of these defects."""
    plan, change = WRONG[wrong]
    right = run_until(plan, "compiled")
    monkeypatch.setattr("sim.engines.compiled.private_fleet.audit", lambda *args, **more: None)
    make_wrong(monkeypatch, change)
    assert differences(right, run_until(plan, "compiled"))


def test_a_simpy_engine_without_timers_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison sees mistakes of either side."""
    right = run_until(CYCLING, "compiled")

    monkeypatch.setattr(Vm, "advance_timers", lambda *_: None)
    assert differences(right, run_until(CYCLING, "simpy"))


def test_the_audit_of_a_run_shows_both_histories_where_the_engines_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the VM and the transition, and what each engine did."""
    plan = replace(CYCLING, groups=(replace(CYCLING.groups[0], count=1),))
    make_wrong(monkeypatch, scaled("backoffs_s"))
    with pytest.raises(AuditError, match=r"g-0000: the two engines differ from move \d+") as caught:
        run_until(plan, "compiled")
    output = str(caught.value)
    assert "  compiled:\n" in output
    assert "  simpy:\n" in output
    assert "retry.start@deallocated -> start@deallocated" in output or "retry.create -> create@absent" in output


def test_the_audit_passes_a_right_run() -> None:
    """Else it would say nothing when it is quiet."""
    assert run_until(CYCLING, "compiled").run.engine == "compiled"

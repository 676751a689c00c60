"""The usage of any fleet is what its events say, to the last tick, in whatever order moves were added."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from drawn_fleets import fleet_plans
from fleets import RunOutput, differences, fleet, run_until
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sim.distributions.kinds import Exponential
from sim.engines.compiled import encode, private_fleet, small_groups
from sim.errors import AuditError
from sim.lifecycle.policy import BILLING_POLICIES
from sim.lifecycle.power import ON_HOST, PowerState
from sim.model.demand import Arrivals, Cycle
from sim.model.plan import FleetPlan
from sim.usage.collector import Accumulator, Peak, Window
from sim.usage.ledger import (
    ABSENT,
    COLUMNS,
    IN_SERVICE,
    TICKS_PER_HOUR,
    MoveTable,
    column,
    into_clock_hour_s,
    slots_of,
    to_ticks,
)

drawn = settings(database=None)
engines = st.sampled_from(("simpy", "compiled"))

Stay = tuple[str, str, int, int]  # VM, power state, from tick, to tick


def stays(ran: RunOutput, plan: FleetPlan) -> list[Stay]:
    """Every VM's stays in power states inside the window, from the events alone."""
    start, end = to_ticks(plan.warm_up_s), to_ticks(plan.horizon_s)
    entered: dict[str, list[tuple[int, str | None]]] = defaultdict(list)
    for t_s, vm, _, after in ran.power():
        entered[vm].append((min(max(to_ticks(t_s), start), end), after))
    return [
        (vm, state, since, until)
        for vm, moves in entered.items()
        for (since, state), (until, _) in pairwise([*moves, (end, None)])
        if state is not None
    ]


def ticks_by_hour_and_state(output: list[Stay], hours: int) -> dict[str, np.ndarray]:
    """Ticks in each clock hour, state by state, one stay after the other."""
    books = {state.value: np.zeros(hours, dtype=np.int64) for state in PowerState}
    for _, state, since, until in output:
        for hour in range(since // TICKS_PER_HOUR, -(-until // TICKS_PER_HOUR)):
            low, high = hour * TICKS_PER_HOUR, (hour + 1) * TICKS_PER_HOUR
            books[state][hour] += max(0, min(until, high) - max(since, low))
    return books


def most_at_once(output: list[Stay], states: frozenset[PowerState], end: int) -> int:
    """The largest number of VMs in some states after all the moves of any tick before the horizon's end."""
    change: Counter[int] = Counter()
    for _, state, since, until in output:
        if state in states:
            change[since] += 1
            change[until] -= 1
    level = most = 0
    for tick in sorted(change):
        level += change[tick]
        if tick < end:
            most = max(most, level)
    return most


@seed(20260106)
@settings(drawn, max_examples=18)
@given(plan=fleet_plans(most_groups=2), engine=engines)
def test_hours_by_state_are_the_stays_between_events(plan: FleetPlan, engine: str) -> None:
    """The streamed ledger against the plainest bookkeeping there is, tick for tick in every clock hour."""
    ran = run_until(plan, engine)
    output = stays(ran, plan)
    for name, usage in ran.run.usages.items():
        mine = [stay for stay in output if stay[0].startswith(f"{name}-")]
        shift = to_ticks(into_clock_hour_s(plan.start))  # hours are clock hours
        expected = ticks_by_hour_and_state(
            [(*of, since + shift, until + shift) for *of, since, until in mine], len(usage.cells)
        )
        for state in PowerState:
            columns = [column(slot, wanted) for slot in slots_of(state) for wanted in (0, 1)]
            assert (usage.cells[:, columns].sum(axis=1) == expected[state]).all(), state
        existing = sum(until - since for _, _, since, until in mine)
        assert int(usage.cells[:, : column(ABSENT, 0)].sum()) == existing


@seed(20260107)
@settings(drawn, max_examples=18)
@given(plan=fleet_plans(most_groups=2), engine=engines)
def test_peaks_are_the_most_vms_at_once(plan: FleetPlan, engine: str) -> None:
    """Exact, for each group and for the fleet, whose peak isn't the sum of theirs; VMs that change places don't add."""
    ran = run_until(plan, engine)
    output = stays(ran, plan)
    end = to_ticks(plan.horizon_s)
    for name, usage in (*ran.run.usages.items(), ("", ran.usage)):
        mine = [stay for stay in output if stay[0].startswith(f"{name}-" if name else "")]
        assert usage.peak_allocated == most_at_once(mine, ON_HOST, end)
        assert usage.peak_running == most_at_once(mine, frozenset({PowerState.RUNNING}), end)


@seed(20260108)
@settings(drawn, max_examples=18)
@given(plan=fleet_plans(most_groups=2), engine=engines)
def test_counts_are_numbers_of_events_after_the_warm_up(plan: FleetPlan, engine: str) -> None:
    """Counts and events come from one table and must agree."""
    ran = run_until(plan, engine)
    output: Counter[str] = Counter()
    for t_s, _, kind, _, after, operation, code in ran.events:
        if t_s < plan.warm_up_s:
            continue
        if kind == "operation":
            output[f"operations.{operation}.{after}"] += 1
            if after == "failed":
                output[f"failures.{code}"] += 1
        elif kind in ("eviction", "guest_crash"):
            output[{"eviction": "evictions", "guest_crash": "guest_crashes"}[kind]] += 1
    kinds = ("operations.", "failures.", "evictions", "guest_crashes")
    counted = {name: n for name, n in ran.usage.counts.items() if n and name.startswith(kinds)}
    assert counted == dict(output)
    assert ran.count("vms.created") == output["operations.create.succeeded"]
    assert ran.count("allocation.failures") == output["failures.AllocationFailed"]


@seed(20260109)
@settings(drawn, max_examples=18)
@given(plan=fleet_plans(most_groups=2), engine=engines)
def test_served_and_wasted_hours_fit_into_wanted_and_billed_ones(plan: FleetPlan, engine: str) -> None:
    """Served is wanted and running; wasted is billed less served; billed is the sum over billed states."""
    usage = run_until(plan, engine).usage
    window_h = (to_ticks(plan.horizon_s) - to_ticks(plan.warm_up_s)) / TICKS_PER_HOUR
    assert 0 <= usage.served_h <= min(usage.wanted_h, usage.hours(PowerState.RUNNING))
    for policy in BILLING_POLICIES.values():
        billed = [state for state in PowerState if policy.bills(state)]
        assert usage.billed_h(policy) == pytest.approx(sum(usage.hours(state) for state in billed), rel=1e-14)
        assert usage.wasted_h(policy) == pytest.approx(usage.billed_h(policy) - usage.served_h, rel=1e-9, abs=1e-9)
    if not any(isinstance(group.demand, Arrivals) for group in plan.groups):
        assert usage.wanted_h <= sum(group.most_vms for group in plan.groups) * window_h * (1 + 1e-12)


@seed(20260110)
@settings(drawn, max_examples=18)
@given(plan=fleet_plans(most_groups=2), cut=st.floats(0.01, 0.99), at_a_move=st.booleans(), engine=engines)
def test_a_horizon_split_anywhere_adds_up(plan: FleetPlan, cut: float, at_a_move: bool, engine: str) -> None:
    """The first part, and the whole with the first part as its warm-up: no tick is lost, none counted twice."""
    plan = replace(plan, warm_up_s=0.0)
    middle_s = cut * plan.horizon_s
    whole = run_until(plan, engine)
    moves = [row[0] for row in whole.events if row[0] > 0]
    if at_a_move and moves:
        middle_s = moves[int(cut * len(moves))]
    early = run_until(replace(plan, horizon_s=middle_s), engine)
    late = run_until(replace(plan, warm_up_s=middle_s), engine)
    for name, usage in whole.run.usages.items():
        first, second = early.run.usages[name], late.run.usages[name]
        cells = second.cells.copy()
        cells[: len(first.cells)] += first.cells
        # Time that is not wanted and without a VM is not in the ledger; every other column is.
        kept = [c for c in range(COLUMNS) if c != column(ABSENT, 0)]
        assert (cells[:, kept] == usage.cells[:, kept]).all()
        # Work is counted where it is due, if it was asked for in the same part.
        counted = {k: times for k, times in usage.counts.items() if not k.startswith("deadline.")}
        assert counted == {k: first.counts[k] + second.counts[k] for k in counted}
        assert usage.peak_running == max(first.peak_running, second.peak_running)
        assert usage.peak_allocated == max(first.peak_allocated, second.peak_allocated)
    assert [e for e in whole.events if e[0] < middle_s] == list(early.events)


@seed(20260111)
@settings(drawn, max_examples=20)
@given(
    plan=fleet_plans(most_groups=3), block=st.integers(1, 5), lines=st.sampled_from((0, 7, 10**9)),
    few=st.sampled_from((0.0, 1e9)), judged_by=st.sampled_from((0, 20, 10**9)), near=st.sampled_from((10.0, 1.0, -10.0)),
)  # fmt: skip
def test_threads_blocks_and_memory_for_peaks_change_no_bit(
    plan: FleetPlan, block: int, lines: int, few: float, judged_by: int, near: float
) -> None:
    """VMs are simulated by blocks in threads or groups of few together, and peaks found in one pass or two: the same bits."""
    right = run_until(plan, "compiled")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(private_fleet, "VMS_AT_ONCE", (block, block))
        patch.setattr(private_fleet, "CHANGES_KEPT", lines)
        patch.setattr(private_fleet, "CHANGES_TO_JUDGE_BY", judged_by)
        patch.setattr(private_fleet, "NEAR_PEAK", near)
        patch.setattr(small_groups, "FEW_VMS", few)
        patch.setattr(small_groups, "GROUPS_AT_ONCE", 2)
        patch.setattr(small_groups, "LINES", 1 + lines % 11)
        for threads in (1, 2):
            other = run_until(plan, "compiled", threads=threads)
            assert not differences(right, other), differences(right, other)


def test_peaks_in_two_passes_are_those_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second pass looks only where the most may have been; here comings and goings crowd every bin."""
    plan = fleet(count=40, hours=30.0, demand=Cycle(on_s=Exponential(mean=900.0), off_s=Exponential(mean=900.0)))
    monkeypatch.setattr(encode, "BINS", 50)
    right = run_until(plan, "compiled")
    monkeypatch.setattr(private_fleet, "VMS_AT_ONCE", (8, 8))

    def looks_nowhere(groups: Sequence[private_fleet.CompiledGroup], below: float = 0.0) -> NDArray[np.bool_]:
        return np.zeros(groups[0].encoded.bins, dtype=bool) if below == 0.0 else right_bins(groups, below)

    right_bins = private_fleet.bins_that_may_matter
    for few in (
        {"CHANGES_KEPT": 0},
        {"CHANGES_TO_JUDGE_BY": 0, "NEAR_PEAK": -10.0},
    ):  # nothing is kept; a wrong judgement
        with monkeypatch.context() as patch:
            for name, value in few.items():
                patch.setattr(private_fleet, name, value)
            assert not differences(right, run_until(plan, "compiled"))
            patch.setattr(private_fleet, "bins_that_may_matter", looks_nowhere)
            assert differences(right, run_until(plan, "compiled")), "a second pass that looks nowhere must be found out"


# --- the collector by itself ------------------------------------------------------------------------------------------

EVERY_MOVE = MoveTable(
    before=np.repeat(np.arange(COLUMNS), COLUMNS),
    after=np.tile(np.arange(COLUMNS), COLUMNS),
    counts=tuple(("moves",) for _ in range(COLUMNS**2)),
)
NOT_THERE = column(ABSENT, 0)


@st.composite
def walks(draw: st.DrawFn) -> tuple[float, float, list[tuple[float, int]]]:
    """Warm-up, horizon, and the moves of some VMs from column to column, in no order."""
    end_s = draw(st.floats(1.0, 5 * 3600.0))
    start_s = draw(st.sampled_from((0.0, 0.4))) * end_s
    moves: list[tuple[float, int]] = []
    for _ in range(draw(st.integers(0, 4))):
        at = sorted(draw(st.lists(st.floats(0.0, end_s, exclude_max=True), max_size=6)))
        where = NOT_THERE
        for t_s in at:
            to = draw(st.integers(0, COLUMNS - 1))
            moves.append((t_s, where * COLUMNS + to))
            where = to
    return start_s, end_s, draw(st.permutations(moves))


def written(window: Window, chunks: list[list[tuple[float, int]]]) -> tuple[Accumulator, Peak]:
    """The ledger after these event buffers."""
    accumulator, peak = Accumulator(window, EVERY_MOVE), Peak(1, window.start_ticks)
    for chunk in chunks:
        when = np.array([t_s for t_s, _ in chunk], dtype=np.float64)
        what = np.array([move for _, move in chunk], dtype=np.int64)
        accumulator.book(when, what)
        change = EVERY_MOVE.running_change[what]
        peak.add((when * 65536 + 0.5).astype(np.int64), 0, change)
    peak.flush()
    return accumulator, peak


@seed(20260112)
@settings(drawn, max_examples=100)
@given(vm_loop_run=walks(), sizes=st.lists(st.integers(1, 5), min_size=1))
def test_moves_in_any_order_and_any_chunks_give_the_same_ledger(
    vm_loop_run: tuple[float, float, list[tuple[float, int]]], sizes: list[int]
) -> None:
    """The collector knows no order: threads, groups and event buffers may arrive in any order."""
    start_s, end_s, moves = vm_loop_run
    window = Window(start_s=start_s, end_s=end_s)
    in_order = written(window, [sorted(moves, key=lambda move: move[0])])
    chunks, rest = [], list(moves)
    for i in range(len(moves)):
        size = sizes[i % len(sizes)]
        chunks.append(rest[:size])
        rest = rest[size:]
    shuffled = written(window, [chunk for chunk in chunks if chunk])
    one, other = in_order[0].usage("", 0, 0), shuffled[0].usage("", 0, 0)
    assert (one.cells == other.cells).all()
    assert one.counts == other.counts
    assert (in_order[1].most == shuffled[1].most).all()


@seed(20260113)
@settings(drawn, max_examples=100)
@given(vm_loop_run=walks())
def test_usage_of_any_moves_equals_a_plain_count(vm_loop_run: tuple[float, float, list[tuple[float, int]]]) -> None:  # fmt: skip
    """VM by VM is hard to see in moves of all; column by column it is a sum: VMs there, tick after tick."""
    start_s, end_s, moves = vm_loop_run
    window = Window(start_s=start_s, end_s=end_s)
    usage = written(window, [moves] if moves else [])[0].usage("", 0, 0)
    expected = np.zeros((window.hours, COLUMNS), dtype=np.int64)
    for t_s, move in moves:
        q = max(to_ticks(t_s), window.start_ticks)
        for where, sign in ((move // COLUMNS, -1), (move % COLUMNS, 1)):
            for hour in range(window.hours):
                low, high = hour * TICKS_PER_HOUR, min((hour + 1) * TICKS_PER_HOUR, window.end_ticks)
                expected[hour, where] += sign * max(0, high - max(q, low))
    assert (usage.cells == expected).all()
    assert usage.counts["moves"] == sum(t_s >= start_s for t_s, _ in moves)


def test_time_that_is_lost_or_invented_stops_the_run() -> None:
    """An inconsistent ledger is an error, not a warning."""
    window = Window(start_s=0.0, end_s=7200.0)
    born = NOT_THERE * COLUMNS + column(IN_SERVICE, 1)
    accumulator = written(window, [[(100.0, born)]])[0]
    accumulator.rest[0, column(0, 0)] += 1
    with pytest.raises(AuditError, match="are not VMs x time"):
        accumulator.usage("g", 0, 0)


def test_a_move_out_of_a_place_where_no_vm_is_stops_the_run() -> None:
    """Hours may be conserved and still be nonsense."""
    window = Window(start_s=0.0, end_s=7200.0)
    accumulator = written(window, [[(100.0, column(0, 0) * COLUMNS + column(1, 0))]])[0]
    with pytest.raises(AuditError, match="negative time in column 0 of clock hour 0"):
        accumulator.usage("g", 0, 0)

"""The ledger by hand: where the time of a VM is booked, what of it is billed, needed or waited for, and the most VMs at once."""

from __future__ import annotations

import math
from datetime import datetime

import numpy as np
import pytest

from sim.lifecycle.policy import get_policy
from sim.lifecycle.power import PowerState
from sim.units import TICKS_PER_SECOND as TICK
from sim.usage.collector import Accumulator, Peak, Window, ticks_of
from sim.usage.ledger import (
    ABSENT,
    COLUMNS,
    FORGOTTEN,
    IN_SERVICE,
    LEFT_ON,
    STATES,
    TICKS_PER_HOUR,
    GroupUsage,
    MoveTable,
    UsedTicks,
    column,
    columns_of,
    into_clock_hour_s,
    slot_of,
    slots_of,
    to_ticks,
)
from sim.usage.ready import AT_ONCE, BEGINS, GIVEN_UP, IS_READY, NEVER, ReadyTimes, Waits, joined

SLOT = {str(state): STATES.index(state) for state in PowerState} | {
    "serving": IN_SERVICE,
    "forgotten": FORGOTTEN,
    "absent": ABSENT,
}


def at(slot: str, wanted: int) -> int:
    """A column by name."""
    return column(SLOT[slot], wanted)


def table(*moves: tuple[str, int, str, int], counts: tuple[tuple[str, ...], ...] = ()) -> MoveTable:
    """Moves from one column to another."""
    before, after = ([at(*move[place : place + 2]) for move in moves] for place in (0, 2))
    return MoveTable(before=np.array(before), after=np.array(after), counts=counts or ((),) * len(moves))


# --- columns ----------------------------------------------------------------------------------------------------------


def test_a_slot_has_a_column_wanted_and_one_not_and_what_is_left_on_is_not() -> None:
    """Eight states, three kinds of Running, and no VM: 22 columns; only a Running VM can have been forgotten."""
    assert (len(STATES), IN_SERVICE, FORGOTTEN, ABSENT, COLUMNS) == (8, 8, 9, 10, 22)
    assert (at("stopped", 0), at("stopped", 1), at("absent", 1)) == (8, 9, 21)
    for slot in ("running", "serving", "forgotten"):
        assert at(slot, LEFT_ON) == at("forgotten", 0)
    for slot in ("stopped", "starting", "absent"):
        assert at(slot, LEFT_ON) == at(slot, 0)


def test_the_slots_of_a_state_are_those_in_which_its_vms_are_shown_so() -> None:
    """Three of Running, one of each other; none is no VM."""
    assert slots_of(PowerState.RUNNING) == (SLOT["running"], IN_SERVICE, FORGOTTEN)
    assert slots_of(PowerState.STOPPED) == (SLOT["stopped"],)
    assert columns_of(PowerState.RUNNING) == (4, 5, 16, 17, 18, 19)
    assert columns_of(PowerState.STOPPED) == (8, 9)
    assert (slot_of(None, True), slot_of(None, False)) == (ABSENT, ABSENT)
    assert (slot_of(PowerState.RUNNING, True), slot_of(PowerState.RUNNING, False)) == (IN_SERVICE, SLOT["running"])
    assert slot_of(PowerState.DEALLOCATED, False) == SLOT["deallocated"]


def test_instants_are_rounded_to_the_nearest_tick() -> None:
    """65,536 ticks a second; half a tick is one."""
    seconds = [0.0, 0.49 / TICK, 0.5 / TICK, 1.0, 3600.0, 1.5 / TICK]
    assert [to_ticks(each) for each in seconds] == [0, 0, 1, 65_536, 235_929_600, 2]
    assert ticks_of(np.array(seconds)).tolist() == [0, 0, 1, 65_536, 235_929_600, 2]
    assert TICKS_PER_HOUR == 235_929_600
    assert into_clock_hour_s(datetime.fromisoformat("2026-01-05T10:59:59.5+00:00")) == 3599.5


def test_a_move_takes_a_host_or_gives_one_back_and_enters_or_leaves_running() -> None:
    """Creating has no host yet; starting to deallocating have one; Running is what runs, serving or not."""
    moves = table(
        ("absent", 1, "creating", 1), ("creating", 1, "starting", 1), ("starting", 1, "serving", 1), ("serving", 1, "forgotten", 0),
        ("running", 0, "stopping", 0), ("stopping", 0, "stopped", 0), ("deallocating", 0, "deallocated", 0), ("deallocating", 0, "absent", 0),
    )  # fmt: skip
    assert moves.on_host_change.tolist() == [0, 1, 0, 0, 0, 0, -1, -1]
    assert moves.running_change.tolist() == [0, 0, 1, 0, -1, 0, 0, 0]


def test_a_vm_is_waited_for_from_when_it_is_wanted_until_it_serves() -> None:
    """Ready at once if it serves already; given up when it is not wanted any more; what changes neither is nothing."""
    moves = {
        ("deallocated", 0, "deallocated", 1): BEGINS, ("absent", 0, "creating", 1): BEGINS, ("running", 0, "running", 1): BEGINS,
        ("serving", 0, "serving", 1): AT_ONCE, ("forgotten", 0, "serving", 1): AT_ONCE,
        ("starting", 1, "serving", 1): IS_READY, ("running", 1, "serving", 1): IS_READY,
        ("starting", 1, "starting", 0): GIVEN_UP, ("absent", 1, "absent", 0): GIVEN_UP, ("serving", 1, "serving", 0): GIVEN_UP,
        ("serving", 1, "running", 1): 0, ("serving", 1, "serving", 1): 0, ("starting", 1, "running", 1): 0, ("serving", 0, "stopping", 0): 0,
        ("starting", 0, "serving", 0): 0,
    }  # fmt: skip
    assert dict(zip(moves, table(*moves).wait_change.tolist(), strict=True)) == moves


# --- what is booked ---------------------------------------------------------------------------------------------------

WINDOW = Window(start_s=1800.0, end_s=9000.0, into_hour_s=600.0)
LIFE = table(
    ("absent", 0, "serving", 1), ("serving", 1, "stopped", 0), ("stopped", 0, "absent", 0),
    counts=(("created",), ("stops", "moves"), ("deleted", "moves")),
)  # fmt: skip


def booked(*moves: tuple[float, int], late_after_s: float = math.inf) -> GroupUsage:
    """The usage of moves of `LIFE`."""
    accumulator = Accumulator(window=WINDOW, table=LIFE, late_after_s=late_after_s)
    when, what = zip(*moves, strict=True)
    accumulator.book(np.array(when), np.array(what))
    return accumulator.usage("web", 5, 4)


def test_a_window_is_from_the_warm_up_to_the_horizon_in_clock_hours_from_that_of_the_start() -> None:
    """Ten minutes into its clock hour at t = 0: 9,000 s end in the third."""
    assert (WINDOW.hours, WINDOW.into_hour_ticks, WINDOW.start_ticks, WINDOW.end_ticks) == (
        3,
        600 * TICK,
        1800 * TICK,
        9000 * TICK,
    )
    assert [Window(start_s=0.0, end_s=end).hours for end in (0.0, 3600.0, 3601.0)] == [1, 1, 2]


def test_time_is_booked_in_the_clock_hour_in_which_it_passes() -> None:
    """Serving from 900 s, stopped from 5,400 to 8,000 s: hours begin at 3,000 and 6,600 s; before 1,800 s nothing counts."""
    usage = booked((900.0, 0), (5400.0, 1), (8000.0, 2))
    seconds = usage.cells / TICK
    assert seconds[:, at("serving", 1)].tolist() == [1200, 2400, 0]
    assert seconds[:, at("stopped", 0)].tolist() == [0, 1200, 1400]
    assert seconds[:, : at("absent", 0)].sum() == 6200
    assert usage.counts == {"created": 0, "stops": 1, "moves": 2, "deleted": 1}
    assert (usage.group, usage.start_s, usage.end_s, usage.into_hour_s) == ("web", 1800.0, 9000.0, 600.0)
    assert (usage.peak_allocated, usage.peak_running, usage.ready.moments) == (5, 4, 0)


def test_what_is_still_there_at_the_horizon_is_booked_up_to_it() -> None:
    """A VM from the very end of the warm-up on, which counts; 2,400 s of the last hour lie before the horizon."""
    usage = booked((1800.0, 0))
    assert (usage.cells[:, at("serving", 1)] / TICK).tolist() == [1200, 3600, 2400]
    assert usage.counts["created"] == 1


def test_moves_may_come_in_any_order_and_in_parts() -> None:
    """Two VMs, booked together and apart."""
    moves = ((1900.0, 0), (2000.0, 0), (3000.0, 1), (4000.0, 1), (7000.0, 2))
    whole = booked(*moves)
    accumulator = Accumulator(window=WINDOW, table=LIFE)
    for when, what in reversed(moves):
        accumulator.book(np.array([when]), np.array([what]))
    again = accumulator.usage("web", 5, 4)
    assert (again.cells == whole.cells).all()
    assert again.counts == whole.counts


HOURS = {
    ("serving", 1): 10, ("running", 1): 3, ("running", 0): 5, ("forgotten", 0): 7, ("stopped", 1): 2, ("stopped", 0): 4, ("starting", 1): 11,
    ("absent", 1): 13, ("absent", 0): 17, ("deallocated", 0): 19,
}  # fmt: skip


def test_figures_of_a_ledger_are_sums_of_these_columns() -> None:
    """The hours above in the first clock hour, and as many again in the second."""
    cells = np.zeros((2, COLUMNS), dtype=np.int64)
    for place, hours in HOURS.items():
        cells[:, at(*place)] = hours * TICKS_PER_HOUR
    usage = GroupUsage(group="web", start_s=0.0, end_s=7200.0, cells=cells)
    old, new = get_policy("2018-08"), get_policy("2023-10")
    assert {state: usage.hours(PowerState(state)) for state in ("running", "stopped", "starting", "stopping")} == {
        "running": 50, "stopped": 12, "starting": 22, "stopping": 0,
    }  # fmt: skip
    assert usage.hourly(PowerState.RUNNING).tolist() == [25, 25]
    assert usage.hourly_by_state.tolist() == [[0, 11, 25, 0, 6, 0, 19, 0]] * 2
    assert usage.hours_in([PowerState.STOPPED, PowerState.STARTING]) == 34
    assert usage.hourly_in([PowerState.STOPPED, PowerState.STARTING]).tolist() == [17, 17]
    assert (usage.existing_h, usage.existing_hourly.tolist()) == (122, [61, 61])
    assert (usage.wanted_h, usage.served_h, usage.forgotten_h, usage.forgotten_hourly.tolist()) == (78, 20, 14, [7, 7])
    assert (usage.billed_h(old), usage.billed_h(new), usage.billed_hourly(old).tolist()) == (62, 84, [31, 31])
    assert (usage.wasted_h(old), usage.wasted_h(new)) == (42, 64)
    assert usage.billed_states(old) == (PowerState.RUNNING, PowerState.STOPPING, PowerState.STOPPED)
    assert usage.used(old) == UsedTicks(*(each * TICKS_PER_HOUR for each in (78, 30, 14, 18, 26, 14, 10)))
    assert usage.used(new) == UsedTicks(*(each * TICKS_PER_HOUR for each in (78, 52, 14, 18, 48, 14, 10)))
    assert UsedTicks() == (0,) * 7


def test_a_sum_beyond_64_bits_is_exact() -> None:
    """Two cells of 2**62 + 1 ticks in one column."""
    cells = np.zeros((2, COLUMNS), dtype=np.int64)
    cells[:, at("serving", 1)] = 2**62 + 1
    assert GroupUsage(group="web", start_s=0.0, end_s=1.0, cells=cells).used(get_policy("2018-08")).needed == 2**63 + 2


# --- the most at once -------------------------------------------------------------------------------------------------

CHANGES = [(5, 0, 1), (12, 0, 1), (12, 0, -1), (20, 0, 1), (15, 1, 2), (30, 1, -2), (35, 0, -2), (40, 1, 3)]


@pytest.mark.parametrize("flushes", [(None,), (12, 20, 40, None), (13, 13, None), (41,)])
def test_the_most_at_once_is_after_all_changes_of_an_instant(flushes: tuple[int | None, ...]) -> None:
    """0: 1 VM, then 2 from 20 to 35; 1: 2 from 15 to 30, then 3; together 4 from 20 to 30. A change at 12 that is undone is none."""
    peak = Peak(groups=2, start_ticks=10)
    ticks, groups, change = (np.array(part, dtype=np.int64) for part in zip(*CHANGES, strict=True))
    peak.add(ticks[:4], 0, change[:4])
    peak.add(ticks[4:], groups[4:], change[4:])
    peak.add(ticks[:0], 0, change[:0])
    for before in flushes:
        peak.flush(before)
    peak.flush()
    assert peak.most.tolist() == [2, 3, 4]
    assert peak.now.tolist() == [0, 3, 3]


def test_changes_of_the_warm_up_count_from_its_end() -> None:
    """Two at once before it are one at its end; a change at the very instant of the flush waits."""
    peak = Peak(groups=1, start_ticks=10)
    peak.add(np.array([1, 2, 9, 10]), 0, np.array([1, 1, -1, 1]))
    peak.flush(10)
    assert (peak.most.tolist(), len(peak.pending)) == ([0, 0], 1)
    peak.flush(11)
    assert (peak.most.tolist(), peak.pending) == ([2, 2], [])


# --- waits ------------------------------------------------------------------------------------------------------------


def ticks(*seconds: float) -> np.ndarray:
    """Waits."""
    return np.array([NEVER if each < 0 else round(each * TICK) for each in seconds], dtype=np.int64)


def test_waits_add_up_and_late_is_longer_than_the_limit() -> None:
    """0, 60, 61 and 3,600 s and one without an end, with a limit of 60 s: two are late, and one was never ready."""
    waits = Waits(late_after_ticks=60 * TICK)
    waits.add(ticks(60, -1, 0))
    waits.add(ticks())
    waits.add(ticks(3600, 61))
    for found in (waits.times(), waits.times()):
        assert sorted(found.waits.tolist()) == ticks(0, 60, 61, 3600).tolist()
        assert (found.ready, found.never, found.moments, found.late, found.times) == (4, 1, 5, 2, None)
        assert (found.total_ticks, found.mean_s, found.late_share) == (3721 * TICK, 3721 / 4, 3 / 5)
    waits.add(ticks(5))
    assert waits.times().ready == 5


def test_percentiles_and_curves_are_order_statistics() -> None:
    """Of 10, 20, 20 and 40 s and one never: the 25 % are 10 s, the 26 % 20 s; three of five are there after 20 s."""
    plain = ReadyTimes(ticks(20, 10, 40, 20), None, 90 * TICK, 0, 1)
    counted = ReadyTimes(ticks(20, 10, 40), np.array([2, 1, 1]), 90 * TICK, 0, 1)
    for found in (plain, counted):
        assert [found.percentile_s(percent) for percent in (1, 25, 26, 50, 75, 76, 100)] == [10, 10, 20, 20, 20, 40, 40]
        assert found.curve(5).tolist() == [[1, 5, 10], [2, 5, 20], [3, 5, 20], [4, 5, 40]]
        assert found.curve(2).tolist() == [[3, 5, 20], [4, 5, 40]]
        assert (found.ready, found.moments, found.mean_s) == (4, 5, 22.5)
    assert ReadyTimes(never=3).curve(5).tolist() == [[0, 3, 0]]
    assert ReadyTimes().curve(5).shape == (0, 3)
    assert (ReadyTimes().late_share, ReadyTimes(never=3).late_share) == (0.0, 1.0)


def test_waits_of_groups_are_joined_counted_or_not() -> None:
    """What isn't counted is there once; those of one group are its own."""
    plain, counted = ReadyTimes(ticks(3, 1), None, 4 * TICK, 1, 2), ReadyTimes(ticks(2), np.array([5]), 10 * TICK, 3, 4)
    both = joined([plain, ReadyTimes(never=1), counted])
    assert both.times is not None
    assert (both.waits.tolist(), both.times.tolist()) == (ticks(3, 1, 2).tolist(), [1, 1, 5])
    assert (both.total_ticks, both.late, both.never, both.ready) == (14 * TICK, 4, 7, 7)
    assert joined([plain]) is plain
    twice = joined([plain, plain])
    assert (twice.waits.tolist(), twice.times, twice.ready) == (ticks(3, 1, 3, 1).tolist(), None, 4)
    assert joined([ReadyTimes(), ReadyTimes()]).waits.tolist() == []

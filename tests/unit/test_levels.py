"""How many VMs there are at each instant, and what that is by clock hour; hours shared out over stretches. By hand."""

from __future__ import annotations

import numpy as np

from sim.billing.levels import Instants, Level
from sim.billing.shares import HourlyShare, share_of
from sim.usage.ledger import TICKS_PER_HOUR as H


def ticks(*hours: float) -> np.ndarray:
    """Instants."""
    return np.array([round(each * H) for each in hours], dtype=np.int64)


def test_a_level_rises_where_stretches_begin_and_falls_where_they_end() -> None:
    """0.5 to 2 h, 1 to 2 h and 2 to 3 h: 0, 1, 2, 1 and 0 VMs; an end and a beginning at once are one instant."""
    level = Level.of(ticks(0.5, 1, 2), ticks(2, 2, 3), (0, 4 * H))
    assert (level.ticks.tolist(), level.number.tolist(), level.end) == (
        ticks(0, 0.5, 1, 2, 3).tolist(),
        [0, 1, 2, 1, 0],
        4 * H,
    )
    full = Level.of(ticks(1), ticks(2), (H, 2 * H))
    assert (full.ticks.tolist(), full.number.tolist(), full.end) == ([H, 2 * H], [1, 0], 2 * H)
    none = Level.of(ticks(), ticks(), (H, 2 * H))
    assert (none.ticks.tolist(), none.number.tolist(), none.end) == ([H], [0], 2 * H)
    assert (level.ticks.dtype, level.number.dtype) == (np.int64, np.int64)


def test_levels_of_two_groups_on_one_set_of_instants() -> None:
    """From 0.5 to 2.5 h: a has one VM from 0.75 h, b two until 1.5 h; nothing changes between two instants, and no hour begins."""
    window = (H // 2, 5 * H // 2)
    a = Level.of(ticks(0.75), ticks(2.5), window)
    b = Level.of(ticks(0.5, 0.5), ticks(1.5, 1.5), window)
    both = Instants.of([a, b], 3)
    assert both.hour.tolist() == [0, 0, 1, 1, 2]
    assert both.long.tolist() == ticks(0.25, 0.25, 0.5, 0.5, 0.5).tolist()
    assert [each.tolist() for each in both.levels] == [[0, 1, 1, 1, 1], [2, 2, 2, 0, 0]]
    assert both.hourly(both.levels[0]).tolist() == [0.25, 1.0, 0.5]
    assert both.hourly(both.levels[1]).tolist() == [1.0, 1.0, 0.0]
    assert Instants.of([a, b], 5).hourly(both.levels[0]).tolist() == [0.25, 1.0, 0.5, 0.0, 0.0]


def test_a_window_of_whole_hours_has_no_instant_beyond_its_end() -> None:
    """From 1 to 3 h: the hours that begin at 1 and 2."""
    level = Level.of(ticks(1), ticks(3), (H, 3 * H))
    found = Instants.of([level], 3)
    assert (found.hour.tolist(), found.long.tolist(), found.levels[0].tolist()) == ([1, 2], [H, H], [1.0, 1.0])


def test_a_share_of_hours_is_integrated_over_stretches() -> None:
    """Shares 0.5, 1 and 0.25 of one group and 1, 0, 1 of another: from 0.5 to 2.5 h they come to 0.25 + 1 + 0.125 and 0.5 + 0 + 0.5."""
    share = HourlyShare.of([np.array([0.5, 1.0, 0.25]), np.array([1.0, 0.0, 1.0])])
    group = np.array([0, 1, 0, 1, 0], dtype=np.int32)
    start, end = ticks(0.5, 0.5, 0, 1, 3), ticks(2.5, 2.5, 3, 2, 3)
    assert share.hours(group, start, end).tolist() == [1.375, 1.0, 1.75, 0.0, 0.0]


def test_a_part_of_nothing_is_none_of_it() -> None:
    """Where there is no whole, the share is 0."""
    assert share_of(np.array([1.0, 0.0, 3.0]), np.array([2.0, 0.0, 3.0])).tolist() == [0.5, 0.0, 1.0]

"""What no bill can be made of is refused where it is made, with the values that were given; and the audit of a ledger."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from sim.billing.meters import RatedGroup
from sim.billing.money import split
from sim.billing.stays import Stay, hours_of_stays, stays_of
from sim.errors import AuditError, InputError
from sim.lifecycle.policy import get_policy
from sim.lifecycle.power import PowerState
from sim.usage.ledger import ABSENT, COLUMNS, STATES, TICKS_PER_HOUR, GroupUsage, audit, column, whole_fleet, with_more

D4 = "Standard_D4s_v5"
GROUP = RatedGroup(name="web", size=D4, region="westeurope")
RUNNING = column(STATES.index(PowerState.RUNNING), 1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RatedGroup(name="web", size=D4, region="westeurope", os="dos"), "web: os is 'dos'; it is linux or windows"),
        (lambda: RatedGroup(name="web", size=D4, region="westeurope", priority="low"), "web: priority is 'low'; it is regular or spot"),
        (lambda: split(5, np.array([0.0, 0.0])), "can't share out 5 nano-dollars"),
        (lambda: split(5, np.array([])), "can't share out 5 nano-dollars"),
    ],
)  # fmt: skip
def test_what_makes_no_bill_is_a_value_error_that_says_which(make: Callable[[], object], message: str) -> None:
    """Nothing of it is silently taken for something else."""
    with pytest.raises(ValueError, match=message):
        make()


def test_a_line_too_large_to_share_out_exactly_is_the_users_mistake() -> None:
    """Beyond 2**62 nano-dollars, 4.6 billion, its parts would not add up to it."""
    assert split(2**62, np.array([1.0, 1.0])).sum() == 2**62
    with pytest.raises(InputError, match=r"one line of the bill is 5,000,000,000; .* 4\.6 billion"):
        split(5 * 10**18, np.array([1.0, 1.0]))


def test_an_unknown_rounding_is_named_with_the_known_ones() -> None:
    """A typing error must not bill to the second."""
    stays = stays_of([GROUP], [("web", Stay(vm="a", state=PowerState.RUNNING, start_s=0.0, end_s=60.0))])
    with pytest.raises(InputError, match=r"rounding 'minute' is unknown; it is one of .*floor-minute"):
        hours_of_stays(stays, get_policy("2018-08"), (0, TICKS_PER_HOUR), "minute")


def usage_of(*ticks: int, place: int = RUNNING, **more: object) -> GroupUsage:
    """A group whose VMs spend these ticks of each clock hour in one column."""
    cells = np.zeros((len(ticks), COLUMNS), dtype=np.int64)
    cells[:, place] = ticks
    return GroupUsage(group="web", start_s=0.0, end_s=3600.0 * len(ticks), cells=cells, **more)  # type: ignore[arg-type]


def test_the_audit_finds_time_that_was_lost_or_invented() -> None:
    """Hours over states are VMs times time, to the tick; time before a create counts for nothing."""
    audit(usage_of(TICKS_PER_HOUR, 5), TICKS_PER_HOUR + 5)
    audit(usage_of(TICKS_PER_HOUR, place=COLUMNS - 1), 0)
    for lifetimes in (TICKS_PER_HOUR + 4, TICKS_PER_HOUR + 6):
        with pytest.raises(AuditError) as found:
            audit(usage_of(TICKS_PER_HOUR, 5), lifetimes)
        hours = [f"({ticks / TICKS_PER_HOUR!r} h)" for ticks in (TICKS_PER_HOUR + 5, lifetimes)]
        assert str(found.value) == f"group 'web': hours over states {hours[0]} are not VMs x time {hours[1]}"


def test_the_audit_finds_time_below_zero() -> None:
    """Its sum may be right all the same; time in which there is no VM yet is none of theirs, and may be below zero."""
    usage = usage_of(7, -2)
    usage.cells[0, column(ABSENT, 0)] = -7
    with pytest.raises(AuditError) as found:
        audit(usage, 5)
    assert str(found.value) == f"group 'web': negative time in column {RUNNING} of clock hour 1"


def test_a_fleets_usage_is_the_sum_of_its_groups_and_peaks_are_given() -> None:
    """Cells, counts and amounts add up by name; what only one group has counts for 0 in the others."""
    one = with_more(usage_of(5, 0), {"evictions": 2}, {"queued_h": 0.5})
    other = with_more(
        with_more(usage_of(7, 1), {"evictions": 1}), {"evictions": 3, "crashes": 4}, {"queued_h": 0.25, "lost": 1.0}
    )
    fleet = whole_fleet([one, other], peak_allocated=9, peak_running=8)
    assert fleet.cells[:, RUNNING].tolist() == [12, 1]
    assert (fleet.group, fleet.end_s, fleet.peak_allocated, fleet.peak_running) == ("", 7200.0, 9, 8)
    assert fleet.counts == {"evictions": 6, "crashes": 4}
    assert fleet.amounts == {"queued_h": 0.75, "lost": 1.0}
    assert one.cells[:, RUNNING].tolist() == [5, 0]  # a group's own cells are its own

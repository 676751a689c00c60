"""A VM of a shared fleet that has more to report than a buffer holds, between two moments at which it may depend on others."""

from __future__ import annotations

import pytest
from fleets import always, run_both
from shared import hosts, shared, vms

from sim.engines.compiled import shared_fleet
from sim.engines.compiled.layout import MARGIN
from sim.model.demand import Cycle
from sim.model.faults import Spot, Throttle
from sim.model.plan import FleetPlan, GroupPlan

LINES = MARGIN + 2_000  # of a buffer: a VM goes on while MARGIN are left
LONG_S = 1.5 * LINES
FAST = Cycle(on_s=always(1), off_s=always(1))  # turns of demand are moves, and they alone are too many
AT_ONCE = {"allocating": always(0), "starting": always(0), "stopping": always(0)}


def keep(**changes: object) -> GroupPlan:
    """A VM that stays where it is however demand turns."""
    return vms(demand=FAST, when_off="keep", **changes)


FLEETS = {
    "in a stay": shared(keep(), hours=LONG_S / 3600, hosts=(hosts(),)),
    "from stay to stay on its host": shared(
        vms(demand=FAST, when_off="stop", steps=AT_ONCE), hours=LONG_S / 3600, hosts=(hosts(),)
    ),
    "waiting for a token of the rate limit": shared(
        keep(count=2), hours=1.5 * LONG_S / 3600, throttle=Throttle(burst=1.0, refill_per_min=60 / LONG_S)
    ),
    "waiting up to the horizon": shared(keep(count=2), hours=LONG_S / 3600, throttle=Throttle(burst=1.0, refill_per_min=1e-6)),
    "waiting for a VM that is evicted": shared(
        vms("spot", priority="spot", spot=Spot(eviction_per_hour=0.0, notice_s=always(30)), steps={"deallocating": always(LONG_S)}),
        keep(count=0, count_steps=((500.0, 1),)), hours=1.5 * LONG_S / 3600, hosts=(hosts(fit=1),),
    ),
}  # fmt: skip


@pytest.mark.parametrize("plan", FLEETS.values(), ids=FLEETS)
def test_no_line_is_lost_where_a_buffer_is_full(plan: FleetPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiled loop stops, wherever the VM is, and goes on when its buffer has been emptied: events and hours as in SimPy."""
    monkeypatch.setattr(shared_fleet, "LINES", LINES)
    run_both(plan)

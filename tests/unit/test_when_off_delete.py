"""`when_off = "delete"`: no VM while none is wanted; rebuilt each morning, with its price in time and in disks."""

from __future__ import annotations

from datetime import time
from typing import Any

import pytest
from fleets import BORN, DAY, HOUR, MONDAY, RunOutput, always, differences, fleet, run_until

from sim import from_dict, run
from sim.lifecycle.power import PowerState
from sim.model.demand import Cycle, Schedule

OFFICE = Schedule(days=(0, 1, 2, 3, 4), on=time(8), off=time(18), time_zone="UTC")
DELETING_H, BORN_H = 44 / 3600, BORN / 3600


def both(**changes: Any) -> RunOutput:
    """The same run in both engines."""
    plan = fleet(**{"demand": OFFICE, "when_off": "delete", "hours": 7 * 24.0, **changes})
    one, other = (run_until(plan, engine) for engine in ("simpy", "compiled"))
    assert not differences(one, other)
    return one


def test_a_vm_is_created_each_morning_and_deleted_each_evening() -> None:
    """Five creates and five deletes; nothing exists before the first window, in the nights and over the weekend."""
    usage = both().run.usages["g"]
    counts = usage.counts
    assert counts["operations.create.succeeded"] == counts["vms.created"] == counts["vms.deleted"] == 5
    assert usage.wanted_h == 50
    assert usage.served_h == pytest.approx(5 * (10 - BORN_H), abs=1e-6)
    assert usage.existing_h == pytest.approx(5 * (10 + DELETING_H), abs=1e-6)
    assert usage.hours(PowerState.DEALLOCATED) == 0


def test_nothing_is_created_at_t_0_unless_it_is_wanted_then() -> None:
    """At Monday midnight no VM; with a run that starts in a window, at once."""
    assert "operations.create.accepted" not in {k for k, v in both(hours=7.9).run.usages["g"].counts.items() if v}
    inside = both(hours=7.0, start=MONDAY.replace(hour=9)).run.usages["g"]
    assert inside.counts["vms.created"] == 1
    assert inside.served_h == pytest.approx(7 - BORN_H, abs=1e-6)


def test_every_rebuild_passes_the_stages_of_the_image_anew_with_new_draws() -> None:
    """A specialized image skips OS provisioning, each morning."""
    skipped = both(generalized=False).run.usages["g"]
    assert skipped.served_h == pytest.approx(5 * (10 - (BORN_H - 40 / 3600)), abs=1e-6)


def test_a_window_that_ends_during_the_create_ends_with_a_delete() -> None:
    """Wanted for a minute, created in 80 s: the VM is deleted when its create is done, and never serves."""
    usage = both(demand=Cycle(on_s=always(60), off_s=always(HOUR - 60)), hours=3.0).run.usages["g"]
    assert usage.counts["vms.created"] == usage.counts["vms.deleted"] == 3
    assert usage.served_h == 0


def test_a_delete_that_demand_overtakes_is_followed_by_a_create() -> None:
    """Unwanted for 20 s while deleting takes 44: the new create begins when the delete ends."""
    usage = both(demand=Cycle(on_s=always(HOUR), off_s=always(20)), hours=2.0).run.usages["g"]
    assert usage.counts["vms.created"] == 2
    assert usage.served_h == pytest.approx(2 - 20 / 3600 - BORN_H - (24 + BORN) / 3600, abs=1e-6)


def test_a_create_that_fails_is_not_tried_again_once_it_is_unwanted() -> None:
    """No hardware at all: three attempts a window at most, none outside."""
    counts = both(failures={"AllocationFailed": 1.0}, demand=Cycle(on_s=always(90), off_s=always(DAY - 90)), hours=48.0).run.usages["g"].counts  # fmt: skip
    # A create takes 10 s to fail, its pauses 60 s and 120 s: attempts at 0 s and 70 s; the third would be at 200 s.
    assert counts["operations.create.failed"] == 4


SCENARIO: dict[str, Any] = {
    "name": "rebuilt", "horizon": "7d", "start": "2026-01-05T00:00:00Z", "replications": 1,
    "group": [
        {
            "name": "dev", "size": "Standard_D2s_v5", "disks": ["P10"], "public_ip": True, "when_off": "delete",
            "durations": {"allocating": "0s", "starting": "0s", "os_provisioning": "0s", "deleting": "0s"},
            "schedule": {"days": "Mon-Fri", "on": time(8), "off": time(18)},
        }
    ],
}  # fmt: skip


@pytest.mark.parametrize(("keeps", "disk_h"), [(False, 50.0), (True, 7 * 24.0 - 8.0)])
def test_disks_go_with_the_vm_or_one_set_of_them_stays_from_the_first_create_on(keeps: bool, disk_h: float) -> None:
    """A month of P10 is 744 h in January; never a second set. The public IP goes with the VM in both cases."""
    result = run(from_dict(SCENARIO).replace("group.dev.keeps_disks", keeps), engine="simpy")
    p10 = next(line for line in result.replications[0].bill if line.meter.startswith("disk"))
    assert result.estimate("cost.disk").mean == pytest.approx(disk_h * p10.unit_price, rel=1e-9)
    address = next(line for line in result.replications[0].bill if line.kind == "network")
    assert address.quantity == 50.0


def test_the_words_say_what_is_done() -> None:
    """`validate` and the key itself."""
    assert any(
        "otherwise deleted (and created again when it is needed)" in line for line in from_dict(SCENARIO).describe()
    )

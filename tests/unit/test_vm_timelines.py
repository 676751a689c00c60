"""Timelines of single VMs with constant durations, checked by hand to the second, in both engines."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

import pytest
from fleets import BORN, STARTED, RunOutput, always, fleet, group, run_both

from sim.distributions.kinds import Exponential
from sim.lifecycle.policy import BILLING_POLICIES
from sim.lifecycle.power import PowerState
from sim.model.demand import Arrivals, Cycle, Schedule

OLD = BILLING_POLICIES["2018-08"]
NEW = BILLING_POLICIES["2023-10"]


def cycle(on_s: float, off_s: float) -> Cycle:
    """Wanted and unwanted for as long each time."""
    return Cycle(on_s=always(on_s), off_s=always(off_s))


def wanted_s(ran: RunOutput) -> float:
    """Seconds in which a VM was wanted."""
    return ran.usage.wanted_h * 3600


def served_s(ran: RunOutput) -> float:
    """Seconds of service."""
    return ran.usage.served_h * 3600


# --- create -----------------------------------------------------------------------------------------------------------


def test_a_vm_from_a_generalized_image_runs_before_it_serves() -> None:
    """Allocating 10, starting 25, then Running, and billed, while the OS is provisioned (40) and extensions run (5)."""
    output = run_both(fleet(hours=1))
    assert output.timeline() == [(0, "creating"), (10, "starting"), (35, "running")]
    assert output.operations() == [(0, "create", "accepted"), (80, "create", "succeeded")]
    shown = [(row[0], row[4]) for row in output.events if row[2] == "provisioning" and row[4]]
    assert shown == [
        (0, "creating"), (35, "creating/OSProvisioningInprogress"), (75, "creating/OSProvisioningComplete"), (80, "succeeded"),
    ]  # fmt: skip
    assert output.seconds(PowerState.CREATING) == 10
    assert output.seconds(PowerState.STARTING) == 25
    assert output.seconds(PowerState.RUNNING) == pytest.approx(3600 - 35, abs=1e-9)
    assert wanted_s(output) == 3600
    assert served_s(output) == pytest.approx(3600 - 80, abs=1e-9)
    assert output.usage.billed_h(OLD) * 3600 == pytest.approx(3600 - 35, abs=1e-9)
    assert output.usage.billed_h(NEW) * 3600 == pytest.approx(3600 - 10, abs=1e-9)
    assert output.usage.wasted_h(OLD) * 3600 == pytest.approx(45, abs=1e-9)
    assert output.count("vms.created") == 1
    assert output.count("allocation.attempts") == 1


def test_a_vm_from_a_specialized_image_has_no_os_provisioning() -> None:
    """It serves after 10 + 25 + 5, and never shows a substate."""
    output = run_both(fleet(hours=1, generalized=False))
    assert output.operations()[-1] == (40, "create", "succeeded")
    shown = [row[4] for row in output.events if row[2] == "provisioning" and row[4]]
    assert shown == ["creating", "succeeded"]


def test_a_group_is_created_evenly_over_its_time() -> None:
    """Four VMs over an hour: every quarter of an hour one."""
    output = run_both(fleet(hours=2, count=4, create_over_s=3600.0))
    assert [output.timeline(f"g-000{i}")[0][0] for i in range(4)] == [0, 900, 1800, 2700]
    assert wanted_s(output) == 4 * 7200 - 900 - 1800 - 2700


def test_a_vm_that_is_to_come_after_the_horizon_never_comes() -> None:
    """Spread over four hours, half of them are beyond the end."""
    output = run_both(fleet(hours=2, count=4, create_over_s=4 * 3600.0))
    assert len(output.run.vm_timelines) == 2


def test_what_is_under_way_at_the_horizon_is_counted_up_to_there() -> None:
    """Twenty seconds: ten of creating, ten of starting."""
    output = run_both(fleet(hours=20 / 3600))
    assert output.seconds(PowerState.CREATING) == pytest.approx(10, abs=1e-4)
    assert output.seconds(PowerState.STARTING) == pytest.approx(10, abs=1e-4)
    assert output.count("operations.create.accepted") == 1
    assert output.count("operations.create.succeeded") == 0


def test_a_move_at_the_very_horizon_does_not_happen() -> None:
    """Nothing happens at the horizon or after."""
    output = run_both(fleet(hours=35 / 3600))
    assert output.timeline() == [(0, "creating"), (10, "starting")]
    assert output.usage.peak_running == 0


def test_hours_fall_into_the_clock_hours_in_which_they_pass() -> None:
    """Running from 35 s on, up to the middle of the second hour."""
    output = run_both(fleet(hours=1.5))
    assert output.usage.hourly(PowerState.RUNNING) == pytest.approx([3565 / 3600, 0.5], abs=1e-12)


def test_the_warm_up_is_left_out_of_hours_and_counts_but_not_of_life() -> None:
    """Ten minutes: the create lies before, all but 3,000 seconds of running too."""
    output = run_both(fleet(hours=1, warm_up_s=600.0, demand=cycle(2000, 10_000)))
    assert output.timeline()[:3] == [(0, "creating"), (10, "starting"), (35, "running")]
    assert output.seconds(PowerState.RUNNING) == pytest.approx(1400, abs=1e-9)
    assert wanted_s(output) == pytest.approx(1400, abs=1e-9)
    assert output.count("operations.create.accepted") == 0
    assert output.count("operations.deallocate.accepted") == 1
    assert output.usage.peak_running == 1


# --- off --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when_off", "way_off", "back", "operation"),
    [
        ("deallocate", [(1000, "deallocating"), (1045, "deallocated")], [(2010, "starting"), (2035, "running")], "deallocate"),
        ("stop", [(1000, "stopping"), (1020, "stopped")], [(2000, "starting"), (2025, "running")], "power_off"),
        ("guest-shutdown", [(1000, "stopping"), (1020, "stopped")], [(2000, "starting"), (2025, "running")], None),
        ("hibernate", [(1000, "deallocating"), (1045, "hibernated")], [(2010, "starting"), (2035, "running")], "hibernate"),
        ("keep", [], [], None),
    ],
)  # fmt: skip
def test_each_way_of_being_off_goes_its_own_way(
    when_off: str, way_off: list[Any], back: list[Any], operation: str | None
) -> None:
    """Wanted 1,000 s, unwanted 1,000 s. From stopped a start needs no allocation (10 s), from the others it does."""
    output = run_both(fleet(hours=2500 / 3600, demand=cycle(1000, 1000), when_off=when_off))
    assert output.timeline()[3:] == [*way_off, *back]
    asked = {name.split(".")[1] for name, n in output.usage.counts.items() if name.startswith("operations.") and n}
    starts = {"start"} if back else set()
    assert asked == {"create"} | starts | ({operation} if operation else set())
    assert wanted_s(output) == pytest.approx(1500, abs=1e-4)
    late = back[-1][0] - 2000 if back else 0
    assert served_s(output) == pytest.approx(1500 - BORN - late, abs=1e-4)


def test_a_guest_shutdown_is_unknown_to_the_control_plane() -> None:
    """The provisioning state stays Succeeded, and no operation is counted."""
    output = run_both(fleet(hours=1900 / 3600, demand=cycle(1000, 1000), when_off="guest-shutdown"))
    assert [row[2] for row in output.events if row[0] >= 1000] == ["power", "power"]


def test_stopped_is_billed_and_deallocated_is_not() -> None:
    """The source document's main lesson, in an hour with an off time of 2,600 s."""
    stopped = run_both(fleet(hours=1, demand=cycle(1000, 10_000), when_off="stop"))
    assert stopped.usage.billed_h(OLD) * 3600 == pytest.approx(965 + 2600, abs=1e-9)  # Stopping is billed, too
    gone = run_both(fleet(hours=1, demand=cycle(1000, 10_000), when_off="deallocate"))
    assert gone.usage.billed_h(OLD) * 3600 == pytest.approx(965, abs=1e-9)
    assert gone.usage.existing_h * 3600 == 3600


# --- demand -----------------------------------------------------------------------------------------------------------


def test_demand_that_ends_during_the_create_waits_for_its_end() -> None:
    """Unwanted from 50 s; the create ends at 80, and only then is the VM deallocated."""
    output = run_both(fleet(hours=500 / 3600, demand=cycle(50, 1000)))
    assert output.timeline() == [
        (0, "creating"), (10, "starting"), (35, "running"), (BORN, "deallocating"), (BORN + 45, "deallocated"),
    ]  # fmt: skip
    assert wanted_s(output) == pytest.approx(50, abs=1e-4)
    assert served_s(output) == 0


def test_demand_that_ends_and_begins_again_during_an_operation_is_not_noticed() -> None:
    """Unwanted from 40 to 60 s only; the create ends at 80 and finds the VM wanted, up to 100."""
    output = run_both(fleet(hours=90 / 3600, demand=cycle(40, 20)))
    assert output.timeline() == [(0, "creating"), (10, "starting"), (35, "running")]
    assert wanted_s(output) == pytest.approx(40 + 30, abs=1e-4)
    assert served_s(output) == pytest.approx(10, abs=1e-4)


def test_demand_that_begins_while_the_vm_is_deallocated_waits_for_its_end() -> None:
    """Off at 1,000 for 20 s: deallocating ends at 1,045, then it is started at once."""
    output = run_both(fleet(hours=1200 / 3600, demand=cycle(1000, 20)))
    assert output.timeline()[3:] == [
        (1000, "deallocating"),
        (1045, "deallocated"),
        (1055, "starting"),
        (1080, "running"),
    ]


def test_demand_that_ends_during_a_start_waits_for_its_end() -> None:
    """On at 1,200 for 5 s of 35: the start ends at 1,235 with a VM that is not wanted."""
    schedule = Schedule(days=(0,), on=time(0, 20), off=time(0, 20, 5), time_zone="UTC")
    output = run_both(fleet(hours=0.5, demand=schedule))
    assert output.timeline()[3:] == [
        (BORN, "deallocating"), (BORN + 45, "deallocated"), (1210, "starting"), (1235, "running"),
        (1235, "deallocating"), (1280, "deallocated"),
    ]  # fmt: skip
    assert wanted_s(output) == pytest.approx(5, abs=1e-4)
    assert output.usage.peak_running == 1


def test_a_vm_is_created_at_the_start_though_it_is_not_wanted_yet() -> None:
    """The group is there from t = 0; until eight it is deallocated."""
    schedule = Schedule(days=(0,), on=time(8), off=time(19), time_zone="UTC")
    output = run_both(fleet(hours=24, demand=schedule))
    assert output.timeline() == [
        (0, "creating"), (10, "starting"), (35, "running"), (80, "deallocating"), (125, "deallocated"),
        (8 * 3600 + 10, "starting"), (8 * 3600 + STARTED, "running"),
        (19 * 3600, "deallocating"), (19 * 3600 + 45, "deallocated"),
    ]  # fmt: skip
    assert output.usage.wanted_h == 11


def test_jitter_moves_each_edge_and_never_past_its_neighbour() -> None:
    """Ten minutes later on, ten minutes later off."""
    schedule = Schedule(days=(0,), on=time(8), off=time(19), time_zone="UTC", jitter_s=always(600))
    output = run_both(fleet(hours=24, demand=schedule))
    assert (8 * 3600 + 600 + 10, "starting") in output.timeline()
    assert (19 * 3600 + 600, "deallocating") in output.timeline()
    assert output.usage.wanted_h == 11
    wild = Schedule(days=(0, 1, 2, 3), on=time(8), off=time(19), time_zone="UTC", jitter_s=Exponential(mean=86_400.0))
    assert 0 <= run_both(fleet(hours=96, demand=wild)).usage.wanted_h <= 96


def test_office_hours_last_eleven_hours_on_the_day_the_clock_changes_too() -> None:
    """08:00-19:00 in Amsterdam, Saturday to Monday around 29 March 2026: 33 hours, an hour earlier from Sunday on."""
    schedule = Schedule(days=(0, 5, 6), on=time(8), off=time(19), time_zone="Europe/Amsterdam")
    output = run_both(fleet(hours=72, start=datetime(2026, 3, 28, tzinfo=UTC), demand=schedule))
    begun = [t_s / 3600 for t_s, operation, what in output.operations() if (operation, what) == ("start", "accepted")]
    assert begun == [7, 24 + 6, 48 + 6]
    assert output.usage.wanted_h == 33


def test_a_night_window_is_an_hour_shorter_in_spring_and_longer_in_autumn() -> None:
    """22:00-06:00 in Amsterdam over the night of the change: seven hours, nine hours."""
    night = Schedule(days=(5,), on=time(22), off=time(6), time_zone="Europe/Amsterdam")
    for start, hours in ((datetime(2026, 3, 28, tzinfo=UTC), 7), (datetime(2026, 10, 24, tzinfo=UTC), 9)):
        assert run_both(fleet(hours=48, start=start, demand=night)).usage.wanted_h == hours


# --- arrivals ---------------------------------------------------------------------------------------------------------


def arriving(lifetime_s: float, **changes: Any) -> RunOutput:
    """A day of VMs that are requested now and then, and exist that long."""
    demand = Arrivals(rate_per_h=(2.0,), lifetime_s=always(lifetime_s))
    return run_both(fleet(hours=24, count=0, demand=demand, **changes))


def test_an_arrival_is_deleted_a_lifetime_after_it_is_running() -> None:
    """Running 35 s after its request; wanted until its deletion is asked for; gone 44 s later."""
    output = arriving(1000)
    (name, moves), *_ = output.run.vm_timelines
    born = moves[0][0]
    after = [round(t_s - born, 6) for t_s, _ in moves]
    assert after == [0, 10, 35, 35 + 1000, 35 + 1000 + 44]
    assert [state for _, state in moves] == ["creating", "starting", "running", "deallocating", ""]
    gone = [moves for _, moves in output.run.vm_timelines if moves[-1][1] == ""]
    open_h = sum(
        24 - moves[0][0] / 3600
        for _, moves in output.run.vm_timelines
        if moves[-1][1] in ("creating", "starting", "running")
    )
    ended_h = sum(moves[-2][0] - moves[0][0] for moves in gone) / 3600
    leaving = [moves for _, moves in output.run.vm_timelines if moves[-1][1] == "deallocating"]
    ended_h += sum(moves[-1][0] - moves[0][0] for moves in leaving) / 3600
    assert output.usage.wanted_h == pytest.approx(open_h + ended_h, abs=1e-6)
    assert output.count("vms.deleted") == len(gone)
    assert name == "g-0000"


def test_a_lifetime_shorter_than_provisioning_ends_when_the_create_does() -> None:
    """Ten seconds are over at 45 s; the create ends at 80."""
    (_, moves), *_ = arriving(10).run.vm_timelines
    assert [round(t_s - moves[0][0], 6) for t_s, _ in moves] == [0, 10, 35, 80, 124]


# --- peaks ------------------------------------------------------------------------------------------------------------


def test_vms_that_change_places_at_one_instant_are_not_there_at_once() -> None:
    """One leaves Running at 1,000 s, the very instant another enters it."""
    leaves = group("a", demand=cycle(1000, 100_000))
    comes = group("b", count=2, create_over_s=2 * (1000.0 - 35))
    output = run_both(fleet(leaves, comes, hours=1))
    assert output.timeline("b-0001")[-1] == (1000, "running")
    assert output.usage.peak_running == 2
    assert output.run.usages["a"].peak_running == 1
    assert output.run.usages["b"].peak_running == 2


def test_the_peak_of_a_fleet_is_not_the_sum_of_its_groups_peaks() -> None:
    """Day shift and night shift: one VM at a time."""
    day = group("day", demand=Schedule(days=(0,), on=time(8), off=time(19), time_zone="UTC"))
    night = group("night", demand=Schedule(days=(0,), on=time(20), off=time(23), time_zone="UTC"))
    output = run_both(fleet(day, night, hours=24, warm_up_s=3600.0))
    assert [output.run.usages[name].peak_allocated for name in ("day", "night")] == [1, 1]
    assert output.usage.peak_allocated == output.usage.peak_running == 1


def test_a_stopped_vm_is_on_a_host_and_a_deallocated_one_is_not() -> None:
    """`vms.peak_allocated` counts hosts held, after the create has begun to start."""
    stopped = run_both(fleet(hours=2, warm_up_s=1800.0, demand=cycle(1000, 10_000), when_off="stop"))
    assert (stopped.usage.peak_allocated, stopped.usage.peak_running) == (1, 0)
    gone = run_both(fleet(hours=2, warm_up_s=1800.0, demand=cycle(1000, 10_000)))
    assert (gone.usage.peak_allocated, gone.usage.peak_running) == (0, 0)

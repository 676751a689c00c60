"""A custom process asks the control plane: what is accepted, what conflicts, and what the automation makes of it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest
from fleets import always, fleet

from sim.engines.events import VmTimelines
from sim.engines.simpy.fleet import Fleet
from sim.errors import LifecycleError, OperationNotAllowed
from sim.model.demand import Cycle
from sim.model.faults import GuestCrash, Spot
from sim.model.plan import FleetPlan
from sim.usage.ledger import GroupUsage

Script = Callable[[Fleet, list[Any]], Generator[Any, Any, None]]


def run_until(plan: FleetPlan, *scripts: Script) -> tuple[list[Any], GroupUsage, list[tuple[float, str]]]:
    """What the scripts noted, the usage, and the power states that g-0000 entered."""
    seen = VmTimelines(1)
    asked = Fleet(plan, 1, 0, takes_requests=True, listener=seen.listen)
    notes: list[Any] = []
    for script in scripts:
        asked.env.process(script(asked, notes))
    usage = asked.run().fleet
    return notes, usage, list(dict(seen.timelines())["g-0000"])


def asking(at_s: float, operation: str, name: str = "g-0000") -> Script:
    """Ask once, and note when it has ended and where the VM is then, or the refusal."""

    def script(asked: Fleet, notes: list[Any]) -> Generator[Any, Any, None]:
        yield asked.env.at(at_s)
        try:
            state = yield asked.request(name, operation)
        except OperationNotAllowed as refusal:
            notes.append((asked.env.now, operation, str(refusal)))
        else:
            notes.append((asked.env.now, operation, str(state.power or "gone")))

    return script


def cycle(on_s: float, off_s: float) -> Cycle:
    """Wanted and unwanted for as long each time."""
    return Cycle(on_s=always(on_s), off_s=always(off_s))


def test_an_operation_that_is_accepted_takes_its_time_and_is_counted() -> None:
    """A power off at 1,000 s; who asked hears of its end at 1,020."""
    notes, usage, life = run_until(fleet(hours=1), asking(1000, "power_off"))
    assert notes == [(1020, "power_off", "stopped")]
    assert life[3:] == [(1000, "stopping"), (1020, "stopped")]
    assert usage.counts["operations.power_off.accepted"] == usage.counts["operations.power_off.succeeded"] == 1
    assert usage.counts.get("operations.power_off.rejected", 0) == 0
    assert usage.served_h * 3600 == pytest.approx(1000 - 80, abs=1e-9)


@pytest.mark.parametrize(
    ("operation", "ends_s", "power"),
    [("restart", 1030, "running"), ("update", 1035, "running"), ("deallocate", 1045, "deallocated"),
     ("hibernate", 1045, "hibernated"), ("delete", 1044, "gone")],
)  # fmt: skip
def test_each_operation_ends_where_its_row_says(operation: str, ends_s: float, power: str) -> None:
    """Asked of a running VM at 1,000 s."""
    notes, usage, _ = run_until(fleet(hours=1), asking(1000, operation))
    assert notes == [(ends_s, operation, power)]
    assert usage.counts[f"operations.{operation}.succeeded"] == 1


def test_a_conflicting_operation_is_refused_and_counted_as_rejected() -> None:
    """One operation at a time per VM; the refused one changes nothing."""
    notes, usage, life = run_until(fleet(hours=1), asking(1000, "power_off"), asking(1010, "restart"))
    assert notes == [
        (1010, "restart", "g-0000 at 0.281 h: restart conflicts with power_off, which is under way"),
        (1020, "power_off", "stopped"),
    ]
    assert usage.counts["operations.restart.rejected"] == 1
    assert usage.counts.get("operations.restart.accepted", 0) == 0
    assert life[-1] == (1020, "stopped")


def test_of_two_operations_asked_for_at_one_instant_the_second_conflicts_with_the_first() -> None:
    """The first holds the VM from the moment it is accepted."""
    notes, usage, life = run_until(fleet(hours=1), asking(1000, "restart"), asking(1000, "power_off"))
    assert notes[0][2] == "g-0000 at 0.278 h: power_off conflicts with restart, which is under way"
    assert notes[1] == (1030, "restart", "running")
    assert usage.counts["operations.power_off.rejected"] == 1
    assert life[-1] == (35, "running")


def test_an_operation_that_the_power_state_does_not_accept_is_refused() -> None:
    """A start of a running VM, a restart of a stopped one; the message says from where it is accepted."""
    notes, usage, _ = run_until(
        fleet(hours=1), asking(500, "start"), asking(1000, "power_off"), asking(1500, "restart")
    )
    assert "start: the VM is running; it is accepted from stopped, deallocated, hibernated" in notes[0][2]
    assert "restart: the VM is stopped; it is accepted from running" in notes[2][2]
    assert usage.counts["operations.start.rejected"] == usage.counts["operations.restart.rejected"] == 1


def test_the_automations_own_operations_conflict_too() -> None:
    """The create is under way until 80 s, the nightly deallocation from 1,000 to 1,045."""
    notes, _, life = run_until(
        fleet(hours=1, demand=cycle(1000, 10_000)), asking(50, "restart"), asking(1020, "power_off")
    )
    assert "restart conflicts with create" in notes[0][2]
    assert "power_off conflicts with deallocate" in notes[1][2]
    assert life[-1] == (1045, "deallocated")


@pytest.mark.parametrize(
    ("at_s", "by_way_of", "gone_s"),
    [(5, "", 49), (20, "deallocating", 64), (50, "deallocating", 94), (1000, "deallocating", 1044)],
)
def test_a_delete_is_accepted_at_any_time(at_s: float, by_way_of: str, gone_s: float) -> None:
    """While creating (nothing to give back), starting, provisioning, or in service; demand for the VM ends with it."""
    notes, usage, life = run_until(fleet(hours=1), asking(at_s, "delete"))
    assert notes == [(gone_s, "delete", "gone")]
    assert life[-1] == (gone_s, "")
    assert by_way_of in (life[-2][1], "")
    assert usage.counts["vms.deleted"] == 1
    assert usage.wanted_h * 3600 == pytest.approx(at_s, abs=1e-9)


def test_a_delete_ends_the_operation_under_way_and_the_wait_for_it() -> None:
    """A restart at 1,000, overtaken by a delete at 1,010."""
    notes, usage, _ = run_until(fleet(hours=1), asking(1000, "restart"), asking(1010, "delete"))
    assert notes == [(1010, "restart", "deallocating"), (1054, "delete", "gone")]
    assert usage.counts.get("operations.restart.succeeded", 0) == 0


def test_a_restart_and_a_delete_at_one_instant_come_in_order() -> None:
    """Both are accepted, the delete last; in the other order the restart is refused."""
    notes, usage, _ = run_until(fleet(hours=1), asking(1000, "restart"), asking(1000, "delete"))
    assert [(t_s, operation) for t_s, operation, _ in notes] == [(1000, "restart"), (1044, "delete")]
    assert usage.counts["operations.restart.accepted"] == 1
    notes, usage, _ = run_until(fleet(hours=1), asking(1000, "delete"), asking(1000, "restart"))
    assert "restart conflicts with delete" in notes[0][2]
    assert notes[1] == (1044, "delete", "gone")


def test_a_second_delete_joins_the_first() -> None:
    """Always accepted; there is but one VM to delete, and both hear when it is gone."""
    notes, usage, _ = run_until(fleet(hours=1), asking(1000, "delete"), asking(1020, "delete"))
    assert notes == [(1044, "delete", "gone"), (1044, "delete", "gone")]
    assert usage.counts["operations.delete.accepted"] == usage.counts["vms.deleted"] == 1
    assert usage.counts.get("operations.delete.rejected", 0) == 0


def test_a_delete_asked_for_while_a_failed_vm_is_replaced_is_the_end_of_it() -> None:
    """Failed at 1,235, its replacement deletes it from 1,835 on; asked to delete at 1,850, it isn't created again."""
    plan = fleet(hours=1, failures={"OSProvisioningTimedOut": 1.0})
    notes, usage, life = run_until(plan, asking(1850, "delete"))
    assert notes == [(1894, "delete", "gone")]
    assert life[-1] == (1894, "")
    assert usage.counts["operations.create.accepted"] == 1


def test_nothing_can_be_asked_of_a_vm_that_is_gone_or_not_there_yet() -> None:
    """There is no VM to ask; the message says when that was."""
    gone = Fleet(fleet(hours=1), 1, 0, takes_requests=True)

    def script() -> Generator[Any, Any, None]:
        yield gone.env.at(1000)
        yield gone.request("g-0000", "delete")
        yield gone.env.timeout(1)
        with pytest.raises(KeyError, match=r"g-0000 at 0.290 h: there is no such VM"):
            gone.request("g-0000", "start")

    gone.env.process(script())
    gone.run()
    later = Fleet(fleet(hours=1, count=2, create_over_s=3600.0), 1, 0, takes_requests=True)
    with pytest.raises(KeyError, match=r"g-0001 at 0.000 h: there is no such VM"):
        later.request("g-0001", "start")


def test_a_fleet_that_takes_no_requests_says_so() -> None:
    """Its state machines have no transitions for requests."""
    shut = Fleet(fleet(hours=1), 1, 0)
    with pytest.raises(KeyError, match="takes_requests"):
        shut.request("g-0000", "start")


def test_a_vm_stopped_by_hand_stays_so_until_it_is_wanted_anew() -> None:
    """Wanted 1,000 of every 2,000 s; powered off at 500; deallocated at 1,000 as every evening, started at 2,000."""
    _, _, life = run_until(fleet(hours=0.6, demand=cycle(1000, 1000)), asking(500, "power_off"))
    assert life[3:] == [
        (500, "stopping"), (520, "stopped"), (1000, "deallocating"), (1045, "deallocated"), (2010, "starting"), (2035, "running"),
    ]  # fmt: skip


def test_a_vm_started_by_hand_at_night_runs_until_the_next_evening() -> None:
    """Started at 1,500, wanted from 2,000, off at 3,000; service counts only what was wanted."""
    _, usage, life = run_until(fleet(hours=3050 / 3600, demand=cycle(1000, 1000)), asking(1500, "start"))
    assert life[5:] == [(1510, "starting"), (1535, "running"), (3000, "deallocating"), (3045, "deallocated")]
    assert usage.served_h * 3600 == pytest.approx(920 + 1000, abs=1e-3)


@pytest.mark.parametrize("operation", ["update", "restart"])
def test_demand_that_ends_during_an_operation_asked_for_is_answered_at_its_end(operation: str) -> None:
    """An update or restart from 990 s on; the evening begins at 1,000."""
    notes, _, life = run_until(fleet(hours=0.5, demand=cycle(1000, 10_000)), asking(990, operation))
    assert life[3:] == [(notes[0][0], "deallocating"), (notes[0][0] + 45, "deallocated")]


def test_demand_that_ends_during_a_power_off_by_hand_is_answered_at_its_end() -> None:
    """Off hours mean deallocated, not stopped and billed."""
    _, _, life = run_until(fleet(hours=0.5, demand=cycle(1000, 10_000)), asking(990, "power_off"))
    assert life[3:] == [(990, "stopping"), (1010, "stopped"), (1010, "deallocating"), (1055, "deallocated")]


CRASHING = GuestCrash(time_between_s=always(1000), detection_s=always(600))


def test_a_restart_by_hand_revives_a_crashed_guest_and_an_update_does_not() -> None:
    """Crashed at 1,080; asked at 1,200; the monitoring would have noticed at 1,680."""
    _, usage, _ = run_until(fleet(hours=0.5, guest_crash=CRASHING), asking(1200, "restart"))
    assert usage.served_h * 3600 == pytest.approx(1000 + (1800 - 1230), abs=1e-9)
    _, usage, _ = run_until(fleet(hours=0.5, guest_crash=CRASHING), asking(1200, "update"))
    assert usage.served_h * 3600 == pytest.approx(1000, abs=1e-9)


def test_the_crash_timer_runs_on_after_a_request() -> None:
    """Restarted by hand at 500 (30 s without service): the thousand seconds are over at 1,110 all the same."""
    _, usage, _ = run_until(fleet(hours=1500 / 3600, guest_crash=CRASHING), asking(500, "restart"))
    assert usage.counts["guest_crashes"] == 1
    assert usage.served_h * 3600 == pytest.approx(1000, abs=1e-9)


def test_only_a_delete_averts_an_eviction() -> None:
    """Notice at 80 s, deallocated from 110 s on."""
    plan = fleet(hours=1, spot=Spot(eviction_per_hour=1.0, notice_s=always(30)))
    notes, _, life = run_until(plan, asking(90, "restart"))
    assert "restart is not accepted from evicted.notice" in notes[0][2]
    assert life[-1] == (155, "deallocated")
    notes, _, _ = run_until(plan, asking(90, "delete"))
    assert notes == [(134, "delete", "gone")]


def test_an_operation_asked_for_that_fails_ends_too() -> None:
    """InternalOperationError in one of three; who asked hears of it, and the VM is as it was."""
    asked = Fleet(fleet(hours=500, failures={"InternalOperationError": 0.3}), 1, 0, takes_requests=True)
    ended: list[Any] = []

    def script() -> Generator[Any, Any, None]:
        yield asked.env.at(50_000)
        while True:
            state = yield asked.request("g-0000", "restart")
            ended.append((state.power, state.serving))
            yield asked.env.timeout(100)

    asked.env.process(script())
    usage = asked.run().fleet
    failed, done = (usage.counts[f"operations.restart.{how}"] for how in ("failed", "succeeded"))
    assert failed > 1000
    assert usage.counts["operations.restart.accepted"] == failed + done
    assert set(ended) == {("running", True)}


def test_requests_before_the_end_of_the_warm_up_are_not_counted() -> None:
    """Neither accepted nor rejected ones."""
    _, usage, _ = run_until(fleet(hours=1, warm_up_s=1800.0), asking(1000, "restart"), asking(1010, "update"), asking(2000, "start"))  # fmt: skip
    rejected = {name: n for name, n in usage.counts.items() if name.endswith("rejected")}
    assert rejected == {"operations.start.rejected": 1}
    assert usage.counts["operations.restart.accepted"] == 0


def test_an_illegal_move_names_the_vm_the_time_and_the_last_moves() -> None:
    """A move past the process: the error says what was possible, and how the VM came there."""
    asked = Fleet(fleet(hours=1), 1, 0, takes_requests=True)

    def burglar() -> Generator[Any, Any, None]:
        yield asked.env.at(50)
        vm = asked.vm("g-0000")
        vm.now_s = 50.0
        vm.move(vm.group.state_machine.first)

    asked.env.process(burglar())
    with pytest.raises(LifecycleError) as caught:
        asked.run()
    output = str(caught.value)
    assert "g-0000 at 0.014 h: unborn -> create@absent.allocating is not possible" in output
    assert "the VM is in create@absent.os_provisioning, from where it goes to create@absent.extensions" in output
    assert "0.003 h create@absent.allocating -> create@absent.starting" in output

"""Parts of a run on a cluster: every replication once, slots kept busy, slow and failing workers; in simulated time."""

from __future__ import annotations

import math
import random
import warnings
from collections import Counter
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sim.errors import MachineError, VmfleetWarning
from sim.runs.blocks import MOST_IN_A_BLOCK
from sim.runs.dispatch import Dispatch
from sim.runs.executors import Task
from tests.helpers.simulated_pool import SimulatedPool


def task(count: int, first: int = 0) -> Task:
    """So many replications of a scenario that the simulated pool doesn't look at."""
    return Task(inputs=cast("Any", None), seed=1, numbers=tuple(range(first, first + count)), engine="simpy")


def block(numbers: tuple[int, ...]) -> Any:
    """What the dispatcher passes on."""
    return SimpleNamespace(numbers=numbers)


def dispatched(pool: SimulatedPool, *tasks: Task, limit_s: float = 30.0) -> list[tuple[int, int]]:
    """(task, number) of what came back, in order."""
    came: list[tuple[int, int]] = []
    Dispatch(tasks, pool, limit_s, clock=pool.clock).run(
        lambda index, each: came.extend((index, number) for number in each.numbers)
    )
    return came


@pytest.mark.parametrize("slots", [1, 3, 64])
def test_every_replication_comes_once(slots: int) -> None:
    """Of several tasks, in whatever order they end."""
    generator = random.Random(1)
    pool = SimulatedPool(slots, lambda _number, _slot: generator.expovariate(2.0), block)
    came = dispatched(pool, task(150), task(1), task(40, first=7))
    assert Counter(came) == Counter([(0, n) for n in range(150)] + [(1, 0)] + [(2, n) for n in range(7, 47)])


def test_a_thousand_slots_are_busy() -> None:
    """100,000 replications of about 0.25 s: over 90 % busy, and it all but reaches the shortest time there can be."""
    generator = random.Random(2)
    pool = SimulatedPool(1_000, lambda _number, _slot: generator.uniform(0.15, 0.35), block)
    assert len(dispatched(pool, task(100_000))) == 100_000
    assert pool.busy_share > 0.95


def test_rounds_would_leave_them_idle() -> None:
    """The wrong model: sent in rounds of 20 parts of 5, as before, a thousand slots are hardly used."""
    generator = random.Random(2)
    pool = SimulatedPool(1_000, lambda _number, _slot: generator.uniform(0.15, 0.35), block)
    for first in range(0, 10_000, 100):
        out = {pool.submit(task(5, first=first + 5 * part)) for part in range(20)}
        while out:
            out -= {handle for handle, _ in pool.wait(1.0)}
    assert pool.busy_share < 0.03


def test_parts_are_cut_by_time() -> None:
    """A thousandth of a second each: hundreds in a part; ten seconds each: one; and fewer towards the end."""
    quick = SimulatedPool(4, lambda _number, _slot: 0.001, block)
    dispatched(quick, task(50_000))
    assert max(map(len, quick.sent)) == MOST_IN_A_BLOCK
    assert len(quick.sent) < 250
    assert [len(part) for part in quick.sent[-4:]] == [1, 1, 1, 1]
    long = SimulatedPool(4, lambda _number, _slot: 10.0, block)
    dispatched(long, task(100))
    assert {len(part) for part in long.sent} == {1}


def test_a_hung_worker_does_not_hold_up_the_run() -> None:
    """Its parts are sent once more, with a warning that says which; the answer of the other one counts."""

    def seconds(number: int, slot: int) -> float:
        return math.inf if slot == 0 and number > 10 else 0.5

    pool = SimulatedPool(4, seconds, block)
    with pytest.warns(
        VmfleetWarning, match=r"a worker has had replications \d+ to \d+ for \d+ s, and they should take \d+ s"
    ):
        came = dispatched(pool, task(60))
    assert Counter(came) == Counter((0, n) for n in range(60))


def test_a_slow_worker_is_awaited_where_its_part_is_not_overdue() -> None:
    """Nothing is simulated twice for a worker that is three times slower."""
    pool = SimulatedPool(4, lambda _number, slot: 15.0 if slot == 0 else 5.0, block)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dispatched(pool, task(40))
    assert Counter(number for part in pool.sent for number in part) == Counter(range(40))


def test_a_failure_is_raised_with_its_own_words() -> None:
    """A defect in a replication, or a cluster that gives up on a part."""
    pool = SimulatedPool(2, lambda _number, _slot: 1.0, block)
    pool.failure = lambda part: ValueError("no such state") if 5 in part.numbers else None
    with pytest.raises(ValueError, match="no such state"):
        dispatched(pool, task(10))


def test_no_worker_for_too_long_ends_it() -> None:
    """Instead of a wait for ever."""
    pool = SimulatedPool(1, lambda _number, _slot: math.inf, block, workers=False)
    with pytest.raises(MachineError, match="no worker for 30 s"):
        dispatched(pool, task(3))
    assert 30.0 < pool.now_s < 60.0


def test_long_replications_are_not_sent_twice() -> None:
    """Before the first answer nobody knows how long one takes: five minutes are no sign of a hung worker."""
    pool = SimulatedPool(20, lambda _number, _slot: 300.0, block)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dispatched(pool, task(10))
    assert sorted(pool.sent) == [(number,) for number in range(10)]


def test_the_other_copy_of_a_part_may_still_answer() -> None:
    """The first worker of a part that was sent twice is lost; the second goes on."""
    calls, failed = Counter[int](), Counter[tuple[int, ...]]()

    def seconds(number: int, _slot: int) -> float:
        calls[number] += 1
        return (0.5, 60.0, 100.0)[calls[number] if number == 50 else 0]

    def failure(part: Task) -> BaseException | None:
        failed[part.numbers] += 1
        return MachineError("worker lost") if 50 in part.numbers and failed[part.numbers] == 1 else None

    pool = SimulatedPool(4, seconds, block)
    pool.failure = failure
    with pytest.warns(VmfleetWarning, match="they are sent to another one"):
        came = dispatched(pool, task(60))
    assert Counter(came) == Counter((0, n) for n in range(60))

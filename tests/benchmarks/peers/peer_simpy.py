"""Plain SimPy: the project's own yardstick."""

import sys
from pathlib import Path

import work

sys.path.insert(0, str(Path(__file__).parents[1]))
from plain_simpy import State, create_run_delete, on_and_off


def lives(count: int, alive: int) -> tuple[int, float]:
    """The yardstick's first job."""
    books = create_run_delete(count, alive)
    return books.lives, books.hours[State.RUNNING]


def cycle(machines: int, hours: int) -> tuple[int, float]:
    """The yardstick's second job."""
    books = on_and_off(machines, hours)
    return books.transitions, books.hours[State.RUNNING]


work.main(lives=lives, cycle=cycle)

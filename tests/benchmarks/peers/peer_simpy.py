"""Plain SimPy: the project's own yardstick."""

import sys
from pathlib import Path

import work

sys.path.insert(0, str(Path(__file__).parents[1]))
from plain_simpy import State, create_run_delete


def simulate(lives: int, alive: int) -> tuple[int, float]:
    """The yardstick's first job."""
    books = create_run_delete(lives, alive)
    return books.lives, books.hours[State.RUNNING]


work.main(simulate)

"""Measured figures in a CSV file: one column of numbers, every row checked."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sim.errors import InputError
from sim.fields.messages import close_match
from sim.files import CsvRows, open_table


@contextmanager
def open_record(file: Path) -> Iterator[tuple[list[str], CsvRows]]:
    """The header of a CSV file beside a scenario, and its rows with their numbers; ValueError says why it can't be read."""
    if not file.exists():
        raise ValueError(f"there is no file {file}; the path is relative to the scenario file")
    try:
        with open_table(file, InputError) as (_, header, rows):
            yield header, rows
    except InputError as wrong:
        raise ValueError(str(wrong)) from None


def read_samples(file: Path, column: str, *, what: str = "a number of seconds") -> tuple[float, ...]:
    """Numbers from 0 on in a column of a CSV file with a header row; ValueError says which row is wrong, and why."""
    with open_record(file) as (header, rows):
        at = find_column(header, column, file)
        # The header is row 1; blank lines are no rows of data.
        values = [number_in(row, at, line, file, what) for line, row in rows]
    if not values:
        raise ValueError(f"{file} has no rows of data under its header")
    return tuple(values)


def find_column(header: list[str], column: str, file: Path) -> int:
    """The place of a column by its name; ValueError says which there are."""
    names = [name.strip() for name in header]
    if column in names:
        return names.index(column)
    right = close_match(column, names) or f"it has {', '.join(names) or 'no header'}"
    raise ValueError(f'{file} has no column "{column}"; {right}')


def number_in(row: list[str], at: int, line: int, file: Path, what: str) -> float:
    """A number from 0 on; ValueError says which row has none."""
    cell = row[at].strip() if at < len(row) else ""
    try:
        number = float(cell)
    except ValueError:
        raise ValueError(f'row {line} of {file} has "{cell}"; every row needs {what}') from None
    if not 0 <= number < math.inf:
        raise ValueError(f"row {line} of {file} has {cell}; every row needs {what}, finite and 0 or more")
    return number

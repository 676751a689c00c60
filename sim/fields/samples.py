"""Measured figures in a CSV file: one column of numbers, every row checked."""

from __future__ import annotations

import csv
import math
from difflib import get_close_matches
from pathlib import Path


def read_samples(file: Path, column: str, *, what: str = "a number of seconds") -> tuple[float, ...]:
    """Numbers from 0 on in a column of a CSV file with a header row; ValueError says which row is wrong, and why."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.reader(stream)
            at = _column(next(rows, []), column, file)
            # The header is row 1; blank lines are no rows of data.
            values = [_number(row, at, rows.line_num, file, what) for row in rows if row]
    except FileNotFoundError:
        raise ValueError(f"there is no file {file}; the path is relative to the scenario file") from None
    except UnicodeDecodeError:
        raise ValueError(f"{file} is not UTF-8 text; save it as a UTF-8 CSV file") from None
    except csv.Error as error:
        raise ValueError(f"{file} is not a CSV file: {error}") from None
    except OSError as error:
        raise ValueError(f"{file} can't be read: {error.strerror}") from None
    if not values:
        raise ValueError(f"{file} has no rows of data under its header")
    return tuple(values)


def _column(header: list[str], column: str, file: Path) -> int:
    names = [name.strip() for name in header]
    if column in names:
        return names.index(column)
    close = get_close_matches(column, names, n=1)
    right = f'did you mean "{close[0]}"?' if close else f"it has {', '.join(names) or 'no header'}"
    raise ValueError(f'{file} has no column "{column}"; {right}')


def _number(row: list[str], at: int, line: int, file: Path, what: str) -> float:
    cell = row[at].strip() if at < len(row) else ""
    try:
        number = float(cell)
    except ValueError:
        raise ValueError(f'row {line} of {file} has "{cell}"; every row needs {what}') from None
    if not 0 <= number < math.inf:
        raise ValueError(f"row {line} of {file} has {cell}; every row needs {what}, finite and 0 or more")
    return number

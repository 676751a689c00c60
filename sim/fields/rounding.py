"""Parts that add up as shown: controlled rounding of shares, bills and tables."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sim.errors import ResultError
from sim.fields.numbers import Scale


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundedTable:
    """A table as shown: its cells, and the sums of what is shown."""

    cells: Sequence[Sequence[float]]
    rows: Sequence[float]
    columns: Sequence[float]
    total: float


def rounded_parts(scale: Scale, values: Sequence[float], total: float) -> list[float]:
    """The values rounded to this scale such that their sum is the rounded total."""
    step = 10**scale.decimals
    return [units / step for units in apportion([v * step for v in values], _units(scale, total))]


def rounded_table(
    scale: Scale, cells: Sequence[Sequence[float]], total: float, columns: Sequence[float] | None = None
) -> RoundedTable:
    """Cells and all their sums rounded to this scale such that what is shown adds up in every direction.

    *columns* are the columns' sums as they are shown elsewhere.
    """
    step = 10**scale.decimals
    given = None if columns is None else [_units(scale, column) for column in columns]
    whole = round_table([[cell * step for cell in row] for row in cells], _units(scale, total), given)
    return RoundedTable(
        cells=[[unit / step for unit in row] for row in whole],
        rows=[sum(row) / step for row in whole],
        columns=[sum(column) / step for column in zip(*whole, strict=True)],
        total=sum(map(sum, whole)) / step,
    )


def _units(scale: Scale, value: float) -> int:
    """How many units of the last decimal the number has as it is written."""
    return int(f"{value:.{scale.decimals}f}".replace(".", ""))


def apportion(units: Sequence[float], total: int) -> list[int]:
    """Whole units that add up to *total*, each next to its exact value (largest remainders get the units left over).

    The total may be one that was rounded itself, even as the difference of two such. Refuses parts that don't make it
    up: then a file of the folder is not what it says.
    """
    if abs(math.fsum(units) - total) > 1.0 + 1e-6 * max(abs(total), 1.0):
        raise ResultError(
            f"the parts make up {math.fsum(units)!r}, not their total {total!r}: the result folder contradicts itself"
        )
    whole = [math.floor(unit) for unit in units]
    left = total - sum(whole)
    by_remainder = sorted(range(len(units)), key=lambda i: (whole[i] - units[i], i))
    for step in range(abs(left)):
        # After rounding noise a total may lie a unit outside; then the last ones give a unit back.
        index = by_remainder[step % len(units)] if left > 0 else by_remainder[-1 - step % len(units)]
        whole[index] += 1 if left > 0 else -1
    return whole


FINE = 10**6  # rounding works on whole millionths of a unit, so that no sum depends on floating point


def round_table(cells: Sequence[Sequence[float]], total: int, columns: Sequence[int] | None = None) -> list[list[int]]:
    """Controlled rounding: every cell and every sum of a row or column becomes a whole number next to its exact value.

    Where sums of *columns* are given, what each lacks is put into its largest cell first, which may go a unit further.

    The total becomes the one given, and a cell that is a whole number (a zero above all) stays as it is.
    Cox, *A constructive procedure for unbiased controlled rounding*, JASA 82 (1987): give the table a row and a column of
    slack that make all sums whole, then shift along closed walks through fractional cells until none is left.
    """
    fine = [[round(cell * FINE) for cell in row] for row in cells]
    exact = sum(map(sum, fine))
    if abs(exact - total * FINE) > FINE * (0.5 + 1e-6 * max(abs(total), 1.0)):
        raise ResultError(
            f"the cells make up {exact / FINE!r}, not their total {total!r}: the result folder contradicts itself"
        )
    for place, given in enumerate(columns or ()):
        largest = max(fine, key=lambda row: abs(row[place]))
        largest[place] += given * FINE - sum(row[place] for row in fine)
    exact = sum(map(sum, fine))
    for row in fine:
        row.append(-sum(row) % FINE)
    fine.append([-sum(column) % FINE for column in zip(*fine, strict=True)])
    corner = len(fine) - 1, len(fine[0]) - 1
    # The slack of the slacks is the total's own fraction; it decides which way the total goes.
    total_rises = total * FINE > exact
    while (walk := _fractional_cycle(fine)) is not None:
        values = [fine[i][j] for i, j in walk]
        if corner in walk:
            # Slack cells stand for what their sum lacks, the corner for what the total has beyond a whole number.
            at = walk.index(corner)
            rising_first = (at % 2 == 0) == total_rises
        else:
            # Towards the nearer whole numbers on the whole.
            rising_first = sum(v % FINE for v in values[::2]) >= sum(v % FINE for v in values[1::2])
        ups, downs = (values[::2], values[1::2]) if rising_first else (values[1::2], values[::2])
        shift = min(min(-up % FINE for up in ups), min(down % FINE for down in downs))
        for place, (i, j) in enumerate(walk):
            fine[i][j] += shift if (place % 2 == 0) == rising_first else -shift
    return [[cell // FINE for cell in row[:-1]] for row in fine[:-1]]


def _fractional_cycle(fine: Sequence[Sequence[int]]) -> list[tuple[int, int]] | None:
    """A closed walk through fractional cells, along a row and a column in turn; None once all cells are whole."""
    in_row = [[j for j, cell in enumerate(row) if cell % FINE] for row in fine]
    in_column = [[i for i, row in enumerate(fine) if row[j] % FINE] for j in range(len(fine[0]))]
    first = next((i for i, places in enumerate(in_row) if places), None)
    if first is None:
        return None
    # Sums are whole, so a row or column with one fractional cell has another: the walk never ends but in a circle.
    walk: list[tuple[int, int]] = []
    row, last_column = first, -1
    seen_rows = {first: 0}
    while True:
        column = next(j for j in in_row[row] if j != last_column)
        walk.append((row, column))
        row_after = next(i for i in in_column[column] if i != row)
        walk.append((row_after, column))
        if row_after in seen_rows:
            return walk[seen_rows[row_after] :]
        row, last_column = row_after, column
        seen_rows[row] = len(walk)

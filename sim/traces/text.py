"""Comma-separated text, plain or gzip, some thousand lines at a time; every cell knows its line."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow.csv import ConvertOptions, ReadOptions, read_csv

from sim import files
from sim.errors import Fault, TraceError
from sim.fields.numbers import how_many

LINES_AT_ONCE = 32_768
MOST_FAULTS = 10
"""At most so many faults are reported; a file of another kind has one in every line."""

Cells = Any
"""An Arrow array of strings."""

fault = partial(files.refusal, TraceError)
open_bytes = partial(files.open_bytes, error=TraceError)
open_text = partial(files.open_text, error=TraceError)


@dataclass(frozen=True, slots=True)
class Lines:
    """Some rows of a file, as columns of text."""

    path: Path
    names: Sequence[str]  # of the columns, by position in the file
    cells: dict[int, Cells]  # wanted columns by position
    line: NDArray[np.int64]  # of each row, the first one of the file is 1

    def __len__(self) -> int:
        return len(self.line)

    def numbers(self, column: int, *, empty: float | None = None) -> NDArray[np.float64]:
        """The column as numbers; an empty cell is *empty*, or an error like any other text."""

        cells = self.cells[column]
        try:  # the quick way reads plain numbers only; both ways round correctly
            found = np.array(cells.cast(pa.float64()))
        except pa.ArrowInvalid:
            found = np.array(pd.to_numeric(self.texts(column), errors="coerce"), dtype=np.float64)
        odd = np.flatnonzero(~np.isfinite(found))
        if odd.size:
            allowed = np.array([empty is not None and not cells[row].as_py().strip() for row in odd])
            self.refuse(column, odd[~allowed], "is not a number", "a finite number is needed")
            found[odd] = empty
        return found

    def texts(self, column: int) -> NDArray[np.object_]:
        """The column as strings."""
        return np.asarray(self.cells[column].to_numpy(zero_copy_only=False))

    def words(self, column: int) -> tuple[NDArray[np.intp], list[str]]:
        """The column as indices into the words in it, in lower case and without blanks around them."""
        found = self.cells[column].dictionary_encode()
        return found.indices.to_numpy().astype(np.intp), [
            str(word).strip().lower() for word in found.dictionary.to_pylist()
        ]

    def refuse(self, column: int, rows: NDArray[np.int_], problem: str, hint: str) -> None:
        """Raises if any rows are given: each with its line, column and value."""
        if not len(rows):
            return
        values = [self.cells[column][int(row)].as_py() for row in rows[:MOST_FAULTS]]
        raise TraceError(
            [
                Fault(
                    field=self.names[column], problem=f"{_show(value)} {problem}", hint=hint, value=value,
                    file=str(self.path), line=int(self.line[row]),
                )
                for row, value in zip(rows, values, strict=False)
            ]
        )  # fmt: skip

    def check(self, column: int, wrong: NDArray[np.bool_], problem: str, hint: str) -> None:
        """Raises if any row is *wrong*."""
        self.refuse(column, np.flatnonzero(wrong), problem, hint)


def _show(cell: str) -> str:
    text = cell.strip()
    return repr(text if len(text) <= 40 else text[:37] + "...") if text else "nothing"


def read_lines(
    stream: TextIO, path: Path, names: Sequence[str], wanted: Sequence[int], *, line: int
) -> Iterator[Lines]:
    """The rest of a file, whose next line has the number *line*, some lines at a time."""
    while texts := list(islice(stream, LINES_AT_ONCE)):
        yield _plain(texts, path, names, wanted, line) or _careful(texts, path, names, wanted, line)
        line += len(texts)


def _plain(texts: list[str], path: Path, names: Sequence[str], wanted: Sequence[int], line: int) -> Lines | None:
    """The fast way, for lines without quotes that all have as many columns as they should, none of them empty; else None."""
    text = "".join(texts)
    if '"' in text:
        return None
    columns = [str(number) for number in range(len(names))]
    kept = [str(number) for number in wanted]
    try:
        table = read_csv(
            pa.py_buffer(text.encode()),
            read_options=ReadOptions(column_names=columns, use_threads=False),
            convert_options=ConvertOptions(
                include_columns=kept, column_types=dict.fromkeys(kept, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:
        return None
    if len(table) != len(texts):
        return None  # it leaves out empty lines
    cells = {column: table[str(column)].combine_chunks() for column in wanted}
    if any(pc.max(pc.binary_length(own)).as_py() > files.MOST_CELL for own in cells.values()):
        return None  # the slow way says where
    return Lines(path, names, cells, np.arange(line, line + len(texts)))


def _careful(texts: list[str], path: Path, names: Sequence[str], wanted: Sequence[int], line: int) -> Lines:
    """The slow way, row by row: for quotes and empty lines, and to find what is wrong."""
    reader = csv.reader(texts, strict=True)
    rows: list[list[str]] = []
    numbers: list[int] = []
    faults: list[Fault] = []
    try:
        for row in reader:
            at = line + reader.line_num - 1
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(names):
                problem = how_many(len(row), "column")
                hint = f"a row has {len(names)}: {', '.join(names)}"
                faults.append(Fault(field="", problem=problem, hint=hint, value=",".join(row), file=str(path), line=at))
                if len(faults) == MOST_FAULTS:
                    break
                continue
            if max(map(len, row)) > files.MOST_CELL:
                raise fault(path, f"a cell is longer than {files.MOST_CELL:,} characters", line=at)
            rows.append(row)
            numbers.append(at)
    except csv.Error as error:
        raise fault(path, f"not a row of a CSV file: {error}", line=line + reader.line_num - 1) from None
    if faults:
        raise TraceError(faults)
    cells = {column: pa.array([row[column] for row in rows], pa.string()) for column in wanted}
    return Lines(path, names, cells, np.array(numbers, dtype=np.int64))

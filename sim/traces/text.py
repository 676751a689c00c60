"""Comma-separated text, plain or gzip, some thousand lines at a time; every cell knows its line."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import numpy as np
from numpy.typing import NDArray

from sim.errors import Fault, TraceError

LINES_AT_ONCE = 32_768
MOST_FAULTS = 10
"""So many faults are told at once; a file of another kind would have one in every line."""

Cells = NDArray[np.object_]


def fault(
    path: Path, problem: str, hint: str = "", *, line: int | None = None, field: str = "", value: object = None
) -> TraceError:
    """The error that tells one fault."""
    return TraceError([Fault(field=field, problem=problem, hint=hint, value=value, file=str(path), line=line)])


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """The file's content, unpacked if it is gzip, whatever its name; what can't be read is the user's to mend."""
    try:
        with path.open("rb") as plain:
            packed = plain.read(2) == b"\x1f\x8b"
            plain.seek(0)
            if packed:
                with gzip.open(plain) as unpacked:
                    yield unpacked  # type: ignore[misc]
            else:
                yield plain
    except FileNotFoundError:
        raise fault(path, "there is no such file") from None
    except IsADirectoryError:
        raise fault(path, "this is a folder", "name the file in it") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise fault(path, f"the gzip file is damaged: {error}", "fetch it again") from None
    except OSError as error:
        raise fault(path, f"it can't be read: {error.strerror or error}") from None


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """The file's text; anything but UTF-8 is refused."""
    with open_bytes(path) as content:
        try:
            yield io.TextIOWrapper(content, encoding="utf-8-sig", newline="")
        except UnicodeDecodeError:
            raise fault(path, "it is not UTF-8 text", "save it as a UTF-8 CSV file, plain or gzip") from None


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
        """The column as numbers; an empty cell is *empty*, or a fault like any other text."""
        import pandas as pd

        cells = self.cells[column]
        found = np.asarray(pd.to_numeric(pd.Series(cells, dtype=object), errors="coerce"), dtype=np.float64).copy()
        odd = ~np.isfinite(found)
        if odd.any():
            bare = np.array([str(cell).strip() for cell in cells[odd]], dtype=object)
            allowed = (bare == "") & (empty is not None)
            self.refuse(column, np.flatnonzero(odd)[~allowed], "is not a number", "a finite number is needed")
            found[odd] = empty
        return found

    def refuse(self, column: int, rows: NDArray[np.int_], problem: str, hint: str) -> None:
        """Raises if any rows are given: each with its line, column and value."""
        if not len(rows):
            return
        faults = [
            Fault(
                field=self.names[column],
                problem=f"{_show(self.cells[column][row])} {problem}",
                hint=hint,
                value=self.cells[column][row],
                file=str(self.path),
                line=int(self.line[row]),
            )
            for row in rows[:MOST_FAULTS]
        ]
        raise TraceError(faults)

    def check(self, column: int, wrong: NDArray[np.bool_], problem: str, hint: str) -> None:
        """Raises if any row is *wrong*."""
        self.refuse(column, np.flatnonzero(wrong), problem, hint)


def _show(cell: object) -> str:
    text = str(cell).strip()
    return repr(text if len(text) <= 40 else text[:37] + "...") if text else "nothing"


def read_lines(
    stream: TextIO,
    path: Path,
    names: Sequence[str],
    wanted: Sequence[int],
    *,
    line: int,
    lines_each: int = LINES_AT_ONCE,
) -> Iterator[Lines]:
    """The rest of a file, whose next line has the number *line*, some lines at a time."""
    while texts := list(islice(stream, lines_each)):
        yield _plain(texts, path, names, wanted, line) or _careful(texts, path, names, wanted, line)
        line += len(texts)


def _plain(texts: list[str], path: Path, names: Sequence[str], wanted: Sequence[int], line: int) -> Lines | None:
    """The fast way, for lines without quotes that all have as many commas as they should; else None."""
    import pandas as pd

    text = "".join(texts)
    if '"' in text or text.count(",") != (len(names) - 1) * len(texts):
        return None
    try:
        table: Any = pd.read_csv(
            io.StringIO(text), header=None, names=list(range(len(names))), usecols=list(wanted), dtype=str,
            keep_default_na=False, na_filter=False, index_col=False, skip_blank_lines=False, engine="c",
        )  # fmt: skip
    except (ValueError, pd.errors.ParserError):
        return None
    if len(table) != len(texts):
        return None
    # A short row and a long one would even out, so the last column must be there in all of them.
    if any(one.count(",") != len(names) - 1 for one in texts):
        return None
    cells = {column: table[column].to_numpy(dtype=object) for column in wanted}
    return Lines(path, names, cells, np.arange(line, line + len(texts)))


def _careful(texts: list[str], path: Path, names: Sequence[str], wanted: Sequence[int], line: int) -> Lines:
    """The slow way, row by row: for quotes, empty lines, and to find what is wrong."""
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
                problem = f"{len(row)} columns"
                hint = f"a row has {len(names)}: {', '.join(names)}"
                faults.append(Fault(field="", problem=problem, hint=hint, value=",".join(row), file=str(path), line=at))
                if len(faults) == MOST_FAULTS:
                    break
                continue
            rows.append(row)
            numbers.append(at)
    except csv.Error as error:
        raise fault(path, f"not a row of a CSV file: {error}", line=line + reader.line_num - 1) from None
    if faults:
        raise TraceError(faults)
    cells = {column: np.array([row[column] for row in rows], dtype=object) for column in wanted}
    return Lines(path, names, cells, np.array(numbers, dtype=np.int64))

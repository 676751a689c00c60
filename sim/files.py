"""The one door for files that users give us: bounded, and every refusal in words.

What goes wrong in a library (csv, json, gzip, codecs) or in the machine while a file is read becomes an `InputError` of
the reader's own kind, with the file and, where it is known, the line. Bounds keep a hostile file (a gzip bomb, a line
without end, a device) from filling the memory.
"""

import csv
import gzip
import io
import json
import math
import os
import re
import secrets
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from sim.errors import Fault, FaultyInput, InputError

MOST_WHOLE = 256 * 2**20  # bytes of a file that is read at once (JSON, TOML), unpacked
MOST_LINE = 2**20  # bytes of a line of a table
MOST_CELL = 32_767  # characters of a cell, as in a spreadsheet
MOST_RATIO = 200  # bytes unpacked for each byte of gzip; tables reach about 30
FREE_UNPACKED = 64 * 2**20  # bytes below which no ratio is asked about

ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+):(/+)(.*)", re.DOTALL | re.IGNORECASE)
"""An address in a store: kind, slashes, the rest; `Path` makes one slash of several, and one letter is a drive."""

Error = type[InputError]
CsvRows = Iterator[tuple[int, list[str]]]


def refusal(
    error: Error,
    path: str | Path,
    problem: str,
    hint: str = "",
    *,
    line: int | None = None,
    field: str = "",
    value: object = None,
) -> InputError:
    """An error of the reader's kind for one fault of a file."""
    fault = Fault(field=field, problem=problem, hint=hint, value=value, file=str(path), line=line)
    return error([fault]) if issubclass(error, FaultyInput) else error(str(fault))


def near_file(path: str | Path) -> str:
    """What may have been meant by the name of a file that isn't there: the nearest one in its folder, else some of its kind."""
    path = Path(path)
    if ADDRESS.fullmatch(str(path)):
        return "it is read from a path here, not from an address"
    try:
        there = sorted(each.name for each in path.parent.iterdir() if each.suffix == path.suffix)
    except (OSError, ValueError):
        return ""
    near = get_close_matches(path.name, there, n=1, cutoff=0.6)
    if near:
        return f'did you mean "{path.parent / near[0]}"?'
    return f"there is {', '.join(str(path.parent / name) for name in there[:5])}" if there else ""


@contextmanager
def refused_in_words(path: str | Path, error: Error) -> Iterator[None]:
    """While a file is read: errors of the libraries and of the machine become *error*."""
    try:
        yield
    except FileNotFoundError:
        raise refusal(error, path, "there is no such file", near_file(path)) from None
    except IsADirectoryError:
        raise refusal(error, path, "this is a folder", "name the file in it") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as wrong:
        raise refusal(error, path, f"the gzip file is damaged: {wrong}", "fetch it again") from None
    except UnicodeError:
        raise refusal(error, path, "it is not UTF-8 text", "save it as UTF-8") from None
    except json.JSONDecodeError as wrong:
        raise refusal(error, path, f"it is not JSON: {wrong.msg}", line=wrong.lineno) from None
    except NoJson as wrong:
        raise refusal(error, path, f"it is not JSON: {wrong}") from None
    except csv.Error as wrong:
        raise refusal(error, path, f"it is not a CSV table: {wrong}") from None
    except RecursionError:
        raise refusal(error, path, "it is nested too deeply") from None
    except OSError as wrong:
        raise refusal(error, path, f"it can't be read: {wrong.strerror or wrong}") from None


def check_regular(path: Path, error: Error, *, most: int | None = None) -> None:
    """Refuse a device or a pipe before it is opened (a FIFO would wait), and a file of more than *most* bytes."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
        raise refusal(error, path, "this is no regular file", "save the content in a file, and give that")
    if most is not None and found.st_size > most:
        raise refusal(error, path, f"it holds more than {most:,} bytes")


@contextmanager
def open_bytes(path: Path, error: Error, *, most_line: int | None = None) -> Iterator[BinaryIO]:
    """A file's content, unpacked if it is gzip, whatever its name; no line of it is longer than *most_line* bytes."""
    with refused_in_words(path, error):
        check_regular(path, error)
        with path.open("rb") as plain:
            packed = plain.read(2) == b"\x1f\x8b"
            plain.seek(0)
            source = gzip.GzipFile(fileobj=plain) if packed else plain
            size = path.stat().st_size
            most = max(FREE_UNPACKED, MOST_RATIO * size) if packed else None
            with io.BufferedReader(_Bounded(source, path, error, most, most_line), 2**18) as bounded:
                yield bounded


@contextmanager
def open_text(path: Path, error: Error, *, most_line: int | None = MOST_LINE) -> Iterator[TextIO]:
    """A file's text with its own line ends: UTF-8, or UTF-16 with a byte-order mark; plain or gzip."""
    with open_bytes(path, error, most_line=most_line) as content:
        marked = content.peek(2)[:2] in (b"\xff\xfe", b"\xfe\xff")  # type: ignore[attr-defined]
        yield io.TextIOWrapper(content, encoding="utf-16" if marked else "utf-8-sig", newline="")


def read_text(path: Path, error: Error, *, most: int = MOST_WHOLE) -> str:
    """The whole text of a file of at most *most* bytes."""
    with open_text(path, error, most_line=None) as stream:
        text = stream.read(most + 1)
        if len(text) > most:
            raise refusal(error, path, f"it holds more than {most:,} characters")
        return text


class NoJson(ValueError):
    """JSON that no reader takes, whatever its grammar says."""


def read_json(path: Path, error: Error) -> Any:
    """The JSON value in a file; numbers are finite."""
    with refused_in_words(path, error):
        return parse_json(read_text(path, error))


def parse_json(text: str) -> Any:
    """A JSON value, its numbers finite; ValueError says what is wrong, however it is wrong."""
    try:
        return json.loads(text, parse_constant=_no_constant, parse_float=_finite, parse_int=_whole)
    except RecursionError:
        raise NoJson("it is nested too deeply") from None


def json_items(path: Path, error: Error) -> Iterator[Any]:
    """The items of a JSON list, or of the list `value` or `data` of an object, one after the other: the list itself is never held."""
    text = read_text(path, error)
    read = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite, parse_int=_whole).raw_decode
    skip = re.compile(r"[\s,:]*").match

    def after(place: int) -> int:
        found = skip(text, place)
        return found.end() if found else place

    with refused_in_words(path, error):
        at = after(0)
        if text[at : at + 1] == "{":
            key, at = "", at + 1
            while key not in ("value", "data"):
                if key:
                    _, at = read(text, after(at))
                key, at = read(text, after(at))
                key = str(key).lower()
            at = after(at)
        if text[at : at + 1] != "[":
            raise json.JSONDecodeError("no list is in it", text, at)
        at = after(at + 1)
        while text[at : at + 1] != "]":
            item, at = read(text, at)
            yield item
            at = after(at)


def csv_rows(stream: TextIO, path: Path, error: Error, *, delimiter: str = ",") -> CsvRows:
    """The rows of a table, each with the number of the line on which it begins; rows without any text are left out."""
    reader = csv.reader(stream, delimiter=delimiter)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error as wrong:
            raise refusal(error, path, f"not a row of a CSV table: {wrong}", line=line) from None
        if row is None:
            return
        if max(map(len, row), default=0) > MOST_CELL:
            raise refusal(error, path, f"a cell is longer than {MOST_CELL:,} characters", line=line)
        if any(cell.strip() for cell in row):
            yield line, row


@contextmanager
def open_table(path: Path, error: Error, *, delimiter: str = ",") -> Iterator[tuple[int, list[str], CsvRows]]:
    """A file's table: the line of its header and the names in it, and `csv_rows` of the rest."""
    with open_text(path, error) as text:
        rows = csv_rows(text, path, error, delimiter=delimiter)
        yield *next(rows, (1, [])), rows


@contextmanager
def writing_whole(path: Path, *, sync: bool = True) -> Iterator[BinaryIO]:
    """A file that is there whole or not at all when the block ends; a symbolic link is followed to the file it names.

    With *sync* also after a power cut.
    """
    place = Path(os.path.realpath(path))
    half = place.with_name(f".{place.name[:100]}.{secrets.token_hex(8)}")
    try:
        with half.open("xb") as stream:  # "x": never through what stands there
            yield stream
            if sync:
                stream.flush()
                os.fsync(stream.fileno())
        half.replace(place)
    except BaseException as wrong:
        if isinstance(wrong, OSError) and str(wrong.filename) == str(half):
            wrong.filename = str(path)  # the file that was asked for
        half.unlink(missing_ok=True)
        raise


def write_whole(path: Path, content: str | bytes, *, sync: bool = True) -> None:
    """`writing_whole` of one content."""
    with writing_whole(path, sync=sync) as stream:
        stream.write(content.encode() if isinstance(content, str) else content)


class _Bounded(io.RawIOBase):
    """Passes bytes on, and refuses too many of them, or a line without end."""

    def __init__(self, source: Any, path: Path, error: Error, most: int | None, most_line: int | None) -> None:
        self.source, self.path, self.error = source, path, error
        self.most, self.most_line = most, most_line
        self.passed = self.since_line_end = self.lines = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk = self.source.read(len(buffer))
        buffer[: len(chunk)] = chunk
        self.passed += len(chunk)
        if self.most is not None and self.passed > self.most:
            problem = f"the gzip file unpacks to more than {self.most:,} bytes, {MOST_RATIO} times its size"
            raise refusal(self.error, self.path, problem, "unpack it first, if it is meant so")
        if self.most_line is not None:
            self._count_lines(chunk)
        return len(chunk)

    def _count_lines(self, chunk: bytes) -> None:
        last = max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
        self.since_line_end = len(chunk) - last - 1 if last >= 0 else self.since_line_end + len(chunk)
        ends = chunk.count(b"\n")
        assert self.most_line is not None
        if self.since_line_end > self.most_line:
            problem = f"line {self.lines + ends + 1} is longer than {self.most_line:,} bytes"
            raise refusal(self.error, self.path, problem, "a table has a row a line")
        self.lines += ends


def _no_constant(constant: str) -> float:
    raise NoJson(f"{constant} is not a number that JSON knows")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise NoJson(f"{digits[:40]} is too large a number")
    return number


def _whole(digits: str) -> int:
    if len(digits) > 300:  # not a float any more
        raise NoJson(f"a number of {len(digits)} digits is too large")
    return int(digits)

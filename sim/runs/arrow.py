"""Columns of Arrow tables from numpy arrays and texts, and back, without pandas, which pyarrow would load to ask it for its types."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

TYPES = {"float64": pa.float64(), "int64": pa.int64(), "int32": pa.int32()}
MANY = 20_000  # rows
NAMES = {kind: name for name, kind in TYPES.items()}


def numbers(values: NDArray[Any], known: NDArray[np.bool_] | None = None) -> pa.Array:
    """A column of numbers, as they lie in memory; where they aren't *known* there is none."""
    values = np.ascontiguousarray(values)
    valid = None if known is None or known.all() else _bits(known)
    return pa.Array.from_buffers(TYPES[values.dtype.name], len(values), [valid, pa.py_buffer(values)])


def texts(values: Sequence[str | None]) -> pa.Array:
    """A column of texts."""
    known = np.array([value is not None for value in values], dtype=np.bool_)
    parts = [value or "" for value in values]
    whole = "".join(parts)
    if not whole.isascii():
        parts = [part.encode() for part in parts]  # type: ignore[misc]  # what counts is bytes
    ends = np.zeros(len(parts) + 1, dtype=np.int32)
    np.cumsum(np.fromiter(map(len, parts), dtype=np.int32, count=len(parts)), out=ends[1:])
    buffers = [None if known.all() else _bits(known), pa.py_buffer(ends), pa.py_buffer(whole.encode())]
    return pa.Array.from_buffers(pa.string(), len(parts), buffers)


def words(places: NDArray[np.int32], values: Sequence[str]) -> pa.DictionaryArray:
    """A column of few texts: the place of each row's text among *values*; below 0: none."""
    return pa.DictionaryArray.from_arrays(numbers(places, places >= 0), texts(values))


def texts_of(places: NDArray[np.int32], values: Sequence[str]) -> pa.Array:
    """A column of texts, few of which differ: the place of each row's text among *values*."""
    if len(places) < MANY:  # start-up: to decode loads pyarrow.compute
        return texts([values[place] for place in places.tolist()])
    return words(places, values).dictionary_decode()


def as_numbers(column: pa.Array) -> NDArray[Any]:
    """The numbers of a column; NaN where there is none."""
    name = NAMES.get(column.type)
    if name is None or column.buffers()[1] is None:
        found: NDArray[Any] = column.to_numpy(zero_copy_only=False)
        return found
    values = np.frombuffer(column.buffers()[1], dtype=name)[column.offset : column.offset + len(column)]
    return np.where(_known(column), values, np.nan) if column.null_count else values


def as_words(column: pa.Array) -> tuple[NDArray[np.int32], list[str]]:
    """A column of texts as places and the texts that stand there; where there is none, ""."""
    coded = column if isinstance(column, pa.DictionaryArray) else column.dictionary_encode()
    values = [*coded.dictionary.to_pylist(), ""]
    places = as_numbers(coded.indices)
    return np.where(np.isnan(places), len(values) - 1, places).astype(np.int32), values


def _known(column: pa.Array) -> NDArray[np.bool_]:
    bits = np.unpackbits(np.frombuffer(column.buffers()[0], dtype=np.uint8), bitorder="little")
    return bits[column.offset : column.offset + len(column)].astype(np.bool_)


def _bits(known: NDArray[np.bool_]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(known, bitorder="little"))

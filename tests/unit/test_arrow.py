"""Columns of Arrow tables hold what they were made from."""

from __future__ import annotations

import numpy as np
import pytest

from sim.runs import arrow


@pytest.mark.parametrize("kind", [np.float64, np.int64, np.int32])
def test_numbers_keep_their_bits_and_their_gaps(kind: type):
    """A table that is written and read again is the same; 9 rows, so that the mask takes a second byte."""
    values = np.arange(18, dtype=kind)[::2]
    assert arrow.numbers(values).to_pylist() == values.tolist()
    known = np.arange(9) % 3 > 0
    assert arrow.numbers(values, known).to_pylist() == [v if k else None for v, k in zip(values, known, strict=True)]
    assert arrow.numbers(values[:0]).to_pylist() == []


def test_texts_keep_every_letter():
    """Offsets count bytes, not letters."""
    for texts in (["a", "", "bcd"], ["dév", "", "\N{SNOWMAN}x", None], [None], []):
        column = arrow.texts(texts)
        column.validate(full=True)
        assert column.to_pylist() == texts


def test_words_are_values_by_their_place():
    """Few texts on many rows are kept once."""
    column = arrow.words(np.array([1, 0, -1, 1], dtype=np.int32), ["on", "off"])
    column.validate(full=True)
    assert column.to_pylist() == ["off", "on", None, "off"]
    assert len(column.dictionary) == 2

"""Doubly linked lists of rows, in flat sequences of whole numbers: lists for SimPy, arrays for the compiled engine."""

from collections.abc import MutableSequence
from typing import NamedTuple

Cells = MutableSequence[int]  # a list, or an array


class Links(NamedTuple):
    """Some lists of one kind of rows; a row is in one of them, or in none."""

    before: Cells  # by row: the one before it in its list, or -1
    after: Cells
    first: Cells  # by list: its first row, or -1
    last: Cells


def append(links: Links, to: int, row: int) -> None:
    """Put a row at the end of a list."""
    last = links.last[to]
    links.before[row] = last
    links.after[row] = -1
    if last >= 0:
        links.after[last] = row
    else:
        links.first[to] = row
    links.last[to] = row


def remove(links: Links, of: int, row: int) -> None:
    """Take a row out of its list."""
    before, after = links.before[row], links.after[row]
    if before >= 0:
        links.after[before] = after
    else:
        links.first[of] = after
    if after >= 0:
        links.before[after] = before
    else:
        links.last[of] = before


RULES = (append, remove)


def empty_lists(lists: int, rows: int = 0) -> Links:
    """So many lists without a row, of so many rows."""
    return Links(before=[-1] * rows, after=[-1] * rows, first=[-1] * lists, last=[-1] * lists)

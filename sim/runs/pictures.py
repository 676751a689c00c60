"""What results and answers share in a notebook: a picture on axes of the user's, and a short table."""

from collections.abc import Iterable, Sequence
from html import escape
from importlib import import_module
from typing import Any

DRAWS = "sim.report.inline"
"""The report lies above the packages whose answers it draws: it is named here, and loaded when a picture is asked for."""


class Pictured:
    """An answer that draws itself."""

    def plot(self, *what: str, ax: Any = None) -> Any:
        """Draw the answer onto *ax* (matplotlib's `Axes`; None: new ones) and return the axes.

        *what* is a metric, or of a comparison the name of a variant. Nothing of matplotlib's settings is changed. Raises InputError for
        a metric or a variant that there isn't.
        """
        return import_module(DRAWS).draw(self, *what, ax=ax)

    figure = plot


def html_rows(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A small table for notebooks, words in its first column and figures in the others."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(
        f"<tr><td>{escape(first)}</td>"
        + "".join(f"<td style='text-align:right'>{escape(cell)}</td>" for cell in rest)
        + "</tr>"
        for first, *rest in rows
    )
    return f"<table><caption>{escape(caption)}</caption><tr>{head}</tr>{body}</table>"

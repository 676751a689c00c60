"""Tables for notebooks and scripts as pandas frames."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

# start-up: pandas takes 0.5 s to import, and only frames need it
if TYPE_CHECKING:
    from pandas import DataFrame
else:
    DataFrame = Any

__all__ = ["DataFrame", "frame"]


def frame(rows: Iterable[Any], columns: Sequence[str] | None = None) -> DataFrame:
    """A frame of rows, each a mapping from column to value, or a sequence of values for *columns*."""
    import pandas as pd

    return pd.DataFrame(list(rows), columns=None if columns is None else list(columns))

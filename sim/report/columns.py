"""Parquet files of a result folder as columns of numbers and names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sim.errors import ResultError


def column(table: Any, name: str) -> Any:
    """One column of an Arrow table as numpy values; text comes as (codes, names)."""
    import pyarrow as pa

    values = table.column(name).combine_chunks()
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        values = values.dictionary_encode()
    if pa.types.is_dictionary(values.type):
        names = [*values.dictionary.to_pylist(), ""]  # a null reads as no name
        return values.indices.fill_null(len(names) - 1).to_numpy(zero_copy_only=False), names
    return values.to_numpy(zero_copy_only=False)


def read_table(path: Path, columns: tuple[str, ...]) -> Any | None:
    """Columns of a Parquet file of the folder as an Arrow table; None when the folder has no such file."""
    if not path.exists():
        return None
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Not `pq.read_table`: that one imports pyarrow.dataset, which takes longer than the rest of the reading.
        with pq.ParquetFile(path) as file:
            missing = [name for name in columns if name not in file.schema_arrow.names]
            if missing:
                raise ResultError(f"{path}: has no column {', '.join(missing)}")
            return file.read(columns=list(columns))
    except (pa.ArrowException, OSError) as error:
        raise ResultError(f"{path}: not a table with columns {', '.join(columns)}: {error}") from error

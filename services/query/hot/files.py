"""One file of readings as a run, with the latest row of each of its series."""

from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import fs

from services.query.hot.newest import newest_of
from services.query.hot.numbering import Numbering
from services.query.hot.runs import NOTHING, NUMBER, RECORD, TEXT, TRUTH, Columns, Run, ordered
from services.query.rows import READING_COLUMNS

SERIES = ("tenant", "device_full", "metric")
_TEXTS = (*SERIES, "boot", "value_text")
_COLUMNS = (*SERIES, *READING_COLUMNS)
_BESIDE = ("product", "lat", "lng")
"""What the latest rows say as well."""
_NEVER_NULL = (*SERIES, "boot", "seq", "event_time_us")


class FileRows(NamedTuple):
    """All rows of a file, and the latest of each series that has a value."""

    run: Run
    newest: pl.DataFrame


def rows_of(
    store: fs.FileSystem, path: str, number: int, newest: int, names: Numbering
) -> FileRows | None:
    """Read a file; None if its rows are not such that a run can say all of them.

    Raise FileNotFoundError if a rewrite was faster.
    """
    with store.open_input_file(path) as source:
        file = pq.ParquetFile(source, read_dictionary=[*_TEXTS, "product"])
        there = set(file.schema_arrow.names)
        if not set(_COLUMNS) <= there:
            return None
        beside = [name for name in _BESIDE if name in there]
        rows = file.read(columns=[*_COLUMNS, *beside], use_threads=False)
    rows = rows.unify_dictionaries().combine_chunks()
    if not len(rows) or any(rows.column(name).null_count for name in _NEVER_NULL):
        return None
    columns = _columns(rows, number, names)
    if columns is None:
        return None
    records = columns.records
    order = np.lexsort((records["seq"], records["time"], columns.series))
    run = ordered(columns, [number], newest, order=order)
    return FileRows(run, newest_of(rows, columns, order))


def _columns(rows: pa.Table, number: int, names: Numbering) -> Columns | None:
    values = _values(rows)
    if values is None:
        return None
    boots = rows.column("boot").chunk(0)
    texts = rows.column("value_text").chunk(0)
    records = np.empty(len(rows), RECORD)
    records["time"] = rows.column("event_time_us").to_numpy()
    records["seq"] = rows.column("seq").to_numpy()
    records["boot"] = boots.indices.to_numpy()
    records["file"] = number
    records["kind"], records["value"] = values
    words = pa.concat_arrays([_plain(boots.dictionary), _plain(texts.dictionary)])
    is_text = records["kind"] == TEXT
    records["value"][is_text] += len(boots.dictionary)
    return Columns(records, names.numbers(rows), words)


def _values(rows: pa.Table) -> tuple[np.ndarray, np.ndarray] | None:
    """Return kinds and values, None if a row has two; a text is its number in the dictionary."""
    kinds, values = np.full(len(rows), NOTHING, np.uint8), np.full(len(rows), np.nan)
    texts = rows.column("value_text").chunk(0).indices
    for kind, column in (
        (NUMBER, rows.column("value")),
        (TEXT, texts),
        (TRUTH, rows.column("value_bool")),
    ):
        is_there = (
            pc.is_valid(column).to_numpy(zero_copy_only=False)
            if isinstance(column, pa.Array)
            else column.is_valid().to_numpy()
        )
        if kinds[is_there].any():
            return None
        kinds[is_there] = kind
        values[is_there] = column.drop_null().cast(pa.float64()).to_numpy()
    return kinds, values


def _plain(words: pa.Array) -> pa.Array:
    return words.cast(pa.string())

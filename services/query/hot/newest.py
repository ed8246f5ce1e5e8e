"""The latest row of each series of a file: found as it is read, kept until somebody takes it."""

import threading

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from services.query.hot.runs import NOTHING, Columns
from services.query.hot.view import Place
from services.query.latest_rows import PLACED

MOST_ROWS = 128 * 1024
NAMES = {name: name for name in PLACED} | {
    "at": "event_time_us",
    "number": "value",
    "text": "value_text",
    "truth": "value_bool",
}
"""The columns of a latest row, each with the name that readings have for it."""


class Newest:
    """Latest rows by file, taken once; where there is no room for all, the first go first."""

    def __init__(self, most_rows: int = MOST_ROWS) -> None:
        self._most = most_rows
        self._of: dict[Place, pl.DataFrame] = {}
        self._lock = threading.Lock()

    def put(self, place: Place, rows: pl.DataFrame) -> None:
        """Keep a file's rows."""
        with self._lock:
            self._of[place] = rows
            while sum(map(len, self._of.values())) > self._most:
                del self._of[next(iter(self._of))]

    def take(self, place: Place) -> pl.DataFrame | None:
        """Return a file's rows, and keep them no longer; None where they are not kept."""
        with self._lock:
            return self._of.pop(place, None)

    def forget(self, table: str) -> None:
        """Keep no rows of a table."""
        with self._lock:
            self._of = {place: rows for place, rows in self._of.items() if place[0] != table}


def newest_of(rows: pa.Table, columns: Columns, order: NDArray[np.int64]) -> pl.DataFrame:
    """Return the last row of each series that has a value, by the order of the records."""
    valued = order[columns.records["kind"][order] != NOTHING]
    series = columns.series[valued]
    places = valued[np.flatnonzero(np.diff(series, append=series[-1:] + 1))]
    there = [name for name in NAMES.values() if name in rows.column_names]
    found = pl.from_arrow(rows.select(there).take(pa.array(places)))
    assert isinstance(found, pl.DataFrame)
    missing = [pl.lit(None).alias(name) for name in NAMES.values() if name not in there]
    wanted = [pl.col(old).cast(PLACED[new]).alias(new) for new, old in NAMES.items()]
    return found.with_columns(missing).select(wanted)

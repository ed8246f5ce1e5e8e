"""Marks in ops.restatements: set by who changes rows of silver, cleared by the owner of gold."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

import polars as pl

from spark_jobs.commit_info import Txn
from spark_jobs.lake import Lake
from spark_jobs.table_files import Change
from spark_jobs.transforms.marks import WINDOWS
from telemetry.tables import RESTATEMENTS

LATE_ROWS = "late"
REPLAYED_ROWS = "replayed"
"""Of rejected messages that pass now."""
MERGED = (LATE_ROWS, REPLAYED_ROWS)
"""Reasons of rows that were added: gold merges them with the batch that reads them."""
_WHOLE = ["mark_id", *WINDOWS]
NEVER = -1
"""Version of a table that a mark does not wait for."""


class Versions(NamedTuple):
    """Versions of silver.readings and silver.late that hold what a mark is for."""

    readings: int = NEVER
    late: int = NEVER


class Mark(NamedTuple):
    """What marks that are set in one go share; without versions they are an intention."""

    mark_id: str
    reason: str
    marked_at: datetime
    versions: Versions | None = None


class Restatements:
    """The table of marks; read again only when it has changed."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._version = -1
        self._marks = pl.DataFrame()

    def mark(self, windows: pl.DataFrame, mark: Mark, txn: Txn | None = None) -> None:
        """Mark windows, given as `transforms.marks` gives them."""
        if windows.is_empty():
            return
        readings, late = mark.versions or (None, None)
        rows = windows.with_columns(
            mark_id=pl.lit(mark.mark_id),
            readings_version=pl.lit(readings, pl.Int64),
            late_version=pl.lit(late, pl.Int64),
            reason=pl.lit(mark.reason),
            marked_at=pl.lit(mark.marked_at),
        )
        self._lake.append(RESTATEMENTS, rows.select(RESTATEMENTS.column_names), txn)

    def marks(self) -> pl.DataFrame:
        """Return all that is marked."""
        version = self._lake.table(RESTATEMENTS).version()
        if version != self._version:
            self._marks = self._lake.scan(RESTATEMENTS).collect()
            self._version = version
        return self._marks

    def clear(self, marks: pl.DataFrame) -> None:
        """Take marks away; marks that came meanwhile stay."""
        ids = marks.select("mark_id").unique()
        if ids.height:
            self._replace(ids, ())

    def of_no_version(self, newest: Callable[[], Versions]) -> pl.DataFrame:
        """Return the marks that wait for versions which silver has not: of one that is gone.

        `newest` is asked once the marks are known: who marks has changed silver before.
        """
        marks = self.marks()
        readings, late = newest()
        return marks.filter(
            (pl.col("readings_version") > readings) | (pl.col("late_version") > late)
        )

    def waiting(self, reason: str) -> pl.DataFrame:
        """Return the intentions of a reason: their change is not in yet."""
        is_waiting = pl.col("readings_version").is_null() & (pl.col("reason") == reason)
        return self.marks().filter(is_waiting)

    def settle(self, reason: str, versions: Versions, only: pl.DataFrame | None = None) -> None:
        """Turn the intentions of a reason into marks: their change is in by these versions.

        Those that are not in `only` go on waiting.
        """
        marks, meant = self.marks(), self.waiting(reason)
        if only is not None:
            meant = meant.join(only, on=_WHOLE, how="semi")
        if meant.height:
            ids = meant.select("mark_id").unique()
            settled = meant.with_columns(
                # Those that go on waiting keep the id, by which marks are cleared.
                mark_id=pl.col("mark_id") + f"/{versions.readings}",
                readings_version=pl.lit(versions.readings, pl.Int64),
                late_version=pl.lit(versions.late, pl.Int64),
            )
            others = marks.join(ids, on="mark_id", how="semi").join(meant, on=_WHOLE, how="anti")
            self._replace(ids, (settled, others))

    def _replace(self, ids: pl.DataFrame, frames: tuple[pl.DataFrame, ...]) -> None:
        change = Change(frames, ids, pl.lit(value=True))
        self._lake.update(RESTATEMENTS, lambda _: change, None)

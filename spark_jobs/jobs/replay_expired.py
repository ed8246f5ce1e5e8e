"""What a replay leaves out: rows that retention has dropped, or is about to, by their class."""

from dataclasses import dataclass
from datetime import date

import polars as pl

from spark_jobs.jobs.partitions import born_on, date_column, held_since, is_expired
from spark_jobs.lake import Lake
from telemetry.tables import READINGS, Table


@dataclass(frozen=True, slots=True)
class Expired:
    """The rule of the job `retention`, for rows made anew as for those that are held."""

    main: Lake
    today: date

    def kept(self, table: Table, rows: pl.LazyFrame, lake: Lake) -> pl.LazyFrame:
        """Return rows of a table of silver without those in expired partitions of a lake."""
        gone = self._files(table, lake).select(table.partition_by).unique()
        return rows.join(gone.lazy(), on=list(table.partition_by), how="anti")

    def rows(self, table: Table, lake: Lake) -> int:
        """Return how many rows a lake has in expired partitions of a table of silver."""
        return int(self._files(table, lake)["num_records"].sum())

    def kept_windows(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Return windows of gold without those whose readings have expired."""
        starts = pl.col("window_start").dt.date()
        days = rows.select("retention_class", starts.alias("event_date")).unique().collect()
        gone = days.filter(self._is_expired(READINGS, days))
        return rows.join(
            gone.lazy(), left_on=["retention_class", starts], right_on=gone.columns, how="anti"
        )

    def _files(self, table: Table, lake: Lake) -> pl.DataFrame:
        names = {f"partition.{name}": name for name in table.partition_by}
        files = lake.files(table).rename(names)
        return files.filter(self._is_expired(table, files))

    def _is_expired(self, table: Table, partitions: pl.DataFrame) -> pl.Series:
        dated, born = date_column(table), born_on(self.main, table)
        assert dated is not None
        return pl.Series(
            [
                is_expired(table, kept, held_since(kept, row[dated], born), self.today)
                for row in partitions.iter_rows(named=True)
                for kept in [row.get("retention_class")]
            ],
            dtype=pl.Boolean,
        )

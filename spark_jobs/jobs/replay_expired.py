"""What a replay leaves out: rows that retention has dropped, or is about to, by their class."""

from dataclasses import dataclass
from datetime import date

import polars as pl

from spark_jobs.jobs.partitions import born_on, date_column, held_since, is_expired
from spark_jobs.lake import Lake
from spark_jobs.transforms import routes
from spark_jobs.transforms.judgement import Judgement
from telemetry.tables import LATE, READINGS, Table


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

    def messages(self, found: Judgement, heads: pl.DataFrame) -> pl.DataFrame:
        """Return the heads of messages whose readings would land in expired partitions."""
        classes = routes.frame_of(found.messages.select(["retention_class"]))
        placed = heads.with_columns(
            classes["retention_class"].gather(heads["row"]),
            event_date=pl.col("event_time").dt.date(),
        )
        gone = [heads.clear()]
        for table, is_late in ((READINGS, False), (LATE, True)):
            mine = placed.filter(pl.col("is_late") == is_late)
            days = mine.select(table.partition_by).unique()
            expired = days.filter(self._is_expired(table, days))
            gone.append(mine.join(expired, on=expired.columns, how="semi").select(heads.columns))
        return pl.concat(gone)

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

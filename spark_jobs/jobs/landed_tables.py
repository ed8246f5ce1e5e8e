"""Bronze and silver as they were at one moment, an hour of Kafka time at a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import polars as pl
from deltalake import DeltaTable

from spark_jobs import table_files
from spark_jobs.jobs.landed_until import Partition, in_flight
from spark_jobs.jobs.looked_at import Looked, look
from spark_jobs.lake import Lake
from spark_jobs.row_files import scan_files
from spark_jobs.transforms.offsets import Offsets, within
from telemetry.accounts import PAGE_HEADER
from telemetry.tables import CONFLICTS, DUPLICATES, LATE, MESSAGES, READINGS, REJECTED, Table

HOUR = timedelta(hours=1)
SILVER = (READINGS, LATE, REJECTED, DUPLICATES, CONFLICTS)
ONE_ROW_A_MESSAGE = (REJECTED, DUPLICATES, CONFLICTS)
_ITEM = ("topic", "partition", "offset", "item")
_ROUNDED = timedelta(milliseconds=1)
"""Spark cuts the times in a file's statistics to milliseconds."""
_COMMITS = 1000


@dataclass(frozen=True, slots=True)
class LandedTables:
    """Files of each table, pinned; `open_offsets` are those of a batch that is not whole yet."""

    files: Mapping[Table, pl.DataFrame]
    looked: Mapping[Table, Looked]
    roots: Mapping[Table, str]
    open_offsets: Offsets

    def hours(self) -> pl.DataFrame:
        """Return each `hour` that bronze may hold, and when a file of it was `written` last."""
        spans = [hours_of(files) for files in self.files.values()]
        bronze = hours_of(self.files[MESSAGES]).select(pl.col("hour").unique())
        written = pl.concat(spans).group_by("hour").agg(pl.col("written").max())
        return written.join(bronze, on="hour", how="semi").sort("hour")

    def beside_bronze(self) -> set[datetime]:
        """Return the hours that silver may hold, and bronze does not."""
        every = pl.concat(hours_of(files) for files in self.files.values())["hour"]
        return {*every.unique()} - {*self.hours()["hour"]}

    def places(self, hour: datetime) -> list[Partition]:
        """Return the partitions of which any table has messages of an hour."""
        rows = pl.concat(self._rows(table, hour).select(_ITEM[:2]) for table in self.files)
        return rows.unique().sort(_ITEM[:2]).collect(engine="streaming").rows()

    def newest(self, since: datetime) -> dict[Partition, datetime]:
        """Return the newest Kafka time of each partition with a record since a moment."""
        rows = self._settled(self._near(MESSAGES, pl.col("max.kafka_time") >= since))
        at = rows.group_by(_ITEM[:2]).agg(pl.col("kafka_time").max()).collect(engine="streaming")
        return {(topic, partition): newest for topic, partition, newest in at.iter_rows()}

    def ends(self, hour: datetime) -> pl.DataFrame:
        """Return how many messages bronze has of an hour, and between which offsets."""
        by_partition = self.records(hour).group_by(_ITEM[:2])
        offset = pl.col("offset")
        sums = by_partition.agg(
            pl.col("items").cast(pl.Int64).sum(), first=offset.min(), last=offset.max()
        )
        return sums.sort(_ITEM[:2]).collect(engine="streaming")

    def is_open(self, hour: datetime) -> bool:
        """Tell whether records of an hour are of a batch that is not whole yet."""
        if not self.open_offsets:
            return False
        mine = self._at(MESSAGES, hour).filter(within(self.open_offsets)).head(1)
        return not mine.collect(engine="streaming").is_empty()

    def records(self, hour: datetime) -> pl.LazyFrame:
        """Return the records of bronze of an hour."""
        return self._rows(MESSAGES, hour).select(*_ITEM[:3], "items")

    def pages(self, hour: datetime) -> dict[str, int]:
        """Return how many records of an hour name each page of a gateway's account."""
        page = pl.col("headers").map.get(PAGE_HEADER).alias("page")
        named = self._rows(MESSAGES, hour).select(page).drop_nulls()
        counted = named.group_by("page").len().with_columns(pl.col("page").cast(pl.String))
        found = counted.collect(engine="streaming")
        return dict(found.iter_rows())

    def messages(self, table: Table, hour: datetime) -> pl.LazyFrame:
        """Return the messages that a table of silver holds of an hour."""
        rows = self._rows(table, hour)
        if table is not READINGS:
            rows = rows.filter(pl.col("replayed_at").is_null())
        places = rows.select(_ITEM)
        return places if table in ONE_ROW_A_MESSAGE else places.unique()

    def _rows(self, table: Table, hour: datetime) -> pl.LazyFrame:
        return self._settled(self._at(table, hour))

    def _at(self, table: Table, hour: datetime) -> pl.LazyFrame:
        from_, until = pl.col("max.kafka_time"), pl.col("min.kafka_time")
        near = (from_ >= hour - _ROUNDED) & (until < hour + HOUR)
        at = pl.col("kafka_time")
        return self._near(table, near).filter(at >= hour, at < hour + HOUR)

    def _settled(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Return rows but those of a batch that is not whole."""
        return rows.filter(~within(self.open_offsets)) if self.open_offsets else rows

    def _near(self, table: Table, near: pl.Expr) -> pl.LazyFrame:
        files = self.files[table].filter(near.fill_null(value=True))
        if files.is_empty():
            return _nothing()
        paths = [f"{self.roots[table]}/{unquote(path)}" for path in files["path"]]
        return scan_files(paths, table)


def landed_tables(lake: Lake, checkpoints: Path) -> LandedTables:
    """Pin the tables: bronze first, so that what it holds and is whole is in silver."""
    files: dict[Table, pl.DataFrame] = {}
    looked: dict[Table, Looked] = {}
    open_offsets: Offsets = {}
    for table in (MESSAGES, *SILVER):
        handle = lake.table(table)
        files[table] = table_files.listed(handle)
        looked[table] = look(handle, table, files[table])
        if table is MESSAGES:
            open_offsets = in_flight(_commits(handle), checkpoints)
    roots = {table: lake.uri(table) for table in files}
    return LandedTables(files, looked, roots, open_offsets)


def _commits(handle: DeltaTable) -> list[dict[str, object]]:
    pinned = handle.version()
    commits = handle.history(_COMMITS)
    return [commit for commit in commits if int(str(commit.get("version", 0))) <= pinned]


def hours_of(files: pl.DataFrame) -> pl.DataFrame:
    """Return each `hour` that some files may hold, and when each was `written`."""
    first, last = (pl.col(f"{end}.kafka_time").dt.truncate("1h") for end in ("min", "max"))
    hours = pl.datetime_ranges(first, last, "1h", time_zone="UTC").alias("hour")
    written = pl.from_epoch("modification_time", "ms").dt.replace_time_zone("UTC")
    known = files.filter(pl.col("min.kafka_time").is_not_null())
    return known.select(hours, written.alias("written")).explode("hour")


def _nothing() -> pl.LazyFrame:
    columns = {"topic": pl.String(), "partition": pl.Int32(), "offset": pl.Int64()}
    times = dict.fromkeys(("kafka_time", "replayed_at"), pl.Datetime("us", "UTC"))
    headers = pl.Map(pl.String(), pl.Binary())
    others = {"item": pl.Int32(), "items": pl.Int32(), "headers": headers}
    return pl.LazyFrame(schema={**columns, **others, **times})

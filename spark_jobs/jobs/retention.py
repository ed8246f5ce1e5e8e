"""Drop whole partitions that are older than their class, or their table, is kept.

A clock that has left out more than 7 days is not believed at once: see `believed_day`.
"""

import argparse
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import partial

import polars as pl

from spark_jobs.jobs.believed_day import BELIEVED_AFTER, CLOCK_AHEAD, believed_day
from spark_jobs.jobs.dropped_partitions import Dropped, DroppedPartitions, Partition, named
from spark_jobs.jobs.job_runs import Result, recorded, tried, utc_date
from spark_jobs.jobs.partitions import (
    born_on,
    condition,
    date_column,
    held_since,
    is_expired,
    kept_for,
)
from spark_jobs.lake import Lake
from spark_jobs.refusal import RefusalError
from spark_jobs.transforms.spans import midnight
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from telemetry.tables import MESSAGES, SESSIONS, TABLES, Table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare a dry run, and the date to judge by."""
    parser.add_argument("--dry-run", action="store_true", help="say what would be dropped")
    parser.add_argument(
        "--today",
        type=utc_date,
        metavar="DATE",
        help="default: today, unless this machine's clock has jumped",
    )


def run(arguments: argparse.Namespace, settings: Settings, lake: Lake) -> Result:
    """Drop what has expired, and say what it was."""
    noted = DroppedPartitions(settings.checkpoint_dir / "retention.dropped")

    def work(now: datetime) -> Result:
        today = arguments.today or now.date()
        expired = _all_expired(lake, today)
        if arguments.today is None:
            _refuse_jump(lake, today, expired)
        _keep_bronze_longest(lake, expired)
        dropped: Dropped = {table.name: _told(rows) for table, rows in expired.items() if len(rows)}
        if not arguments.dry_run:
            dropped = noted.begin(dropped)
            for table, partitions in expired.items():
                tried(partial(_drop, lake, table, partitions), f"retention of {table.name}")
        said = {name: _said(partitions) for name, partitions in sorted(dropped.items())}
        return {"dry_run": arguments.dry_run, "tables": said}

    result = recorded(lake, "retention", arguments, work)
    if not arguments.dry_run:
        noted.forget()
    return result


def _all_expired(lake: Lake, today: date) -> dict[Table, pl.DataFrame]:
    return {table: _expired(lake, table, today) for table in TABLES if date_column(table)}


def _refuse_jump(lake: Lake, today: date, expired: dict[Table, pl.DataFrame]) -> None:
    """Refuse to drop what would stay by the last day that is beyond doubt."""
    believed = believed_day(lake, today)
    if believed == today:
        return
    before = _all_expired(lake, believed)
    doubtful = sum(len(rows) - len(before[table]) for table, rows in expired.items())
    if doubtful > 0:
        raise RefusalError(
            CLOCK_AHEAD,
            f"this machine's clock says {today}, and {believed} was the last day before that gap"
            f" on which anything was received or ran: {doubtful} partitions would go that stay by"
            f" {believed}. If the clock is right, say so once: `headwater job retention --today"
            f" {today}`. After {BELIEVED_AFTER} days on which something comes or runs it is"
            " believed anyway",
        )


def _expired(lake: Lake, table: Table, today: date) -> pl.DataFrame:
    """Return the expired partitions with their rows and bytes."""
    names = {f"partition.{name}": name for name in table.partition_by}
    dated = date_column(table)
    assert dated is not None
    files = lake.files(table).rename(names)
    partitions = files.group_by(table.partition_by).agg(
        rows=pl.col("num_records").sum(), bytes=pl.col("size").sum()
    )
    born = born_on(lake, table)
    is_over = [
        is_expired(table, kept, held_since(kept, row[dated], born), today)
        for row in partitions.iter_rows(named=True)
        for kept in [row.get("retention_class")]
    ]
    expired = partitions.filter(pl.Series(is_over, dtype=pl.Boolean)).sort(table.partition_by)
    return _without_going_on(expired, files, today) if table == SESSIONS else expired


def _without_going_on(expired: pl.DataFrame, files: pl.DataFrame, today: date) -> pl.DataFrame:
    """Return partitions without those of a session that began long ago and ended since, if ever."""
    last = files.group_by(SESSIONS.partition_by).agg(pl.col("max.window_end").max())
    ends = expired.join(last, on=list(SESSIONS.partition_by), how="left")
    goes_on = [
        span is not None and end is not None and end >= midnight(today - span)
        for kept, end in ends.select("retention_class", "max.window_end").iter_rows()
        for span in [kept_for(SESSIONS, kept)]
    ]
    return ends.filter(~pl.Series(goes_on, dtype=pl.Boolean)).select(expired.columns)


def _drop(lake: Lake, table: Table, partitions: pl.DataFrame) -> None:
    if len(partitions):
        lake.delete(table, condition(table, partitions))


def _told(partitions: pl.DataFrame) -> Sequence[Partition]:
    return partitions.with_columns(pl.col(pl.Date).cast(pl.String)).rows(named=True)


def _said(partitions: Sequence[Partition]) -> dict[str, object]:
    sizes = pl.DataFrame(partitions, infer_schema_length=None).select("rows", "bytes")
    return {
        "partitions": [named(partition) for partition in partitions],
        **sizes.sum().row(0, named=True),
    }


def _keep_bronze_longest(lake: Lake, expired: dict[Table, pl.DataFrame]) -> None:
    """Refuse while bronze would go before what is made from it."""
    span = kept_for(MESSAGES, None)
    if span is None or expired[MESSAGES].is_empty():
        return
    for table in TABLES:
        if "retention_class" not in table.partition_by:
            continue
        for name in lake.files(table)["partition.retention_class"].unique():
            longest = kept_for(table, name)
            if longest is None or longest > span + timedelta(days=1):
                raise HeadwaterError(
                    f"{MESSAGES.name} is kept {MESSAGES.retention}, but {table.name} is made from"
                    f" it and keeps class {name!r} longer: raise the retention of bronze"
                )

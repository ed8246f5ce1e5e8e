"""Hours of Kafka time of which a table of bronze or silver has other messages than before.

Bronze may have lost all of an hour: what silver holds of it is of no record then.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime

import polars as pl

from spark_jobs.jobs.landed_tables import HOUR, LandedTables, hours_of
from spark_jobs.jobs.looked_at import Looked, changed_dates
from spark_jobs.jobs.partitions import date_column
from spark_jobs.lake import Lake
from spark_jobs.new_files import Changed, changes
from spark_jobs.transforms.spans import days
from telemetry.tables import Table


def changed_hours(lake: Lake, tables: LandedTables, before: Mapping[str, Looked]) -> set[datetime]:
    """Return the hours that changed since the tables were looked at."""
    found: set[datetime] = set()
    for table, now in tables.looked.items():
        then = before.get(table.name)
        if then is None or then.table_id != now.table_id:
            found.update(hours_of(tables.files[table])["hour"])
            continue
        try:
            for one in changes(lake.table(table), then.version, now.version):
                found.update(_hours(one, table))
        except FileNotFoundError:
            found.update(_of_dates(tables.files[table], table, changed_dates(then, now)))
    return found


def _hours(changed: Changed, table: Table) -> Iterator[datetime]:
    """Yield the hours of a file's statistics, else those of the date that it is of."""
    said = json.loads(changed.statistics or "{}")
    least, greatest = (said.get(f"{end}Values", {}).get("kafka_time") for end in ("min", "max"))
    if least and greatest:
        first, last = datetime.fromisoformat(least), datetime.fromisoformat(greatest)
    else:
        dated = date.fromisoformat(changed.partition[str(date_column(table))])
        whole = days(dated, dated)
        first, last = whole.start, whole.end - HOUR
    hour = first.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while hour <= last:
        yield hour
        hour += HOUR


def _of_dates(files: pl.DataFrame, table: Table, dates: set[date]) -> pl.Series:
    """Return all the hours of dates of which it is not known what changed."""
    mine = files.filter(pl.col(f"partition.{date_column(table)}").is_in(sorted(dates)))
    return hours_of(mine)["hour"]

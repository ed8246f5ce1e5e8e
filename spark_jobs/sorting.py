"""A partition that is more than memory holds, made few files in order: Spark sorts it.

Readings, whose rows repeat their message, are `sorted_readings`'.

Spark's own ZORDER says which rows share a file and leaves them in any order there, so that each
group and page of a file has rows of most series. Here a series' rows lie together, in its order.
"""

import polars as pl
from pyspark.sql import DataFrame, SparkSession

from spark_jobs.lake import Lake
from telemetry.tables import Table

MOST_BYTES = 1024 * 1024 * 1024
"""Of the files that become one."""


def sort(spark: SparkSession, lake: Lake, table: Table, where: str, size: int) -> None:
    """Sort the partition that the SQL condition names, of so many bytes.

    No row changes, so appends meanwhile stay beside it, and streams pass over it.
    """
    # The partition first, as the writer would else have it sorted so once more, and lose the rest.
    order = tuple(dict.fromkeys((*table.partition_by, *table.cluster_by, *table.key)))
    rows = apart(lake.frame(spark, table).where(where), table, size)
    writer = rows.sortWithinPartitions(*order).write.format("delta").mode("overwrite")
    moved = writer.option("replaceWhere", where).option("dataChange", "false")
    moved.save(lake.uri(table))


def apart(rows: DataFrame, table: Table, size: int) -> DataFrame:
    """Return rows in as many parts as files are to be made of so many bytes."""
    files = 1 + size // MOST_BYTES
    return rows.coalesce(1) if files == 1 else rows.repartitionByRange(files, *table.cluster_by)


def bytes_of(files: pl.DataFrame, partition: pl.DataFrame) -> int:
    """Return the bytes of the files of a partition."""
    names = [name for name in partition.columns if name.startswith("partition.")]
    return int(files.join(partition, on=names, how="semi")["size"].sum())

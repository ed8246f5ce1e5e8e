"""Readings of a partition that is more than memory holds, sorted by Spark and written as blocks.

Sorted rows would say of a message what its readings share again for each of them: more bytes than
landing writes. Here workers put some hundred thousand rows together by message, so that each row
group is one metric's, in the order of devices and time, and what is shared stands once
(docs/decisions/0010, 0041).
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby

import numpy as np
import polars as pl
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError
from pyspark.sql import SparkSession

from edge.log_looks import seen
from spark_jobs import packing, table_files
from spark_jobs.column_files import added_in_parts, as_text, from_text
from spark_jobs.lake import Lake
from spark_jobs.regrouping import MESSAGE, as_words, differs, regrouped
from spark_jobs.schema import without_words
from spark_jobs.sorting import apart
from telemetry.tables import READINGS

ROWS, BYTES = 500_000, 256 * 1024 * 1024
"""Of a part. Each has a row group a metric, and readers look at what a file says of all of them;
long texts make it smaller."""
_FILE = "file string"
Rows = tuple[tuple[str, ...], pa.Table]
"""Rows of a partition, and its values."""


def sort(
    spark: SparkSession, lake: Lake, where: str, partitions: pl.DataFrame, rows: int = ROWS
) -> None:
    """Sort partitions, given as SQL and as frame of `partition.…`; no row changes.

    Raises:
        CommitFailedError: Another writer has changed rows of them meanwhile; appends are none.
    """
    table = READINGS
    handle = seen(lambda: DeltaTable(lake.uri(table)))
    files = _of(table_files.listed(handle), partitions)
    frame = lake.frame(spark, table, handle.version()).where(where)
    order = (*table.partition_by, "device_full", "event_time_us", *MESSAGE, "metric")
    ordered = apart(frame, table, int(files["size"].sum())).sortWithinPartitions(*order)
    found = ordered.mapInArrow(_writer(lake.uri(table), rows), _FILE).collect()
    actions = table_files.instead(table, files, [from_text(row["file"]) for row in found])
    if not packing.is_committed(handle, table, files, actions):
        raise CommitFailedError(f"files of {table.name} were changed while they were sorted")


def _of(files: pl.DataFrame, partitions: pl.DataFrame) -> pl.DataFrame:
    names = [name for name in partitions.columns if name.startswith("partition.")]
    return files.join(partitions, on=names, how="semi")


def _writer(uri: str, rows: int) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def write(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        parts = (part for whole in _whole(batches, rows) for part in _by_partition(whole))
        for values, of_one in groupby(parts, key=lambda part: part[0]):
            partition = dict(zip(READINGS.partition_by, values, strict=True))
            contents = (regrouped(part) for _, part in of_one)
            file = added_in_parts(uri, READINGS, partition, contents)
            yield pa.RecordBatch.from_pydict({"file": [as_text(file)]})

    return write


def _whole(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """Yield some rows at a time, each message's together."""
    waiting: list[pa.Table] = []
    count = size = 0
    for batch in batches:
        waiting.append(as_words(batch))
        count, size = count + batch.num_rows, size + waiting[-1].nbytes
        if count >= rows or size >= BYTES:
            table = pa.concat_tables(waiting)
            begin = int(np.flatnonzero(_begins(table, MESSAGE))[-1])
            if begin:
                yield table.slice(0, begin)
            waiting = [table.slice(begin).combine_chunks()]
            count, size = waiting[0].num_rows, waiting[0].nbytes
    if count:
        yield pa.concat_tables(waiting)


def _by_partition(rows: pa.Table) -> Iterator[Rows]:
    starts = np.flatnonzero(_begins(rows, READINGS.partition_by)).tolist()
    for start, end in zip(starts, [*starts[1:], rows.num_rows], strict=True):
        values = (str(rows[name][start].as_py()) for name in READINGS.partition_by)
        yield tuple(values), rows.slice(start, end - start)


def _begins(rows: pa.Table, names: Iterable[str]) -> np.ndarray:
    some = rows.select([*names])
    texts = [pa.field(each.name, without_words(each.type)) for each in some.schema]
    frame = pl.from_arrow(some.cast(pa.schema(texts)))
    assert isinstance(frame, pl.DataFrame)
    return differs(frame, frame.columns)

"""Jobs of Spark's workers that need no source: each task has a number, and makes Arrow of it."""

from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa
from pyspark.sql import SparkSession


def collected(
    spark: SparkSession,
    tasks: int,
    work: Callable[[Iterable[int]], Iterator[pa.RecordBatch]],
    schema: pa.Schema,
) -> pa.Table:
    """Run `work` on the numbers of tasks, from 0 on, one a task; return what it yields.

    A frame of as many rows would do the same: to plan and optimise it, and to start its job, took
    a third of a batch of some thousand records.
    """
    numbers = spark.sparkContext.parallelize(range(tasks), tasks)
    return pa.Table.from_batches(numbers.mapPartitions(work).collect(), schema)

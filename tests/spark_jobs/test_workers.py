"""Spark's workers: few, whatever asks for them."""

import os
from collections.abc import Iterator

import pyarrow as pa
from pyspark.sql import SparkSession

from spark_jobs.worker_jobs import collected

PARENT = pa.schema([("parent", pa.int64())])


def parent(_: object) -> Iterator[pa.RecordBatch]:
    """Yield the process that this worker was forked from."""
    yield pa.RecordBatch.from_pydict({"parent": [os.getppid()]}, PARENT)


def test_jobs_with_and_without_a_frame_have_the_same_workers(spark: SparkSession) -> None:
    one = collected(spark, 1, parent, PARENT)
    other = spark.range(1, numPartitions=1).mapInArrow(parent, "parent long").toArrow()
    assert one.to_pydict() == other.to_pydict()

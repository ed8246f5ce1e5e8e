"""The rows of some files of a table as a Spark frame, without reading the Delta log by Spark."""

import json

import polars as pl
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from spark_jobs.lake import Lake
from telemetry.tables import Table

_FILE = "_file"


def file_rows(spark: SparkSession, lake: Lake, table: Table, files: pl.DataFrame) -> DataFrame:
    """Return the rows of files that `lake.files` lists, with the schema that the table has.

    No table has deletion vectors or column mapping, so a file is its rows; what it is partitioned
    by is in the log alone.
    """
    schema = StructType.fromJson(json.loads(lake.table(table).schema().to_json()))
    stored = StructType([field for field in schema if field.name not in table.partition_by])
    paths = [f"{lake.uri(table)}/{path}" for path in files["path"]]
    reader = spark.read.schema(stored).option("recursiveFileLookup", "true")
    rows = reader.parquet(*paths).select("*", F.col("_metadata.file_name").alias(_FILE))
    partitions = F.broadcast(_partitions(spark, table, schema, files))
    return rows.join(partitions, on=_FILE, how="inner").select(*schema.fieldNames())


def _partitions(
    spark: SparkSession, table: Table, schema: StructType, files: pl.DataFrame
) -> DataFrame:
    values = files.select(
        pl.col("path").str.split("/").list.last().alias(_FILE),
        *(pl.col(f"partition.{name}").alias(name) for name in table.partition_by),
    )
    fields = StructType().add(_FILE, "string")
    for name in table.partition_by:
        fields = fields.add(schema[name])
    return spark.createDataFrame(values.rows(), fields)

"""SQL of Spark over tables of the lake."""

import re
from collections.abc import Iterable

from pyspark.sql import DataFrame, SparkSession

from spark_jobs.lake import Lake
from telemetry.tables import Table


def ask(spark: SparkSession, lake: Lake, query: str, tables: Iterable[Table]) -> DataFrame:
    """Return what a query says of the newest versions of the tables that it names.

    Their paths are put in place of their names, so no catalog has to be told of them.
    """
    paths = {table.name: lake.uri(table).replace("`", "``") for table in tables}
    names = "|".join(map(re.escape, paths))
    return spark.sql(re.sub(rf"\b({names})\b", lambda at: f"delta.`{paths[at[1]]}`", query))

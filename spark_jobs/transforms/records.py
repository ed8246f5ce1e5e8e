"""Bronze as records: what the sources showed when they were landed."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def as_records(messages: DataFrame) -> DataFrame:
    """Return rows of bronze as the sources show them."""
    return messages.select(
        F.col("kafka_key").alias("key"),
        "value",
        "topic",
        "partition",
        "offset",
        F.col("kafka_time").alias("timestamp"),
        F.map_entries("headers").alias("headers"),
    )

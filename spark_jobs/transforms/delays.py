"""Delivery delay as DDSketch (Masson, Rim, Lee, 2019): relative error 1 %, merged by addition.

A delay of d microseconds falls into bucket ceil(log(d) / log(GAMMA)); buckets only count, so the
sketch of two sets is the sum of their sketches. Bucket -1 is no delay at all.
"""

import math

import polars as pl

ERROR = 0.01
GAMMA = (1 + ERROR) / (1 - ERROR)
NO_DELAY = -1
KEY = ["tenant", "product", "hour"]
QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
MESSAGE = ["tenant", "device_full", "boot", "seq"]


def messages(readings: pl.DataFrame) -> pl.DataFrame:
    """Return one row a message key: its product, hour of receipt and delay in microseconds."""
    late_by = (pl.col("received_at") - pl.col("event_time")).dt.total_microseconds()
    once = readings.filter(pl.col("received_at").is_not_null()).unique(MESSAGE, keep="any")
    return once.select(
        *MESSAGE,
        "product",
        hour=pl.col("received_at").dt.truncate("1h"),
        delay_us=late_by.clip(lower_bound=0),
    )


def sketched(delayed: pl.DataFrame) -> pl.DataFrame:
    """Count messages by bucket, with the greatest delay of each hour in seconds."""
    logarithm = pl.col("delay_us").log(GAMMA).ceil().cast(pl.Int32, strict=False)
    bucket = pl.when(pl.col("delay_us") > 0).then(logarithm).otherwise(NO_DELAY)
    bucketed = delayed.with_columns(bucket=bucket)
    return bucketed.group_by(*KEY, "bucket").agg(
        buckets=pl.len().cast(pl.Int64), max=pl.col("delay_us").max() / 1e6
    )


def unfolded(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the stored rows as bucket counts, the form that merges."""
    sketch = pl.col("sketch").map.entries()
    entries = rows.select(*KEY, "max", entry=sketch).explode("entry")
    return entries.select(
        *KEY,
        bucket=pl.col("entry").struct.field("key"),
        buckets=pl.col("entry").struct.field("value"),
        max="max",
    )


def merged(*sketches: pl.DataFrame) -> pl.DataFrame:
    """Add bucket counts up and return the table's rows with their quantiles."""
    columns = [*KEY, "bucket", "buckets", "max"]
    together = pl.concat([sketch.select(columns) for sketch in sketches])
    summed = together.group_by(*KEY, "bucket").agg(pl.col("buckets").sum(), pl.col("max").max())
    ordered = summed.sort(*KEY, "bucket")
    rows = ordered.group_by(KEY, maintain_order=True).agg(
        pl.col("buckets").sum().alias("count"),
        *(_quantile(share).alias(name) for name, share in QUANTILES.items()),
        pl.col("max").max(),
        pl.struct(key="bucket", value="buckets").alias("sketch"),
    )
    sketch = pl.col("sketch").cast(pl.Map(pl.Int32(), pl.Int64()))
    return rows.with_columns(sketch, hour_date=pl.col("hour").dt.date())


def over_hours(rows: pl.DataFrame) -> pl.DataFrame:
    """Merge stored rows of any hours into one a product, with quantiles in seconds."""
    if rows.is_empty():
        return rows.select("tenant", "product", "count", *QUANTILES, "max")
    as_one = unfolded(rows).with_columns(pl.col("hour").min())
    return merged(as_one).select("tenant", "product", "count", *QUANTILES, "max")


def _quantile(share: float) -> pl.Expr:
    """Return the estimate of a quantile in seconds, within 1 % of the true one."""
    rank = share * (pl.col("buckets").sum() - 1)
    bucket = pl.col("bucket").filter(pl.col("buckets").cum_sum() > rank).first()
    middle = (bucket * math.log(GAMMA)).exp() * 2 / (GAMMA + 1) / 1e6
    return pl.when(bucket == NO_DELAY).then(0.0).otherwise(middle)

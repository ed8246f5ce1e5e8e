"""Partial statistics that merge exactly: count, sum, mean, m2, extremes, first and last.

Merging is Chan's: with n the counts, M = shift + Σ n (mean - shift) / Σ n and
m2 = Σ m2 + Σ n (mean - M)². The shift is the least mean, so a constant series gives exactly 0.
"""

import polars as pl

SERIES = ("tenant", "product", "metric", "retention_class")
"""What every partial is of, beside its device or zone and its window."""

_FIRST = ["first_at", "first_seq", "first", "first_text", "first_bool"]
_LAST = ["last_at", "last_seq", "last", "last_text", "last_bool"]
STATISTICS = {
    "count": pl.Int64(),
    "sum": pl.Float64(),
    "m2": pl.Float64(),
    "min": pl.Float64(),
    "max": pl.Float64(),
    "mean": pl.Float64(),
    "first": pl.Float64(),
    "last": pl.Float64(),
    "first_text": pl.String(),
    "last_text": pl.String(),
    "first_bool": pl.Boolean(),
    "last_bool": pl.Boolean(),
    "first_at": pl.Datetime("us", "UTC"),
    "first_seq": pl.Int64(),
    "last_at": pl.Datetime("us", "UTC"),
    "last_seq": pl.Int64(),
}
READING_COLUMNS = (
    *SERIES,
    "device_full",
    "zone",
    "boot",
    "seq",
    "event_time",
    "received_at",
    "value",
    "value_text",
    "value_bool",
)
"""Columns of silver that gold is made of."""


def of_readings(readings: pl.DataFrame) -> pl.DataFrame:
    """Return each reading as the statistics of itself, its other columns beside them."""
    value, text, truth = pl.col("value"), pl.col("value_text"), pl.col("value_bool")
    has_value = value.is_not_null() | text.is_not_null() | truth.is_not_null()
    at = pl.when(has_value).then("event_time")
    seq = pl.when(has_value).then("seq")
    same = {name: value for name in ("sum", "min", "max", "mean", "first", "last")}
    return readings.with_columns(
        count=has_value.cast(pl.Int64),
        m2=pl.when(value.is_not_null()).then(0.0),
        first_text=text,
        last_text=text,
        first_bool=truth,
        last_bool=truth,
        first_at=at,
        first_seq=seq,
        last_at=at,
        last_seq=seq,
        **same,
    )


def merged(partials: pl.DataFrame, by: list[str], *extra: pl.Expr) -> pl.DataFrame:
    """Merge partials into one row for each value of `by`; `extra` aggregates are kept beside."""
    in_time = partials.sort(_FIRST, nulls_last=True)
    weighed = _weighed(in_time, by).group_by(by)
    firsts = [pl.col(name).first() for name in _FIRST]
    numbers = weighed.agg(*_number_statistics(), *firsts, *extra)
    valued = partials.filter(pl.col("last_at").is_not_null())
    lasts = valued.select(*by, *_LAST).sort(_LAST).group_by(by).last()
    joined = numbers.join(lasts, on=by, how="left")
    return joined.select(*by, *STATISTICS, *(expr.meta.output_name() for expr in extra))


def _weighed(partials: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Add each partial's weight, its group's mean, and its squared distance from that."""
    mean, weight, shift = pl.col("mean"), pl.col("weight"), pl.col("shift")
    total = weight.sum().over(by)
    middle = shift + (weight * (mean - shift)).sum().over(by) / total
    return (
        partials.with_columns(
            shift=mean.min().over(by), weight=pl.when(mean.is_not_null()).then("count")
        )
        .with_columns(middle=middle)
        .with_columns(spread=pl.col("m2") + weight * (mean - pl.col("middle")).pow(2))
    )


def _number_statistics() -> list[pl.Expr]:
    has_number = pl.col("mean").count() > 0
    return [
        pl.col("count").sum(),
        pl.when(has_number).then(pl.col("sum").sum()).alias("sum"),
        pl.when(has_number).then(pl.col("spread").sum()).alias("m2"),
        pl.col("min").min(),
        pl.col("max").max(),
        pl.col("middle").min().alias("mean"),
    ]

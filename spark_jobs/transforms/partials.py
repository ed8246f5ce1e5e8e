"""Partial statistics that merge exactly: count, sum, mean, m2, extremes, first and last.

Merging is Chan's: with n the counts, M = shift + Σ n (mean - shift) / Σ n and
m2 = Σ m2 + Σ n (mean - M)². The shift is the least mean, so a constant series gives exactly 0.
"""

import polars as pl

SERIES = ("tenant", "product", "metric", "retention_class")
"""What every partial is of, beside its device or zone and its window."""

_FORMS = ("first", "first_text", "first_bool"), ("last", "last_text", "last_bool")
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
    numbers = partials.group_by(by).agg(*_number_statistics(), *extra)
    firsts, lasts = _ends(partials, by)
    joined = numbers.join(firsts, on=by, how="left").join(lasts, on=by, how="left")
    return joined.select(*by, *STATISTICS, *(expr.meta.output_name() for expr in extra))


def _number_statistics() -> list[pl.Expr]:
    mean, m2 = pl.col("mean"), pl.col("m2")
    weight = pl.when(mean.is_not_null()).then("count")
    shift = mean.min()
    middle = shift + (weight * (mean - shift)).sum() / weight.sum()
    spread = m2.sum() + (weight * (mean - middle).pow(2)).sum()
    any_number = mean.count() > 0
    return [
        pl.col("count").sum(),
        pl.when(any_number).then(pl.col("sum").sum()).alias("sum"),
        pl.when(any_number).then(spread).alias("m2"),
        pl.col("min").min(),
        pl.col("max").max(),
        middle.alias("mean"),
    ]


def _ends(partials: pl.DataFrame, by: list[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return first and last of each group: least and greatest (event time, seq, value)."""
    valued = partials.filter(pl.col("first_at").is_not_null())
    first_columns = ["first_at", "first_seq", *_FORMS[0]]
    last_columns = ["last_at", "last_seq", *_FORMS[1]]
    firsts = valued.select(*by, *first_columns).sort(first_columns).group_by(by)
    lasts = valued.select(*by, *last_columns).sort(last_columns).group_by(by)
    return firsts.first(), lasts.last()

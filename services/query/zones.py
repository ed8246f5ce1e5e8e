"""Statistics of zones and products: gold's zone windows, merged into the buckets asked for."""

from collections.abc import Mapping
from functools import partial
from typing import Literal, NamedTuple

import polars as pl

from services.query.kept_windows import Found, Wanted, kept_windows
from services.query.listing import NEVER, TableFiles
from services.query.planning import Tier, TierName, spans
from services.query.rows import LEAST_SHARE
from services.query.statistics import WHOLE_US
from telemetry.tables import BY_NAME, WINDOW_MINUTES, ZONE_WINDOWS

By = Literal["zone", "product"]
ZoneAgg = Literal["mean", "min", "max", "sum", "count", "stddev"]
MINUTE_US = 60_000_000
_NAMES: tuple[TierName, ...] = ("day", "hour", "five_minutes", "minute")
TIERS = tuple(
    Tier(name, WINDOW_MINUTES[name] * MINUTE_US, ZONE_WINDOWS[name].name) for name in _NAMES
)


class Asked(NamedTuple):
    """Statistics of a metric by zone or product over [start, end), whole minutes."""

    tenant: str
    metric: str
    by: By
    start_us: int
    end_us: int
    width_us: int
    agg: ZoneAgg
    where: tuple[tuple[str, str], ...] = ()


class Zones:
    """The zone tables."""

    def __init__(self, root: str) -> None:
        self.tables: Mapping[str, TableFiles] = {
            tier.table: TableFiles(root, BY_NAME[tier.table]) for tier in TIERS
        }

    def files(self, asked: Asked) -> tuple[str, ...]:
        """Return the files that an answer may depend on."""
        day = TIERS[0].width_us
        start, end = asked.start_us // day * day, -(-asked.end_us // day) * day
        listings = [self.tables[name].listing() for name in sorted(_wanted(asked).tables)]
        return tuple(each.paths[n] for each in listings for n in each.between(start, end))

    def rows(self, asked: Asked) -> Found:
        """Return the windows of the range, open ones too."""
        found = kept_windows(self.tables, _wanted(asked))
        return found._replace(rows=_typed(found.rows))


_SCHEMA = {
    "window_start": pl.Datetime("us", "UTC"),
    "zone": pl.String(),
    "product": pl.String(),
    "count": pl.Int64(),
    **dict.fromkeys(("sum", "mean", "m2", "min", "max"), pl.Float64()),
}


def _wanted(asked: Asked) -> Wanted:
    """Choose the tables that the buckets are made up of."""
    width = asked.width_us
    tiers = [tier for tier in TIERS if width % tier.width_us == 0] or TIERS[-1:]
    return Wanted(
        (("tenant", asked.tenant), ("metric", asked.metric), *asked.where),
        tuple(_SCHEMA),
        spans(asked.start_us, asked.end_us, tiers, NEVER),
        [tier for tier in reversed(TIERS) if tier.fits(width)],
        reduced=partial(reduced, asked=asked),
    )


def merged(rows: pl.DataFrame, asked: Asked) -> pl.DataFrame:
    """Merge windows into one row for each group and bucket, by Chan's formula.

    `count` is of the readings that the value stands for. Where numbers of one product meet texts
    of another under one name, `others` says how many texts the numbers' value leaves out.
    """
    by = [asked.by, "time"]
    there = rows.filter(pl.col("mean").is_not_null() | (pl.col("count") > 0))
    return _told(_spread(there, by, asked), by, asked).sort(by)


def reduced(rows: pl.DataFrame, asked: Asked) -> pl.DataFrame:
    """Return windows of one bucket and product as one; those of texts stay apart from numbers."""
    by = [*dict.fromkeys((asked.by, "product")), "time", "is_number"]
    numbered = _typed(rows).with_columns(is_number=pl.col("mean").is_not_null())
    found = (
        _spread(numbered, by, asked)
        .group_by(by)
        .agg(
            pl.col("window_start").min(),
            pl.col("count", "sum").sum(),
            pl.col("min").min(),
            pl.col("max").max(),
            mean=pl.col("middle").first(),
            m2=pl.col("spread").sum(),
        )
    )
    return found.select(
        pl.col(name) if name in found.columns else pl.lit(None).alias(name) for name in _SCHEMA
    )


def _typed(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(pl.col(name).cast(kind) for name, kind in _SCHEMA.items())


def _spread(rows: pl.DataFrame, by: list[str], asked: Asked) -> pl.DataFrame:
    """Add each row's bucket and weight, its group's mean, and its part of the group's m2."""
    mean = pl.col("mean")
    weight = pl.when(mean.is_not_null()).then(_numbers()).otherwise(0.0)
    weighed = rows.with_columns(time=_bucket(asked), weight=weight)
    weight, shift = pl.col("weight"), mean.min().over(by)
    middle = shift + (weight * (mean - shift)).sum().over(by) / weight.sum().over(by)
    return weighed.with_columns(middle=middle).with_columns(
        spread=pl.col("m2") + weight * (mean - pl.col("middle")).pow(2)
    )


def _numbers() -> pl.Expr:
    """Return how many readings are numbers: gold's count is of texts beside them, too.

    The mean and the sum tell, unless they are zeros by rounding.
    """
    mean, count = pl.col("mean"), pl.col("count").cast(pl.Float64)
    size = pl.max_horizontal(pl.col("min").abs(), pl.col("max").abs())
    found = (pl.col("sum") / mean).round()
    is_less = (
        (mean.abs() > LEAST_SHARE * size)
        & found.is_finite()  # polars holds NaN for the greatest
        & (found >= 1)
        & (count - found > pl.max_horizontal(0.5, LEAST_SHARE * count))
    )
    return pl.when(is_less).then(found).otherwise(count)


def _bucket(asked: Asked) -> pl.Expr:
    """Return where the bucket of a window begins, not before the range."""
    if asked.width_us == WHOLE_US:
        return pl.lit(asked.start_us)
    start = pl.col("window_start").cast(pl.Int64)
    return pl.max_horizontal(start // asked.width_us * asked.width_us, asked.start_us)


def _told(numbers: pl.DataFrame, by: list[str], asked: Asked) -> pl.DataFrame:
    """Return the value of each group, and how many readings it stands for and leaves out."""
    told, all_told = pl.col("weight").sum(), pl.col("count").sum()
    has_numbers = pl.col("mean").count() > 0
    variance = pl.when(told > 1).then(pl.col("spread").sum() / (told - 1))
    value = {
        "mean": pl.col("middle").first(),
        "min": pl.col("min").min(),
        "max": pl.col("max").max(),
        "sum": pl.when(has_numbers).then(pl.col("sum").sum()),
        "count": all_told,
        "stddev": pl.when(has_numbers).then(variance.sqrt()),
    }[asked.agg]
    leaves_out = has_numbers & pl.lit(asked.agg != "count")
    count = pl.when(leaves_out).then(told.cast(pl.Int64)).otherwise(all_told)
    found = numbers.group_by(by).agg(value=value, count=count, others=all_told - count)
    return found.with_columns(pl.col("time").cast(pl.Datetime("us", "UTC")))

"""Statistics of zones and products: gold's zone windows, merged into the buckets asked for."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from services.query.listing import NEVER, TableFiles
from services.query.planning import Span, Tier, TierName, spans
from services.query.scanning import read, tried
from telemetry.tables import BY_NAME, WINDOW_MINUTES, ZONE_WINDOWS

By = Literal["zone", "product"]
ZoneAgg = Literal["mean", "min", "max", "sum", "count", "stddev"]
MINUTE_US = 60_000_000
_NAMES: tuple[TierName, ...] = ("day", "hour", "five_minutes", "minute")
TIERS = tuple(
    Tier(name, WINDOW_MINUTES[name] * MINUTE_US, ZONE_WINDOWS[name].name) for name in _NAMES
)
COLUMNS = ("window_start", "zone", "product", "count", "sum", "mean", "m2", "min", "max")


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
        """Return the files that an answer depends on."""
        return tuple(path for span in planned(asked) for path in self._paths(span))

    def _paths(self, span: Span) -> list[str]:
        listing = self.tables[span.tier.table].listing()
        return [listing.paths[n] for n in listing.between(span.start_us, span.end_us)]

    def rows(self, asked: Asked) -> pl.DataFrame:
        """Return the windows of the range, open ones too, each moment once."""
        return tried(lambda: pl.concat(self._span(asked, span) for span in planned(asked)))

    def _span(self, asked: Asked, span: Span) -> pl.DataFrame:
        paths = self._paths(span)
        if not paths:
            return pl.DataFrame(schema=_SCHEMA)
        start, end = (_moment(micros) for micros in (span.start_us, span.end_us))
        where = (pc.field("window_start") >= start) & (pc.field("window_start") < end)
        named = (("tenant", asked.tenant), ("metric", asked.metric), *asked.where)
        for name, value in named:
            where &= pc.field(name) == value
        found = read(self.tables[span.tier.table], paths, COLUMNS, where)
        return found.select(pl.col(name).cast(kind) for name, kind in _SCHEMA.items())


_SCHEMA = {
    "window_start": pl.Datetime("us", "UTC"),
    "zone": pl.String(),
    "product": pl.String(),
    "count": pl.Int64(),
    **dict.fromkeys(("sum", "mean", "m2", "min", "max"), pl.Float64()),
}


def _moment(micros: int) -> pa.Scalar:
    return pa.scalar(micros, pa.timestamp("us", tz="UTC"))


def planned(asked: Asked) -> list[Span]:
    """Cut the range into spans of the tables that the buckets are made up of."""
    return spans(asked.start_us, asked.end_us, _tiers(asked.width_us), NEVER)


def _tiers(width_us: int) -> Sequence[Tier]:
    return [tier for tier in TIERS if width_us % tier.width_us == 0] or TIERS[-1:]


def merged(rows: pl.DataFrame, asked: Asked) -> pl.DataFrame:
    """Merge windows into one row for each group and bucket, by Chan's formula."""
    start = pl.col("window_start").cast(pl.Int64)
    bucket = pl.max_horizontal(start // asked.width_us * asked.width_us, asked.start_us)
    by = [asked.by, "time"]
    mean, weight = pl.col("mean"), pl.col("count").cast(pl.Float64)
    numbers = rows.filter(mean.is_not_null() | (pl.col("count") > 0)).with_columns(time=bucket)
    shift = mean.min().over(by)
    middle = shift + (weight * (mean - shift)).sum().over(by) / weight.sum().over(by)
    spread = numbers.with_columns(middle=middle).with_columns(
        spread=pl.col("m2") + weight * (mean - pl.col("middle")).pow(2)
    )
    count = pl.col("count").sum()
    variance = pl.when(count > 1).then(pl.col("spread").sum() / (count - 1))
    value = {
        "mean": pl.col("middle").first(),
        "min": pl.col("min").min(),
        "max": pl.col("max").max(),
        "sum": pl.when(mean.count() > 0).then(pl.col("sum").sum()),
        "count": count,
        "stddev": pl.when(mean.count() > 0).then(variance.sqrt()),
    }[asked.agg]
    found = spread.group_by(by).agg(value=value, count=count).sort(by)
    return found.with_columns(pl.col("time").cast(pl.Datetime("us", "UTC")))

"""Gold against silver: every tumbling window of the ledger's devices, computed again."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from simulator.scoring.lake import LakeFiles
from simulator.scoring.ledgers import who
from telemetry.tables import DEVICE_WINDOWS, LATE, READINGS, WINDOW_MINUTES, Table

RELATIVE = 1e-9
_SERIES = ("who", "metric")
_NUMBERS = ("sum", "min", "max", "mean", "stddev", "first", "last")
_OTHERS = ("count", "first_text", "last_text", "first_bool", "last_bool")
_READ = (
    "tenant",
    "device_full",
    "metric",
    "event_time",
    "seq",
    "value",
    "value_text",
    "value_bool",
)


@dataclass(frozen=True, slots=True)
class GoldVerdict:
    """Windows compared, and those that are wrong, missing or too many, a row each."""

    windows: int
    wrong: pl.DataFrame


def check_gold(lake: LakeFiles, whos: pl.DataFrame, first_event: int) -> GoldVerdict | None:
    """Recompute the windows from the day of `first_event` on; None if there is no gold."""
    if not all(lake.exists(table) for table in DEVICE_WINDOWS.values()):
        return None
    start = datetime.fromtimestamp(first_event // 1_000_000, UTC)
    day = start.replace(hour=0, minute=0, second=0, microsecond=0)
    readings = _readings(lake, whos, day)
    windows, wrong = 0, []
    for width, table in DEVICE_WINDOWS.items():
        ours = windows_of(readings, timedelta(minutes=WINDOW_MINUTES[width]))
        both = compared(ours, _gold(lake, table, whos, day))
        windows += both.height
        wrong.append(
            both.filter("is_wrong").select(
                *_SERIES, "window_start", "count", "gold_count", pl.lit(table.name).alias("table")
            )
        )
    return GoldVerdict(windows, pl.concat(wrong))


def _readings(lake: LakeFiles, whos: pl.DataFrame, day: datetime) -> pl.DataFrame:
    parts = []
    for table in (READINGS, LATE):
        scan = lake.scan(table).filter(pl.col("event_time") >= day).select(*_READ)
        for chunk in (*lake.chunks(scan), scan.clear().collect()):
            parts.append(
                chunk.select(
                    who("tenant", "device_full"),
                    pl.col("metric").cast(pl.Categorical),
                    "event_time",
                    "seq",
                    "value",
                    pl.col("value_text").cast(pl.Categorical),
                    "value_bool",
                ).join(whos, on="who", how="semi")
            )
    return pl.concat(parts).sort("event_time", "seq", "value", "value_text", "value_bool")


def windows_of(readings: pl.DataFrame, width: timedelta) -> pl.DataFrame:
    """Return the statistics of sorted readings by device, metric and window."""
    value, text, truth = pl.col("value"), pl.col("value_text"), pl.col("value_bool")
    known = [value.is_not_null(), text.is_not_null(), truth.is_not_null()]
    return readings.group_by(
        *_SERIES, pl.col("event_time").dt.truncate(width).alias("window_start")
    ).agg(
        pl.any_horizontal(known).sum().cast(pl.Int64).alias("count"),
        pl.when(value.count() > 0).then(value.sum()).alias("sum"),
        value.min().alias("min"),
        value.max().alias("max"),
        value.mean().alias("mean"),
        value.std().alias("stddev"),
        value.drop_nulls().first().alias("first"),
        value.drop_nulls().last().alias("last"),
        text.drop_nulls().first().cast(pl.String).alias("first_text"),
        text.drop_nulls().last().cast(pl.String).alias("last_text"),
        truth.drop_nulls().first().alias("first_bool"),
        truth.drop_nulls().last().alias("last_bool"),
    )


def _gold(lake: LakeFiles, table: Table, whos: pl.DataFrame, day: datetime) -> pl.DataFrame:
    columns = ("tenant", "device_full", "metric", "window_start", *_NUMBERS, *_OTHERS)
    scan = lake.scan(table).filter(pl.col("window_start") >= day).select(*columns)
    parts = [
        chunk.select(
            who("tenant", "device_full"),
            pl.col("metric").cast(pl.Categorical),
            "window_start",
            *(pl.col(name).alias(f"gold_{name}") for name in (*_NUMBERS, *_OTHERS)),
        ).join(whos, on="who", how="semi")
        for chunk in (*lake.chunks(scan), scan.clear().collect())
    ]
    return pl.concat(parts)


def compared(ours: pl.DataFrame, gold: pl.DataFrame) -> pl.DataFrame:
    """Return windows of both side by side, and whether they differ (`is_wrong`)."""
    both = ours.join(gold, on=[*_SERIES, "window_start"], how="full", coalesce=True)
    differences = [_differs(name) for name in _NUMBERS]
    differences += [pl.col(name).ne_missing(pl.col(f"gold_{name}")) for name in _OTHERS]
    return both.with_columns(pl.any_horizontal(differences).alias("is_wrong"))


def _differs(name: str) -> pl.Expr:
    """Compare within 1e-9 of the larger value; spreads within that of the values they are of."""
    ours, gold = pl.col(name), pl.col(f"gold_{name}")
    scale = pl.max_horizontal(ours.abs(), gold.abs())
    if name in ("stddev", "sum"):
        scale = scale + pl.col("mean").abs()
    # Sums beyond all doubles are infinite in both, and no number away from each other.
    is_number = ours.is_finite() | gold.is_finite()
    is_far = (is_number & ((ours - gold).abs() > RELATIVE * scale)).fill_null(False)
    is_one_beyond = (ours.is_finite() != gold.is_finite()).fill_null(False)
    return is_far | is_one_beyond | (ours.is_null() != gold.is_null())

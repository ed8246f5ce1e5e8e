"""Windows of partials: minute to day for devices and zones, and sliding windows over minutes."""

from datetime import timedelta

import polars as pl

from spark_jobs.transforms.classes import CLASS, of_longest, several
from spark_jobs.transforms.partials import SERIES, STATISTICS, merged, of_readings
from spark_jobs.transforms.spans import EARLIEST
from telemetry.tables import DEVICE_WINDOWS, WINDOW_MINUTES, ZONE_WINDOWS, Table

MINUTE_KEY = [*SERIES, "device_full", "zone", "window_start"]
_PERIODS = {"hour": "1mo", "day": "1y", "sessions": "1mo"}


def minutes(readings: pl.DataFrame) -> pl.DataFrame:
    """Return the minute partials of readings, by device and zone ('' where there is none)."""
    placed = readings.with_columns(
        pl.col("zone").fill_null(""), window_start=pl.col("event_time").dt.truncate("1m")
    )
    return merged(of_readings(placed), MINUTE_KEY)


def cascade(minute_partials: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Return the partials of every tumbling window, by table, each from the finer one."""
    tables: dict[str, pl.DataFrame] = {}
    for subject, windows in (("device_full", DEVICE_WINDOWS), ("zone", ZONE_WINDOWS)):
        finer = minute_partials
        for width, table in windows.items():
            finer = rolled(finer, timedelta(minutes=WINDOW_MINUTES[width]), subject)
            tables[table.name] = finer
    return tables


def rolled(partials: pl.DataFrame, width: timedelta, subject: str) -> pl.DataFrame:
    """Merge partials into windows of `width` by device or zone."""
    wider = partials.with_columns(pl.col("window_start").dt.truncate(width))
    return _merged_once(wider, [*SERIES, subject, "window_start"])


def sliding(minute_partials: pl.DataFrame, rules: pl.DataFrame) -> pl.DataFrame:
    """Spread minute partials over the sliding windows that hold them, and merge those."""
    asked = rules.filter(pl.col("every").is_not_null()).select(
        "tenant", "product", "width", "every"
    )
    placed = minute_partials.join(asked, on=["tenant", "product"], how="inner")
    every, width = pl.col("every").cast(pl.Int64), pl.col("width").cast(pl.Int64)
    newest = pl.col("window_start").cast(pl.Int64).floordiv(every) * every
    starts = pl.int_ranges(newest - width + every, newest + every, every)
    spread = placed.with_columns(window_start=starts).explode("window_start")
    moved = since_ever(spread.with_columns(pl.col("window_start").cast(pl.Datetime("us", "UTC"))))
    by = [*SERIES, "device_full", "window_start"]
    return _merged_once(moved, by, pl.col("width").first())


def since_ever(windows: pl.DataFrame) -> pl.DataFrame:
    """Leave out windows that would start before the year 1, which no reader has a time for."""
    return windows.filter(pl.col("window_start") >= EARLIEST)


def _merged_once(partials: pl.DataFrame, by: list[str], *extra: pl.Expr) -> pl.DataFrame:
    """Merge partials; those of a few seconds are mostly one a window, and are then as they were."""
    if partials.select(by).is_unique().all():
        return partials.select(*by, *STATISTICS, *(expr.meta.output_name() for expr in extra))
    return merged(partials, by, *extra)


def ended(partials: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Add where each window ends, which the table's name or the row's own width says."""
    width = table.name.rpartition(f"{table.key[2].removesuffix('_full')}_")[2]
    tumbling = WINDOW_MINUTES.get(width)
    span = pl.lit(timedelta(minutes=tumbling)) if tumbling else pl.col("width")
    return partials.with_columns(window_end=pl.col("window_start") + span)


def in_one_class(ended_rows: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Return a row a window of rows as `ended` makes them: those of several classes become one."""
    of = several(ended_rows)
    if of.is_empty():
        return ended_rows
    by = [*SERIES, table.key[2], "window_start"]
    rows = of_longest(ended_rows, [name for name in by if name != CLASS], of)
    return merged(rows, by, pl.col("window_end").max())


def period(table: Table) -> pl.Expr:
    """Return the expression of `window_period`: the day, or first of month or year."""
    unit = _PERIODS.get(table.name.split(".")[1].rpartition("_")[2], "1d")
    return pl.col("window_start").dt.truncate(unit).dt.date().alias("window_period")


def completed(partials: pl.DataFrame, table: Table, watermarks: pl.DataFrame) -> pl.DataFrame:
    """Return rows as the table declares them, sorted; `watermarks` decides what is final."""
    whole = judged(partials, watermarks).with_columns(period(table))
    return whole.select(table.column_names).sort(table.key[2], "metric", "window_start")


def judged(partials: pl.DataFrame, watermarks: pl.DataFrame) -> pl.DataFrame:
    """Add the standard deviation, and whether a row is final by its product's watermark."""
    keys = ["tenant", "product"]
    variance = pl.when(pl.col("count") > 1).then(pl.col("m2") / (pl.col("count") - 1))
    is_final = (pl.col("window_end") <= pl.col("watermark")).fill_null(value=False)
    rows = partials.join(watermarks.select(*keys, "watermark"), on=keys, how="left")
    return rows.with_columns(stddev=variance.sqrt(), is_final=is_final).drop("watermark")

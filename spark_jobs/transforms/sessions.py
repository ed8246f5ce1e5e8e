"""Sessions: runs of readings of one series with no gap above the product's session gap.

A session is an interval from its first reading to its last. Intervals no further apart than the
gap are one, whichever came first, so a late reading between two sessions makes them one:

    |---A---|   gap   . late .   gap   |---B---|    becomes    |--------A--------|
"""

import polars as pl

from spark_jobs.transforms.partials import SERIES, merged, of_readings

SESSION_SERIES = [*SERIES, "device_full"]


def of_rows(readings: pl.DataFrame, rules: pl.DataFrame) -> pl.DataFrame:
    """Return session partials of the readings whose product asks for sessions."""
    asked = with_gap(readings, rules)
    points = of_readings(asked).with_columns(
        window_start=pl.col("event_time"), last_seen=pl.col("event_time")
    )
    return joined(points)


def with_gap(frame: pl.DataFrame, rules: pl.DataFrame) -> pl.DataFrame:
    """Keep rows of products that ask for sessions, their gap beside them."""
    asked = rules.filter(pl.col("gap").is_not_null()).select("tenant", "product", "gap")
    return frame.join(asked, on=["tenant", "product"], how="inner")


def joined(intervals: pl.DataFrame) -> pl.DataFrame:
    """Merge intervals (`window_start`, `last_seen`, statistics) no further apart than `gap`."""
    ordered = intervals.sort(*SESSION_SERIES, "window_start")
    seen = pl.col("last_seen").cum_max().shift(1).over(SESSION_SERIES)
    begins = (pl.col("window_start") - seen > pl.col("gap")).fill_null(value=True)
    numbered = ordered.with_columns(run=begins.cum_sum())
    whole = merged(
        numbered,
        [*SESSION_SERIES, "run"],
        pl.col("window_start").min(),
        pl.col("last_seen").max(),
        pl.col("gap").max(),
    )
    return whole.drop("run")


def extended(sessions: pl.DataFrame, fresh: pl.DataFrame) -> pl.DataFrame:
    """Merge fresh session partials into the stored sessions of the same series."""
    stored = sessions.with_columns(last_seen=pl.col("window_end") - pl.col("gap"))
    return joined(pl.concat([stored.select(fresh.columns), fresh]))


def ended(partials: pl.DataFrame) -> pl.DataFrame:
    """Add where each session ends: a gap after its last reading."""
    return partials.with_columns(window_end=pl.col("last_seen") + pl.col("gap"))

"""Which windows are open and which have ended, by the watermark of their product."""

import polars as pl

from spark_jobs.transforms.scopes import WINDOW
from spark_jobs.transforms.spans import EARLIEST

_PRODUCT = ["tenant", "product"]
OPEN = [*WINDOW, *_PRODUCT, "window_end"]


def open_windows(
    rows: pl.LazyFrame, watermarks: pl.DataFrame, settled: pl.DataFrame, of: list[str] = OPEN
) -> pl.DataFrame:
    """Return the windows that are not final, of products that have a watermark.

    What ended by the `settled` watermarks is left out: it was made final before. A window is told
    from others by the columns `of`.
    """
    bounded = watermarks.filter(pl.col("watermark").is_not_null()).select(_PRODUCT)
    before = settled.select(*_PRODUCT, pl.col("watermark").alias("settled"))
    mine = bounded.join(before, on=_PRODUCT, how="left")
    least = None if mine["settled"].has_nulls() else mine["settled"].min()
    not_final = rows.filter(~pl.col("is_final"), pl.col("window_end") > pl.lit(least or EARLIEST))
    known = not_final.select(of).join(mine.lazy(), on=_PRODUCT, how="inner")
    unsettled = pl.col("settled").is_null() | (pl.col("window_end") > pl.col("settled"))
    return known.filter(unsettled).select(of).unique().collect()


def due(open_rows: pl.DataFrame, watermarks: pl.DataFrame) -> pl.DataFrame:
    """Return the open windows that have ended."""
    marked = open_rows.join(watermarks.select(*_PRODUCT, "watermark"), on=_PRODUCT, how="left")
    return marked.filter(pl.col("window_end") <= pl.col("watermark")).select(open_rows.columns)

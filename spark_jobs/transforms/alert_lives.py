"""The lives of alerts as rows of `gold.alerts`, and what of them is news."""

from collections.abc import Iterable
from dataclasses import asdict

import polars as pl

from telemetry.alerts_history import AlertLife
from telemetry.tables import ALERTS

KEY = ["alert_id", "opened_date"]
TIMES = ("opened_at", "acknowledged_at", "resolved_at", "updated_at")
_TYPES: dict[str, type[pl.DataType] | pl.DataType] = {
    "int": pl.Int32,
    "double": pl.Float64,
    "string": pl.String,
    "timestamp": pl.Int64,
}


def lives(told: Iterable[AlertLife]) -> pl.DataFrame:
    """Return the newest word on each alert."""
    columns = [column for column in ALERTS.columns if column.name != "opened_date"]
    schema = {column.name: _TYPES[column.type] for column in columns}
    rows = pl.DataFrame([asdict(one) for one in told], schema=schema)
    newest = rows.sort("updated_at").unique("alert_id", keep="last", maintain_order=True)
    timed = newest.with_columns(
        pl.from_epoch(name, time_unit="us").dt.replace_time_zone("UTC") for name in TIMES
    )
    dated = timed.with_columns(opened_date=pl.col("opened_at").dt.date())
    return dated.select(ALERTS.column_names)


def merged(stored: pl.LazyFrame, newest: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows to write and the keys of those that they take the place of."""
    days = newest["opened_date"].unique().to_list()
    near = stored.filter(pl.col("opened_date").is_in(days)).select(*KEY, "updated_at")
    known = near.join(newest.lazy().select(KEY), on=KEY, how="semi").collect()
    before = newest.join(known.rename({"updated_at": "before"}), on=KEY, how="left")
    is_news = pl.col("before").is_null() | (pl.col("updated_at") > pl.col("before"))
    rows = before.filter(is_news).drop("before")
    return rows.select(ALERTS.column_names), rows.select(KEY)

"""Rows of `silver.readings`, or of files, as readings that rules look at."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from detection.rules.readings import Readings, Series, Source

SOURCE = ("tenant", "device_full", "metric", "product", "zone", "customer")
ARRIVAL = ("topic", "partition", "offset", "item")
COLUMNS = (*SOURCE, "event_time", "received_at", "value", *ARRIVAL)


def in_arrival(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows in the order in which they came: a device's messages are in one partition."""
    return rows.sort(*ARRIVAL, "metric")


def readings_of(rows: pl.DataFrame) -> Readings:
    """Return rows with `COLUMNS` as readings, in the order in which they stand.

    Text, truth values and sentinels are no number: they break a silence, and nothing else.
    """
    sources = rows.select(SOURCE).unique(maintain_order=True).with_row_index("of")
    of = rows.join(sources, on=SOURCE, how="left", nulls_equal=True, maintain_order="left")["of"]
    event, received = (_micros(rows[name]) for name in ("event_time", "received_at"))
    return Readings(
        [_source(row) for row in sources.select(SOURCE).iter_rows()],
        of.to_numpy().astype(np.intp),
        event,
        np.maximum(received - event, 0),
        rows["value"].fill_null(float("nan")).to_numpy().astype(np.float64),
        rows.select(pl.struct(ARRIVAL).rle_id())[:, 0].to_numpy().astype(np.int64),
    )


def _micros(column: pl.Series) -> np.ndarray:
    return column.dt.epoch("us").to_numpy().astype(np.int64)


def _source(row: Sequence[str]) -> Source:
    tenant, device, metric, product, zone, customer = row
    return Source(Series(tenant, device, metric), product, zone, customer)

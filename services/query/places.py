"""Devices and zones as lists: where they are, and how old their newest reading is."""

import polars as pl

from services.query.latest import State
from services.query.latest_rows import DEVICE, of_zone


def devices(state: State, tenant: str, zone: str | None) -> pl.DataFrame:
    """Return each device with its zone, place, newest reading's time and number of metrics."""
    rows = state.rows.filter(pl.col("tenant") == tenant)
    if zone is not None:
        rows = rows.filter(of_zone(zone))
    found = rows.group_by("device_full").agg(
        pl.col("product").first(), pl.col("zone").first(), pl.col("at").max(), metrics=pl.len()
    )
    places = state.places.filter(pl.col("tenant") == tenant).select("device_full", "lat", "lng")
    placed = found.join(places, on="device_full", how="left")
    return placed.sort("device_full").select(
        pl.col("device_full").alias("device_id"),
        *("product", "zone", "lat", "lng"),
        pl.col("at").alias("time"),
        pl.col("metrics").cast(pl.Int64),
    )


def zones(state: State, tenant: str) -> pl.DataFrame:
    """Return each zone with its number of devices, their middle, and the newest reading's time."""
    placed = devices(state, tenant, None).filter(pl.col("zone").is_not_null())
    found = placed.group_by("zone").agg(
        pl.len().cast(pl.Int64).alias("devices"),
        pl.col("lat", "lng").mean(),
        pl.col("time").max(),
    )
    return found.sort("zone").select("zone", "devices", "lat", "lng", "time")


def zones_of(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the zone of each device that some latest values are of."""
    return rows.select(*DEVICE, "zone").unique(DEVICE)


def in_json(places: pl.DataFrame) -> pl.DataFrame:
    """Add each place as JSON."""
    row = pl.struct(pl.col("device_full").alias("device_id"), "lat", "lng")
    return places.with_columns(json=row.struct.json_encode())

"""Gold's windows as they are now, open ones too, of one device or zone."""

from typing import Literal, NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from services.query.listing import TableFiles
from services.query.scanning import read, tried
from services.query.times import texts_of
from telemetry.tables import DEVICE_SLIDING, DEVICE_WINDOWS, SESSIONS, ZONE_WINDOWS, Table

Width = Literal["minute", "five_minutes", "hour", "day", "sliding", "sessions"]
OF_DEVICES: dict[Width, Table] = {
    "minute": DEVICE_WINDOWS["minute"],
    "five_minutes": DEVICE_WINDOWS["five_minutes"],
    "hour": DEVICE_WINDOWS["hour"],
    "day": DEVICE_WINDOWS["day"],
    "sliding": DEVICE_SLIDING,
    "sessions": SESSIONS,
}
OF_ZONES: dict[Width, Table] = {
    "minute": ZONE_WINDOWS["minute"],
    "five_minutes": ZONE_WINDOWS["five_minutes"],
    "hour": ZONE_WINDOWS["hour"],
    "day": ZONE_WINDOWS["day"],
}
STATISTICS = ("count", "sum", "mean", "stddev", "min", "max")
ENDS = ("first", "last", "first_text", "last_text", "first_bool", "last_bool")


class Asked(NamedTuple):
    """Windows of a device or zone that begin in [start, end)."""

    tenant: str
    table: Table
    subject: str
    metric: str | None
    start_us: int
    end_us: int


def columns(table: Table) -> tuple[str, ...]:
    """Return the columns that an answer has."""
    subject = table.key[2]
    return (subject, "product", "metric", "window_start", "window_end", "is_final",
            *STATISTICS, *ENDS)  # fmt: skip


def rows(files: TableFiles, asked: Asked) -> pl.DataFrame:
    """Return the windows, the newest first."""
    return tried(lambda: _rows(files, asked))


def _rows(files: TableFiles, asked: Asked) -> pl.DataFrame:
    listing = files.listing()
    table = asked.table
    numbers = listing.between(asked.start_us, asked.end_us)
    metric = asked.metric
    named = set(
        listing.holding(asked.subject, metric, asked.start_us, asked.end_us)
        if metric
        else [listing.paths[n] for n in numbers]
    )
    if not named:
        return pl.DataFrame(schema=dict.fromkeys(columns(table), pl.Null()))
    start, end = (
        pa.scalar(micros, pa.timestamp("us", tz="UTC")) for micros in (asked.start_us, asked.end_us)
    )
    where = (pc.field("window_start") >= start) & (pc.field("window_start") < end)
    where &= (pc.field("tenant") == asked.tenant) & (pc.field(table.key[2]) == asked.subject)
    if metric:
        where &= pc.field("metric") == metric
    found = read(files, sorted(named), columns(table), where)
    return found.sort("window_start", "metric", descending=[True, False])


def points(rows: pl.DataFrame) -> list[dict[str, object]]:
    """Return windows as JSON has them."""
    if rows.is_empty():
        return []
    times = {
        name: pl.Series(name, texts_of(rows[name].cast(pl.Int64).to_numpy()), pl.String())
        for name in ("window_start", "window_end")
    }
    found = rows.with_columns(**times).to_dicts()
    for row in found:
        for end in ("first", "last"):
            kinds = (row[end], row.pop(f"{end}_text"), row.pop(f"{end}_bool"))
            row[end] = next((value for value in kinds if value is not None), None)
        if "device_full" in row:
            row["device_id"] = row.pop("device_full")
    return found

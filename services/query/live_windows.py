"""Gold's windows as they are now, open ones too, of one device or zone."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import polars as pl

from services.query.kept_windows import Found, Wanted, kept_windows
from services.query.listing import TableFiles
from services.query.planning import WINDOWS, Span, Tier, TierName
from services.query.scanning import TIME
from services.query.times import texts_of
from services.query.zones import TIERS
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
KEPT_LIKE: dict[Width, TierName] = {"sliding": "minute", "sessions": "hour"}
"""Which windows lie in partitions as long as these, for which no other windows can stand in."""
STATISTICS = ("count", "sum", "mean", "stddev", "min", "max")
ENDS = ("first", "last", "first_text", "last_text", "first_bool", "last_bool")
_TYPES = {
    **dict.fromkeys(("window_start", "window_end"), TIME),
    **dict.fromkeys((*STATISTICS, "first", "last"), pl.Float64()),
    **dict.fromkeys(("is_final", "first_bool", "last_bool"), pl.Boolean()),
    "count": pl.Int64(),
}
"""Types of columns, where there are no rows too; the others are texts."""


class Asked(NamedTuple):
    """Windows of a device or zone that begin in [start, end)."""

    tenant: str
    width: Width
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


def windows(tables: Mapping[str, TableFiles], asked: Asked, most: int) -> Found:
    """Return so many windows, the newest first; wider ones where retention took those asked for."""

    def newest(rows: pl.DataFrame) -> pl.DataFrame:
        ordered = rows.sort("window_start", "metric", "product", descending=[True, False, False])
        return ordered.head(most)

    found = kept_windows(tables, _wanted(asked)._replace(reduced=newest))
    names = columns(asked.table)
    typed = found.rows.select(pl.col(name).cast(_TYPES.get(name, pl.String())) for name in names)
    return found._replace(rows=typed)


def versions(tables: Mapping[str, TableFiles], asked: Asked) -> tuple[int, ...]:
    """Return the versions of the tables that an answer depends on."""
    return tuple(tables[name].listing().version for name in sorted(_wanted(asked).tables))


def _wanted(asked: Asked) -> Wanted:
    table = asked.table
    tiers = TIERS if table.key[2] == "zone" else WINDOWS
    named = [tier for tier in tiers if tier.table == table.name]
    tier = named[0] if named else Tier(asked.width, 0, table.name)
    metric = (("metric", asked.metric),) if asked.metric else ()
    return Wanted(
        (("tenant", asked.tenant), (table.key[2], asked.subject), *metric),
        columns(table),
        [Span(tier, asked.start_us, asked.end_us)],
        tiers[::-1],
        None if named else next(each for each in tiers if each.name == KEPT_LIKE[asked.width]),
    )


def named(rows: pl.DataFrame) -> pl.DataFrame:
    """Return windows with the names that answers have for columns."""
    return rows.rename({"device_full": "device_id"}, strict=False)


def points(rows: pl.DataFrame) -> list[dict[str, object]]:
    """Return windows as JSON has them."""
    if rows.is_empty():
        return []
    times = {
        name: pl.Series(name, texts_of(rows[name].cast(pl.Int64).to_numpy()), pl.String())
        for name in ("window_start", "window_end")
    }
    found = named(rows).with_columns(**times).to_dicts()
    for row in found:
        for end in ("first", "last"):
            kinds = (row[end], row.pop(f"{end}_text"), row.pop(f"{end}_bool"))
            row[end] = next((value for value in kinds if value is not None), None)
    return found

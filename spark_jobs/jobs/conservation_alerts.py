"""What does not hold told to people, by the topic of alerts."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

import polars as pl

from edge.outbox import OutboxError
from spark_jobs.lake import Lake
from spark_jobs.transforms.conservation import ends_told
from spark_jobs.transforms.conservation_alerts import RECENT, Place, alerts, news
from telemetry.alerts import Alert
from telemetry.tables import CONSERVATION, GATEWAY_CONSERVATION


class Sink(Protocol):
    """Where alerts go."""

    def tell(self, alerts: Sequence[Alert]) -> None:
        """Tell them, or raise `OutboxError`."""


def broken(lake: Lake, now: datetime) -> dict[Place, str]:
    """Return what does not hold in the tables, with a sentence that names the offsets."""
    return broken_hours(lake, now) | _broken_pages(lake, now)


def broken_hours(lake: Lake, now: datetime) -> dict[Place, str]:
    """Return the hours of partitions that do not hold by `ops.conservation`, with sentences."""
    hours = lake.scan(CONSERVATION).filter(_recently_broken(now)).collect()
    return {
        (f"{row['topic']}/{row['partition']}", row["hour"]): (
            f"{row['topic']}/{row['partition']} of {row['hour']:%Y-%m-%d %H:%M},"
            f" {ends_told(row['first_offset'], row['last_offset'])}: {row['difference']:+d}"
            f" messages, {row['wrong']}"
        )
        for row in hours.iter_rows(named=True)
    }


def _broken_pages(lake: Lake, now: datetime) -> dict[Place, str]:
    pages = lake.scan(GATEWAY_CONSERVATION).filter(_recently_broken(now)).collect()
    return {
        (row["page"], row["hour"]): (
            f"gateway {row['gateway']}, page {row['page']} of {row['hour']:%Y-%m-%d %H:%M}:"
            f" {row['acknowledged']} records acknowledged, {row['taken']} taken,"
            f" {row['acknowledged'] + row['difference']} there"
        )
        for row in pages.iter_rows(named=True)
    }


def _recently_broken(now: datetime) -> pl.Expr:
    return ~pl.col("holds") & (pl.col("hour_date") >= (now - RECENT).date())


class Told(NamedTuple):
    """How many alerts were told, or why none; and which places are told of as broken now."""

    said: object
    firing: Sequence[Place]


def tell(sink: Sink | None, lake: Lake, before: Collection[Place], now: datetime) -> Told:
    """Tell what is broken, and of what was told of before whatever is not any more."""
    found = broken(lake, now)
    new = news(before, found)
    told = [*alerts(new, found, now)]
    if sink is None or not told:
        return Told(0, sorted(before))
    try:
        sink.tell(told)
    except OutboxError as error:
        # The check fails all the same, and the next run tells it again.
        return Told(f"not told: {error}", sorted(before))
    return Told(len(told), new.told(before))

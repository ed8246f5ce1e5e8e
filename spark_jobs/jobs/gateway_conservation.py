"""The gateways' side of conservation: what they acknowledged is in a topic or on a disk."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta

import polars as pl

from spark_jobs.jobs.gateway_words import Words
from spark_jobs.jobs.landed_tables import HOUR, LandedTables
from spark_jobs.jobs.landed_until import LandedUntil
from spark_jobs.lake import Lake
from spark_jobs.transforms.gateway_pages import Ledger, PageBalance, Told, ledger, moment
from telemetry.tables import GATEWAY_CONSERVATION

BEFORE = timedelta(minutes=5)
"""Clocks of gateways and of Kafka differ by less."""


def balanced_pages(
    words: Words, lake: Lake, tables: LandedTables, until: LandedUntil, now: datetime
) -> list[PageBalance]:
    """Hold each page that is over and has landed against the records that are there."""
    known = ledger(words.told())
    settled = _settled(lake)
    over = [
        told
        for name, told in known.pages.items()
        if known.is_over(told, now) and settled.get(name) != told.page.told_at
    ]
    if not over:
        return []
    since = min(_begin(told, known) for told in over)
    landed = until.with_records(tables.newest(since))
    due = [told for told in over if _has_landed(landed, known.needed_at(told))]
    if not due:
        return []
    kept = words.kept(since)
    counts = _Counts(tables)
    return [_balance(told, known, counts, kept, now) for told in due]


def _settled(lake: Lake) -> dict[str, int]:
    """Return the pages that were found to hold with nothing on a disk, and when they were told."""
    rows = lake.scan(GATEWAY_CONSERVATION).filter(pl.col("holds") & (pl.col("spooled") == 0))
    told = rows.select("page", pl.col("told_at").dt.epoch("us")).collect()
    return dict(told.iter_rows())


def _has_landed(landed: LandedUntil, at: datetime) -> bool:
    """Tell whether landing has passed a moment in every partition."""
    places = list(landed.partitions) or [(topic, 0) for topic in landed.topics]
    return bool(places) and all(landed.has_passed(place, at) for place in places)


class _Counts:
    """Records of bronze by page, an hour of Kafka time at a time, each read once."""

    def __init__(self, tables: LandedTables) -> None:
        self._tables = tables
        self._hours: dict[datetime, dict[str, int]] = {}

    def of(self, name: str, first: datetime, last: datetime) -> int:
        """Count the records of a page in the hours from one moment to another."""
        hour, found = first.replace(minute=0, second=0, microsecond=0), 0
        while hour <= last:
            if hour not in self._hours:
                self._hours[hour] = self._tables.pages(hour)
            found += self._hours[hour].get(name, 0)
            hour += HOUR
        return found


def _balance(
    told: Told, known: Ledger, counts: _Counts, kept: dict[str, Counter[str]], now: datetime
) -> PageBalance:
    name = told.page.name
    was_spooled = name in known.spooled_at
    # What was on a disk is appended whenever Kafka is back.
    last = now if was_spooled else known.told[name].end + BEFORE
    return PageBalance(
        told,
        counts.of(name, _begin(told, known), last),
        {place: found[name] for place, found in kept.items()},
        known.spooled.get(name, 0),
        was_spooled,
    )


def _begin(told: Told, known: Ledger) -> datetime:
    return known.began(told) - BEFORE


def keep(lake: Lake, pages: Sequence[PageBalance], now: datetime) -> None:
    """Put the rows in place of those of the same pages, a commit a day."""
    by_day: dict[date, list[PageBalance]] = {}
    for page in pages:
        by_day.setdefault(moment(page.told.page.began_at).date(), []).append(page)
    schema = lake.scan(GATEWAY_CONSERVATION).collect_schema()
    for day, found in by_day.items():
        rows = [page.row() | {"checked_at": now} for page in found]
        named = ", ".join(f"'{page.told.page.name}'" for page in found)
        where = f"hour_date = date'{day}' and page in ({named})"
        lake.replace(GATEWAY_CONSERVATION, pl.DataFrame(rows, schema=schema), where, None)

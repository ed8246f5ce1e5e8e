"""Prove that each message of bronze is in exactly one table of silver, hour by hour."""

import argparse
from collections.abc import Iterator
from datetime import date, datetime

import polars as pl
from confluent_kafka import KafkaException

from edge.alert_topic import AlertTopic
from edge.outbox import OutboxError
from edge.outboxes import stack_mode
from edge.registry_files import RegistryFiles
from spark_jobs.jobs.conservation_alerts import Sink, broken_hours, tell
from spark_jobs.jobs.conservation_hour import MOST_MESSAGES, BalancedHour, balanced
from spark_jobs.jobs.conservation_note import ConservationNote
from spark_jobs.jobs.gateway_conservation import balanced_pages
from spark_jobs.jobs.gateway_conservation import keep as keep_pages
from spark_jobs.jobs.gateway_words import words_of
from spark_jobs.jobs.job_runs import Days, Result, add_dates, asked_days, recorded
from spark_jobs.jobs.landed_tables import HOUR, SILVER, LandedTables, landed_tables
from spark_jobs.jobs.landed_until import LandedUntil, landed_until
from spark_jobs.jobs.partitions import classes_ever, kept_since_arrival
from spark_jobs.lake import Lake
from spark_jobs.transforms.conservation_alerts import RECENT
from spark_jobs.transforms.gateway_pages import PageBalance
from spark_jobs.transforms.spans import midnight
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from telemetry.tables import CONSERVATION, GATEWAY_CONSERVATION

MOST_HOURS = 24 * 14
SHOWN = 10


class ConservationError(HeadwaterError):
    """Messages are lost, or there twice."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the dates; the default is each hour that is over, and new, changed or broken."""
    add_dates(parser)
    parser.add_argument("--rows", type=int, default=MOST_MESSAGES, help="most messages at a time")
    parser.add_argument("--exit-zero", action="store_true", help="tell of differences, do not fail")


def run(arguments: argparse.Namespace, settings: Settings, lake: Lake) -> Result:
    """Check the hours and write `ops.conservation`; fail if a message is not in its one place."""
    return recorded(
        lake, "conservation", arguments, lambda now: check(arguments, settings, lake, now)
    )


def check(
    arguments: argparse.Namespace,
    settings: Settings,
    lake: Lake,
    now: datetime,
    sink: Sink | None = None,
) -> Result:
    """Check as `run` does, as of a moment; alerts go to the stack's topic, or to `sink`."""
    asked = asked_days(arguments)
    products = RegistryFiles(settings.registry_dir).products().values()
    oldest = now - kept_since_arrival(SILVER, products, classes_ever(lake))
    until = landed_until(settings, now)
    tables = landed_tables(lake, settings.checkpoint_dir)
    note = ConservationNote(settings.checkpoint_dir / "conservation.looked")
    changed = {hour for hour in note.changed(lake, tables) if hour >= oldest}
    due = (
        _of_days(tables, asked, oldest)
        if asked
        else _due(lake, {*tables.hours()["hour"]} - note.empty, changed, oldest, now)
    )
    checked = list(_balanced(tables, due, until, is_asked=asked is not None, rows=arguments.rows))
    before = note.told_of(lake, now)
    _keep(lake, checked, now)
    gateways, pages = _gateways(settings, lake, tables, until, now)
    wrong = [text for hour in checked for text in hour.wrong()]
    wrong += [page.sentence() for page in pages if not page.holds]
    if asked is None:
        wrong += _for_good(lake, oldest, now)
    told = tell(_sink(settings) if sink is None else sink, lake, before, now)
    note.keep(tables, changed, checked, told.firing)
    if wrong and not arguments.exit_zero:
        raise ConservationError(_sentence(wrong))
    return {
        "success": not wrong,
        "hours": len(checked),
        "messages": sum(hour.items for hour in checked),
        "difference": sum(hour.difference for hour in checked),
        "wrong": wrong,
        "hours_left": len(due) - len(checked),
        "hours_never_held": len(_never_held(lake, tables, note, oldest)),
        "gateways": gateways,
        "alerts": told.said,
        "tables": {
            CONSERVATION.name: {"rows": sum(len(hour.balances) for hour in checked)},
            GATEWAY_CONSERVATION.name: {"rows": len(pages)},
        },
    }


def _gateways(
    settings: Settings, lake: Lake, tables: LandedTables, until: LandedUntil, now: datetime
) -> tuple[dict[str, object], list[PageBalance]]:
    """Hold what gateways acknowledged against what is there; without Kafka the next run does."""
    try:
        words = words_of(settings, stack_mode(settings))
        pages = balanced_pages(words, lake, tables, until, now)
    except (OutboxError, KafkaException, TimeoutError) as error:
        return {"not_checked": str(error)}, []
    keep_pages(lake, pages, now)
    told = [page.told.page for page in pages]
    figures: dict[str, object] = {
        "pages": len(pages),
        "exact": sum(page.is_exact for page in pages),
        "acknowledged": sum(page.acknowledged for page in told),
        "taken": sum(page.taken for page in told),
        "there": sum(page.found for page in pages),
    }
    return figures, pages


def _sink(settings: Settings) -> Sink | None:
    """Return where alerts go; the light stack, and a lake without a stack, have no such place."""
    try:
        is_full = stack_mode(settings) == "full"
    except OutboxError:
        return None
    return AlertTopic(settings.kafka_bootstrap) if is_full else None


def _of_days(tables: LandedTables, asked: Days, oldest: datetime) -> list[datetime]:
    """Return the hours of dates, open ones as well; raise if retention was there before."""
    of_silver = (hour for hour in tables.beside_bronze() if asked.holds(hour.date()))
    of_bronze = (hour for hour in tables.hours()["hour"] if asked.holds(hour.date()))
    hours = sorted([*of_bronze, *(hour for hour in of_silver if tables.places(hour))])
    if hours and hours[0] < oldest:
        raise HeadwaterError(
            f"rows of {hours[0]:%Y-%m-%d} may be gone by retention: ask for {oldest:%Y-%m-%d}"
            " or later"
        )
    return hours


def _for_good(lake: Lake, oldest: datetime, now: datetime) -> list[str]:
    """Return sentences on hours that did not hold and cannot be held again: that does not mend."""
    return [
        f"{text} (retention may have been there since)"
        for (_, hour), text in sorted(broken_hours(lake, now).items())
        if hour < oldest
    ]


def _never_held(
    lake: Lake, tables: LandedTables, note: ConservationNote, oldest: datetime
) -> set[datetime]:
    """Return the hours that retention may have reached before they were held."""
    held = lake.scan(CONSERVATION).select(pl.col("hour").unique()).collect()["hour"]
    there = {*tables.hours()["hour"]} - note.empty - {*held}
    return {hour for hour in there if hour < oldest}


def _due(
    lake: Lake, there: set[datetime], changed: set[datetime], oldest: datetime, now: datetime
) -> list[datetime]:
    """Return the hours that are over and were never checked, or changed since they were.

    Last come those that did not hold: until they do, or are told of no longer, they are due.
    """
    since = midnight((now - RECENT).date())
    by_hour = lake.scan(CONSERVATION).group_by("hour").agg(pl.col("holds").all()).collect()
    broken = {hour for hour, holds in by_hour.iter_rows() if not holds and hour >= since}
    due = there - {*by_hour["hour"]} | changed | broken
    over = [hour for hour in due if oldest <= hour <= now - HOUR]
    return sorted(over, key=lambda hour: (hour in broken, hour))[:MOST_HOURS]


def _balanced(
    tables: LandedTables, hours: list[datetime], until: LandedUntil, *, is_asked: bool, rows: int
) -> Iterator[BalancedHour]:
    """Yield the hours that landing has passed in every partition, or all that were asked for.

    One with records of a batch that is cut short is left until the batch is whole.
    """
    if not hours:
        return
    known = until.with_records(tables.newest(min(hours)))
    for hour in hours:
        has_passed = all(known.has_passed(place, hour + HOUR) for place in tables.places(hour))
        has_passed = has_passed and not tables.is_open(hour)
        if has_passed or is_asked:
            yield balanced(tables, hour, tables.ends(hour), is_closed=has_passed, rows=rows)


def _keep(lake: Lake, checked: list[BalancedHour], now: datetime) -> None:
    """Put the rows in place of those of the same hours, a commit a day."""
    by_day: dict[date, list[BalancedHour]] = {}
    for hour in checked:
        by_day.setdefault(hour.hour.date(), []).append(hour)
    schema = lake.scan(CONSERVATION).collect_schema()
    for day, hours in by_day.items():
        rows = [row | {"checked_at": now} for hour in hours for row in hour.rows()]
        named = " or ".join(f"hour = '{hour.hour.isoformat()}'" for hour in hours)
        where = f"hour_date = date'{day}' and ({named})"
        lake.replace(CONSERVATION, pl.DataFrame(rows, schema=schema), where, None)


def _sentence(wrong: list[str]) -> str:
    more = f"; and {len(wrong) - SHOWN} more, see {CONSERVATION.name}" if wrong[SHOWN:] else ""
    return "; ".join(wrong[:SHOWN]) + more

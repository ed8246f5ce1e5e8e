"""What viewers are told of latest values: all of them to begin with, then what is new."""

from collections.abc import Callable, Collection

import polars as pl

from services.query.latest import News, State
from services.query.latest_rows import DEVICE, of_zone
from services.query.live.channel import Subject
from services.query.live.mailbox import MOST_ROWS, Batch, Rows
from services.query.places import in_json, zones_of

Told = Callable[[Subject], list[Batch]]


def whole(state: State, subject: Subject) -> list[Batch]:
    """Return a subject's latest values and places as they are now."""
    rows = _of(state.rows, subject)
    places = state.places.join(zones_of(rows), on=DEVICE, how="inner")
    return [_latest(rows, is_whole=True), _placed(places, is_whole=True)]


def news(found: News, subjects: Collection[Subject]) -> Told | None:
    """Return what tells a subject its news; None: everything must be told."""
    if found.rows is None:
        return None
    # Few of many: what nobody watches is looked at once.
    by_name = {kind: _names(subjects, kind) for kind in ("device", "zone")}
    of_devices = pl.col("device_full").is_in(by_name["device"])
    watched = of_devices | pl.col("zone").fill_null("").is_in(by_name["zone"])
    rows = found.rows.filter(watched)
    places = found.places.join(zones_of(rows), on=DEVICE, how="inner")

    def told(subject: Subject) -> list[Batch]:
        mine = _of(rows, subject), _where(places, subject)
        return [batch for batch in (_latest(mine[0]), _placed(mine[1])) if batch.rows]

    return told


def _names(subjects: Collection[Subject], kind: str) -> list[str]:
    return sorted({subject.name for subject in subjects if subject.kind == kind})


def _of(rows: pl.DataFrame, subject: Subject) -> pl.DataFrame:
    mine = _where(rows, subject)
    return mine if subject.metric is None else mine.filter(pl.col("metric") == subject.metric)


def _where(rows: pl.DataFrame, subject: Subject) -> pl.DataFrame:
    is_device = pl.col("device_full") == subject.name
    is_mine = of_zone(subject.name) if subject.kind == "zone" else is_device
    return rows.filter(pl.col("tenant") == subject.tenant, is_mine)


def _latest(rows: pl.DataFrame, *, is_whole: bool = False) -> Batch:
    shown = rows.sort("at").tail(MOST_ROWS)
    texts = zip(shown["device_full"], shown["metric"], shown["json"], strict=True)
    told: Rows = {(device, metric): text for device, metric, text in texts}
    return Batch("latest", told, is_whole, skipped=len(rows) - len(shown))


def _placed(places: pl.DataFrame, *, is_whole: bool = False) -> Batch:
    shown = in_json(places.head(MOST_ROWS))
    return Batch(
        "places",
        dict(zip(shown["device_full"], shown["json"], strict=True)),
        is_whole,
        skipped=len(places) - len(shown),
    )

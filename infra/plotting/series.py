"""Series of the lake, read as they stand: readings from silver, windows from gold."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl
from deltalake import DeltaTable

from infra.close_names import unknown
from infra.plotting.chart import Line, gaps
from telemetry.errors import HeadwaterError
from telemetry.tables import DEVICE_WINDOWS, LATE, READINGS, Table

RAW = "raw"
WINDOWS = (RAW, *DEVICE_WINDOWS)
STEPS = {
    "minute": timedelta(minutes=1),
    "five_minutes": timedelta(minutes=5),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}
_LONGEST = (
    (timedelta(hours=6), RAW),
    (timedelta(days=2), "minute"),
    (timedelta(days=10), "five_minutes"),
    (timedelta(days=200), "hour"),
)
"""A chart shows some thousands of points at most, whatever its span."""

METRICS_ARE_IN = "`headwater product show` of its product lists them"
_SAID = pl.coalesce("value", pl.col("value_bool").cast(pl.Float64))
_NUMBER = pl.when(_SAID.is_finite()).then(_SAID)


@dataclass(frozen=True, slots=True)
class Asked:
    """One device's metric in a span of event time; None is open."""

    device: str
    metric: str
    since: datetime | None = None
    until: datetime | None = None
    tenant: str = "default"


@dataclass(frozen=True, slots=True)
class Extent:
    """From when to when a series has readings, and in which unit."""

    first: datetime
    last: datetime
    unit: str | None
    is_part: bool = False
    """Whether there is more than was told."""
    texts: int = 0
    """Readings between its numbers that are text, and so in no line."""


class Series:
    """Reads series from the lake's tables."""

    def __init__(self, lake_root: str) -> None:
        self._lake_root = lake_root

    def extent(self, asked: Asked) -> Extent:
        """Return the span that has numbers; raise for what has none, naming what there is."""
        when = pl.col("event_time")
        rows = self._readings(asked).select(
            when.filter(_NUMBER.is_not_null()).min().alias("first"),
            when.filter(_NUMBER.is_not_null()).max().alias("last"),
            pl.col("unit").drop_nulls().last().alias("unit"),
            pl.col("value_text").count().alias("texts"),
            pl.len().alias("rows"),
        )
        first, last, unit, texts, count = rows.collect().row(0)
        name = f"{asked.metric} of {asked.device}"
        moments = [at for at in (first, last, *self._by_days(asked)) if at is not None]
        if texts and not moments:
            raise HeadwaterError(f"{name} is text: there is no line in it")
        if not moments:
            no_value = f"{name} has {count:,} readings and not one value: all are sentinels"
            raise HeadwaterError(no_value if count else self._why_nothing(asked))
        return Extent(min(moments), max(moments), unit, texts=texts)

    def window_for(self, extents: Mapping[Asked, Extent]) -> str:
        """Return the finest window whose line is readable and is kept from the first time on.

        Where windows have no numbers, as those of truth values, these are readings.
        """
        first = min(extent.first for extent in extents.values())
        last = max(extent.last for extent in extents.values())
        finest = fitting_window(first, last)
        readable = WINDOWS[WINDOWS.index(finest) :]
        in_windows = {one: extent for one, extent in extents.items() if any(self._by_days(one))}
        of_each = {each: extents if each == RAW else in_windows for each in readable}
        kept = next((each for each, those in of_each.items() if self._reach(those, each)), finest)
        return kept if any(self.line(one, kept, "").times for one in extents) else RAW

    def _reach(self, extents: Mapping[Asked, Extent], window: str) -> bool:
        """Say whether readings or windows of all series are kept from where each begins."""
        for asked, extent in extents.items():
            rows = self._readings(asked) if window == RAW else self._windows(asked, window)
            time = pl.col("event_time" if window == RAW else "window_start")
            begins = rows.select(time.min()).collect().item()
            if begins is None or begins > extent.first:
                return False
        return True

    def _by_days(self, asked: Asked) -> tuple[datetime | None, datetime | None]:
        """Return from when to when days have numbers: these stay when readings are dropped."""
        days = self._windows(asked, "day").filter(pl.col("mean").is_finite())
        first, last = (
            days.select(pl.col("first_at").min(), pl.col("last_at").max()).collect().row(0)
        )
        return first, last

    def _why_nothing(self, asked: Asked) -> str:
        mine = Asked(asked.device, asked.metric, tenant=asked.tenant)
        ever = self._readings(mine).select(
            first=pl.col("event_time").min(), last=pl.col("event_time").max()
        )
        moments = [at for at in (*ever.collect().row(0), *self._by_days(mine)) if at is not None]
        if moments:
            first, last = min(moments), max(moments)
            return (
                f"{asked.metric} of {asked.device} has nothing in that time:"
                f" it goes from {first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC"
            )
        metrics = self._distinct("metric", pl.col("device_full") == asked.device, asked.tenant)
        if metrics:
            names = map(as_typed, metrics)
            return unknown(f"metric of {asked.device}", asked.metric, names, METRICS_ARE_IN)
        devices = list(map(as_typed, self._distinct("device_full", pl.lit(True), asked.tenant)))
        fix = "`headwater device list` lists them" if devices else "no device has any yet"
        return unknown("device with readings", asked.device, devices, fix)

    def _distinct(self, column: str, condition: pl.Expr, tenant: str) -> list[str]:
        mine = self._scan(READINGS).filter((pl.col("tenant") == tenant) & condition)
        return mine.select(pl.col(column).unique().sort()).collect()[column].to_list()

    def line(self, asked: Asked, window: str, label: str) -> Line:
        """Return the series: every reading, or the means of windows with their least and most."""
        if window == RAW:
            return self._raw(asked, label)
        columns = ("window_start", "mean", "min", "max")
        found = self._windows(asked, window).select(columns).sort("window_start").collect()
        known = found.filter(pl.all_horizontal(pl.col("mean", "min", "max").is_finite()))
        times = tuple(known["window_start"].to_list())
        return Line(
            label,
            times,
            tuple(known["mean"].to_list()),
            gaps(times, STEPS[window]),
            low=tuple(known["min"].to_list()),
            high=tuple(known["max"].to_list()),
        )

    def _raw(self, asked: Asked, label: str) -> Line:
        rows = self._readings(asked).select("event_time", "seq", number=_NUMBER)
        found = rows.sort("event_time", "seq").collect()
        is_missing = found["number"].is_null()
        kept = found.filter(~is_missing)
        times = tuple(kept["event_time"].to_list())
        return Line(label, times, tuple(kept["number"].to_list()), gaps(times) | _after(is_missing))

    def _windows(self, asked: Asked, window: str) -> pl.LazyFrame:
        return _within(self._scan(DEVICE_WINDOWS[window]), asked, "window_start")

    def _readings(self, asked: Asked) -> pl.LazyFrame:
        columns = ["event_time", "seq", "value", "value_text", "value_bool", "unit"]
        return pl.concat(
            [
                _within(self._scan(table), asked, "event_time").select(columns)
                for table in (READINGS, LATE)
            ]
        )

    def _scan(self, table: Table) -> pl.LazyFrame:
        path = f"{self._lake_root}/{table.name.replace('.', '/')}"
        if not DeltaTable.is_deltatable(path):
            raise HeadwaterError(
                f"there are no tables in {self._lake_root}: run `headwater up` first"
            )
        return pl.scan_delta(path)


def _within(rows: pl.LazyFrame, asked: Asked, time: str) -> pl.LazyFrame:
    condition = (
        (pl.col("tenant") == asked.tenant)
        & (pl.col("device_full") == asked.device)
        & (pl.col("metric") == asked.metric)
    )
    if asked.since:
        condition &= pl.col(time) >= asked.since
    if asked.until:
        condition &= pl.col(time) < asked.until
    return rows.filter(condition)


def as_typed(name: str) -> str:
    """Return a name as `headwater plot` takes it, for which commas stand between names."""
    return name.replace(",", "\\,")


def _after(is_missing: Iterable[bool]) -> frozenset[int]:
    """Return the points that follow a missing one, counted without the missing ones."""
    breaks, kept, was_missing = set[int](), 0, False
    for missing in is_missing:
        if missing:
            was_missing = True
            continue
        if was_missing and kept:
            breaks.add(kept)
        was_missing = False
        kept += 1
    return frozenset(breaks)


def fitting_window(first: datetime, last: datetime) -> str:
    """Return the finest window whose line over this span is still readable."""
    return next((window for longest, window in _LONGEST if last - first <= longest), "day")

"""Makes exactly the windows of gold again that are marked, from silver as gold has read it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import polars as pl

from spark_jobs.jobs.gold_rebuild import Rebuild
from spark_jobs.jobs.gold_sessions import made_again
from spark_jobs.table_files import Change
from spark_jobs.transforms import delays, marks, windows
from spark_jobs.transforms.partials import SERIES, merged
from spark_jobs.transforms.spans import Span, days
from telemetry.tables import (
    DELIVERY_DELAY,
    DEVICE_MINUTE,
    DEVICE_SLIDING,
    DEVICE_WINDOWS,
    SESSIONS,
    ZONE_WINDOWS,
    Table,
)

_TUMBLING = (*DEVICE_WINDOWS.values(), *ZONE_WINDOWS.values())
_PRODUCT = ["tenant", "product"]


@dataclass(frozen=True, slots=True)
class Restate:
    """Marked windows, each made of distinct keys of silver; others keep their rows and files.

    So do those of which silver does not hold all any more.
    """

    rebuild: Rebuild

    def run(self, marked: pl.DataFrame) -> Counter[str]:
        """Make again what is marked; return the rows written by table."""
        written: Counter[str] = Counter()
        is_whole = pl.col("device_full") == ""
        of_windows = pl.col("table") == DEVICE_MINUTE.name
        for first, end in _spans(marked.filter(of_windows, is_whole)):
            written.update(self.rebuild.run(Span(first, end)))
        minutes = marks.windows_of(marked.filter(of_windows, ~is_whole), "1m")
        for span, some in _by_day(minutes):
            written.update(self._windows(span, some.select(marks.MINUTES)))
            written.update(self._sessions(some))
        hours = marks.windows_of(marked.filter(pl.col("table") == DELIVERY_DELAY.name), "1h")
        for hour in hours["window_start"].unique().sort():
            written.update(self._delays(hour, hours.filter(window_start=hour)))
        return written

    def _windows(self, day: Span, minutes: pl.DataFrame) -> Counter[str]:
        keys = marks.touched(minutes, self.rebuild.rules)
        gained: dict[str, list[pl.DataFrame]] = {table.name: [] for table in _TUMBLING}
        for part in (part for block in self.rebuild.blocks(day) for part in block):
            partials = windows.cascade(windows.minutes(self._readings(part, minutes)))
            for table in _TUMBLING:
                key = keys[table.name]
                mine = partials[table.name].join(key, on=key.columns, how="semi")
                gained[table.name].append(mine)
        written: Counter[str] = Counter()
        for table in _TUMBLING:
            rows = merged(pl.concat(gained[table.name]), [*SERIES, table.key[2], "window_start"])
            written[table.name] = self._put(table, rows, keys[table.name])
        written[DEVICE_SLIDING.name] = self._sliding(keys[DEVICE_SLIDING.name])
        return written

    def _readings(self, part: Span, minutes: pl.DataFrame) -> pl.DataFrame:
        """Return the readings of the devices that are touched, and of their zones."""
        of_device = pl.col("device_full").is_in(minutes["device_full"].unique().to_list())
        of_zone = pl.col("zone").fill_null("").is_in(minutes["zone"].unique().to_list())
        rows = self.rebuild.silver(part).filter(of_device | of_zone)
        mine = minutes.lazy().select(_PRODUCT).unique()
        return rows.join(mine, on=_PRODUCT, how="semi").collect()

    def _sliding(self, keys: pl.DataFrame) -> int:
        if keys.is_empty():
            return 0
        widest = self.rebuild.rules["width"].max()
        assert isinstance(widest, timedelta)
        first, last = _ends(keys)
        seen = Span(first, last + widest).holds("window_start")
        devices = pl.col("device_full").is_in(keys["device_full"].unique().to_list())
        minutes = self.rebuild.lake.scan(DEVICE_MINUTE).filter(seen, devices).collect()
        spread = windows.sliding(minutes, self.rebuild.rules)
        rows = spread.join(keys, on=keys.columns, how="semi")
        return self._put(DEVICE_SLIDING, rows, keys)

    def _put(self, table: Table, partials: pl.DataFrame, keys: pl.DataFrame) -> int:
        """Put the rows in place of all that the table has of these windows."""
        lake, held = self.rebuild.lake, self.rebuild.held
        ended = windows.in_one_class(windows.ended(partials, table), table)
        done = windows.completed(ended, table, self.rebuild.state.watermarks)
        classes = {*lake.files(table)["partition.retention_class"], *done["retention_class"]}
        whole = held.of_classes(keys, classes)
        if whole.is_empty():
            return 0
        change = Change((done.filter(held.whole),), whole, _files(whole, table))
        return lake.update(table, lambda _: change, None) or 0

    def _sessions(self, minutes: pl.DataFrame) -> Counter[str]:
        asked = self.rebuild.rules.filter(pl.col("gap").is_not_null()).select(_PRODUCT)
        mine = minutes.join(asked, on=_PRODUCT, how="semi")
        if mine.is_empty():
            return Counter()
        first, last = _ends(mine)
        devices = mine.select(*_PRODUCT, "device_full").unique()
        readings = partial(self.rebuild.readings, keys=devices)

        def change(stored: pl.LazyFrame) -> Change | None:
            same = stored.join(devices.lazy(), on=devices.columns, how="semi")
            span = Span(first, last + marks.MINUTE)
            made = made_again(same, readings, span, self.rebuild.rules, self.rebuild.held)
            if made is None:
                return None
            done = windows.completed(made.rows, SESSIONS, self.rebuild.state.watermarks)
            return Change((done,), made.replaced, made.files)

        return Counter({SESSIONS.name: self.rebuild.lake.update(SESSIONS, change, None) or 0})

    def _delays(self, hour: datetime, of_hour: pl.DataFrame) -> Counter[str]:
        named = of_hour.select(*_PRODUCT, pl.col("window_start").alias("hour"))
        keys = named.filter(self.rebuild.held.whole_hours)
        if keys.is_empty():
            return Counter()
        silver = self.rebuild.silver(Span(hour, hour + marks.HOUR), "received_at")
        mine = silver.join(keys.lazy(), on=_PRODUCT, how="semi").collect()
        rows = delays.merged(delays.sketched(delays.messages(mine)))
        may_hold = pl.col("partition.hour_date") == hour.date()
        change = Change((rows.select(DELIVERY_DELAY.column_names),), keys, may_hold)
        lake = self.rebuild.lake
        return Counter(
            {DELIVERY_DELAY.name: lake.update(DELIVERY_DELAY, lambda _: change, None) or 0}
        )


def _spans(marked: pl.DataFrame) -> Iterator[tuple[datetime, datetime]]:
    yield from marked.select("window_start", "window_end").unique().sort("window_start").iter_rows()


def _by_day(minutes: pl.DataFrame) -> Iterator[tuple[Span, pl.DataFrame]]:
    day = pl.col("window_start").dt.date().alias("day")
    for (date,), some in minutes.sort("window_start").group_by(day, maintain_order=True):
        yield days(date, date), some


def _ends(windows_: pl.DataFrame) -> tuple[datetime, datetime]:
    first, last = windows_["window_start"].min(), windows_["window_start"].max()
    assert isinstance(first, datetime)
    assert isinstance(last, datetime)
    return first, last


def _files(keys: pl.DataFrame, table: Table) -> pl.Expr:
    """Return the filter of files that may hold some of the windows."""
    start = pl.col("window_start")
    ends = keys.group_by(windows.period(table)).agg(first=start.min(), last=start.max())
    return pl.any_horizontal(
        (pl.col("partition.window_period") == period)
        & (pl.col("max.window_start") >= first).fill_null(value=True)
        & (pl.col("min.window_start") <= last).fill_null(value=True)
        for period, first, last in ends.iter_rows()
    )

"""The cookbook's questions worked out over rows in plain Python, with no engine of SQL."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias

import polars as pl
from deltalake import DeltaTable

Answer: TypeAlias = list[tuple[Any, ...]]
Rows: TypeAlias = list[dict[str, Any]]
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@cache
def rows_of(lake: Path, name: str) -> Rows:
    """Return all rows of a table as they lie in its files, readings by event time, then number."""
    files = DeltaTable(lake / Path(*name.split(".")))
    rows = pl.DataFrame(pl.scan_delta(files).collect()).to_dicts()
    if name in ("silver.readings", "silver.late"):
        rows.sort(key=in_time)
    return rows


def in_time(row: dict[str, Any]) -> tuple[Any, ...]:
    """Return a key that puts readings in the order of their event times, then numbers."""
    return row["event_time_us"], row["seq"], row["boot"]


@dataclass(frozen=True, slots=True)
class Known:
    """The rows of a lake, and the moment that is asked at."""

    lake: Path
    now: datetime
    source: str = "silver.readings"

    def rows(self, name: str) -> Rows:
        """Return all rows of a table."""
        return rows_of(self.lake, name)

    @property
    def readings(self) -> Rows:
        """The rows of silver.readings, by event time, then number."""
        return self.rows(self.source)

    def since(self, days: int, metric: str | None = None, *, until: int | None = None) -> Rows:
        """Return readings since the midnight `days` ago, in order of time; `until` likewise."""
        first = self.day(days)
        end = date.max if until is None else self.day(until)
        return [
            row
            for row in self.readings
            if first <= row["event_date"] < end and metric in (None, row["metric"])
        ]

    def told(self, days: int, metric: str | None = None, *, until: int | None = None) -> Rows:
        """Return likewise all readings, those that came late as well."""
        late = replace(self, source="silver.late")
        both = [each.since(days, metric, until=until) for each in (self, late)]
        return sorted(chain(*both), key=in_time)

    def day(self, ago: int) -> date:
        """Return the day so many days ago."""
        return self.now.date() - timedelta(days=ago)

    def midnight(self, ago: int) -> datetime:
        """Return the first moment of that day."""
        day = self.day(ago)
        return datetime(day.year, day.month, day.day, tzinfo=UTC)


Work: TypeAlias = Callable[[Known], Answer]


def grouped(rows: Iterable[dict[str, Any]], *columns: str) -> Mapping[Any, Rows]:
    """Return rows by the values of some columns, in the order of these values, null last."""
    groups: dict[tuple[Any, ...], Rows] = {}
    for row in rows:
        groups.setdefault(tuple(row[column] for column in columns), []).append(row)
    return dict(sorted(groups.items(), key=lambda group: null_last(group[0])))


def null_last(values: Iterable[Any]) -> list[tuple[bool, Any]]:
    """Return a key that sorts as SQL does."""
    return [(value is None, value) for value in values]


def hour_of(moment: datetime) -> datetime:
    """Return the hour's first moment."""
    return moment.replace(minute=0, second=0, microsecond=0)


def mean(numbers: Iterable[float]) -> float:
    """Return the arithmetic mean."""
    all_numbers = list(numbers)
    return sum(all_numbers) / len(all_numbers)


def slope(points: Iterable[tuple[float, float]]) -> float:
    """Return the slope of the least-squares line through (x, y)."""
    xs, ys = zip(*points, strict=True)
    x_mean, y_mean = mean(xs), mean(ys)
    over = sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True))
    return float(over / sum((x - x_mean) ** 2 for x in xs))

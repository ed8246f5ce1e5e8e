"""Gold's windows and sessions of the cookbook's readings, as gold would hold them."""

import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from tests.infra.sql.seeded_lake import Row

SESSION_GAP = timedelta(minutes=45)


def windows(readings: Sequence[Row], minutes: int, subject: str) -> list[Row]:
    """Return the tumbling windows of devices (`device_full`) or zones (`zone`)."""
    groups: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
    for row in readings:
        at: Any = row["event_time"]
        width = minutes * 60
        start = datetime.fromtimestamp(int(at.timestamp()) // width * width, tz=UTC)
        groups[start, row[subject], row["product"], row["metric"]].append(row)
    return [_window(key, subject, minutes, rows) for key, rows in groups.items()]


def _window(key: tuple[Any, ...], subject: str, minutes: int, rows: list[Any]) -> Row:
    start, name, product, metric = key
    told = [row for row in rows if any(_values(row))]
    numbers = [row["value"] for row in told if row.get("value") is not None]
    day = start.date()
    return {
        "tenant": "default", "window_start": start, subject: name, "product": product,
        "metric": metric, "window_end": start + timedelta(minutes=minutes), "count": len(told),
        **(_figures(numbers) if numbers else {}),
        "last_at": max((row["event_time"] for row in told), default=None),
        "is_final": True, "retention_class": "default",
        "window_period": day.replace(day=1) if minutes < 1440 else day.replace(month=1, day=1),
    }  # fmt: skip


def _values(row: Any) -> Iterator[bool]:
    return (row.get(column) is not None for column in ("value", "value_text", "value_bool"))


def _figures(numbers: list[float]) -> Row:
    mean = statistics.fmean(numbers)
    return {
        "sum": sum(numbers), "m2": sum((number - mean) ** 2 for number in numbers),
        "min": min(numbers), "max": max(numbers), "mean": mean,
        "stddev": statistics.stdev(numbers) if len(numbers) > 1 else None,
    }  # fmt: skip


def sessions(readings: Sequence[Row], now: datetime) -> Iterator[Row]:
    """Yield each device's sessions of two metrics in the last two days, the open one too."""
    times: dict[Any, list[Any]] = defaultdict(list)
    for row in readings:
        at: Any = row["event_time"]
        if row["metric"] in ("temperature", "humidity") and at > now - timedelta(days=2):
            times[row["device_full"], row["metric"]].append(at)
    for (device, metric), moments in times.items():
        breaks = [n + 1 for n, (a, b) in enumerate(pairwise(moments)) if b - a > SESSION_GAP]
        for first, end in pairwise([0, *breaks, len(moments)]):
            start, last = moments[first], moments[end - 1]
            yield {
                "tenant": "default", "window_start": start, "device_full": device,
                "product": "room", "metric": metric, "window_end": last + SESSION_GAP,
                "count": end - first, "is_final": last + SESSION_GAP < now,
                "retention_class": "default", "window_period": start.date(),
            }  # fmt: skip

"""Answers about how devices and zones compare, from readings where the page asks gold."""

import statistics
from typing import Any

from tests.infra.sql.cookbook_answers import (
    DAY,
    HOUR,
    Answer,
    Known,
    Work,
    grouped,
    hour_of,
    mean,
    slope,
)

IN_GOLD = ("room", "power")
"""Products whose readings the lake's gold counts."""


def _numbers(known: Known, days: int, metric: str | None = None, until: int | None = None) -> Any:
    return [row for row in known.since(days, metric, until=until) if row["value"] is not None]


def _told(known: Known, days: int, metric: str, until: int | None = None) -> Any:
    return [row for row in known.told(days, metric, until=until) if row["value"] is not None]


def _means(rows: Any, *columns: str) -> dict[Any, float]:
    return {k: mean(r["value"] for r in some) for k, some in grouped(rows, *columns).items()}


def last_week(known: Known) -> Answer:
    rows = [
        {**row, "hour": hour_of(row["event_time"])}
        for row in _numbers(known, 14)
        if row["product"] in IN_GOLD
    ]
    means = _means(rows, "zone", "product", "metric", "hour")
    first = hour_of(known.now) - 24 * HOUR
    found = [
        (zone, product, metric, hour, now, means[zone, product, metric, hour - 7 * DAY])
        for (zone, product, metric, hour), now in means.items()
        if first <= hour < hour_of(known.now) and (zone, product, metric, hour - 7 * DAY) in means
    ]
    compared = [(*row, row[4] - row[5]) for row in found]
    return sorted(compared, key=lambda row: (-abs(row[6]), *row[:4]))[:10]


def drift(known: Known) -> Answer:
    days = _means(_numbers(known, 14, "temperature", 0), "device_full", "event_date")
    points: dict[str, list[tuple[float, float]]] = {}
    for (device, day), value in days.items():
        points.setdefault(device, []).append((day.toordinal(), value))
    slopes = [(d, "temperature", len(p), slope(p)) for d, p in points.items() if len(p) >= 7]
    return sorted(slopes, key=lambda row: (-abs(row[3]), row[0]))[:10]


def thefts(known: Known) -> Answer:
    zones = {r["device_full"]: r["zone"] for r in known.rows("dim.devices") if not r["valid_to"]}
    used: dict[str, list[float]] = {}
    days = grouped(_numbers(known, 14, "energy", 0), "device_full", "event_date")
    for (device, day), rows in days.items():
        values = [row["value"] for row in rows]
        used.setdefault(device, [0.0, 0.0])[day < known.day(7)] += max(values) - min(values)
    found: Answer = []
    for device, (recent, usual) in used.items():
        others = [use for name, use in used.items() if zones[name] == zones[device] != name]
        others = [use for use in others if use is not used[device]]
        expected = sum(use[0] for use in others) / sum(use[1] for use in others)
        if recent / usual < 0.5 * expected:
            found.append((device, zones[device], recent, usual, recent / usual, expected))
    return sorted(found, key=lambda row: (row[4], row[0]))


def ranking(known: Known) -> Answer:
    rows = [row for row in _numbers(known, 2, until=0) if row["product"] in IN_GOLD]
    means = _means(rows, "product", "metric", "zone", "event_date")
    by_day: dict[Any, list[tuple[float, str]]] = {}
    for (product, metric, zone, day), value in means.items():
        by_day.setdefault((product, metric, day), []).append((-value, zone))
    place = {
        (product, metric, zone, day): n
        for (product, metric, day), zones in by_day.items()
        for n, (_, zone) in enumerate(sorted(zones), start=1)
    }
    found: Answer = []
    for (product, metric, zone, day), n in place.items():
        if day == known.day(1):
            before = place.get((product, metric, zone, known.day(2)))
            value = means[product, metric, zone, day]
            found.append((product, metric, n, zone, value, before and before - n))
    return sorted(found, key=lambda row: row[:4])


def unlike(known: Known) -> Answer:
    means = _means(_told(known, 1, "temperature", 0), "zone", "device_full")
    found: Answer = []
    for (zone, device), value in means.items():
        peers = [other for (place, _), other in means.items() if place == zone]
        if len(peers) > 1 and (spread := statistics.stdev(peers)) > 0:
            found.append((device, zone, value, (value - mean(peers)) / spread))
    return sorted(found, key=lambda row: (-round(abs(row[3]), 6), row[0]))


def six_hours(known: Known) -> Answer:
    rows = _numbers(known, 1, "temperature", 0)
    parts = [{**r, "part": r["event_time"].hour // 6} for r in rows]
    found: Answer = []
    for (device, part), some in grouped(parts, "device_full", "part").items():
        values = [row["value"] for row in some]
        start = known.midnight(1) + 6 * part * HOUR
        spread = statistics.stdev(values) if len(values) > 1 else None
        found.append((device, start, len(values), mean(values), min(values), max(values), spread))
    return found


def usual_week(known: Known) -> Answer:
    rows = [
        {**row, "weekday": row["event_time"].isoweekday(), "hour": row["event_time"].hour}
        for row in _numbers(known, 14, "temperature", 0)
    ]
    return [
        (*key, mean(r["value"] for r in some), len({r["event_date"] for r in some}))
        for key, some in grouped(rows, "zone", "weekday", "hour").items()
    ]


def together(known: Known) -> Answer:
    said = {
        (r["device_full"], r["boot"], r["seq"]): r["value"] for r in _told(known, 2, "humidity")
    }
    found: Answer = []
    for (device,), rows in grouped(_told(known, 2, "temperature"), "device_full").items():
        pairs = [(r["value"], said.get((device, r["boot"], r["seq"]))) for r in rows]
        both = [(t, h) for t, h in pairs if h is not None]
        if not both:
            continue
        temperatures, humidities = zip(*both, strict=True)
        correlation = statistics.correlation(temperatures, humidities)
        found.append((device, len(both), correlation, slope(both)))
    return found


COMPARISONS: dict[str, Work] = {
    "Compare with last week": last_week,
    "Top drift": drift,
    "Theft candidates": thefts,
    "Zone ranking": ranking,
    "Devices unlike their zone": unlike,
    "Windows of any width": six_hours,
    "The usual week": usual_week,
    "Two metrics side by side": together,
}

"""Two weeks of rooms and meters for the cookbook: gaps, drift, a theft, a reset, late rows.

What an answer would miss without late rows is there: the middle of a gap, a device's last word, a
step of a counter. So is what it would count too much: days of which a2 has nothing but sentinels.
"""

import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from telemetry import tables
from tests.infra.sql.cookbook_ops import alerts, aside, conserved, delays, duplicates, records
from tests.infra.sql.cookbook_windows import sessions, windows
from tests.infra.sql.seeded_lake import Row, append

DAYS = 14
STEP = timedelta(minutes=30)
ROOMS = {"a1": "attic", "a2": "attic", "a3": "attic", "b1": "basement", "b2": "basement",
         "s1": "street"}  # fmt: skip
METERS = {"m1": 1.0, "m2": 1.2, "m3": 0.9, "m4": 1.1}
"""Use in kW; m3 uses a fifth of it in the last week, m2 starts again from zero yesterday."""
SLOW = ("a1", "b1", "m1")
"""Of whose messages some came late."""
STATES = ("heating", "idle", "off")


def seed(lake: Path, now: datetime) -> None:
    """Append rows to a lake whose tables are there."""
    told = [*_rooms(now), *_meters(now)]
    good = [row for row in told if not _is_slow(row)]
    late = [_late(row) for row in good[:: len(good) // 40] if row["metric"] == "temperature"]
    append(lake, tables.READINGS, good)
    append(lake, tables.LATE, [*late, *_told_late(now), *filter(_is_slow, told)])
    for width, minutes in (("hour", 60), ("day", 1440)):
        of_devices = windows(good, minutes, "device_full")
        of_zones = windows(good, minutes, "zone")
        append(lake, tables.DEVICE_WINDOWS[width], of_devices)
        append(lake, tables.ZONE_WINDOWS[width], of_zones)
    append(lake, tables.SESSIONS, list(sessions(good, now)))
    append(lake, tables.DEVICES, list(_devices(now)))
    append(lake, tables.MESSAGES, list(records(now)))
    append(lake, tables.REJECTED, list(aside(now)))
    append(lake, tables.DELIVERY_DELAY, list(delays(good)))
    append(lake, tables.DEVICE_DUPLICATES, list(duplicates(now)))
    append(lake, tables.CONSERVATION, list(conserved(now)))
    append(lake, tables.ALERTS, list(alerts(now)))


def _is_slow(row: Row) -> bool:
    """Say whether a reading is of a message that came late."""
    return row["device"] in SLOW and int(str(row["seq"])) % 23 == 7


def _moments(now: datetime) -> Iterator[tuple[int, datetime]]:
    midnight = datetime(now.year, now.month, now.day, tzinfo=UTC)
    first = midnight - timedelta(days=DAYS)
    count = int((now - first) / STEP)
    return ((step, first + STEP * step + timedelta(seconds=7)) for step in range(count))


def _rooms(now: datetime) -> Iterator[Row]:
    chance = random.Random(7)
    yesterday = now.date() - timedelta(days=1)
    for number, (name, zone) in enumerate(ROOMS.items()):
        for step, at in _moments(now):
            is_gap = name == "b2" and at.date() == yesterday and 3 <= at.hour < 5
            is_silent = name == "a3" and at > now - timedelta(hours=3)
            if is_gap or is_silent:
                continue
            drift = 0.1 * step * STEP.total_seconds() / 86400 if name == "b2" else 0.0
            warm = 20 + number + 3 * math.sin(step / 7.6) + drift + chance.gauss(0, 0.2)
            is_broken = name == "a2" and at.date() > yesterday - timedelta(days=8)
            is_none = chance.random() < 0.01 or is_broken
            values: dict[str, object] = {
                "temperature": None if is_none else round(warm, 3),
                "humidity": round(80 - 1.5 * warm + chance.gauss(0, 1), 3),
                "door_open": chance.random() < 0.1,
            }
            if step % 3 == number % 3:
                values["state"] = chance.choice(STATES)
            delay_s = round(chance.expovariate(1 / (number + 1)), 3)
            yield from _readings(("room", name, zone), step, at, values, delay_s)


def _meters(now: datetime) -> Iterator[Row]:
    chance = random.Random(8)
    recent = now.date() - timedelta(days=7)
    for number, (name, kw) in enumerate(METERS.items()):
        shown = 100.0
        for step, at in _moments(now):
            share = 0.2 if name == "m3" and at.date() >= recent else 1.0
            shown += kw * share * chance.uniform(0.3, 0.7)
            if name == "m2" and at.date() == now.date() - timedelta(days=1) and at.hour == 9:
                shown = 0.25
            delay_s = round(1 + number + chance.random(), 3)
            values: dict[str, object] = {"energy": round(shown, 3)}
            if name == "m4":  # two products of one zone measure the same
                values["temperature"] = round(40 + chance.gauss(0, 1), 3)
            yield from _readings(("power", name, "street"), step, at, values, delay_s)


def _readings(
    device: tuple[str, str, str], seq: int, at: datetime, values: dict[str, object], delay_s: float
) -> Iterator[Row]:
    product, name, zone = device
    number = sum(map(ord, product + name))
    for metric, value in values.items():
        column = {str: "value_text", bool: "value_bool"}.get(type(value), "value")
        yield {
            "tenant": "default", "device_full": f"{product}.{name}", "boot": "b", "seq": seq,
            "metric": metric, "device": name, "product": product, "zone": zone, "event_time": at,
            "event_time_us": int(at.timestamp()) * 1_000_000, "clock": "ok", column: value,
            "received_at": at + timedelta(seconds=delay_s), "topic": "telemetry",
            "quality": "sentinel" if value is None else "ok", "partition": number % 4,
            "offset": number * 10_000 + seq, "item": 0, "retention_class": "default",
            "event_date": at.date(),
        }  # fmt: skip


def _late(row: Row) -> Row:
    """Return another reading, of another key, that came twenty minutes after its time."""
    offset = row["offset"]
    at = row["event_time"]
    assert isinstance(offset, int)
    assert isinstance(at, datetime)
    late = {"boot": "late", "offset": offset + 5_000, "received_at": at + timedelta(minutes=20)}
    return {**row, **late}


def _told_late(now: datetime) -> Iterator[Row]:
    """Yield what b2 said in the middle of its gap, and what a3 said last of all."""
    yesterday = now.date() - timedelta(days=1)
    for step, at in _moments(now):
        if at.date() == yesterday and at.hour == 4:
            values = {"temperature": 21.5, "state": "off"}
            yield from _readings(("room", "b2", "basement"), step, at, values, 7200.0)
        if timedelta(hours=1) < now - at < timedelta(hours=2):
            values = {"temperature": 22.5, "state": "idle"}
            yield from _readings(("room", "a3", "attic"), step, at, values, 600.0)


def _devices(now: datetime) -> Iterator[Row]:
    moved = datetime(now.year, now.month, now.day, tzinfo=UTC) - timedelta(days=5)
    first = datetime(1900, 1, 1, tzinfo=UTC)
    for name, zone in ROOMS.items():
        before = {"zone": "hall", "valid_from": first, "valid_to": moved}
        if name == "a1":
            yield _device("room", name) | before
        yield _device("room", name) | {"zone": zone, "valid_from": moved if name == "a1" else first}
    for name in METERS:
        yield _device("power", name) | {"zone": "street", "valid_from": first}
    yield _device("room", "spare") | {"zone": "attic", "valid_from": first}


def _device(product: str, name: str) -> Row:
    full = f"{product}.{name}"
    return {"tenant": "default", "device_full": full, "device": name, "product": product}

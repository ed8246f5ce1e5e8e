"""A lake of the last minutes and days, with a row for every panel of the dashboards."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deltalake import write_deltalake

from telemetry import tables
from telemetry.tables import BY_NAME, Table
from tests.infra.sql.seeded_lake import frame

Row = dict[str, object]
ZONES = {"harbour": (53.541, 9.984), "airport": (53.631, 9.998), "north-park": (53.596, 10.017)}
METRICS = {"temperature": 21.0, "humidity": 45.0}
DEVICES_A_ZONE = 4
FIELDS = ("temperature", '<span style="position:fixed;inset:0">humid</span>', "temperature")
"""Fields of rejected messages; the second is a name that a device has made up."""
FIRST = datetime(1900, 1, 1, tzinfo=UTC)
WIDTHS = {"minute": (60, 1), "five_minutes": (48, 5), "hour": (72, 60), "day": (3, 1440)}
"""Windows of each width, and a width's minutes."""


def seed(lake: Path, now: datetime) -> None:
    """Create every declared table; all but `gold.alerts` have rows."""
    rows: dict[str, list[Row]] = {
        tables.DEVICES.name: list(_devices()),
        tables.MESSAGES.name: list(_messages(now)),
        tables.LATE.name: [_aside(index, now) | _late(now) for index in range(5)],
        tables.QUALITY.name: list(_quality(now)),
        tables.CONSERVATION.name: list(_conservation(now)),
        tables.DEVICE_DUPLICATES.name: list(_duplicates(now)),
        tables.JOB_RUNS.name: [
            _run(now - timedelta(minutes=8)),
            _run(now, success=False),
        ],
    }
    for table in (tables.REJECTED, tables.DUPLICATES, tables.CONFLICTS):
        rows[table.name] = [_aside(index, now) for index in range(30)]
    for width, table in tables.ZONE_WINDOWS.items():
        rows[table.name] = list(_windows(width, now, "zone", ZONES))
    for width, table in tables.DEVICE_WINDOWS.items():
        rows[table.name] = list(_windows(width, now, "device_full", _names()))
    for table in BY_NAME.values():
        write(lake, table, rows.get(table.name, []))


def write(lake: Path, table: Table, rows: list[Row]) -> None:
    """Append rows to a table, which is made by the first."""
    write_deltalake(
        lake / table.name.replace(".", "/"),
        frame(table, rows),
        partition_by=list(table.partition_by),
        mode="append",
    )


def alert(now: datetime) -> Row:
    """Return an open alert."""
    return {
        "alert_id": "a1", "tenant": "default", "rule": "temperature above 30",
        "severity": "critical", "state": "open", "device_full": "room.harbour-0",
        "product": "room", "zone": "harbour", "metric": "temperature", "value": 31.5,
        "bound": 30.0, "message": "It is warm.", "opened_at": now, "updated_at": now,
        "opened_date": now.date(),
    }  # fmt: skip


def _names() -> Iterator[str]:
    return (f"room.{zone}-{index}" for zone in ZONES for index in range(DEVICES_A_ZONE))


def _devices() -> Iterator[Row]:
    for name in _names():
        zone, _, index = name.removeprefix("room.").rpartition("-")
        lat, lng = ZONES[zone]
        yield {
            "tenant": "default", "device_full": name, "device": name.partition(".")[2],
            "product": "room", "zone": zone, "customer": "city", "lat": lat + int(index) / 500,
            "lng": lng + int(index) / 300, "firmware": "1.0.0", "valid_from": FIRST,
        }  # fmt: skip
    yield {"tenant": "default", "device_full": "room.spare", "product": "room", "zone": "harbour"}


def _messages(now: datetime) -> Iterator[Row]:
    for index in range(600):
        at = now - timedelta(seconds=2 * index)
        yield {
            "topic": "telemetry", "partition": 0, "offset": 600 - index, "items": 1,
            "product": "room", "received_at": at, "kafka_time": at, "received_date": at.date(),
        }  # fmt: skip


def _aside(index: int, now: datetime) -> Row:
    rule = ("range", "type", "unknown_device")[index % 3]
    at = now - timedelta(minutes=index)
    return {
        "topic": "telemetry", "partition": 0, "offset": index, "item": 0, "tenant": "default",
        "device_full": "room.harbour-1", "product": "room", "received_at": at, "kafka_time": at,
        "reasons": [{"field": FIELDS[index % 3], "rule": rule, "value": "99"}],
        "received_date": at.date(),
    }  # fmt: skip


def _late(now: datetime) -> Row:
    at = now - timedelta(minutes=10)
    return {
        "metric": "temperature", "event_time": at, "event_date": at.date(),
        "retention_class": "default",
    }  # fmt: skip


def _windows(width: str, now: datetime, subject: str, names: object) -> Iterator[Row]:
    count, minutes = WIDTHS[width]
    assert isinstance(names, dict | Iterator)
    for name in names:
        for metric, level in METRICS.items():
            yield from (
                _window(width, now, step * minutes, minutes) | {
                    subject: name, "metric": metric, "sum": level * minutes * 6 + step % 5,
                    "mean": level + (step % 5) / 10, "min": level - 1, "max": level + 1,
                }
                for step in range(count)
            )  # fmt: skip


def _window(width: str, now: datetime, ago: int, minutes: int) -> Row:
    moment = now - timedelta(minutes=ago)
    start = datetime.fromtimestamp(
        moment.timestamp() // (minutes * 60) * minutes * 60, tz=moment.tzinfo
    )
    period = {"hour": start.date().replace(day=1), "day": start.date().replace(month=1, day=1)}
    return {
        "tenant": "default", "product": "room", "window_start": start,
        "window_end": start + timedelta(minutes=minutes), "count": minutes * 6, "m2": 2.0,
        "last_at": moment, "first_at": start, "is_final": ago > 0, "retention_class": "default",
        "window_period": period.get(width, start.date()),
    }  # fmt: skip


def _quality(now: datetime) -> Iterator[Row]:
    for index, table in enumerate(("silver.readings", "gold.zone_minute", "ops.conservation")):
        yield {
            "run_id": "r1", "checked_at": now - timedelta(minutes=20), "table": table,
            "expectation": f"rule {index}", "success": index != 1, "observed": "3 rows",
            "unexpected": 3 if index == 1 else 0, "details": json.dumps({}),
            "checked_date": (now - timedelta(minutes=20)).date(),
        }  # fmt: skip


def _conservation(now: datetime) -> Iterator[Row]:
    for ago in range(1, 6):
        hour = (now - timedelta(hours=ago)).replace(minute=0, second=0, microsecond=0)
        yield {
            "topic": "telemetry", "partition": 0, "hour": hour, "items": 100, "readings": 90,
            "late": 2, "rejected": 3, "duplicates": 4, "conflicts": 1, "difference": 0,
            "holds": True, "checked_at": now - timedelta(minutes=30), "hour_date": hour.date(),
        }  # fmt: skip


def _run(at: datetime, *, success: bool = True, job: str = "alerts") -> Row:
    return {
        "run_id": f"{at:%H%M%S}", "job": job, "started_at": at, "ended_at": at,
        "success": success, "started_date": at.date(),
    }  # fmt: skip


def _duplicates(now: datetime) -> Iterator[Row]:
    for index in range(3):
        yield {
            "tenant": "default", "device_full": f"room.harbour-{index}", "product": "room",
            "day": now.date(), "duplicates": 5 + index, "conflicts": index, "removed": 0,
        }  # fmt: skip

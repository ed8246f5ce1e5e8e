"""What stands beside the cookbook's readings: records, refusals, delays, duplicates, alerts."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from tests.infra.sql.seeded_lake import Row

GAMMA = 1.01 / 0.99


def records(now: datetime) -> Iterator[Row]:
    """Yield records of two products, the newest 5 and 400 s old."""
    for index in range(50):
        for product, age_s in (("room", 5), ("power", 400)):
            at = (now - timedelta(seconds=age_s + 60 * index)).replace(microsecond=0)
            yield {
                "topic": "cookbook", "partition": len(product), "offset": 50 - index, "items": 1,
                "tenant": "default", "product": product, "received_at": at, "kafka_time": at,
                "received_date": at.date(),
            }  # fmt: skip


def aside(now: datetime) -> Iterator[Row]:
    """Yield rejected messages of three rules, some of which broke two."""
    for index in range(30):
        at = (now - timedelta(minutes=17 * index)).replace(microsecond=0)
        broken = [("temperature", "range"), ("door_open", "type"), ("", "too_old")]
        reasons = [broken[index % 3], *([("humidity", "range")] if index % 4 == 0 else [])]
        yield {
            "topic": "cookbook", "partition": 1, "offset": index, "item": 0, "tenant": "default",
            "device_full": f"room.a{index % 3 + 1}", "product": "room", "received_at": at,
            "message": f'{{"metrics": {{"n": {index}}}, "note": "zwölf"}}'.encode(),
            "reasons": [{"field": f, "rule": rule, "value": "x"} for f, rule in reasons],
            "received_date": at.date(),
        }  # fmt: skip


def delays(readings: Sequence[Row]) -> Iterator[Row]:
    """Yield the sketch of each product and hour, counted message by message."""
    buckets: dict[tuple[Any, Any], Counter[int]] = defaultdict(Counter)
    for row in {(row["device_full"], row["seq"]): row for row in readings}.values():
        received: Any = row["received_at"]
        late_us = (received - row["event_time"]) // timedelta(microseconds=1)
        hour = received.replace(minute=0, second=0, microsecond=0)
        bucket = math.ceil(math.log(late_us) / math.log(GAMMA)) if late_us > 0 else -1
        buckets[row["product"], hour][bucket] += 1
    for (product, hour), counts in buckets.items():
        yield {
            "tenant": "default", "product": product, "hour": hour, "count": counts.total(),
            "sketch": list(counts.items()), "hour_date": hour.date(),
        }  # fmt: skip


def duplicates(now: datetime) -> Iterator[Row]:
    """Yield counts of three devices, one of which has none, over ten days."""
    for index, name in enumerate(("a1", "a2", "b1")):
        for ago in range(10):
            yield {
                "tenant": "default", "device_full": f"room.{name}", "product": "room",
                "day": now.date() - timedelta(days=ago), "duplicates": index * (ago + 1),
                "conflicts": index // 2, "removed": 0,
            }  # fmt: skip


def conserved(now: datetime) -> Iterator[Row]:
    """Yield three days of hours, one of which does not hold."""
    for ago in range(72):
        hour = (now - timedelta(hours=ago)).replace(minute=0, second=0, microsecond=0)
        lost = 2 if ago == 30 else 0
        yield {
            "topic": "cookbook", "partition": 0, "hour": hour, "items": 100 + ago,
            "readings": 90 + ago - lost, "late": 2, "rejected": 3, "duplicates": 4, "conflicts": 1,
            "difference": -lost, "holds": lost == 0, "checked_at": now, "hour_date": hour.date(),
        }  # fmt: skip


def alerts(now: datetime) -> Iterator[Row]:
    """Yield alerts of two rules, some of which nobody took on, some of which are not over."""
    for index in range(14):
        opened = (now - timedelta(hours=6 * index + 1)).replace(microsecond=0)
        taken = opened + timedelta(seconds=100 + 30 * index)
        yield {
            "alert_id": f"a{index}", "tenant": "default", "severity": "warning",
            "rule": "too warm" if index % 3 else "door open", "state": "open",
            "opened_at": opened, "acknowledged_at": taken if index % 2 else None,
            "resolved_at": opened + timedelta(minutes=40 + index) if index > 2 else None,
            "updated_at": now, "opened_date": opened.date(),
        }  # fmt: skip

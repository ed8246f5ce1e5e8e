"""Blocks of readings: messages of ten devices a second apart, each with three metrics."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from spark_jobs.reading_rows import FEWEST, metric_field

COUNT = FEWEST + 10
WORD = pa.dictionary(pa.int32(), pa.string())
METRICS = pa.schema(
    [
        metric_field("kwh", pa.float64(), "kWh"),
        metric_field("open", pa.bool_(), None),
        metric_field("state", pa.string(), None),
    ]
)


def messages(count: int = COUNT, day: int = 21) -> pa.Table:
    """Return messages of ten devices, a second apart."""
    at = [datetime(2026, 11, day, 8, n // 60 % 60, n % 60, n, tzinfo=UTC) for n in range(count)]
    times = pa.array(at, pa.timestamp("us", "UTC"))
    words = {"tenant": "default", "boot": "b", "device": "d", "product": "meter"}
    words |= {"clock": "ok", "zone": "z", "topic": "telemetry", "retention_class": "default"}
    found = {name: pa.array([word] * count).cast(WORD) for name, word in words.items()}
    found["device_full"] = pa.array([f"meter.d{n % 10}" for n in range(count)]).cast(WORD)
    found |= dict.fromkeys(("customer", "firmware"), pa.nulls(count, WORD))
    found |= dict.fromkeys(("device_time", "event_time", "received_at", "kafka_time"), times)
    found |= dict.fromkeys(("lat", "lng"), pa.array([48.0] * count))
    found |= dict.fromkeys(
        ("partition", "item", "schema_version"), pa.array([0] * count, pa.int32())
    )
    found |= dict.fromkeys(("seq", "offset"), pa.array(range(count), pa.int64()))
    tags = [[("line", str(n))] if n % 2 else None for n in range(count)]
    found["tags"] = pa.array(tags, pa.map_(pa.string(), pa.string()))
    found["event_time_us"] = times.cast(pa.int64())
    found["event_date"] = times.cast(pa.date32())
    return pa.table(found)


def values(count: int = COUNT, **missing: np.ndarray) -> pa.Table:
    """Return three metrics; those named are missing where their mask says so."""
    said = {
        "kwh": np.arange(count) / 8,
        "open": np.arange(count) % 3 == 0,
        "state": np.array(["idle", "busy"])[np.arange(count) % 2],
    }
    columns = [
        pa.array(said[field.name], field.type, mask=missing.get(field.name)) for field in METRICS
    ]
    return pa.table(columns, schema=METRICS)

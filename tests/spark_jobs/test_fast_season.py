"""The fast lane against what a lake says is usual: the newest version, this hour of the week."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import orjson
import polars as pl
import pytest

from edge.kafka import KafkaOutbox
from edge.outbox import OutRecord
from spark_jobs.lake import Lake
from telemetry.alerts import Alert, alert_id
from telemetry.records import record_headers
from telemetry.tables import BASELINES
from tests.brokers import Broker
from tests.spark_jobs.fast_service import Lane, Told

pytestmark = [
    pytest.mark.spark, pytest.mark.kafka, pytest.mark.long, pytest.mark.timeout(300)
]  # fmt: skip
KNOWN, UNKNOWN = "m1", "m2"
THEFT = {"rule": "bypassed", "metric": "power", "severity": "critical",
         "check": {"kind": "ratio", "ratio": 0.5, "against": "season"}}  # fmt: skip
ODD = {"rule": "odd", "metric": "power", "check": {"kind": "seasonal", "deviations": 4}}
USUAL, ELSEWHEN = 40.0, 5.0
"""What is usual now, and in any other hour; by the older version this is usual always."""


@pytest.fixture
def lane(broker: Broker, tmp_path: Path) -> Iterator[Lane]:
    running = Lane(tmp_path, broker.settings.kafka_bootstrap, [KNOWN, UNKNOWN])
    yield running
    running.kill()


def store(lake: Lake, version: date, now: set[int]) -> None:
    """Store a device's week: USUAL in some hours, ELSEWHEN in the others."""
    row = {"version": version, "tenant": "default", "device_full": KNOWN, "product": "default",
           "metric": "power", "weeks": 8, "mad": 1.0, "spread": 2.0}  # fmt: skip
    rows = [{**row, "slot": slot, "median": USUAL if slot in now else ELSEWHEN}
            for slot in range(168)]  # fmt: skip
    frame = pl.DataFrame(rows, schema_overrides={"slot": pl.Int32, "weeks": pl.Int32})
    lake.append(BASELINES, frame.select(BASELINES.column_names), None)


def send(broker: Broker, device: str, *values: float) -> list[int]:
    """Send readings of now, a microsecond apart, and return when they were."""
    now = datetime.now(UTC)
    times = [now + timedelta(microseconds=place) for place in range(len(values))]
    with KafkaOutbox(broker.settings.kafka_bootstrap) as outbox:
        for moment, value in zip(times, values, strict=True):
            body = orjson.dumps({"ts": moment, "metrics": {"power": value}})
            at = round(moment.timestamp() * 1e6)
            headers = record_headers(device, received_at=at, protocol="test")
            outbox.send(OutRecord(device.encode(), body, headers))
        assert outbox.flush(10) == 0
    return [round(moment.timestamp() * 1e6) for moment in times]


def test_breach_of_what_is_usual_now_is_told_and_names_its_baseline(
    broker: Broker, lane: Lane, told: Told
) -> None:
    lake, now = Lake(lane.settings.lake_root), datetime.now(UTC)
    lake.create(BASELINES)
    hours = {moment.weekday() * 24 + moment.hour for moment in (now, now + timedelta(hours=1))}
    newest = now.date()
    store(lake, newest - timedelta(days=1), set())
    store(lake, newest, hours)
    lane.put(THEFT)
    lane.put(ODD)

    sent: list[int] = []

    def is_told() -> bool:
        send(broker, UNKNOWN, 0.0, 1e6)
        sent.extend(send(broker, KNOWN, 39.0, 15.0, 48.0, 20.0, 49.0))
        seen = {(alert.rule, alert.value) for alert, _ in told.alerts.values()}
        return {("bypassed", 15.0), ("odd", 49.0)} <= seen

    told.until(is_told, "no breach is told")
    # What came before the lane was at work is not told; of what came then, only breaches are.
    found = [alert for alert, _ in told.alerts.values()]
    assert {(alert.device, alert.rule, alert.value) for alert in found} <= {
        (KNOWN, "bypassed", 15.0), (KNOWN, "odd", 15.0), (KNOWN, "odd", 20.0), (KNOWN, "odd", 49.0),
    }  # fmt: skip
    (theft, *_) = [alert for alert in found if alert.rule == "bypassed"]
    assert_names_its_baseline(theft, sent, newest)
    (odd, *_) = [alert for alert in found if alert.value == 49.0]
    assert (odd.bound, odd.baseline) == (48.0, USUAL)


def assert_names_its_baseline(alert: Alert, sent: list[int], newest: date) -> None:
    assert (alert.bound, alert.baseline, alert.deviation) == (20.0, USUAL, -25.0)
    assert alert.baseline_version == newest.isoformat()
    assert alert.text == (
        "power of m1 is 15, below 20, which is 0.5 of the usual 40"
        f" by the stored baseline of {newest}"
    )
    assert alert.event_time in sent
    assert alert.id == alert_id("bypassed", 1, "default", KNOWN, alert.event_time, "power")

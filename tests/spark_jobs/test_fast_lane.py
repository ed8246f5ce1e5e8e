"""The fast lane as it runs: its own application between real topics, its rules changed, killed."""

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
import pytest

from edge.kafka import KafkaOutbox
from edge.outbox import OutRecord
from telemetry.alerts import alert_id
from telemetry.records import record_headers
from tests.brokers import Broker
from tests.spark_jobs.fast_service import Lane, Told

pytestmark = [
    pytest.mark.spark, pytest.mark.kafka, pytest.mark.faults, pytest.mark.long,
    pytest.mark.timeout(400),
]  # fmt: skip
METRIC = "t"
NAMES = [f"d{number}" for number in range(16)]
"""Enough devices for every partition to have some."""
Reading = tuple[str, int]
EVERY_S = 0.02
WITHIN_S = 10.0
VERSIONS = range(1, 5)


class Source:
    """Devices that break every bound, fifty times a second in turn, and when they did."""

    def __init__(self, bootstrap: str) -> None:
        self.times: list[Reading] = []
        self._bootstrap = bootstrap
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def _send(self) -> None:
        with KafkaOutbox(self._bootstrap) as outbox:
            while not self._stopped.wait(EVERY_S):
                at = time.time_ns() // 1_000_000 * 1000
                moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at // 1_000_000))
                ts = f"{moment}.{at % 1_000_000 // 1000:03d}Z"
                body = orjson.dumps({"ts": ts, "seq": len(self.times), "metrics": {METRIC: 95.0}})
                name = NAMES[len(self.times) % len(NAMES)]
                headers = record_headers(name, received_at=at, protocol="test")
                outbox.send(OutRecord(name.encode(), body, headers))
                outbox.poll()
                self.times.append((name, at))

    def stop(self) -> None:
        """Send no more, and have all acknowledged."""
        self._stopped.set()
        self._thread.join()


def hot(bound: float) -> dict[str, object]:
    """Return a rule that every reading of the source breaks."""
    check = {"kind": "threshold", "bound": bound}
    return {"rule": "hot", "metric": METRIC, "scope": {"zone": "north"}, "check": check}


def untold(told: Told, readings: Sequence[Reading]) -> list[Reading]:
    """Return the readings that no version has told."""
    ids = [
        {alert_id("hot", version, "default", name, at, METRIC) for version in VERSIONS}
        for name, at in readings
    ]
    return [each for each, some in zip(readings, ids, strict=True)
            if not told.alerts.keys() & some]  # fmt: skip


def until_all(told: Told, readings: Sequence[Reading]) -> None:
    """Read on until every reading is told."""
    told.until(lambda: not untold(told, readings), "some readings are never told")


def changed(lane: Lane, told: Told) -> int:
    """Change the rule, again where others kept the cores busy; return the version in time."""
    for version in VERSIONS[1:]:
        put_at = time.time()
        lane.put(hot(80 + version), version)
        told.until_version(version)
        if min(written for _, written in told.of_version(version)) / 1e3 < put_at + WITHIN_S:
            return version
    raise AssertionError(f"no changed rule is in force within {WITHIN_S} s")


@pytest.fixture
def lane(broker: Broker, tmp_path: Path) -> Iterator[Lane]:
    running = Lane(tmp_path, broker.settings.kafka_bootstrap, NAMES)
    yield running
    running.kill()


def test_every_reading_is_told_while_rules_change_and_the_lane_is_killed(
    lane: Lane, broker: Broker, told: Told
) -> None:
    time.sleep(3)
    assert not lane.has_jvm(), "no rule needs it yet"

    lane.put(hot(81))
    source = Source(broker.settings.kafka_bootstrap)
    told.until_version(1)
    begun = min(alert.event_time for alert, _ in told.alerts.values())
    time.sleep(15)
    newest = changed(lane, told)
    until_all(told, [each for each in source.times if each[1] >= begun])
    last_of_first = max(alert.event_time for alert, _ in told.of_version(1))
    first_of_second = min(alert.event_time for alert, _ in told.of_version(2))
    assert first_of_second < last_of_first, "both are at work over the change"
    torn = lane.settings.registry_dir / "rules" / "default" / "torn.json"
    torn.write_text('{"rule": "to')
    # What is broadcast is renewed meanwhile, by the rules that are known.
    time.sleep(35)
    torn.unlink()
    told.read()
    latest = sorted(told.alerts.values(), key=lambda each: each[0].event_time)[-500:]
    took_ms = sorted(written - alert.event_time // 1000 for alert, written in latest)
    assert took_ms[len(took_ms) // 2] < 1000

    lane.kill()
    time.sleep(3)
    lane.start()
    time.sleep(15)
    source.stop()

    until_all(told, [each for each in source.times if each[1] >= begun])
    lane.put(hot(80 + newest), newest, on=False)
    assert lane.process.wait(timeout=60) == 0


def test_the_lane_ends_when_it_is_told_to(lane: Lane) -> None:
    lane.put(hot(81))
    give_up = time.monotonic() + 60
    while not (lane.settings.progress_dir / "fast.json").exists():
        assert time.monotonic() < give_up
        time.sleep(0.2)

    lane.process.terminate()

    assert lane.process.wait(timeout=40) == 0
    assert not (lane.settings.progress_dir / "fast.json").exists()

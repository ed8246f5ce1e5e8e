"""The fast lane as it runs: its own application between real topics, its rules changed, killed."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import polars as pl
import pytest
from kafka import KafkaConsumer

from edge.kafka import KafkaOutbox
from edge.outbox import OutRecord
from edge.rule_files import RuleFiles
from infra.environment import child_environment
from infra.processes import words_below
from spark_jobs.lake import Lake
from telemetry.alerts import Alert, alert_id
from telemetry.devices import FIRST_VALID_FROM
from telemetry.records import record_headers
from telemetry.rules.form import rule_from_dict
from telemetry.rules.rule import VersionedRule
from telemetry.settings import Settings
from telemetry.tables import DEVICES
from telemetry.topics import ALERTS
from tests.brokers import Broker

pytestmark = [
    pytest.mark.spark, pytest.mark.kafka, pytest.mark.faults, pytest.mark.long,
    pytest.mark.timeout(400),
]  # fmt: skip
METRIC = "t"
NAMES = [f"d{number}" for number in range(16)]
"""Enough devices for every partition to have some."""
Reading = tuple[str, int]
EVERY_S = 0.02
STARTS_WITHIN_S = 120.0


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


class Told:
    """All alerts of the topic so far: when each was written, by its id."""

    def __init__(self, bootstrap: str) -> None:
        self.alerts: dict[str, tuple[Alert, int]] = {}
        self._consumer = KafkaConsumer(
            ALERTS.name, bootstrap_servers=bootstrap, auto_offset_reset="earliest"
        )

    def close(self) -> None:
        """Let go of the topic."""
        self._consumer.close()

    def read(self) -> None:
        """Read on."""
        for some in self._consumer.poll(timeout_ms=500).values():
            for record in some:
                alert = Alert.from_json(record.value)
                self.alerts.setdefault(alert.id, (alert, record.timestamp))

    def versions(self) -> set[int]:
        """Return which versions of the rule have told something."""
        return {alert.rule_version for alert, _ in self.alerts.values()}

    def until_version(self, version: int) -> None:
        """Read on until a version tells."""
        give_up = time.monotonic() + STARTS_WITHIN_S
        while version not in self.versions():
            assert time.monotonic() < give_up, f"version {version} tells nothing"
            self.read()

    def untold(self, readings: list[Reading]) -> list[Reading]:
        """Return the readings that no version has told."""
        ids = [
            {alert_id("hot", version, "default", name, at, METRIC) for version in (1, 2)}
            for name, at in readings
        ]
        return [each for each, some in zip(readings, ids, strict=True)
                if not self.alerts.keys() & some]  # fmt: skip

    def until_all(self, times: list[Reading]) -> None:
        """Read on until every reading is told."""
        give_up = time.monotonic() + STARTS_WITHIN_S
        while self.untold(times) and time.monotonic() < give_up:
            self.read()
        assert not self.untold(times)


class Lane:
    """The service `fast` on a home of its own, started as the stack starts it."""

    def __init__(self, home: Path, bootstrap: str) -> None:
        self.settings = Settings(home=home, kafka=bootstrap, fast_renew_s=30)
        lake = Lake(self.settings.lake_root)
        lake.create(DEVICES)
        known = [
            {
                **dict.fromkeys(DEVICES.column_names),
                **{"tenant": "default", "device_full": name, "device": name},
                **{"product": "default", "zone": "north", "valid_from": FIRST_VALID_FROM},
            }
            for name in NAMES
        ]
        lake.append(DEVICES, pl.DataFrame(known), None)
        self._log = home / "fast.log"
        self.process = self.start()

    def start(self) -> "subprocess.Popen[bytes]":
        """Start it; it waits for a rule."""
        environment = {**os.environ, **child_environment(self.settings)}
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "infra.fast_lane"],
                env=environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        return self.process

    def put(self, version: int, *, on: bool = True) -> None:
        """Put a version of the rule to work."""
        declared = {"rule": "hot", "metric": METRIC, "lane": "fast", "scope": {"zone": "north"},
                    "check": {"kind": "threshold", "bound": 80 + version}}  # fmt: skip
        kept = VersionedRule(rule_from_dict(declared), version, is_on=on)
        RuleFiles(self.settings.registry_dir).put(kept)

    def has_jvm(self) -> bool:
        """Tell whether Spark's application runs."""
        words = words_below(self.process.pid).values()
        return any("java" in each[0] for each in words if each)

    def kill(self) -> None:
        """Kill all of it at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def told(broker: Broker) -> Iterator[Told]:
    reading = Told(broker.settings.kafka_bootstrap)
    yield reading
    reading.close()


@pytest.fixture
def lane(broker: Broker, tmp_path: Path) -> Iterator[Lane]:
    running = Lane(tmp_path, broker.settings.kafka_bootstrap)
    yield running
    running.kill()


def test_every_reading_is_told_while_rules_change_and_the_lane_is_killed(
    lane: Lane, broker: Broker, told: Told
) -> None:
    time.sleep(3)
    assert not lane.has_jvm(), "no rule needs it yet"

    lane.put(1)
    source = Source(broker.settings.kafka_bootstrap)
    told.until_version(1)
    begun = min(alert.event_time for alert, _ in told.alerts.values())
    lane.put(2)
    told.until_version(2)
    changed = [each for each in source.times if each[1] >= begun]
    told.until_all(changed)
    time.sleep(35)
    told.read()
    newest = sorted(told.alerts.values(), key=lambda each: each[0].event_time)[-500:]
    took_ms = sorted(written - alert.event_time // 1000 for alert, written in newest)
    assert took_ms[len(took_ms) // 2] < 1000

    lane.kill()
    time.sleep(3)
    lane.start()
    time.sleep(15)
    source.stop()

    told.until_all([each for each in source.times if each[1] >= begun])
    lane.put(2, on=False)
    assert lane.process.wait(timeout=60) == 0


def test_the_lane_ends_when_it_is_told_to(lane: Lane) -> None:
    lane.put(1)
    give_up = time.monotonic() + 60
    while not (lane.settings.progress_dir / "fast.json").exists():
        assert time.monotonic() < give_up
        time.sleep(0.2)

    lane.process.terminate()

    assert lane.process.wait(timeout=40) == 0
    assert not (lane.settings.progress_dir / "fast.json").exists()

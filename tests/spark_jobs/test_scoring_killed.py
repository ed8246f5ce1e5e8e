"""Scoring as the stream application hosts it: rules that change, and kills between two writes."""

import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import orjson
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from edge.kafka import KafkaOutbox
from edge.outbox import OutRecord
from edge.registry_files import RegistryFiles
from edge.rule_files import RuleFiles
from infra.environment import child_environment
from infra.streams import streams_service
from spark_jobs.jobs.scoring import Scoring
from spark_jobs.lake import Lake
from spark_jobs.transforms.anomalies import anomalies
from telemetry.alerts import Alert, alert_id
from telemetry.devices import Device
from telemetry.products import product_from_dict
from telemetry.records import record_headers
from telemetry.rules.form import rule_from_dict
from telemetry.rules.rule import VersionedRule
from telemetry.settings import Settings
from telemetry.tables import ANOMALIES, READINGS
from tests.brokers import Broker
from tests.faults.inotify import FolderWatch
from tests.faults.points import Point
from tests.faults.watcher import wait
from tests.spark_jobs.fast_service import Told
from tests.spark_jobs.test_scoring import Heard

pytestmark = [
    pytest.mark.spark, pytest.mark.kafka, pytest.mark.faults, pytest.mark.long,
    pytest.mark.timeout(600),
]  # fmt: skip
KILN = product_from_dict(
    {
        "product": "kiln",
        "lateness": "5 min",
        "versions": [{"version": 1, "metrics": {"t": {"type": "double"}, "v": {"type": "double"}}}],
    }
)
NAMES = [f"kiln.k{number}" for number in range(8)]
ODD = {"rule": "odd", "metric": "v", "scope": {"product": "kiln"}, "learning": {"readings": 20},
       "check": {"kind": "zscore", "deviations": 4}}  # fmt: skip
EVERY_S, IN_FORCE_WITHIN_S, FILE_WITHIN_S = 0.025, 10.0, 60.0
TOLD = Point("told and kept, not remembered", "lake/gold/anomalies", r"_delta_log/\d{20}\.json")
SAVED = Point("remembered, not done", "checkpoints/scoring", r"rules\.state\.\d+")


def hot(bound: float) -> dict[str, object]:
    """Return a rule that every second reading of a device breaks."""
    check = {"kind": "threshold", "bound": bound}
    return {"rule": "hot", "metric": "t", "scope": {"product": "kiln"}, "check": check}


class Kilns:
    """Devices in turn, forty readings a second: every second of a device is hot, some are odd."""

    def __init__(self, bootstrap: str) -> None:
        self.hot: list[tuple[str, int]] = []
        self.sent = 0
        self._bootstrap, self._chance = bootstrap, random.Random(7)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def _send(self) -> None:
        with KafkaOutbox(self._bootstrap) as outbox:
            while not self._stopped.wait(EVERY_S):
                at = time.time_ns() // 1_000_000 * 1000
                name, turn = NAMES[self.sent % len(NAMES)], self.sent // len(NAMES)
                moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at // 1_000_000))
                spike = 30.0 if self._chance.random() < 0.04 else 0.0
                metrics = {"t": 95.0 if turn % 2 else 50.0, "v": self._chance.gauss(50, 1) + spike}
                body = {"ts": f"{moment}.{at % 1_000_000 // 1000:03d}Z", "seq": self.sent}
                headers = record_headers(name, received_at=at, protocol="test")
                outbox.send(
                    OutRecord(name.encode(), orjson.dumps(body | {"metrics": metrics}), headers)
                )
                outbox.poll()
                self.sent += 1
                if turn % 2:
                    self.hot.append((name, at))

    def stop(self) -> None:
        """Send no more, and have all acknowledged."""
        self._stopped.set()
        self._thread.join()


class Streams:
    """The stream application on a home of its own, started as the stack starts it."""

    def __init__(self, home: Path, bootstrap: str) -> None:
        self.settings = Settings(home=home, kafka=bootstrap)
        registry = RegistryFiles(self.settings.registry_dir)
        registry.put_product(KILN)
        registry.enrol(Device(name) for name in NAMES)
        self.process: subprocess.Popen[bytes] | None = None

    def put(self, declared: Mapping[str, object], version: int = 1) -> None:
        """Put a version of a rule to work."""
        kept = VersionedRule(rule_from_dict(declared), version, is_on=True)
        RuleFiles(self.settings.registry_dir).put(kept)

    def start(self) -> None:
        """Start it, or start it again."""
        service = streams_service(self.settings, "full")
        environment = {**os.environ, **child_environment(self.settings), **service.environment}
        with (self.settings.home / "streams.log").open("ab") as log:
            self.process = subprocess.Popen(
                service.command(), env=environment, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self) -> None:
        """Kill all of it at once."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def kill_at(self, point: Point) -> None:
        """Kill all of it as soon as the next file of a kind appears."""
        folder = self.settings.home / point.folder
        assert wait(FolderWatch([folder]), folder, point, 1, FILE_WITHIN_S), point.name
        self.kill()


@pytest.fixture
def streams(broker: Broker, tmp_path: Path) -> Iterator[Streams]:
    running = Streams(tmp_path / "home", broker.settings.kafka_bootstrap)
    yield running
    running.kill()


def ids_of(breach: tuple[str, int]) -> set[str]:
    """Return the ids by which either version of `hot` may tell a breach."""
    name, at = breach
    return {alert_id("hot", version, "default", name, at, "t") for version in (1, 2)}


def test_killed_scoring_tells_and_keeps_what_an_undisturbed_run_does(
    broker: Broker, streams: Streams, told: Told, tmp_path: Path
) -> None:
    streams.put(ODD)
    streams.put(hot(90))
    streams.start()
    kilns = Kilns(broker.settings.kafka_bootstrap)
    told.until_version(1)
    told.until(lambda: any(alert.rule == "odd" for alert, _ in told.alerts.values()), "nothing odd")

    changed_at = time.time()
    streams.put(hot(91), 2)
    told.until_version(2)
    in_force_s = min(written for _, written in told.of_version(2)) / 1e3 - changed_at
    assert in_force_s < IN_FORCE_WITHIN_S

    torn = streams.settings.registry_dir / "rules" / "default" / "torn.json"
    torn.write_text('{"rule": "to')
    for point in (TOLD, SAVED):
        streams.kill_at(point)
        streams.start()
        before = len(told.alerts)
        told.until(lambda before=before: len(told.alerts) > before, "nothing is told any more")  # type: ignore[misc]
    kilns.stop()
    breaches = [ids_of(each) for each in kilns.hot]
    told.until(lambda: all(each & told.alerts.keys() for each in breaches), "a breach is lost")

    lake = Lake(streams.settings.lake_root)
    assert lake.scan(READINGS).collect().height == 2 * kilns.sent
    kept = lake.scan(ANOMALIES).collect()
    assert kept["anomaly_id"].is_unique().all()
    mine = set(kept.filter(pl.col("rule") == "hot")["anomaly_id"])
    assert all(len(each & mine) == 1 for each in breaches), "either version has each breach, once"
    assert_undisturbed(lake, kept.filter(pl.col("rule") == "odd"), told, tmp_path / "undisturbed")


def assert_undisturbed(lake: Lake, kept: pl.DataFrame, told: Told, home: Path) -> None:
    """Hold what was kept and told against one look at all readings at once."""
    settings, heard = Settings(home=home), Heard()
    RuleFiles(settings.registry_dir).put(VersionedRule(rule_from_dict(ODD), 1, is_on=True))
    Lake(settings.lake_root).create_all()
    scoring = Scoring(Lake(settings.lake_root), settings, heard)
    scoring.prepare()
    outcomes = scoring.take(lake.scan(READINGS).collect())
    alerts = [outcome.alert for outcome in outcomes]
    undisturbed = {(alert.id, alert.state): plain(alert) for alert in alerts}
    assert len(undisturbed) > 40
    for alert in (each for each in told.all if each.rule == "odd"):
        assert plain(alert) == undisturbed[alert.id, alert.state], "told again, it is the same"
    odd = {(alert.id, alert.state) for alert in told.all if alert.rule == "odd"}
    assert odd == undisturbed.keys()
    columns = [name for name in ANOMALIES.column_names if name != "detected_at"]
    rows = anomalies(alerts).select(columns)
    assert_frame_equal(kept.select(columns), rows, check_row_order=False)


def plain(alert: Alert) -> Alert:
    """Leave out what is the process's own: when it found it."""
    return replace(alert, detected_at=0)

"""The fast lane: from a reading's time to its alert on the topic, at 100,000 meters.

A meter speaks each 15 s (6,667 readings a second); one in 500 readings is below half of its stored
baseline. Kafka and the generator are on the same cores. A rule is changed half-way.
`make bench BENCH=fast OUT=build/fast.json`; `python -m benchmarks fast --renew 240` has what is
broadcast renewed sooner, and so takes a quarter of the time for as many renewals; `--landing` has
the streams land the same messages beside it.
"""

import itertools
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import polars as pl
from confluent_kafka import Consumer

from benchmarks.report import Figures, parser, report
from edge.kafka import KafkaOutbox
from edge.outbox import OutRecord
from edge.registry_files import RegistryFiles
from edge.rule_files import RuleFiles
from infra.environment import child_environment
from infra.fast_lane import fast_service
from infra.processes import tree_pss_mb
from infra.streams import read_streams, streams_complaint, streams_service
from infra.supervision.service import Service
from spark_jobs.lake import Lake
from telemetry.alerts import Alert
from telemetry.devices import FIRST_VALID_FROM, Device
from telemetry.records import record_headers
from telemetry.rules.form import rule_from_dict
from telemetry.rules.rule import VersionedRule
from telemetry.settings import Settings
from telemetry.tables import BASELINES, DEVICES, READINGS
from telemetry.topics import ALERTS
from tests.brokers import Broker

EVERY_S = 15.0
THEFT_EVERY = 500
USUAL = 40.0
STEP_S = 0.02
WARM_S = 60.0
AROUND_S = 10.0
"""So long before a rule is changed and after it is in force, each breach must be told as well."""
LIMITS_MS = {"p50": None, "p95": 50, "p99.9": 1000}


def main() -> None:
    """Run it and print what was measured."""
    words = parser(__doc__ or "")
    words.add_argument("--meters", type=int, default=100_000)
    words.add_argument("--renew", type=float, default=900.0, help="seconds between renewals")
    words.add_argument("--renewals", type=int, default=3, help="how many to run over")
    words.add_argument("--landing", action="store_true", help="land the messages beside it")
    given = words.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = run(Path(folder), given.meters, given.renew, given.renewals, given.landing)
    report("fast", figures, given.out)


def run(folder: Path, meters: int, renew_s: float, renewals: int, is_landed: bool) -> Figures:
    """Return the figures over so many renewals and one change of the rule."""
    broker = Broker(folder / "broker")
    bootstrap = broker.settings.kafka_bootstrap
    settings = Settings(home=folder / "home", kafka=bootstrap, fast_renew_s=renew_s)
    prepare(settings, meters)
    put(settings, 1)
    try:
        with (
            lane(settings) as pid,
            landing(settings) if is_landed else nullcontext() as landed,
            closing(Fleet(bootstrap, meters)) as fleet,
        ):
            told = Told(bootstrap)
            told.until_told()
            told.read(WARM_S)
            begun = time.time()
            told.read(renew_s * renewals / 2)
            changed = time.time()
            put(settings, 2)
            told.read(renew_s * renewals / 2 + 20)
            pss = tree_pss_mb(pid) or 0
            ended = time.time() - 5
            fleet.close()
            told.read(10)
            found = figures_of(told, fleet, (begun, ended)) | {"lane_pss_mb": pss}
            found |= change_of(told, fleet, changed)
            return {**found, **(landed() if landed else {})}
    finally:
        broker.kill()


def prepare(settings: Settings, meters: int) -> None:
    """Write the meters, and the baselines of the hours about now."""
    lake = Lake(settings.lake_root)
    for table in (DEVICES, BASELINES):
        lake.create(table)
    names = [f"m{number}" for number in range(meters)]
    known = {"tenant": "default", "product": "default", "zone": "north", "customer": None,
             "lat": None, "lng": None, "firmware": None, "valid_from": FIRST_VALID_FROM,
             "valid_to": None}  # fmt: skip
    devices = pl.DataFrame({"device_full": names, "device": names})
    lake.append(
        DEVICES, devices.with_columns(**_literals(known)).select(DEVICES.column_names), None
    )
    now = datetime.now(UTC)
    hours = {(now + timedelta(hours=ahead)).isocalendar()[2] * 24 - 24
             + (now + timedelta(hours=ahead)).hour for ahead in range(-1, 4)}  # fmt: skip
    usual = {"version": now.date(), "tenant": "default", "product": "default", "metric": "power",
             "weeks": 8, "median": USUAL, "mad": 1.0, "spread": 2.0}  # fmt: skip
    slots = pl.DataFrame({"slot": sorted(hours)}, schema={"slot": pl.Int32})
    rows = pl.DataFrame({"device_full": names}).join(slots, how="cross")
    RegistryFiles(settings.registry_dir).enrol(
        Device(name, zone="north", valid_from=FIRST_VALID_FROM) for name in names
    )
    lake.append(
        BASELINES, rows.with_columns(**_literals(usual)).select(BASELINES.column_names), None
    )


def _literals(values: Mapping[str, object]) -> dict[str, pl.Expr]:
    return {name: pl.lit(value) for name, value in values.items()}


def put(settings: Settings, version: int) -> None:
    """Put a version of the rule to work."""
    check = {"kind": "ratio", "ratio": 0.5, "against": "season"}
    declared = {"rule": "bypassed", "metric": "power", "lane": "fast", "check": check,
                "note": f"version {version}"}  # fmt: skip
    RuleFiles(settings.registry_dir).put(VersionedRule(rule_from_dict(declared), version, True))


@contextmanager
def lane(settings: Settings) -> Iterator[int]:
    """Run the service as the stack does."""
    with _service(settings, fast_service(settings)) as process:
        yield process.pid


@contextmanager
def landing(settings: Settings) -> Iterator[Callable[[], Figures]]:
    """Land what the fleet says as the stack does; what is yielded tells how far it came."""
    with _service(settings, streams_service(settings, "full")):
        give_up = time.time() + 180
        while streams_complaint(settings, "full"):
            if time.time() > give_up:
                raise RuntimeError(f"{streams_complaint(settings, 'full')}: see streams.log")
            time.sleep(1)
        yield lambda: _landed(settings)


def _landed(settings: Settings) -> Figures:
    streams = {each.name: each for each in read_streams(settings, now=time.time())}
    silver = Lake(settings.lake_root).scan(READINGS).select(pl.len()).collect().item()
    return {"landing_lag": streams["landing"].lag_messages, "landed_readings": silver}


@contextmanager
def _service(settings: Settings, service: Service) -> Iterator["subprocess.Popen[bytes]"]:
    environment = {**os.environ, **child_environment(settings), **service.environment}
    with (settings.home / f"{service.name}.log").open("wb") as log:
        process = subprocess.Popen(service.command(), env=environment, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


class Fleet:
    """Meters that speak in turn, at their rate, from a process's own thread."""

    def __init__(self, bootstrap: str, meters: int) -> None:
        self.thefts: list[tuple[str, int]] = []
        self.sent = 0
        self._bootstrap, self._meters = bootstrap, meters
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        names = itertools.cycle([f"m{number}" for number in range(self._meters)])
        rate, began = self._meters / EVERY_S, time.time()
        with KafkaOutbox(self._bootstrap) as outbox:
            while not self._stopped.wait(STEP_S):
                for _ in range(int((time.time() - began) * rate) - self.sent):
                    self._send(outbox, next(names))
                outbox.poll()

    def _send(self, outbox: KafkaOutbox, name: str) -> None:
        at = time.time_ns() // 1_000_000 * 1000
        is_theft = self.sent % THEFT_EVERY == 0
        moment = datetime.fromtimestamp(at / 1e6, UTC).isoformat(timespec="milliseconds")
        power = USUAL * (0.3 if is_theft else 1.0)
        body = orjson.dumps({"ts": moment, "seq": self.sent, "metrics": {"power": power}})
        outbox.send(
            OutRecord(name.encode(), body, record_headers(name, received_at=at, protocol="bench"))
        )
        self.sent += 1
        if is_theft:
            self.thefts.append((name, at))

    def close(self) -> None:
        """Send no more."""
        self._stopped.set()
        self._thread.join()


class Told:
    """When each theft was told first, in milliseconds after its event."""

    def __init__(self, bootstrap: str) -> None:
        self.took_ms: dict[tuple[str, int], float] = {}
        self.first_of: dict[int, float] = {}
        """When each version of the rule told something first, in seconds since 1970."""
        self._consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bench",
                                   "auto.offset.reset": "earliest"})  # fmt: skip
        self._consumer.subscribe([ALERTS.name])

    def until_told(self) -> None:
        """Read until the lane tells something."""
        give_up = time.time() + 180
        while not self.took_ms:
            if time.time() > give_up:
                raise RuntimeError("the lane tells nothing")
            self.read(1)

    def read(self, seconds: float) -> None:
        """Read on for so long."""
        until = time.time() + seconds
        while time.time() < until:
            for message in self._consumer.consume(500, 0.2):
                if message.error() is None:
                    alert = Alert.from_json(message.value() or b"")
                    written = message.timestamp()[1]
                    self.first_of.setdefault(alert.rule_version, written / 1000)
                    took = written - alert.event_time / 1000
                    self.took_ms.setdefault((alert.device or "", alert.event_time), took)


def figures_of(told: Told, fleet: Fleet, span: tuple[float, float]) -> dict[str, object]:
    """Return how soon the thefts of a span were told, and how many never."""
    begun, ended = (each * 1e6 for each in span)
    thefts = [each for each in fleet.thefts if begun <= each[1] < ended]
    took = sorted(told.took_ms[each] for each in thefts if each in told.took_ms)
    found: dict[str, object] = {
        "readings_per_s": fleet.sent / (fleet.thefts[-1][1] - fleet.thefts[0][1]) * 1e6,
        "thefts": len(thefts),
        "untold": len(thefts) - len(took),
        "load": os.getloadavg()[0],
    }
    for name, limit in LIMITS_MS.items():
        value = took[round((len(took) - 1) * float(name[1:]) / 100)]
        found[f"{name}_ms"] = value
        if limit:
            found[f"{name}_of_limit"] = value / limit
    return found | {"max_ms": took[-1]}


def change_of(told: Told, fleet: Fleet, changed: float) -> dict[str, object]:
    """Return how soon a changed rule told something, and what none told around the change."""
    in_force = told.first_of.get(2)
    until = (in_force or time.time()) + AROUND_S
    around = [each for each in fleet.thefts if changed - AROUND_S <= each[1] / 1e6 < until]
    return {
        "rule_change_in_force_s": None if in_force is None else in_force - changed,
        "rule_change_thefts": len(around),
        "rule_change_untold": sum(each not in told.took_ms for each in around),
    }


if __name__ == "__main__":
    main()

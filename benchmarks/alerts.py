"""A storm of alerts through a real broker, service and webhooks: how soon what is critical is told.

10,000 alerts in 60 s, one in a hundred critical; a person and a machine are told of all of them.
`make bench BENCH=alerts OUT=build/alerts.json`; `python -m benchmarks alerts --seconds 10` is a
shorter storm at the same rate, with the waits of groups and digests as much shorter.
"""

import tempfile
import threading
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
from confluent_kafka import Consumer, Producer

from benchmarks.report import Figures, parser, quantiles, report
from edge.kafka import PRODUCER_CONFIG
from infra.processes import tree_pss_mb
from telemetry.alerts import Alert, Severity, alert_id
from telemetry.alerts_history import AlertLife
from telemetry.settings import Settings
from telemetry.topics import ALERTS, ALERTS_HISTORY
from tests.brokers import Broker
from tests.services.alerts_process import alerts_process
from tests.services.sink_server import Posted, SinkServer, sink_server

RATE, CRITICAL_EVERY = 10_000 / 60, 100
WHOLE_S = 60.0
FILE = """
timing: {{digest_wait: {digest_ms} ms}}
receivers:
  hub: {{kind: webhook, url: "{hub}", tenants: [default, warm]}}
  mail: {{kind: webhook, url: "{mail}"}}
people:
  ann: {{receivers: {{mail: info}}}}
route:
  to: [ann]
  group_wait: {wait_ms} ms
  group_interval: {interval_ms} ms
  routes: [{{match: {{severity: critical}}, to: [hub, ann]}}]
"""


def main() -> None:
    """Run the storm and print what was measured."""
    words = parser(__doc__ or "")
    words.add_argument("--seconds", type=float, default=WHOLE_S, help="how long the storm lasts")
    arguments = words.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = run(Path(folder), arguments.seconds)
    report("alerts", figures, arguments.out)


def run(folder: Path, seconds: float) -> Figures:
    """Return the figures of a storm that lasts so long."""
    scale = seconds / WHOLE_S
    with sink_server() as hub, sink_server() as mail:
        broker = Broker(folder / "home")
        try:
            configure(broker.settings, hub.url, mail.url, scale)
            with alerts_process(broker.settings) as process:
                warm_up(broker.settings.kafka_bootstrap, hub, mail)
                peak = Peak(process.pid)
                sent = storm(broker.settings.kafka_bootstrap, seconds)
                wait_for_all(mail, len(sent), 240 * scale + 30)
                history = lives(broker.settings.kafka_bootstrap, len(sent))
                return figures_of(sent, hub, mail, history) | {"service_pss_mb": peak.stop()}
        finally:
            broker.kill()


def configure(settings: Settings, hub: str, mail: str, scale: float) -> None:
    """Write who is told."""
    waits = {"wait_ms": 30_000, "interval_ms": 60_000, "digest_ms": 60_000}
    scaled = {name: max(1, round(wait * scale)) for name, wait in waits.items()}
    settings.alerts_dir.mkdir(parents=True)
    settings.alerts_configuration.write_text(FILE.format(hub=hub, mail=mail, **scaled))


def warm_up(bootstrap: str, hub: SinkServer, mail: SinkServer) -> None:
    """Wait until an alert of another tenant's machine comes through, and forget it."""
    producer = Producer({"bootstrap.servers": bootstrap, **PRODUCER_CONFIG})
    alert = replace(_alert(-1, "critical"), tenant="warm")
    producer.produce(ALERTS.name, value=alert.to_json(), key=alert.key())
    producer.flush(30)
    give_up = time.monotonic() + 60
    while not hub.taken:
        if time.monotonic() > give_up:
            raise RuntimeError("the service reads no alerts")
        time.sleep(0.05)
    hub.taken.clear()
    mail.taken.clear()


class Peak:
    """The most memory that a process and its children have had, PSS in MiB."""

    def __init__(self, pid: int) -> None:
        self._pid, self._most = pid, 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopping.wait(1.0):
            self._most = max(self._most, tree_pss_mb(self._pid) or 0)

    def stop(self) -> int:
        """Return the peak."""
        self._stopping.set()
        self._thread.join()
        return self._most


def storm(bootstrap: str, seconds: float) -> dict[str, Severity]:
    """Send alerts at their rate; return the severity of each by its id."""
    producer = Producer({"bootstrap.servers": bootstrap, **PRODUCER_CONFIG, "linger.ms": 1})
    count, began = round(RATE * seconds), time.monotonic()
    sent: dict[str, Severity] = {}
    for number in range(count):
        due = began + number / RATE
        producer.poll(max(0.0, due - time.monotonic()))
        time.sleep(max(0.0, due - time.monotonic()))
        severity: Severity = "critical" if number % CRITICAL_EVERY == 0 else "warning"
        alert = _alert(number, severity)
        producer.produce(ALERTS.name, value=alert.to_json(), key=alert.key())
        sent[alert.id] = severity
    if producer.flush(30):
        raise RuntimeError("Kafka does not take the storm")
    return sent


def _alert(number: int, severity: Severity) -> Alert:
    now, device, rule = time.time_ns() // 1000, f"pump.p{number}", f"rule{number % 3}"
    return Alert(
        id=alert_id(rule, 1, "default", device, now, "celsius"),
        tenant="default",
        rule=rule,
        rule_version=1,
        state="firing",
        severity=severity,
        event_time=now,
        detected_at=now,
        text=f"{device} is too hot",
        device=device,
        product="pump",
        zone=f"hall{number % 7}",
        metric="celsius",
        value=99.5,
        bound=90.0,
    )


def wait_for_all(mail: SinkServer, count: int, timeout_s: float) -> None:
    """Wait until the person's messages count all alerts."""
    give_up = time.monotonic() + timeout_s
    while told(mail.taken) < count and time.monotonic() < give_up:
        time.sleep(0.2)


def told(taken: list[Posted]) -> int:
    """Return how many alerts messages count."""
    return sum(each.content["counts"]["alerts"] for each in list(taken))


def lives(bootstrap: str, count: int) -> set[str]:
    """Return the alerts that the history has."""
    options: dict[str, Any] = {"bootstrap.servers": bootstrap, "group.id": "bench"}
    consumer = Consumer({**options, "auto.offset.reset": "earliest"})
    consumer.subscribe([ALERTS_HISTORY.name])
    found, give_up = set[str](), time.monotonic() + 30
    while len(found) < count + 1 and time.monotonic() < give_up:
        for message in consumer.consume(1000, 0.5):
            if message.error() is None:
                found.add(AlertLife.from_json(message.value() or b"").alert_id)
    consumer.close()
    return found


def figures_of(
    sent: dict[str, Severity], hub: SinkServer, mail: SinkServer, history: set[str]
) -> dict[str, object]:
    """Return what a storm has come to."""
    critical = {name for name, severity in sent.items() if severity == "critical"}
    waits, reached = list[float](), set[str]()
    for posted in hub.taken:
        for one in posted.content["alerts"]:
            if one["alert_id"] not in reached:
                reached.add(one["alert_id"])
                waits.append(posted.at - _seconds(one["opened_at"]))
    splits = [sum(one.content["counts"]["by_rule"].values()) for one in mail.taken]
    return {
        "alerts": len(sent),
        "critical": len(critical),
        "critical_told": len(reached & critical),
        **{f"critical_s.{name}": value for name, value in quantiles(waits).items()},
        "messages_to_person": len(mail.keys()),
        "alerts_counted": told(mail.taken),
        "alerts_counted_by_rule": sum(splits),
        "alerts_in_history": len(history & {*sent}),
        "load_1min": psutil.getloadavg()[0],
    }


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


if __name__ == "__main__":
    main()

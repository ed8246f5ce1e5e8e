"""A scenario in a stack of its own: how soon what is critical is on the topic, and is told."""

import json
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from kafka import KafkaConsumer

from telemetry.alerts import Alert
from telemetry.settings import Settings
from telemetry.topics import ALERTS
from tests.end_to_end.stack import Stack, free_port_base
from tests.services.sink_server import Posted, SinkServer, sink_server

pytestmark = [pytest.mark.stack, pytest.mark.long, pytest.mark.timeout(900)]
SERVICES = "kafka,registry,streams,gateway,alerts,fast"
RULES = """
rule: at-zero
metric: power
scope: {product: home}
check: {kind: threshold, bound: 1.5, direction: below}
lane: fast
severity: critical
"""
ROUTES = """
receivers:
  hub: {{kind: webhook, url: "{url}"}}
route:
  to: [hub]
"""
FLEET = ("--devices", "600", "--seed", "4")
MOST_S = 2.0
"""From the reading to whom a critical alert is for, for nineteen alerts in twenty."""


@pytest.fixture
def sink() -> Iterator[SinkServer]:
    with sink_server() as running:
        yield running


@pytest.fixture
def stack(tmp_path: Path, sink: SinkServer) -> Iterator[Stack]:
    made = Stack(tmp_path / "home", free_port_base())
    routes = made.home / "alerts" / "alerts.yaml"
    routes.parent.mkdir(parents=True)
    routes.write_text(ROUTES.format(url=sink.url))
    try:
        made.run("up", "--only", SERVICES, timeout_s=600)
        yield made
    finally:
        made.run("down", check=False)


def test_critical_alert_is_told_within_two_seconds_of_its_reading(
    stack: Stack, sink: SinkServer, tmp_path: Path
) -> None:
    rules, ledger = tmp_path / "rules.yaml", tmp_path / "theft.ndjson"
    rules.write_text(RULES)
    # The first messages of a fleet enrol its product, which a rule asks for, and its devices, which
    # the fast lane knows from its start on or from its next batch on.
    stack.run("simulate", "theft", *FLEET, "--rate", "600", "--for", "1s", "--quiet")
    stack.run("rules", "add", str(rules), "--on")
    wait_until_at_work(stack)

    # What the first messages broke was there before the rule was at work, and may last.
    since = time.time()
    paced = ("--rate", "60", "--for", "60s", "--ledger", str(ledger), "--quiet")
    stack.run("simulate", "theft", *FLEET, *paced)
    verdict = stack.run("verify", str(ledger), "--json", "--timeout", "120").json

    assert isinstance(verdict, dict)
    detected = verdict["detection"]
    assert detected["found"] > 0
    assert detected["precision"] == 1.0
    assert detected["alert_latency_s"]["p95"] > 0
    on_topic = waits_on_topic(stack, since)
    assert len(on_topic) > 5
    at_hub = waits_at(sink, set(on_topic), since, timeout_s=30)
    assert at_hub.keys() == on_topic.keys()
    assert percentile(list(on_topic.values())) < MOST_S
    assert percentile(list(at_hub.values())) < MOST_S


def wait_until_at_work(stack: Stack) -> None:
    """Wait for the fast lane's first start."""
    path, give_up = stack.home / "progress" / "fast.json", time.monotonic() + 180
    while not path.exists() or json.loads(path.read_bytes())["state"] != "running":
        assert time.monotonic() < give_up, "the fast lane does not start"
        time.sleep(0.5)


def waits_on_topic(stack: Stack, since: float) -> dict[str, float]:
    """Return by device how long after its reading the first firing alert was in Kafka.

    Only devices that were well until a moment count, in seconds since 1970.
    """
    bootstrap, waits = Settings(port_base=stack.port_base).kafka_bootstrap, dict[str, float]()
    options = {"auto_offset_reset": "earliest", "consumer_timeout_ms": 10_000}
    were_ill = set[str]()
    with closing(KafkaConsumer(ALERTS.name, bootstrap_servers=bootstrap, **options)) as consumer:
        for record in consumer:
            alert = Alert.from_json(record.value)
            if alert.state == "firing" and alert.device is not None:
                if alert.event_time / 1e6 < since:
                    were_ill.add(alert.device)
                waited = record.timestamp / 1e3 - alert.event_time / 1e6
                waits[alert.device] = min(waits.get(alert.device, waited), waited)
    return {device: waited for device, waited in waits.items() if device not in were_ill}


def waits_at(
    sink: SinkServer, devices: set[str], since: float, timeout_s: float
) -> dict[str, float]:
    """Return by device how long after its reading the receiver had the first alert."""
    give_up = time.monotonic() + timeout_s
    while not devices <= (reached := _reached(list(sink.taken), since)).keys():
        assert time.monotonic() < give_up, f"never told: {devices - reached.keys()}"
        time.sleep(0.2)
    return reached


def _reached(taken: list[Posted], since: float) -> dict[str, float]:
    waits = dict[str, float]()
    for posted in taken:
        for one in posted.content["alerts"]:
            opened = datetime.fromisoformat(one["opened_at"]).timestamp()
            if one["state"] != "resolved" and opened > since:
                waits.setdefault(one["device"], posted.at - opened)
    return waits


def percentile(waits: list[float], share: float = 0.95) -> float:
    """Return what so large a share of the waits stay below, in seconds."""
    return sorted(waits)[round(share * (len(waits) - 1))]

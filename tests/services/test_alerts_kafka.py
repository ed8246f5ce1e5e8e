"""The service as a process beside a real broker: killed in the middle, it loses nothing."""

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer
from sqlalchemy import create_engine, select

from edge.kafka import PRODUCER_CONFIG
from services.alerts.tables import REFUSED
from spark_jobs.jobs.alerts import _merge_all, options
from spark_jobs.lake import Lake
from telemetry.tables import ALERTS
from telemetry.topics import ALERTS as TOPIC
from tests.brokers import Broker
from tests.services.alert_parts import alert
from tests.services.alerts_process import alerts_process
from tests.services.sink_server import SinkServer, sink_server

pytestmark = pytest.mark.kafka

FILE = """
receivers:
  hub: {{kind: webhook, url: "{hub}"}}
route: {{to: [hub], group_by: [alert], group_wait: 0 s, group_interval: 1 s}}
"""
NUMBER = 60


def send(broker: Broker, *contents: tuple[bytes, bytes]) -> None:
    producer = Producer({"bootstrap.servers": broker.settings.kafka_bootstrap, **PRODUCER_CONFIG})
    for key, content in contents:
        producer.produce(TOPIC.name, value=content, key=key)
    assert producer.flush(30) == 0


def devices(hub: SinkServer) -> set[str]:
    return {one["device"] for posted in list(hub.taken) for one in posted.content["alerts"]}


def wait_until(holds: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < give_up, what
        time.sleep(0.1)


def test_a_killed_service_tells_all_and_the_history_has_all(tmp_path: Path, broker: Broker) -> None:
    settings = broker.settings
    told = [alert(f"pump.p{number}", severity="critical") for number in range(NUMBER)]
    records = [(one.key(), one.to_json()) for one in told]
    with sink_server() as hub:
        settings.alerts_dir.mkdir(parents=True)
        settings.alerts_configuration.write_text(FILE.format(hub=hub.url))
        with alerts_process(settings) as process:
            send(broker, *records[: NUMBER // 2], (b"x", b"no alert"))
            wait_until(lambda: len(hub.taken) > 0, "nothing is told")
            process.kill()
        send(broker, *records[NUMBER // 2 :])
        with alerts_process(settings):
            wait_until(lambda: len(devices(hub)) == NUMBER, "not all is told")
        again = {posted.key for posted in hub.taken}

    assert devices(hub) == {one.device for one in told}
    # At most the message that was on its way came twice, with the same key.
    assert len(hub.taken) - len(again) <= 1
    lake = Lake(str(tmp_path / "lake"))
    lake.create(ALERTS)
    with closing(Consumer(options(settings.kafka_bootstrap))) as consumer:
        figures = _merge_all(consumer, lake)
    assert set(lake.scan(ALERTS).collect()["alert_id"]) == {one.id for one in told}
    assert figures["refused"] == 0
    with closing(Consumer(options(settings.kafka_bootstrap))) as consumer:
        assert _merge_all(consumer, lake)["records"] == 0
    database = create_engine(settings.alerts_database_url)
    with database.connect() as connection:
        (refused,) = connection.execute(select(REFUSED.c.value, REFUSED.c.reason)).all()
    database.dispose()
    assert refused.value == b"no alert"
    assert "JSON" in refused.reason

"""A gateway that is told to stop: what it took is accounted for, and nothing is lost."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import cast

import httpx
import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, Producer, TopicPartition
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from telemetry.accounts import PAGE_HEADER, page_of
from telemetry.topics import COMMANDS, GATEWAY_PAGES, TELEMETRY
from tests.brokers import Broker
from tests.gateway.kills.gateways import GatewayProcess

STOPPED_WITHIN_S = 19.0
"""The supervisor waits for 20 s, then kills it."""
HEADERS: list[tuple[str, str | bytes | None]] = [
    ("tenant", b"default"), ("channel", b"commands/count")
]  # fmt: skip
COMMANDED_S = 3.0
"""Fewer messages than a session keeps."""


def stopped(gateway: GatewayProcess) -> int:
    """Tell the gateway to stop, and return its exit code."""
    gateway.process.terminate()
    return gateway.process.wait(STOPPED_WITHIN_S)


def test_gateway_that_waits_for_kafka_stops(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path / "home", "127.0.0.1:1")
    try:
        give_up = time.monotonic() + 60
        while not (gateway.settings.gateway_dir / "sessions.db").exists():
            assert time.monotonic() < give_up
            time.sleep(0.05)
        time.sleep(1.0)

        assert stopped(gateway) == 0
    finally:
        gateway.close()


def read(bootstrap: str, topic: str, partitions: int) -> Iterator[Message]:
    """Yield all records of a topic."""
    parts = [TopicPartition(topic, number, OFFSET_BEGINNING) for number in range(partitions)]
    options = {"bootstrap.servers": bootstrap, "group.id": "proof", "enable.auto.commit": False}
    with closing(Consumer(options)) as consumer:
        left = sum(consumer.get_watermark_offsets(part, timeout=10)[1] for part in parts)
        consumer.assign(parts)
        while left:
            for message in consumer.consume(1_000, 1.0):
                left -= 1
                yield message


@pytest.mark.kafka
def test_account_tells_of_all_that_was_taken_until_the_end(broker: Broker, tmp_path: Path) -> None:
    bootstrap = broker.settings.kafka_bootstrap
    gateway = GatewayProcess(tmp_path / "home", bootstrap)
    is_over, acknowledged = threading.Event(), Counter[str]()

    def post(name: str) -> None:
        with httpx.Client(base_url=gateway.url, auth=(name, "x")) as client:
            while not is_over.is_set():
                lines = b'{"metrics":{"a":1}}\n' * 200
                headers = {"Content-Type": "application/x-ndjson"}
                with suppress(httpx.TransportError):
                    url = f"/devices/{name}/telemetry"
                    answer = client.post(url, content=lines, headers=headers)
                    acknowledged[name] += 200 * (answer.status_code == httpx.codes.ACCEPTED)

    try:
        gateway.wait_until_ready()
        posting = [threading.Thread(target=post, args=[f"d{number}"]) for number in range(4)]
        for each in posting:
            each.start()
        time.sleep(2.0)
        assert stopped(gateway) == 0
        is_over.set()
        for each in posting:
            each.join()
    finally:
        is_over.set()
        gateway.close()
    there = Counter(
        dict(cast(list[tuple[str, bytes]], message.headers()))[PAGE_HEADER]
        for message in read(bootstrap, TELEMETRY.name, TELEMETRY.partitions)
    )
    told = {}
    for message in read(bootstrap, GATEWAY_PAGES.name, GATEWAY_PAGES.partitions):
        if (page := page_of(message.value() or b"")) is not None:
            told[page.name.encode()] = page
    assert {name: told[name].taken for name in there} == there
    assert sum(page.acknowledged for page in told.values()) >= acknowledged.total() > 0


def listener(port: int, got: list[int]) -> paho.Client:
    client = paho.Client(CallbackAPIVersion.VERSION2, "listener", clean_session=False)
    client.username_pw_set("d1")
    client.on_message = lambda _client, _data, message: got.append(json.loads(message.payload))
    client.connect("127.0.0.1", port)
    client.loop_start()
    return client


@pytest.mark.kafka
def test_command_that_comes_while_the_gateway_stops_is_told_by_the_next(
    broker: Broker, tmp_path: Path
) -> None:
    gateway = GatewayProcess(tmp_path / "home", broker.settings.kafka_bootstrap)
    sent, got = list[int](), list[int]()
    producer = Producer({"bootstrap.servers": broker.settings.kafka_bootstrap})

    def command() -> None:
        give_up = time.monotonic() + COMMANDED_S
        while time.monotonic() < give_up:
            producer.produce(COMMANDS.name, b"%d" % len(sent), b"d1", headers=HEADERS)
            sent.append(len(sent))
            producer.poll(0.005)
        producer.flush()

    try:
        gateway.wait_until_ready()
        away = listener(gateway.port("mqtt"), got)
        heard = threading.Event()
        away.on_subscribe = lambda *_: heard.set()
        away.subscribe("devices/d1/commands/#", 1)
        assert heard.wait(10)
        away.disconnect()
        away.loop_stop()
        commanding = threading.Thread(target=command)
        with httpx.Client(base_url=gateway.url) as idle:
            idle.get("/health")
            commanding.start()
            time.sleep(COMMANDED_S / 3)
            assert stopped(gateway) == 0
        commanding.join()
        gateway.restart()
        back = listener(gateway.port("mqtt"), got)
        give_up = time.monotonic() + 30
        while len(got) < len(sent) and time.monotonic() < give_up:
            time.sleep(0.05)
        back.disconnect()
        back.loop_stop()
    finally:
        gateway.close()
    assert len(sent) < 1_000
    assert sorted({*got}) == sent

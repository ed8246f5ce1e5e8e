"""Two gateways before one broker: each reads all commands, and goes on by itself where it was."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from telemetry.topics import COMMANDS
from tests.brokers import Broker
from tests.gateway.kills.gateways import GatewayProcess

pytestmark = [pytest.mark.kafka]
WITHIN_S = 60.0
NEVER_TOLD = ("d3", "d4", "d5", "d6", "d7", "d8")
"""Devices that hear their first command after a restart, in partitions that had none before."""


class Listener:
    """A device with a session that lasts."""

    def __init__(self, gateway: GatewayProcess, name: str) -> None:
        self.heard: list[bytes] = []
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, "c1", clean_session=False, protocol=paho.MQTTv311
        )
        self._client.username_pw_set(name)
        self._client.on_message = lambda _client, _data, message: self.heard.append(
            bytes(message.payload)
        )
        self._subscribed = False
        self._client.on_subscribe = self._noted
        self._topic = f"devices/{name}/commands/#"
        self._client.on_connect = self._connected
        self._client.connect("127.0.0.1", gateway.port("mqtt"))
        self._client.loop_start()
        until(lambda: self._subscribed)

    def _connected(self, *_given: object) -> None:
        self._client.subscribe(self._topic, 1)

    def _noted(self, *_given: object) -> None:
        self._subscribed = True

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def until(holds: Callable[[], bool], told: Callable[[], object] = list) -> None:
    give_up = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < give_up, told()
        time.sleep(0.02)


def command(broker: Broker, name: str, payload: bytes) -> None:
    producer = Producer({"bootstrap.servers": broker.settings.kafka_bootstrap})
    headers: list[tuple[str, str | bytes | None]] = [
        ("tenant", b"default"),
        ("channel", b"commands/go"),
    ]
    producer.produce(COMMANDS.name, payload, name.encode(), headers=headers)
    assert producer.flush(10) == 0


def committed(broker: Broker, group: str) -> int:
    """Return how many commands a gateway's group has noted as handed on."""
    options = {"bootstrap.servers": broker.settings.kafka_bootstrap, "group.id": group}
    with closing(Consumer(options)) as consumer:
        parts = [TopicPartition(COMMANDS.name, number) for number in range(COMMANDS.partitions)]
        return sum(max(part.offset, 0) for part in consumer.committed(parts, timeout=10))


@contextmanager
def gateway(home: Path, kafka: str) -> Iterator[GatewayProcess]:
    """Start a gateway with a group of its own, and wait until it is ready."""
    with closing(GatewayProcess(home, kafka, HEADWATER_GATEWAY_GROUP=home.name)) as process:
        process.wait_until_ready()
        yield process


def test_each_goes_on_where_it_was(broker: Broker, tmp_path: Path) -> None:
    kafka = broker.settings.kafka_bootstrap
    with ExitStack() as stack:
        one = stack.enter_context(gateway(tmp_path / "one", kafka))
        # Its ports are taken now, so the other one chooses others.
        two = stack.enter_context(gateway(tmp_path / "two", kafka))
        here, there = Listener(one, "d1"), Listener(two, "d2")
        silent = [Listener(one, name) for name in NEVER_TOLD]
        command(broker, "d1", b"1")
        command(broker, "d2", b"2")
        until(lambda: (here.heard, there.heard) == ([b"1"], [b"2"]))
        until(lambda: committed(broker, "one") == 2)

        for listener in (here, *silent):
            listener.close()
        one.kill()
        for name in ("d1", *NEVER_TOLD):
            command(broker, name, b"while it was down")
        command(broker, "d2", b"3")
        until(lambda: there.heard == [b"2", b"3"], lambda: there.heard)
        time.sleep(1.0)
        one.restart()
        back = [Listener(one, name) for name in ("d1", *NEVER_TOLD)]
        until(
            lambda: all(each.heard == [b"while it was down"] for each in back),
            lambda: [each.heard for each in back],
        )
        for listener in (*back, there):
            listener.close()

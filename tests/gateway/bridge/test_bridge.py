"""The bridge between a real mosquitto and a real Kafka: once, and never acknowledged too early."""

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers import Broker
from tests.gateway.bridge.bridges import BridgeProcess
from tests.gateway.bridge.brokers import Mosquitto
from tests.gateway.kills.landed import TopicReader

pytestmark = pytest.mark.kafka
ARRIVED_WITHIN_S = 90.0
KILLS = 4
STARTED = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()).encode()


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    running = Mosquitto(tmp_path_factory.mktemp("site") / "mosquitto")
    yield running
    running.stop()


def contents(count: int) -> list[bytes]:
    return [
        b'{"ts":"%sZ","seq":%d,"metrics":{"a":%d}}' % (STARTED, number, number)
        for number in range(count)
    ]


def topics(name: str, payloads: list[bytes]) -> list[tuple[str, bytes]]:
    return [(f"devices/{name}/telemetry", payload) for payload in payloads]


def arrived(broker: Broker, name: str, payloads: list[bytes]) -> int:
    """Wait until the topic has one key for each message, and return the number of all copies.

    A reader of its own each time: one that was there while a broker was frozen knows no partition.
    """
    reader = TopicReader(broker.settings.kafka_bootstrap)
    give_up = time.monotonic() + ARRIVED_WITHIN_S
    try:
        while True:
            reader.refresh()
            if reader.of(name).keys() >= set(payloads) or time.monotonic() > give_up:
                break
            time.sleep(0.2)
        assert reader.of(name) == dict.fromkeys(payloads, 1)
        return reader.copies(name)
    finally:
        reader.close()


def at_work(bridge: BridgeProcess) -> None:
    """Wait until it has acknowledged some messages, and more are on their way."""
    give_up = time.monotonic() + ARRIVED_WITHIN_S
    while bridge.count("bridge_acknowledged") < 200:
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_message_lands_once_and_is_held_while_kafka_is_away(
    broker: Broker, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    bridge = BridgeProcess(tmp_path, broker.settings.kafka_bootstrap, mosquitto.url)
    try:
        bridge.wait_for(None)
        sent = contents(300)
        mosquitto.publish(topics("b1", sent))
        assert arrived(broker, "b1", sent) == 300
        assert bridge.count("bridge_acknowledged") == 300

        broker.process.send_signal(signal.SIGSTOP)
        late = contents(100)
        mosquitto.publish(topics("b2", late))
        bridge.wait_for("messages are held", 30)
        assert bridge.count("bridge_acknowledged") == 300
        broker.process.send_signal(signal.SIGCONT)
        arrived(broker, "b2", late)
        bridge.wait_for(None)
        assert bridge.count("bridge_acknowledged") == 400
        assert bridge.stop() == 0
    finally:
        broker.process.send_signal(signal.SIGCONT)
        bridge.kill()


@pytest.mark.faults
@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("qos", [1, 2])
def test_killed_bridge_loses_nothing_that_was_acknowledged(
    broker: Broker, mosquitto: Mosquitto, tmp_path: Path, qos: int
) -> None:
    name, bootstrap = f"k{qos}", broker.settings.kafka_bootstrap
    asked = {"HEADWATER_BRIDGE_QOS": str(qos), "HEADWATER_BRIDGE_GROUP": name}
    bridge = BridgeProcess(tmp_path, bootstrap, mosquitto.url, **asked)
    try:
        bridge.wait_for(None)
        sent = contents(20_000)
        published = topics(name, sent)
        sending = threading.Thread(target=mosquitto.publish, args=[published], kwargs={"qos": qos})
        sending.start()
        for _ in range(KILLS):
            at_work(bridge)
            bridge.kill()
            bridge.start()
            bridge.wait_for(None)
        sending.join()
        copies = arrived(broker, name, sent)
        assert copies > len(sent), "no kill fell between Kafka and the broker"
    finally:
        bridge.kill()


@pytest.mark.faults
@pytest.mark.long
def test_broker_killed_with_its_bridge_connected_is_read_on(broker: Broker, tmp_path: Path) -> None:
    mosquitto = Mosquitto(tmp_path / "mosquitto")
    bridge = BridgeProcess(tmp_path / "home", broker.settings.kafka_bootstrap, mosquitto.url)
    try:
        bridge.wait_for(None)
        for round_ in range(2):
            name = f"r{round_}"
            sent = contents(200)
            mosquitto.publish(topics(name, sent))
            arrived(broker, name, sent)
            mosquitto.process.kill()
            mosquitto.process.wait()
            bridge.wait_for(mosquitto.url)
            mosquitto.start()
            bridge.wait_for(None)
        assert bridge.count("bridge_losses") >= 2
    finally:
        bridge.kill()
        mosquitto.stop()

"""The gateway dies under ten thousand clients: all come back, and nothing acknowledged is lost."""

import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from edge.device_outbox import DeviceOutbox, Settled
from edge.local_key import local_key
from edge.mqtt_sender import Login, MqttSender
from edge.open_files import allow_open_files
from edge.outbox import OutRecord
from telemetry.local_tokens import local_token
from tests.brokers import Broker
from tests.gateway.kills.gateways import GatewayProcess
from tests.gateway.kills.landed import TopicReader

pytestmark = [pytest.mark.kafka, pytest.mark.faults, pytest.mark.long]
CLIENTS = 10_000
PER_S = 500
EVERY_S = 0.1
BEFORE_S = AFTER_S = 5.0
BACK_WITHIN_S = 240.0


class Crowd:
    """Clients that send in turns, and come back all at once."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self.names = [f"c{number}" for number in range(CLIENTS)]
        self.sent: list[bytes] = []
        self.acknowledged: list[bytes] = []
        self._key = local_key(gateway.settings.gateway_dir)
        self._address = "127.0.0.1", gateway.port("mqtt")
        self.outbox = DeviceOutbox(self._sender, answer_within_s=2 * BACK_WITHIN_S)

    def _sender(self, settled: Settled) -> MqttSender:
        return MqttSender(settled, self._address, self._login, at_once=CLIENTS)

    def _login(self, name: str) -> Login:
        return Login(name, name, local_token(self._key, name, now=time.time()))

    def connect(self) -> None:
        self.outbox.connect(self.names, lambda _done: None, lambda: False)

    def send(self, seconds: float) -> None:
        """Send messages at a pace, each from the next client."""
        started, first = time.monotonic(), len(self.sent)
        while (passed := time.monotonic() - started) < seconds:
            while len(self.sent) < first + passed * PER_S:
                self._send_next()
            time.sleep(EVERY_S)
            self.outbox.poll()

    def _send_next(self) -> None:
        number = len(self.sent)
        name = self.names[number % CLIENTS]
        value = b'{"boot":"%s","seq":%d,"metrics":{"n":1}}' % (name.encode(), number)
        self.sent.append(value)
        self.outbox.send(
            OutRecord(name.encode(), value, []), lambda _at: self.acknowledged.append(value)
        )

    def send_until_all_are_back(self) -> None:
        give_up = time.monotonic() + BACK_WITHIN_S
        while self.outbox.connections.open < CLIENTS:
            assert time.monotonic() < give_up, self.outbox.connections
            self.send(1.0)


def kill_and_restart(gateway: GatewayProcess) -> None:
    gateway.kill()
    gateway.restart()


@pytest.mark.timeout(900)
def test_all_come_back_and_nothing_acknowledged_is_lost(broker: Broker, tmp_path: Path) -> None:
    allow_open_files(CLIENTS)
    gateway = GatewayProcess(tmp_path / "home", broker.settings.kafka_bootstrap)
    reader = TopicReader(broker.settings.kafka_bootstrap)
    try:
        gateway.wait_until_ready()
        crowd = Crowd(gateway)
        crowd.connect()
        crowd.send(BEFORE_S)

        killing = threading.Thread(target=kill_and_restart, args=[gateway])
        killing.start()
        crowd.send(AFTER_S)
        killing.join()
        crowd.send_until_all_are_back()
        crowd.outbox.close()

        assert crowd.outbox.connections.lost >= CLIENTS
        assert not crowd.outbox.connections.refusals
        assert not crowd.outbox.refusals
        assert sorted(crowd.acknowledged) == sorted(crowd.sent)
        reader.refresh()
        keys = Counter(copies[0] for copies in reader.contents.values())
        assert keys == Counter(dict.fromkeys(crowd.sent, 1))
    finally:
        reader.close()
        gateway.close()

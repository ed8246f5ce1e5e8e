"""Secrets are rotated while devices send: each message is acknowledged, and was taken."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from edge.device_outbox import DeviceOutbox, Settled
from edge.mqtt_sender import Login, MqttSender
from edge.outbox import OutRecord
from telemetry.changes import ChangeKey, CredentialBody
from telemetry.sealing import seal
from tests.gateway.entrances import EDITIONS, RING, enrol, house, signed
from tests.gateway.served import Served

DEVICES = [f"m.r{number}" for number in range(40)]
FIRST, SECOND = b"first secret", b"second secret"
EVERY_S = 0.05
WITHIN_S = 20.0


@pytest.fixture
def served() -> Iterator[Served]:
    found = house()
    for name in DEVICES:
        enrol(found.directory, name, FIRST)
    running = Served(found)
    yield running
    running.stop()


class Load:
    """Each device sends a message every so often, on a thread, with the secret that it has."""

    def __init__(self, served: Served) -> None:
        self.secrets = dict.fromkeys(DEVICES, FIRST)
        self.acknowledged: list[bytes] = []
        self._port = served.port("mqtt")
        self.outbox = DeviceOutbox(self._sender)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.sent: list[bytes] = []

    def _sender(self, settled: Settled) -> MqttSender:
        return MqttSender(settled, ("127.0.0.1", self._port), self._login)

    def _login(self, name: str) -> Login:
        return Login(*signed(name, self.secrets[name], timestamp=str(round(time.time() * 1000))))

    def start(self) -> None:
        self.outbox.connect(DEVICES, lambda _done: None, lambda: False)
        self._thread.start()

    def _run(self) -> None:
        seq = 0
        while not self._stopped.wait(EVERY_S):
            seq += 1
            for name in DEVICES:
                value = b'{"boot":"%s","seq":%d,"metrics":{"n":1}}' % (name.encode(), seq)
                self.sent.append(value)
                self.outbox.send(
                    OutRecord(name.encode(), value, []),
                    lambda _at, value=value: self.acknowledged.append(value),  # type: ignore[misc]
                )
            self.outbox.poll()

    def stop(self) -> None:
        """Stop, and wait for the answers."""
        self._stopped.set()
        self._thread.join(WITHIN_S)
        self.outbox.close()


async def rotated(served: Served) -> None:
    """Give every device a second secret, as the registry's change does."""
    for name in DEVICES:
        key = ChangeKey("credential", "default", f"{name}/s2")
        body = CredentialBody(name, seal(SECOND, RING, key.encoded()), datetime.now(UTC))
        served.house.directory.apply(EDITIONS.change("credential", key.name, body))


async def revoked(served: Served) -> None:
    """Take the first secrets away, which ends the sessions that live by them."""
    for name in DEVICES:
        served.house.directory.apply(EDITIONS.change("credential", f"{name}/s1", None))


def test_rotation_under_load_loses_nothing(served: Served) -> None:
    load = Load(served)
    load.start()

    time.sleep(4 * EVERY_S)
    served.do(rotated(served))
    time.sleep(4 * EVERY_S)
    assert load.outbox.connections.lost == 0
    load.secrets = dict.fromkeys(DEVICES, SECOND)
    served.do(revoked(served))
    give_up = time.monotonic() + WITHIN_S
    while load.outbox.connections.lost < len(DEVICES) and time.monotonic() < give_up:
        time.sleep(EVERY_S)
    time.sleep(4 * EVERY_S)
    load.stop()

    assert load.outbox.connections.lost == len(DEVICES)
    assert not load.outbox.refusals
    assert sorted(load.acknowledged) == sorted(load.sent)
    assert set(load.sent) == {taken.value for taken in served.house.outlet.taken}

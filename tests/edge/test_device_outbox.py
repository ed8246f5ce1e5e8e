"""Devices as an outbox, by each protocol, before a gateway that listens."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from edge.coap_sender import CoapSender
from edge.device_outbox import TIMED_OUT, DeviceOutbox, Sender, Settled
from edge.http_sender import HttpSender
from edge.mqtt_sender import Login, MqttSender
from edge.outbox import OutRecord
from telemetry.local_tokens import local_token
from tests.gateway.entrances import LOCAL_KEY, house
from tests.gateway.served import Served

WITHIN_S = 20.0


@pytest.fixture(scope="module")
def running() -> Iterator[Served]:
    found = Served(house())
    yield found
    found.stop()


@pytest.fixture
def served(running: Served) -> Iterator[Served]:
    running.house.outlet.taken.clear()
    yield running
    running.house.outlet.is_held = False


@dataclass
class Fates:
    """What became of records."""

    acknowledged: list[bytes] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    again: Counter[bytes] = field(default_factory=Counter)


@dataclass
class Told:
    """Notes what became of one record."""

    value: bytes
    fates: Fates

    def __call__(self, at: int) -> None:
        self.fates.acknowledged.append(self.value)

    def refuse(self, reason: str) -> None:
        self.fates.refused[reason] += 1

    def sent_again(self) -> None:
        self.fates.again[self.value] += 1


def token(device_full: str, key: bytes = LOCAL_KEY) -> str:
    return local_token(key, device_full, now=time.time())


def opened(served: Served, via: str, key: bytes = LOCAL_KEY) -> Callable[[Settled], Sender]:
    """Return what makes the sender of a protocol."""

    def sender(settled: Settled) -> Sender:
        port = served.port(via)
        if via == "mqtt":
            address = ("127.0.0.1", port)
            return MqttSender(settled, address, lambda name: Login(name, name, token(name, key)))
        if via == "http":
            return HttpSender(settled, f"http://127.0.0.1:{port}", lambda name: token(name, key))
        return CoapSender(settled, "127.0.0.1", port, lambda name: token(name, key))

    return sender


def names(count: int) -> list[str]:
    return [f"d{number}" for number in range(count)]


def connect(outbox: DeviceOutbox, count: int) -> list[int]:
    shown: list[int] = []
    outbox.connect(names(count), shown.append, lambda: False)
    return shown


def send(outbox: DeviceOutbox, count: int, seq: int = 1) -> Fates:
    """Send a message from each device."""
    fates = Fates()
    for name in names(count):
        value = b'{"boot":"%s","seq":%d,"metrics":{"n":1}}' % (name.encode(), seq)
        outbox.send(OutRecord(name.encode(), value, []), Told(value, fates))
    return fates


def wait_until(is_so: Callable[[], bool]) -> None:
    give_up = time.monotonic() + WITHIN_S
    while not is_so():
        assert time.monotonic() < give_up
        time.sleep(0.01)


@pytest.mark.parametrize("via", ["mqtt", "http", "coap"])
def test_every_device_is_acknowledged(served: Served, via: str) -> None:
    with DeviceOutbox(opened(served, via)) as outbox:
        shown = connect(outbox, 60)
        fates = send(outbox, 60)
        assert outbox.flush(WITHIN_S) == 0
        is_connected = via != "coap"
        assert (outbox.connections.open, shown[-1]) == (60 * is_connected, 60 * is_connected)

    assert sorted(fates.acknowledged) == sorted(taken.value for taken in served.house.outlet.taken)
    assert len(fates.acknowledged) == 60
    assert not outbox.refusals


def test_all_come_back_and_send_again_what_has_no_answer(served: Served) -> None:
    with DeviceOutbox(opened(served, "mqtt")) as outbox:
        connect(outbox, 200)
        served.house.outlet.is_held = True
        fates = send(outbox, 200)
        wait_until(lambda: len(served.house.outlet.taken) == 200)
        served.house.outlet.waiting.clear()

        served.do(cut(served))
        served.house.outlet.is_held = False

        assert outbox.flush(WITHIN_S) == 0
        wait_until(lambda: outbox.connections.open == 200)
        assert outbox.connections.lost == 200
    assert len(fates.acknowledged) == 200
    sent = Counter(taken.value for taken in served.house.outlet.taken)
    assert set(sent.values()) == {2}
    assert sent - fates.again == Counter(fates.acknowledged)


async def cut(served: Served) -> None:
    for socket in list(served.mqtt.sockets):
        socket.pause_writing()


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b'{"device":"d9","metrics":{"n":1}}', "device_mismatch"),
        (b'{"a":1,}', "undecodable"),
        (b'{"metrics":{"n":"%s"}}' % (b"x" * 300_000), "too_large"),
        (b'{"metrics":{"n":"%s"}}' % (b"x" * 400_000), "too_large"),
    ],
    ids=["another's", "unreadable", "large", "larger than a packet"],
)
@pytest.mark.parametrize("via", ["mqtt", "http", "coap"])
def test_bad_record_takes_no_other_one_with_it(
    served: Served, via: str, bad: bytes, reason: str
) -> None:
    fates = Fates()
    values = [b'{"seq":%d,"metrics":{"n":1}}' % seq for seq in range(20)]
    with DeviceOutbox(opened(served, via)) as outbox:
        for value in [*values[:10], bad, *values[10:]]:
            outbox.send(OutRecord(b"d0", value, []), Told(value, fates))
        assert outbox.flush(WITHIN_S) == 0

    assert sorted(fates.acknowledged) == sorted(values)
    assert fates.refused == {reason: 1}
    # Block by block a large one may take so long that CoAP might have sent a block again.
    assert set(fates.again) <= {bad}


def test_record_without_an_answer_times_out_once(served: Served) -> None:
    with DeviceOutbox(opened(served, "mqtt"), answer_within_s=1.5) as outbox:
        served.house.outlet.is_held = True
        fates = send(outbox, 5)
        wait_until(lambda: not outbox.poll(0.01))
        assert (fates.acknowledged, fates.refused) == ([], {TIMED_OUT: 5})

        served.house.outlet.is_held = False
        later = send(outbox, 5, seq=2)
        assert outbox.flush(WITHIN_S) == 0

    assert len(later.acknowledged) == 5
    assert (fates.acknowledged, fates.refused) == ([], {TIMED_OUT: 5})


def test_device_that_is_not_let_in_is_told_so_each_time(served: Served) -> None:
    with DeviceOutbox(opened(served, "mqtt", key=b"x" * 32)) as outbox:
        assert connect(outbox, 3)[-1] == 3
        for seq in (1, 2):
            fates = send(outbox, 3, seq)
            assert outbox.flush(WITHIN_S) == 0
            assert not fates.acknowledged
            assert fates.refused.total() == 3

        assert outbox.connections.open == 0
        assert outbox.connections.refusals.total() == 3

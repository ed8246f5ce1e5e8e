"""Sessions on disk: what a client asked for and still has to get is there after a kill."""

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from edge.mqtt.packets import PUBACK, PUBCOMP, PUBREC, PUBREL, Ack, Publish, Unsubscribe
from gateway.downlink import Downlink
from gateway.mqtt.kept import KeptSessions
from telemetry.errors import HeadwaterError
from tests.gateway.entrances import MESSAGE, house
from tests.gateway.kills.gateways import GatewayProcess
from tests.gateway.mqtt.clients import COMMANDS, Broker, Client


class Gateways:
    """One gateway after another over one file; none before the last has closed it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: list[KeptSessions] = []

    def next(self) -> Broker:
        kept = KeptSessions(self._path)
        self._opened.append(kept)
        return Broker(house(is_anonymous=True), kept=kept)

    def close(self) -> None:
        for kept in self._opened:
            kept.close()


@pytest.fixture
def gateways(tmp_path: Path) -> Iterator[Gateways]:
    found = Gateways(tmp_path / "sessions.db")
    yield found
    found.close()


def command(broker: Broker, number: int, qos: int = 1) -> None:
    payload = b"%d" % number
    broker.house.entrance.downlinks.deliver(
        Downlink("default", "d1", f"commands/{number}", payload, qos)
    )
    broker.flush()


def back(broker: Broker, *, clean: bool = False) -> tuple[Client, bool, list[Publish]]:
    """Come again, and return the client, whether its session was there, and what it got."""
    client = Client(broker)
    answer = client.connect(clean=clean)
    return client, answer.session_present, [p for p in client.rest if isinstance(p, Publish)]


def subscribed(broker: Broker) -> Client:
    client = Client(broker)
    client.connect(clean=False)
    client.subscribe(COMMANDS)
    return client


def test_subscription_and_queue_are_there_after_a_kill(gateways: Gateways) -> None:
    first = gateways.next()
    subscribed(first).connection.lost()
    command(first, 1)
    command(first, 2, qos=2)

    client, is_present, got = back(gateways.next())

    assert is_present
    assert [(one.payload, one.qos) for one in got] == [(b"1", 1), (b"2", 2)]
    command(client.broker, 3)
    assert [one.payload for one in client.received() if isinstance(one, Publish)] == [b"3"]


def test_what_was_not_confirmed_comes_again_and_what_was_does_not(gateways: Gateways) -> None:
    first = gateways.next()
    client = subscribed(first)
    for number in (1, 2):
        command(first, number)
    one, two = (each for each in client.received() if isinstance(each, Publish))
    client.send(Ack(PUBACK, one.packet_id))

    _, _, got = back(gateways.next())

    assert [(again.payload, again.packet_id, again.dup) for again in got] == [
        (b"2", two.packet_id, True)
    ]


def test_what_was_not_confirmed_in_its_time_does_not_come_again(gateways: Gateways) -> None:
    first = gateways.next()
    client = subscribed(first)
    over = time.time() + 1.5
    soon = Downlink("default", "d1", "commands/x", b"1", expires_at=over)
    first.house.entrance.downlinks.deliver(soon)
    assert [one.payload for one in client.received() if isinstance(one, Publish)] == [b"1"]
    time.sleep(max(0.0, over - time.time()) + 0.05)

    _, is_present, got = back(gateways.next())

    assert (is_present, got) == (True, [])


def test_released_message_of_qos_2_is_not_sent_a_second_time(gateways: Gateways) -> None:
    first = gateways.next()
    client = subscribed(first)
    command(first, 1, qos=2)
    (sent,) = (each for each in client.received() if isinstance(each, Publish))
    client.send(Ack(PUBREC, sent.packet_id))

    second = gateways.next()
    client, _, got = back(second)
    assert got == []
    assert Ack(PUBREL, sent.packet_id) in client.rest
    client.send(Ack(PUBCOMP, sent.packet_id))

    client, _, got = back(gateways.next())
    assert (got, client.rest) == ([], [])


def test_what_the_client_gives_up_is_forgotten(gateways: Gateways) -> None:
    first = gateways.next()
    client = subscribed(first)
    client.send(Unsubscribe(3, (COMMANDS,)))
    second = gateways.next()
    command(second, 1)
    assert back(second)[1:] == (True, [])
    assert back(second, clean=True)[1] is False
    assert back(gateways.next())[1] is False


def test_session_that_ends_with_its_connection_is_not_kept(
    gateways: Gateways, tmp_path: Path
) -> None:
    first = gateways.next()
    client = Client(first)
    client.connect()
    client.subscribe(COMMANDS)
    command(first, 1)
    file = sqlite3.connect(tmp_path / "sessions.db")
    counts = [
        file.execute(f"select count(*) from {t}").fetchone() for t in ("sessions", "messages")
    ]
    file.close()
    assert counts == [(0,), (0,)]


def test_telemetry_never_comes_to_the_file(gateways: Gateways) -> None:
    first = gateways.next()
    client = subscribed(first)
    for packet_id in range(1, 4):
        client.connection.receive(
            b"2" + bytes([2 + 20 + 2 + len(MESSAGE)]) + b"\0\x14devices/d1/telemetry"
            + packet_id.to_bytes(2) + MESSAGE, 1,
        )  # fmt: skip
        assert not first.sessions.kept or not first.sessions.kept.is_dirty
        first.settle()
    assert len(first.house.outlet.taken) == 3


def listener(port: int, got: list[bytes]) -> paho.Client:
    client = paho.Client(CallbackAPIVersion.VERSION2, "listener", clean_session=False)
    client.username_pw_set("d1")
    client.on_message = lambda _client, _data, message: got.append(bytes(message.payload))
    client.connect("127.0.0.1", port)
    return client


def wait_for(is_so: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 30
    while not is_so() and time.monotonic() < give_up:
        time.sleep(0.02)


def test_killed_gateway_hands_on_what_it_had_queued(tmp_path: Path) -> None:
    home, got = tmp_path / "home", list[bytes]()
    home.mkdir()
    (home / "stack.json").write_text(json.dumps({"mode": "light"}))
    gateway = GatewayProcess(home, "")
    try:
        gateway.wait_until_ready()
        heard = threading.Event()
        away = listener(gateway.port("mqtt"), got)
        away.on_subscribe = lambda *_: heard.set()
        away.subscribe("devices/d1/telemetry", 1)
        away.loop_start()
        assert heard.wait(10)
        away.disconnect()
        away.loop_stop()
        other = paho.Client(CallbackAPIVersion.VERSION2, "other")
        other.username_pw_set("d1")
        other.connect("127.0.0.1", gateway.port("mqtt"))
        other.loop_start()
        sent = [b'{"seq":%d,"metrics":{"a":1}}' % number for number in range(5)]
        for message in sent:
            other.publish("devices/d1/telemetry", message, 1).wait_for_publish(10)
        gateway.kill()
        other.loop_stop()
        gateway.restart()

        again = listener(gateway.port("mqtt"), got)
        again.loop_start()
        wait_for(lambda: len(got) >= len(sent))
        again.disconnect()
        again.loop_stop()
    finally:
        gateway.close()
    assert got == sent


@pytest.mark.parametrize("table", ["sessions", "messages"])
def test_file_that_cannot_be_read_is_named_with_what_to_do(tmp_path: Path, table: str) -> None:
    path = tmp_path / "sessions.db"
    first = Broker(house(is_anonymous=True), kept=KeptSessions(path))
    subscribed(first).connection.lost()
    command(first, 1)
    assert first.sessions.kept is not None
    first.sessions.kept.close()
    with sqlite3.connect(path) as database:
        assert database.execute(f"update {table} set body = x'ff00'").rowcount == 1
    database.close()

    kept = KeptSessions(path)
    with pytest.raises(HeadwaterError, match=r"sessions\.db: .*move it away to begin without"):
        kept.sessions(time.time())
    kept.close()

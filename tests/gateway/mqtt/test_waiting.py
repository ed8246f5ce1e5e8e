"""What waits for a client is bounded in bytes, too: a device may say much to itself."""

import time
from pathlib import Path
from typing import Any

import pytest

from edge.mqtt.packets import Connect, Publish, Subscribe, Subscription
from edge.mqtt.wire import V5
from gateway.downlink import Downlink
from gateway.mqtt.kept import KeptSessions
from gateway.mqtt.retained import MOST_BYTES_OF_DEVICE
from gateway.mqtt.sessions import MOST_QUEUED_BYTES
from tests.gateway.entrances import enrol, house, signed
from tests.gateway.mqtt.clients import OWN, Broker, Client, broker, drained, lasting, published

LARGE = 256 * 1024


def commanded(place: Broker, number: int, size: int = LARGE) -> None:
    payload = b"%4d" % number + bytes(size - 4)
    place.house.entrance.downlinks.deliver(Downlink("default", "d1", "commands/x", payload))


def numbers(packets: list[Publish]) -> list[int]:
    return [int(packet.payload[:4]) for packet in packets]


def test_queue_of_a_client_that_is_away_holds_the_newest_bytes() -> None:
    place = broker()
    client = Client(place, V5)
    client.send(lasting())
    client.subscribe(OWN, qos=1)
    client.connection.lost()

    most = MOST_QUEUED_BYTES // LARGE
    for number in range(most + 8):
        commanded(place, number)

    (session,) = place.sessions
    assert session.queued_bytes <= MOST_QUEUED_BYTES
    again = Client(place, V5)
    assert numbers(drained(again, again.send(lasting()))) == list(range(8, most + 8))
    assert session.queued_bytes == 0


def test_queue_is_as_large_after_a_kill(tmp_path: Path) -> None:
    one = house(is_anonymous=True)
    place = Broker(one, kept=KeptSessions(tmp_path / "sessions.db"))
    client = Client(place, V5)
    client.send(lasting())
    client.subscribe(OWN, qos=1)
    client.connection.lost()
    most = MOST_QUEUED_BYTES // LARGE
    for number in range(most):
        commanded(place, number)
    place.flush()

    other = Broker(one, kept=KeptSessions(tmp_path / "sessions.db"))
    commanded(other, most)

    (session,) = other.sessions
    assert (len(session.queue), session.queued_bytes) == (most, MOST_QUEUED_BYTES)


@pytest.mark.parametrize(
    "told",
    [
        {"user": (("name", "x" * LARGE),)},
        {"content_type": "x" * LARGE},
        {"response_topic": "x" * LARGE},
        {"correlation": b"x" * LARGE},
    ],
)
def test_what_a_message_carries_beside_its_payload_counts(told: dict[str, Any]) -> None:
    place = broker()
    client = Client(place, V5)
    client.send(lasting())
    client.subscribe(OWN, qos=1)
    client.connection.lost()

    for _ in range(MOST_QUEUED_BYTES // LARGE + 8):
        downlink = Downlink("default", "d1", "commands/x", b"1", **told)
        place.house.entrance.downlinks.deliver(downlink)

    (session,) = place.sessions
    assert session.queued_bytes <= MOST_QUEUED_BYTES
    assert len(session.queue) < MOST_QUEUED_BYTES // LARGE + 1


def test_small_messages_are_counted_as_before() -> None:
    place = broker()
    client = Client(place, V5)
    client.send(lasting())
    client.subscribe(OWN, qos=1)
    client.connection.lost()

    for number in range(1_002):
        commanded(place, number, 8)

    (session,) = place.sessions
    assert len(session.queue) == 1_000


def test_retained_messages_of_a_device_are_bounded_in_bytes() -> None:
    client = Client(broker(), V5)
    client.send(lasting())
    most = MOST_BYTES_OF_DEVICE // LARGE
    for number in range(most + 2):
        payload = b"%4d" % number + bytes(LARGE - 4)
        client.send(Publish(f"devices/d1/state{number}", payload, 1, 1, retain=True))

    seen = published(client.send(Subscribe(2, (Subscription(OWN, 1),))))

    assert numbers(seen) == list(range(2, most + 2))


@pytest.mark.parametrize("identifier", ["", "c1"])
def test_command_is_nobodys_own_even_where_a_client_has_no_name(identifier: str) -> None:
    one = house()
    enrol(one.directory, "pk.d1", b"secret")
    place = Broker(one)
    now = time.time()
    shown = signed("pk.d1", b"secret", timestamp=f"{now * 1000:.0f}", identifier=identifier)
    client = Client(place, V5)
    connect = Connect(
        V5, shown.client_id, username=shown.username, password=shown.password.encode()
    )
    client.send(connect, now=round(now * 1_000_000))
    own = "devices/pk.d1/#"
    client.send(Subscribe(1, (Subscription(own, 1, no_local=True),)), now=round(now * 1_000_000))

    one.entrance.downlinks.deliver(Downlink("default", "pk.d1", "commands/x", b"now"))
    seen = client.send(Publish("devices/pk.d1/state", b"on", 1, 7), now=round(now * 1_000_000))

    assert [each.payload for each in published(seen)] == [b"now"]

"""What waits for clients is bounded over all sessions together, and what has to go is counted."""

from collections.abc import Callable
from pathlib import Path

import pytest

from edge.mqtt.packets import PUBCOMP, PUBREC, Ack, Connect, Publish, Subscribe, Subscription
from edge.mqtt.wire import V5
from gateway.counters import Counters
from gateway.downlink import Downlink
from gateway.mqtt.delivery import MOST_ON_WAY
from gateway.mqtt.kept import KeptSessions
from gateway.mqtt.retained import Retained
from gateway.mqtt.room import OVERHEAD, Room
from gateway.mqtt.sessions import MOST_SESSIONS_OF_DEVICE
from tests.gateway.entrances import house
from tests.gateway.mqtt.clients import Broker, Client, broker, drained, lasting, published

LARGE = 64 * 1024
MOST = 4 * 1024 * 1024


def place_of(most: int = MOST, path: Path | None = None) -> Broker:
    """Return a broker whose sessions hold so many bytes together."""
    kept = KeptSessions(path) if path else None
    return Broker(house(is_anonymous=True), kept=kept, room=Room(most))


def listening(place: Broker, device: str, *, qos: int = 1) -> Client:
    """Return a client with a lasting session that hears its device's commands."""
    client = Client(place, V5)
    client.send(lasting()._replace(username=device, client_id=device))
    wanted = (Subscription(f"devices/{device}/commands/#", qos),)
    client.send(Subscribe(1, wanted))
    return client


def commanded(place: Broker, device: str, number: int, *, size: int = LARGE, qos: int = 1) -> None:
    payload = b"%6d" % number + bytes(size - 6)
    command = Downlink("default", device, "commands/x", payload, qos)
    place.house.entrance.downlinks.deliver(command)


def back(place: Broker, device: str) -> list[int]:
    """Come again, and return the numbers of what waited."""
    client = Client(place, V5)
    connect = lasting()._replace(username=device, client_id=device)
    return [int(each.payload[:6]) for each in drained(client, client.send(connect))]


def dropped(place: Broker) -> int:
    return place.house.entrance.counters.value("downlinks", channel="no_room")


def test_device_that_fills_the_room_loses_its_oldest_and_others_lose_nothing() -> None:
    place = place_of()
    for device in ("d1", "d2", "d3"):
        listening(place, device).connection.lost()
    for device in ("d2", "d3"):
        commanded(place, device, 7, size=1000)

    for number in range(100):
        commanded(place, "d1", number)
        assert place.sessions.room.held <= MOST

    kept = back(place, "d1")
    assert kept == list(range(100 - len(kept), 100))
    assert dropped(place) == 100 - len(kept) > 0
    assert [back(place, device) for device in ("d2", "d3")] == [[7], [7]]
    assert place.sessions.room.held == 0


def test_small_messages_fill_the_room_too() -> None:
    place = place_of()
    names = [f"d{number}" for number in range(20)]
    for device in names:
        listening(place, device).connection.lost()

    for number in range(500):
        for device in names:
            commanded(place, device, number, size=10)

    assert place.sessions.room.held <= MOST
    waiting = sum(len(session.queue) for session in place.sessions)
    assert waiting * OVERHEAD <= MOST
    assert dropped(place) == 500 * len(names) - waiting > 0


def test_what_is_on_its_way_counts_until_it_is_confirmed() -> None:
    place = place_of()
    client = listening(place, "d1")
    for number in range(MOST // LARGE // 2):
        commanded(place, "d1", number)

    sent = client.received()
    assert len(published(sent)) == MOST_ON_WAY // LARGE
    assert place.sessions.room.held == MOST // LARGE // 2 * (LARGE + OVERHEAD)
    assert len(drained(client, sent)) == MOST // LARGE // 2
    assert place.sessions.room.held == 0


def test_message_of_qos_2_counts_until_the_client_has_it() -> None:
    place = place_of()
    client = listening(place, "d1", qos=2)
    commanded(place, "d1", 1, qos=2)
    (sent,) = published(client.received())

    client.send(Ack(PUBREC, sent.packet_id))
    assert place.sessions.room.held == OVERHEAD
    client.send(Ack(PUBCOMP, sent.packet_id))
    assert place.sessions.room.held == 0


def test_room_that_is_full_of_what_was_sent_takes_no_more_and_says_so() -> None:
    place = place_of(MOST_ON_WAY)
    client = listening(place, "d1")
    for number in range(MOST_ON_WAY // LARGE + 5):
        commanded(place, "d1", number)

    seen = published(client.received())
    assert [int(each.payload[:6]) for each in seen] == list(range(len(seen)))
    assert dropped(place) == MOST_ON_WAY // LARGE + 5 - len(seen) > 0
    drained(client, seen)
    commanded(place, "d1", 99)
    assert [int(each.payload[:6]) for each in published(client.received())] == [99]


def ended(place: Broker) -> None:
    for session in place.sessions:
        place.desk.settle(session, session.ends_at)


def begun_anew(place: Broker) -> None:
    Client(place, V5).send(Connect(V5, "d1", username="d1"))


@pytest.mark.parametrize("over", [ended, begun_anew])
def test_session_that_is_over_takes_up_no_room(over: Callable[[Broker], None]) -> None:
    place = place_of()
    client = listening(place, "d1")
    for number in range(30):
        commanded(place, "d1", number)
    client.connection.lost()

    over(place)

    assert place.sessions.room.held == 0


def test_what_was_on_disk_counts_and_is_cut_to_a_smaller_room(tmp_path: Path) -> None:
    place = place_of(path=tmp_path / "sessions.db")
    client = listening(place, "d1")
    for number in range(40):
        commanded(place, "d1", number)
    place.flush()
    held = place.sessions.room.held
    assert len(published(client.received())) == MOST_ON_WAY // LARGE

    other = place_of(path=tmp_path / "sessions.db")
    assert other.sessions.room.held == held
    smaller = place_of(held // 2 + LARGE, path=tmp_path / "sessions.db")
    assert smaller.sessions.room.held <= held // 2 + LARGE
    assert dropped(smaller) > 0


def test_device_has_no_more_sessions_than_it_may_once_they_are_away() -> None:
    place = broker()
    clients = [Client(place, V5) for _ in range(MOST_SESSIONS_OF_DEVICE + 5)]
    for number, client in enumerate(clients):
        client.send(lasting()._replace(client_id=f"c{number}"))
    for client in clients:
        client.connection.lost()

    Client(place, V5).send(lasting()._replace(client_id="last"))

    assert len(place.sessions) == MOST_SESSIONS_OF_DEVICE


def test_retained_messages_of_all_devices_are_bounded_and_counted() -> None:
    counters = Counters()
    retained = Retained(counters, most_bytes=10 * (100 + OVERHEAD))
    for number in range(12):
        said = Downlink("default", f"d{number}", "state", bytes(100), retain=True)
        retained.keep(("default", f"d{number}"), said)

    there = [
        number for number in range(12) if list(retained.matching(("default", f"d{number}"), "#"))
    ]
    assert there == list(range(10))
    assert counters.value("retained_dropped") == 2
    retained.keep(("default", "d0"), Downlink("default", "d0", "state", b"", retain=True))
    assert retained.held == 9 * (100 + OVERHEAD)


def test_retained_message_that_goes_for_newer_ones_is_counted() -> None:
    client = Client(broker(), V5)
    client.connect()
    for number in range(103):
        client.send(Publish(f"devices/d1/state{number}", b"on", 1, 1, retain=True))

    counters = client.broker.house.entrance.counters
    assert counters.value("retained_dropped") == 3

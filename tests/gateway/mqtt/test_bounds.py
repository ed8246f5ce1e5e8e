"""What one client may have the gateway hold or work on: properties, aliases, connections."""

import socket
import time

import pytest

from edge.mqtt.encoding import encode
from edge.mqtt.frames import frame
from edge.mqtt.packets import (
    PINGREQ,
    PINGRESP,
    PUBACK,
    PUBCOMP,
    PUBREC,
    PUBREL,
    Ack,
    Answer,
    Connect,
    Disconnect,
    Ping,
    Publish,
    Subscribe,
    Subscription,
)
from edge.mqtt.properties import Properties
from edge.mqtt.wire import V5, text, variable
from gateway.downlink import Downlink
from gateway.mqtt.aliases import MOST_LETTERS
from gateway.mqtt.connecting import ALIAS_MAXIMUM, MqttOptions
from gateway.mqtt.subscribing import MOST_SUBSCRIPTIONS
from gateway.mqtt.wire import MOST_UNSENT
from tests.gateway.entrances import NOW_US, house
from tests.gateway.mqtt.clients import (
    COMMANDS,
    OWN,
    Broker,
    Client,
    broker,
    lasting,
    published,
    telemetry,
)
from tests.gateway.served import Served

LARGE = b"x" * 200_000
QUOTA_EXCEEDED = 0x97


def test_connect_of_very_many_properties_is_read_in_time() -> None:
    """Each one more cost as much as all before it: 320 KB of a stranger held all up for 15 s."""
    properties = b"\x26\0\0\0\0" * 60_000
    head = text("MQTT") + b"\5\x82\0\0" + variable(len(properties))
    running = Served(house(is_anonymous=True))
    try:
        with socket.create_connection(("127.0.0.1", running.port("mqtt")), 10) as sock:
            begun = time.process_time()
            sock.sendall(frame(0x10, head + properties + text("c1") + text("d1")))
            sock.settimeout(60)
            answer = sock.recv(4)
            # The gateway is a thread of this process; what others do meanwhile is not its fault.
            took_s = time.process_time() - begun
    finally:
        running.stop()

    assert answer[:1] + answer[2:] == b"\x20\0\0"
    assert took_s < 5


def test_topics_of_aliases_have_a_bound_together() -> None:
    client = Client(broker(), V5)
    client.connect()
    long = "devices/d1/" + "x" * 65_000

    answers = [
        client.send(Publish(long, b"1", 1, alias, properties=Properties(topic_alias=alias)))
        for alias in range(1, MOST_LETTERS // 65_000 + 2)
    ]

    assert [each.code for (each,) in answers[:-1] if isinstance(each, Ack)] == [0x90] * 2
    (last,) = answers[-1]
    assert isinstance(last, Disconnect)
    assert last.code == QUOTA_EXCEEDED


def test_alias_that_stands_for_another_topic_gives_the_first_ones_room_back() -> None:
    client = Client(broker(), V5)
    client.connect()
    alias = Properties(topic_alias=1)
    long = "devices/d1/" + "x" * 65_000

    for packet_id in range(1, 6):
        client.send(Publish(long, b"1", 1, packet_id, properties=alias))

    assert client.send(telemetry(9)._replace(properties=alias)) == [Ack(PUBACK, 9)]


def test_no_more_aliases_are_given_than_are_taken_however_many_are_allowed() -> None:
    client = Client(broker(), V5)
    client.send(lasting(topic_alias_maximum=65_535))
    client.subscribe(COMMANDS, qos=0)
    for number in range(ALIAS_MAXIMUM + 3):
        downlink = Downlink("default", "d1", f"commands/{number}", b"1", 0)
        client.broker.house.entrance.downlinks.deliver(downlink)

    aliases = [each.properties.topic_alias for each in published(client.received())]

    assert aliases == [*range(1, ALIAS_MAXIMUM + 1), None, None, None]


def retaining(count: int = 4) -> Client:
    """Return a client whose device has large messages retained."""
    client = Client(broker(), V5)
    client.send(lasting())
    for number in range(count):
        client.send(Publish(f"devices/d1/state/{number}", LARGE, 1, number + 1, retain=True))
    return client


def test_filter_that_is_named_very_often_does_not_bring_what_is_retained_as_often() -> None:
    client = retaining()
    wanted = (Subscription(OWN, 0),) * 3_000

    answer, *messages = client.send(Subscribe(9, wanted))

    assert isinstance(answer, Answer)
    assert answer.codes == (0,) * MOST_SUBSCRIPTIONS + (QUOTA_EXCEEDED,) * 2_900
    assert sum(len(each.payload) for each in published(messages)) <= MOST_UNSENT + len(LARGE)


def test_what_nobody_confirms_is_bounded_in_one_turn_and_counted() -> None:
    client = retaining()
    data = encode(Subscribe(9, (Subscription(OWN, 0),)), V5)

    client.connection.receive(data * 50, NOW_US)
    found = published(client.received())

    assert len(found) == -(-MOST_UNSENT // len(encode(found[0], V5)))
    counters = client.broker.house.entrance.counters
    assert counters.value("downlinks", channel="dropped") == 200 - len(found)
    again = published(client.send(Subscribe(9, (Subscription(OWN, 0),))))
    assert len(again) == 4


def test_device_with_too_many_connections_loses_the_one_that_is_silent_for_longest() -> None:
    one = Broker(house(is_anonymous=True), MqttOptions(most_connections=3))
    clients = [Client(one, V5) for _ in range(4)]
    for second, client in enumerate(clients[:3]):
        connect = Connect(V5, f"c{second}", username="d1")
        client.send(connect, now=NOW_US + second * 1_000_000)
    other = Client(one, V5)
    other.send(Connect(V5, "c0", username="d2"), now=NOW_US)
    assert clients[0].send(Ping(PINGREQ), now=NOW_US + 5_000_000) == [Ping(PINGRESP)]

    clients[3].send(Connect(V5, "c3", username="d1"), now=NOW_US + 6_000_000)

    assert [each.wire.is_closed for each in (*clients, other)] == [False, True, *[False] * 3]
    (told,) = clients[1].received()
    assert isinstance(told, Disconnect)
    assert told.code == QUOTA_EXCEEDED


@pytest.mark.parametrize("clean", [True, False])
def test_client_that_comes_back_costs_its_device_no_other_connection(clean: bool) -> None:
    one = Broker(house(is_anonymous=True), MqttOptions(most_connections=2))
    first, second, again = (Client(one, V5) for _ in range(3))
    first.connect("c1")
    second.connect("c2")

    again.connect("c2", clean=clean)

    assert [each.wire.is_closed for each in (first, second, again)] == [False, True, False]


@pytest.mark.parametrize("qos", [1, 2])
def test_client_that_takes_one_message_at_a_time_gets_one(qos: int) -> None:
    client = Client(broker(), V5)
    client.send(lasting(receive_maximum=1))
    client.subscribe(COMMANDS)
    for payload in (b"1", b"2", b"3"):
        downlink = Downlink("default", "d1", "commands/x", payload, qos)
        client.broker.house.entrance.downlinks.deliver(downlink)
    heard, seen = client.received(), []

    while heard:
        (message,) = published(heard)
        seen.append(message.payload)
        number = message.packet_id
        if qos == 2:
            assert client.send(Ack(PUBREC, number)) == [Ack(PUBREL, number)]
        heard = client.send(Ack(PUBACK if qos == 1 else PUBCOMP, number))

    assert seen == [b"1", b"2", b"3"]

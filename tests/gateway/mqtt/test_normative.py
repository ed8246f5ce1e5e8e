"""Statements of both specifications that no other test of the listener holds, by their numbers."""

import pytest

from edge.mqtt.encoding import encode
from edge.mqtt.frames import frame
from edge.mqtt.packets import (
    PUBACK,
    PUBCOMP,
    PUBREC,
    PUBREL,
    Ack,
    Answer,
    Connack,
    Disconnect,
    Publish,
    Subscribe,
    Subscription,
    Unsubscribe,
)
from edge.mqtt.properties import Properties
from edge.mqtt.wire import V5, V311
from tests.gateway.entrances import MESSAGE
from tests.gateway.mqtt.clients import (
    BOTH,
    GONE,
    OWN,
    TOPIC,
    Client,
    broker,
    lasting,
    published,
    telemetry,
)

LISTENING = b"\0\1" + b"\0\x0cdevices/d1/#"


def connected(version: int) -> Client:
    """Return a client that was let in and whose topic the short way knows."""
    client = Client(broker(), version)
    client.send(lasting(version))
    client.send(telemetry(1))
    return client


@BOTH
@pytest.mark.parametrize("length", [b"\x80\0", b"\x80\x80\0", b"\x80\x80\x80\0"])
def test_length_has_no_more_bytes_than_it_needs(version: int, length: bytes) -> None:
    """[MQTT5-1.5.5-1]; table 2.4 of 3.1.1."""
    client = connected(version)

    client.send_bytes(b"\xc0" + length)

    assert client.wire.is_closed
    assert [each.code for each in client.received() if isinstance(each, Disconnect)] == (
        [0x81] if version == V5 else []
    )


@BOTH
def test_short_way_takes_no_longer_length_either(version: int) -> None:
    client = connected(version)
    plain = encode(telemetry(2), version)
    assert plain[1] < 0x80

    client.send_bytes(bytes((plain[0], plain[1] | 0x80, 0)) + plain[2:])
    client.broker.settle()

    assert client.wire.is_closed
    assert len(client.broker.house.outlet.taken) == 1


@pytest.mark.parametrize(
    ("statement", "head", "body", "code"),
    [
        ("1.5.4-1", 0x30, b"\0\2\xc0\x80\0", 0x81),
        ("1.5.4-1", 0x30, b"\0\4\xf4\x90\x80\x80\0", 0x81),
        ("1.5.4-1", 0x30, b"\0\1a\6\x26\0\1\xff\0\0", 0x81),
        ("1.5.4-2", 0x30, b"\0\1a\6\x26\0\1a\0\1\0", 0x81),
        ("1.5.5-1", 0x30, b"\0\1a\x80\0", 0x81),
        ("1.5.5-1", 0x30, b"\0\1a\3\x81\0\1", 0x81),
        ("1.5.5-1", 0x82, b"\0\1\3\x0b\x81\0" + LISTENING[2:] + b"\0", 0x81),
        ("2.1.3-1", 0x43, b"\0\1", 0x81),
        ("2.2.1-3", 0xA2, b"\0\0\0" + LISTENING[2:], 0x82),
        ("3.3.2-13", 0x30, b"\0\1a\3\x08\0\0", 0x82),
        ("3.3.2-14", 0x30, b"\0\1a\4\x08\0\1#", 0x82),
        ("3.8.3-4", 0x82, b"\0\1\0\0\x13$share/g/devices/d1\5", 0x82),
        ("3.8.3.1", 0x82, b"\0\1\0" + LISTENING[2:] + b"\3", 0x82),
        ("3.8.3.1", 0x82, b"\0\1\0" + LISTENING[2:] + b"\x30", 0x82),
        ("3.8.3-5", 0x82, b"\0\1\0" + LISTENING[2:] + b"\x40", 0x81),
        ("3.10.1-1", 0xA0, b"\0\1\0" + LISTENING[2:], 0x81),
        ("3.10.3-2", 0xA2, b"\0\1\0", 0x82),
        ("3.14.1-1", 0xE1, b"", 0x81),
        ("4.7.1-1", 0x82, b"\0\1\0\0\4a/#b\0", 0x8F),
        ("4.7.1-2", 0x82, b"\0\1\0\0\2a+\0", 0x8F),
        ("4.7.3-1", 0x82, b"\0\1\0\0\0\0", 0x8F),
        ("4.8.2-1", 0x82, b"\0\1\0\0\x09$share//a\0", 0x8F),
        ("4.8.2-2", 0x82, b"\0\1\0\0\x0b$share/g#/a\0", 0x8F),
        ("4.12.0-7", 0xF0, b"\x18\0", 0x82),
    ],
)
def test_what_5_forbids_has_its_code(statement: str, head: int, body: bytes, code: int) -> None:
    client = connected(V5)

    client.send_bytes(frame(head, body))

    (answer,) = client.received()
    assert isinstance(answer, Disconnect), statement
    assert answer.code == code, (statement, answer.properties.reason)
    assert len(client.broker.house.outlet.taken) == 1


@BOTH
def test_byte_order_mark_is_a_letter(version: int) -> None:
    """[MQTT-1.5.3-3], [MQTT5-1.5.4-3]."""
    client = connected(version)
    client.subscribe(OWN)

    (seen,) = published(client.send(Publish("devices/d1/\ufeffx", b"1", 0)))

    assert seen.topic == "devices/d1/\ufeffx"


@BOTH
@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        ("#", 0x87),
        ("+/d1/telemetry", 0x87),
        ("devices/+/telemetry", 0x87),
        ("$SYS/#", 0x87),
        ("$SYS/d1/telemetry", 0x87),
        ("$share/group/devices/d1/#", 0x9E),
    ],
)
def test_filters_that_no_device_may_have_are_refused_each_by_itself(
    version: int, pattern: str, code: int
) -> None:
    client = connected(version)
    wanted = Subscription(pattern, 1), Subscription("devices/d1/commands/#", 1)

    (answer,) = client.send(Subscribe(2, wanted))
    (gone,) = client.send(Unsubscribe(3, (pattern,)))

    assert isinstance(answer, Answer)
    assert answer.codes == (code if version == V5 else 0x80, 1)
    assert isinstance(gone, Answer)
    assert gone.codes == ((0x11,) if version == V5 else ())
    assert not client.wire.is_closed


@pytest.mark.parametrize("topic", ["$SYS/x", "$share/group/devices/d1/telemetry", "$devices/d1/x"])
def test_dollar_topics_are_published_to_by_nobody(topic: str) -> None:
    five, older = connected(V5), connected(V311)

    assert [answer.code for answer in five.send(Publish(topic, MESSAGE, 1, 2))] == [0x87]  # type: ignore[union-attr]
    assert older.send(Publish(topic, MESSAGE, 1, 2)) == []
    assert (five.wire.is_closed, older.wire.is_closed) == (False, True)


def test_connack_says_what_is_not_offered_and_nothing_of_what_is() -> None:
    answer = Client(broker(), V5).connect()

    given = answer.properties
    assert given.shared_available == 0
    offered = (
        given.maximum_qos,
        given.retain_available,
        given.wildcards_available,
        given.subscription_ids_available,
    )
    assert offered == (None, None, None, None)
    assert given.response_information is None


def test_mqtt_3_1_is_told_that_its_version_is_not_spoken() -> None:
    """[MQTT-3.1.2-2]."""
    client = Client(broker())

    client.send_bytes(frame(0x10, b"\0\6MQIsdp\3\2\0\0\0\2c1"))

    assert client.received() == [Connack(1)]
    assert client.wire.is_closed


@BOTH
def test_qos_2_counts_once_over_a_broken_connection_and_twice_over_a_new_session(
    version: int,
) -> None:
    """[MQTT-4.3.3-2], [MQTT-4.4.0-1], [MQTT5-4.3.3-10]."""
    one = broker()
    message = telemetry(7, qos=2)
    first = Client(one, version)
    first.send(lasting(version))
    assert first.send(message) == [Ack(PUBREC, 7)]
    first.connection.lost()

    again = Client(one, version)
    again.send(lasting(version))
    assert again.send(message._replace(dup=True)) == [Ack(PUBREC, 7)]
    assert len(one.house.outlet.taken) == 1
    again.connection.lost()

    clean = Client(one, version)
    clean.send(lasting(version)._replace(clean=True))
    assert clean.send(message) == [Ack(PUBREC, 7)]
    assert clean.send(Ack(PUBREL, 7)) == [Ack(PUBCOMP, 7)]
    assert len(one.house.outlet.taken) == 2


@BOTH
def test_whoever_breaks_the_protocol_leaves_its_will(version: int) -> None:
    """[MQTT-3.1.2-8], [MQTT5-3.14.4-3]."""
    client = Client(broker(), version)
    client.send(lasting(version, will=GONE))

    client.send_bytes(frame(0x36, b"\0\1a\0\1"))

    assert [each.value for each in client.broker.house.outlet.taken] == [GONE.payload]


@BOTH
def test_topic_is_told_apart_by_case_and_by_each_slash(version: int) -> None:
    """[MQTT-4.7.3-4]: nothing of a topic is normalised."""
    client = connected(version)
    client.subscribe("devices/d1/A//b", qos=1)

    names = ["A//b", "a//b", "A/b", "A//b/", "/A//b"]
    seen = [published(client.send(Publish(f"devices/d1/{name}", b"1"))) for name in names]

    assert [len(each) for each in seen] == [1, 0, 0, 0, 0]


@BOTH
def test_message_is_no_longer_retained_once_an_empty_one_is(version: int) -> None:
    """[MQTT-3.3.1-10], [MQTT-3.3.1-11]: and one that is not retained changes nothing."""
    client = connected(version)
    state = Publish("devices/d1/state", b"1", 1, 2, retain=True)
    seen = []
    for said in (state, state._replace(payload=b"2", retain=False), state._replace(payload=b"")):
        client.send(said)
        found = published(client.send(Subscribe(3, (Subscription(OWN, 0),))))
        client.send(Unsubscribe(4, (OWN,)))
        seen.append([(each.payload, each.retain) for each in found])

    assert seen == [[(b"1", True)], [(b"1", True)], []]


def test_user_properties_of_a_request_change_no_answer() -> None:
    client = connected(V5)
    told = Properties(user=(("a", "1"), ("a", "1")))

    assert client.send(telemetry(2)._replace(properties=told)) == [Ack(PUBACK, 2)]
    (answer,) = client.send(Subscribe(3, (Subscription(TOPIC, 1),), told))
    assert isinstance(answer, Answer)
    assert (answer.codes, answer.properties.user) == ((1,), ())

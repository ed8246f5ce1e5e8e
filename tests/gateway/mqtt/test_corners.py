"""What a hostile reader of MQTT tries: topics, subscriptions, properties, rubbish."""

import time
from dataclasses import replace

import pytest

from edge.mqtt.packets import (
    PUBACK,
    PUBREC,
    Ack,
    Answer,
    Disconnect,
    Publish,
    Subscribe,
    Subscription,
    Unsubscribe,
)
from edge.mqtt.properties import Properties
from edge.mqtt.wire import V5
from gateway.downlink import Downlink
from tests.gateway.entrances import MESSAGE, NOW_US
from tests.gateway.mqtt.clients import (
    BOTH,
    COMMANDS,
    OWN,
    TOPIC,
    Client,
    broker,
    lasting,
    published,
)


@pytest.mark.parametrize(
    ("packet", "code"),
    [
        (Publish("", MESSAGE), 0x82),
        (Publish("", MESSAGE, properties=Properties(topic_alias=4)), 0x82),
        (Publish(TOPIC, MESSAGE, properties=Properties(topic_alias=0)), 0x94),
        (Publish(TOPIC, MESSAGE, properties=Properties(topic_alias=33)), 0x94),
        (Publish("devices/+/telemetry", MESSAGE), 0x90),
    ],
)
def test_topic_that_is_none_has_its_code(packet: Publish, code: int) -> None:
    client = Client(broker(), V5)
    client.send(lasting())

    (answer,) = client.send(packet)

    assert isinstance(answer, Disconnect)
    assert answer.code == code


@pytest.mark.parametrize("asked", [Subscribe, Unsubscribe])
def test_no_answer_is_larger_than_the_client_takes(asked: type[Subscribe | Unsubscribe]) -> None:
    client = Client(broker(), V5)
    client.send(lasting(maximum_packet_size=30))
    patterns = [f"devices/d1/commands/{number}" for number in range(30)]
    wanted = [Subscription(pattern, 1) for pattern in patterns]

    (answer,) = client.send(asked(1, tuple(wanted if asked is Subscribe else patterns)))  # type: ignore[arg-type]

    assert isinstance(answer, Disconnect)
    assert answer.code == 0x95
    assert client.wire.is_closed


@BOTH
@pytest.mark.parametrize("qos", [1, 2])
def test_what_is_sent_again_says_how_long_it_is_still_good(version: int, qos: int) -> None:
    one = broker()
    client = Client(one, version)
    client.send(lasting(version))
    client.subscribe(COMMANDS)
    until = time.time() + 30
    for payload in (b"old", b"new"):
        downlink = Downlink("default", "d1", "commands/x", payload, qos, expires_at=until)
        one.house.entrance.downlinks.deliver(downlink)
    client.received()
    client.connection.lost()
    (session,) = one.sessions
    old, new = session.inflight.values()
    first, second = session.inflight
    session.inflight[first] = old._replace(expires_at=time.time() - 1)
    session.inflight[second] = new._replace(expires_at=time.time() + 10)

    again = published(Client(one, version).send(lasting(version)))

    # Half of a message of QoS 2 may be there: its packet id is not given up.
    assert [each.payload for each in again] == [b"old"] * (qos == 2) + [b"new"]
    if version == V5:
        left = [each.properties.message_expiry_s for each in again]
        assert left in ([10], [0, 10])
    assert one.house.entrance.counters.value("downlinks", channel="expired") == (qos == 1)


@BOTH
def test_level_behind_the_device_may_begin_with_a_dollar(version: int) -> None:
    client = Client(broker(), version)
    client.send(lasting(version))
    client.subscribe(OWN)

    seen = published(client.send(Publish("devices/d1/$x", b"1", 1, 1)))

    assert [each.topic for each in seen] == ["devices/d1/$x"]


@pytest.mark.parametrize("no_local", [True, False])
def test_retained_message_of_its_own_is_not_local_either(no_local: bool) -> None:
    client = Client(broker(), V5)
    client.send(lasting())
    client.send(Publish("devices/d1/state", b"1", 1, 1, retain=True))

    seen = published(client.send(Subscribe(2, (Subscription(OWN, 1, no_local),))))

    assert [each.payload for each in seen] == [b"1"] * (not no_local)


def test_identifiers_of_all_subscriptions_come_with_one_copy() -> None:
    client = Client(broker(), V5)
    client.send(lasting())
    for packet_id, (pattern, qos, number) in enumerate([(OWN, 0, 5), (COMMANDS, 2, 7)], start=1):
        given = Properties(subscription_ids=(number,))
        client.send(Subscribe(packet_id, (Subscription(pattern, qos),), given))

    client.broker.house.entrance.downlinks.deliver(Downlink("default", "d1", "commands/x", b"1", 1))

    (seen,) = published(client.received())
    assert (seen.qos, seen.properties.subscription_ids) == (1, (5, 7))


@pytest.mark.parametrize("handling", [0, 1, 2])
def test_retained_messages_come_as_the_subscription_says(handling: int) -> None:
    client = Client(broker(), V5)
    client.send(lasting())
    client.send(Publish("devices/d1/state", b"1", 1, 1, retain=True))
    wanted = Subscribe(2, (Subscription(OWN, 1, retain_handling=handling),))

    seen = [len(published(client.send(wanted))) for _ in range(2)]

    assert seen == {0: [1, 1], 1: [1, 0], 2: [0, 0]}[handling]


@BOTH
def test_unsubscribe_is_answered_for_each_filter(version: int) -> None:
    client = Client(broker(), version)
    client.send(lasting(version))
    client.subscribe(COMMANDS)

    (answer,) = client.send(Unsubscribe(3, (COMMANDS, "devices/d1/never")))

    assert isinstance(answer, Answer)
    assert (answer.packet_id, answer.codes) == (3, (0, 0x11) if version == V5 else ())
    deliver = client.broker.house.entrance.downlinks.deliver
    assert not deliver(Downlink("default", "d1", "commands/x", b"1"))


@BOTH
def test_filter_that_no_topic_is_as_long_as_is_refused(version: int) -> None:
    client = Client(broker(), version)
    client.send(lasting(version))

    answer = client.subscribe("devices/d1/" + "x" * 257, "devices/d1/" + "x" * 256, qos=1)

    assert isinstance(answer, Answer)
    assert answer.codes == (0x8F if version == V5 else 0x80, 1)


def test_channels_that_a_device_makes_up_are_one_figure() -> None:
    client = Client(broker(), V5)
    client.send(lasting())
    client.subscribe(OWN)
    for number in range(3):
        client.send(Publish(f'devices/d1/x"{{\n{number}', b"1", 1, 1 + number))
    client.broker.house.entrance.downlinks.deliver(Downlink("default", "d1", "twin/x", b"1"))

    figures = client.broker.house.entrance.counters.exposition().splitlines()

    name = "headwater_gateway_downlinks_total"
    found = [line for line in figures if line.startswith(name)]
    assert found == [f'{name}{{channel="other"}} 3', f'{name}{{channel="twin"}} 1']


def test_reasons_are_left_out_where_they_are_not_wanted() -> None:
    client = Client(broker(), V5)
    client.send(lasting(request_problem=0))

    assert client.send(Publish(TOPIC, b"rubbish", 1, 1)) == [Ack(PUBACK, 1, 0x99)]
    assert client.send(Publish("$SYS/x", MESSAGE, 2, 1)) == [Ack(PUBREC, 1, 0x87)]


def test_properties_of_a_request_reach_its_listener_in_order() -> None:
    client = Client(broker(), V5)
    client.send(lasting())
    client.subscribe(OWN)
    given = Properties(
        payload_format=1,
        content_type="text/plain",
        response_topic="devices/d1/answers",
        correlation=b"\0\1",
        user=(("b", "2"), ("a", "1"), ("b", "3")),
    )

    seen = published(client.send(Publish("devices/d1/asked", b"1", 1, 1, properties=given)))

    assert [replace(each.properties) for each in seen] == [given]


@BOTH
@pytest.mark.parametrize(
    "data",
    [
        b"\x32\x0a\0\x20devices\0",  # a topic longer than its packet
        b"\x36\x07\0\1a\0\1{}",  # QoS 3
        b"\x32\x07\0\1a\0\0{}",  # packet id 0
        b"\x30\x05\0\1\0{}",  # U+0000 in a topic
        b"\x30\x05\0\1\xff{}",  # no UTF-8
        b"\x30\x07\0\3\xed\xa0\x80{}",  # a surrogate
        b"\x82\x06\0\0\0\1a\0",  # SUBSCRIBE with packet id 0
        b"\x80\x06\0\1\0\1a\0",  # SUBSCRIBE without its flags
        b"\x60\x02\0\1",  # PUBREL without its flags
        b"\xc1\0",  # PINGREQ with flags
        b"\xc0\1\0",  # PINGREQ with a body
        b"\x82\x02\0\1",  # SUBSCRIBE to nothing
        b"\xd0\0",  # PINGRESP
        b"\xf0\0",  # AUTH
        b"\x00\0",  # no kind
        b"\x30\xff\xff\xff\xff\x01",  # a length of five bytes
    ],
)
def test_what_breaks_the_protocol_ends_the_connection(version: int, data: bytes) -> None:
    client = Client(broker(), version)
    client.send(lasting(version))
    client.wire.sent.clear()

    client.send_bytes(data, now=NOW_US)

    assert client.wire.is_closed
    assert bytes(client.wire.sent[:1]) == (b"\xe0" if version == V5 else b"")
    assert client.broker.house.outlet.taken == []

"""An MQTT connection: packets in, packets out."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.mqtt.encoding import encode
from edge.mqtt.packets import (
    PINGREQ,
    PINGRESP,
    PUBACK,
    PUBCOMP,
    PUBREC,
    PUBREL,
    Ack,
    Answer,
    Connack,
    Connect,
    Disconnect,
    Ping,
    Publish,
    Will,
)
from edge.mqtt.properties import Properties
from edge.mqtt.wire import V5, V311
from gateway.downlink import Downlink
from gateway.mqtt.connecting import MqttOptions
from tests.gateway.entrances import MESSAGE, NOW_US, house
from tests.gateway.mqtt.clients import BOTH, TOPIC, Broker, Client, telemetry


def broker(**options: object) -> Broker:
    return Broker(house(is_anonymous=True, **options))  # type: ignore[arg-type]


@BOTH
@pytest.mark.parametrize(
    "pattern", ["#", "+/d1/#", "devices/+/commands/#", "devices/d2/#", "$SYS/#", "devices/d1"]
)
def test_device_sees_only_its_own_subtree(version: int, pattern: str) -> None:
    client = Client(broker(), version)
    client.connect()

    answer = client.subscribe(pattern)

    assert isinstance(answer, Answer)
    assert answer.codes == (0x87 if version == V5 else 0x80,)


@BOTH
def test_command_waits_for_a_device_that_is_away(version: int) -> None:
    one = broker()
    stay = Properties(session_expiry_s=60) if version == V5 else Properties()
    connect = Connect(version, "c1", clean=False, username="d1", properties=stay)
    client = Client(one, version)
    client.send(connect)
    client.subscribe("devices/d1/commands/#", qos=1)
    client.connection.lost()

    deliver = one.house.entrance.downlinks.deliver
    assert deliver(Downlink("default", "d1", "commands/reboot", b"now"))
    assert not deliver(Downlink("default", "d2", "commands/reboot", b"now"))
    assert not deliver(Downlink("other", "d1", "commands/reboot", b"now"))

    connack, command = Client(one, version).send(connect)
    assert isinstance(connack, Connack)
    assert connack.session_present
    assert isinstance(command, Publish)
    assert (command.topic, command.payload, command.qos) == (
        "devices/d1/commands/reboot",
        b"now",
        1,
    )


@BOTH
def test_command_is_sent_again_until_it_is_confirmed(version: int) -> None:
    one = broker()
    stay = Properties(session_expiry_s=60) if version == V5 else Properties()
    connect = Connect(version, "c1", clean=False, username="d1", properties=stay)
    client = Client(one, version)
    client.send(connect)
    client.subscribe("devices/d1/commands/#", qos=1)
    one.house.entrance.downlinks.deliver(Downlink("default", "d1", "commands/x", b"now"))
    (first,) = client.received()
    client.connection.lost()

    again = Client(one, version)
    _, second = again.send(connect)
    assert isinstance(first, Publish)
    assert isinstance(second, Publish)
    assert second == first._replace(dup=True)

    again.send(Ack(PUBACK, second.packet_id))
    again.connection.lost()
    assert len(Client(one, version).send(connect)) == 1


@BOTH
def test_client_id_that_comes_again_ends_the_older_connection(version: int) -> None:
    one = broker()
    old, new = Client(one, version), Client(one, version)
    old.connect()
    new.connect()

    assert old.wire.is_closed
    assert not new.wire.is_closed
    if version == V5:
        assert [p.code for p in old.received() if isinstance(p, Disconnect)] == [0x8E]


@BOTH
def test_will_is_published_for_a_client_that_goes_without_a_word(version: int) -> None:
    will = Will(TOPIC, b'{"metrics":{"gone":1}}', 1)
    silent, polite = Client(broker(), version), Client(broker(), version)
    for client in (silent, polite):
        client.connect(will=will)
    silent.connection.lost()
    polite.send(Disconnect())

    assert silent.broker.house.outlet.taken[0].value == will.payload
    assert polite.broker.house.outlet.taken == []


def test_will_on_a_strange_topic_is_refused_at_the_door() -> None:
    client = Client(broker(), V5)

    assert client.connect(will=Will("devices/d2/telemetry", b"x")).code == 0x87


@BOTH
def test_silence_beyond_the_keep_alive_is_known(version: int) -> None:
    client = Client(broker(), version)
    client.connect(keep_alive_s=10)

    assert client.connection.silent_after_s == 15.0
    assert client.send(Ping(PINGREQ), now=NOW_US + 9_000_000) == [Ping(PINGRESP)]
    assert client.connection.heard_at == NOW_US + 9_000_000


def test_server_shortens_a_long_keep_alive_in_5() -> None:
    one = Broker(house(is_anonymous=True), MqttOptions(longest_keep_alive_s=60))
    client = Client(one, V5)

    assert client.connect(keep_alive_s=600).properties.server_keep_alive_s == 60
    assert client.connection.silent_after_s == 90.0


def test_topic_alias_stands_for_its_topic() -> None:
    client = Client(broker(), V5)
    client.connect()
    alias = Properties(topic_alias=3)

    client.send(telemetry(1)._replace(properties=alias))
    client.send(Publish("", MESSAGE, 1, 2, properties=alias))
    assert len(client.broker.house.outlet.taken) == 2

    (answer,) = client.send(Publish("", MESSAGE, 1, 2, properties=Properties(topic_alias=4)))
    assert isinstance(answer, Disconnect)
    assert answer.code == 0x82


def test_more_than_the_receive_maximum_ends_the_connection() -> None:
    client = Client(Broker(house(is_anonymous=True), MqttOptions(receive_maximum=3)), V5)
    assert client.connect().properties.receive_maximum == 3
    client.broker.house.outlet.is_held = True

    answers = client.send(*(telemetry(number) for number in range(1, 6)))

    assert [answer.code for answer in answers if isinstance(answer, Disconnect)] == [0x93]


@pytest.mark.parametrize("is_answered", [False, True])
def test_qos_2_counts_once_against_the_receive_maximum(is_answered: bool) -> None:
    client = Client(Broker(house(is_anonymous=True), MqttOptions(receive_maximum=3)), V5)
    client.connect()
    client.broker.house.outlet.is_held = not is_answered

    client.send(*(telemetry(number, qos=2) for number in (1, 2, 3)))
    assert not client.wire.is_closed

    answers = client.send(telemetry(4, qos=2))
    assert [answer.code for answer in answers if isinstance(answer, Disconnect)] == [0x93]


def test_released_qos_2_makes_room_for_the_next() -> None:
    client = Client(Broker(house(is_anonymous=True), MqttOptions(receive_maximum=1)), V5)
    client.connect()
    for number in range(1, 5):
        assert client.send(telemetry(number, qos=2)) == [Ack(PUBREC, number)]
        assert client.send(Ack(PUBREL, number)) == [Ack(PUBCOMP, number)]


def test_new_connection_has_the_whole_receive_maximum() -> None:
    one = Broker(house(is_anonymous=True), MqttOptions(receive_maximum=2))
    stay = Connect(V5, "c1", clean=False, username="d1", properties=Properties(session_expiry_s=9))
    first = Client(one, V5)
    first.send(stay)
    first.send(telemetry(1, qos=2))
    one.house.outlet.is_held = True
    first.send(telemetry(2, qos=2))
    first.connection.lost()

    second = Client(one, V5)
    second.send(stay)
    one.house.outlet.is_held = False
    again = [telemetry(number, qos=2)._replace(dup=True) for number in (1, 2)]
    assert second.send(*again) == [Ack(PUBREC, 1), Ack(PUBREC, 2)]
    assert not second.wire.is_closed


def test_fast_client_of_3_1_1_is_held_back_and_goes_on() -> None:
    client = Client(broker())
    client.connect()
    client.broker.house.outlet.is_held = True
    client.send(*(telemetry(number) for number in range(1, 4_098)))
    held_back = client.wire.is_paused

    client.broker.house.outlet.is_held = False
    client.broker.settle()
    assert (held_back, client.wire.is_paused) == (True, False)
    assert len(client.received()) == 4_097


def test_device_hears_on_its_own_topics_what_it_says_elsewhere() -> None:
    one = broker()
    speaker, listener = Client(one), Client(one)
    speaker.connect("c1")
    listener.connect("c2")
    listener.subscribe("devices/d1/twin/#")

    speaker.send(Publish("devices/d1/twin/reported", b"x", 1, 1))

    (heard,) = listener.received()
    assert isinstance(heard, Publish)
    assert heard.payload == b"x"
    assert one.house.outlet.taken[0].topic == "uplink"
    assert one.house.outlet.taken[0].headers["channel"] == b"twin/reported"


@BOTH
def test_first_packet_must_be_connect(version: int) -> None:
    client = Client(broker(), version)
    client.send_bytes(encode(Ping(PINGREQ), version))
    assert client.wire.is_closed


@BOTH
def test_second_connect_ends_the_connection(version: int) -> None:
    client = Client(broker(), version)
    client.connect()
    client.send(Connect(version, "c1", username="d1"))
    assert client.wire.is_closed


def test_strange_protocol_gets_its_code() -> None:
    client = Client(broker())
    client.send_bytes(b"\x10\x0c\x00\x04MQTT\x03\x02\x00\x00\x00\x00")
    assert client.received() == [Connack(1)]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=5), st.sampled_from([V311, V5]), st.booleans())
def test_no_bytes_raise(chunks: list[bytes], version: int, is_connected: bool) -> None:
    client = Client(broker(), version)
    if is_connected:
        client.connect()
    for chunk in chunks:
        client.send_bytes(chunk)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_changed_packet_raises_or_reaches_another_device(data: st.DataObject) -> None:
    client = Client(broker(), V5)
    client.connect()
    packet = bytearray(encode(telemetry(1), V5))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(packet) - 1))
        packet[place] = data.draw(st.integers(0, 255))
    client.send(telemetry(9))
    client.send_bytes(bytes(packet))

    assert {taken.key for taken in client.broker.house.outlet.taken} == {b"d1"}


def test_revoked_credential_ends_the_session() -> None:
    client = Client(broker(), V5)
    client.connect()

    client.connection.end("the credential was revoked")

    (answer,) = client.received()
    assert isinstance(answer, Disconnect)
    assert answer.code == 0x87
    assert client.wire.is_closed

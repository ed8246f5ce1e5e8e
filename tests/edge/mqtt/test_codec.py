"""The MQTT codec: what is written is read again, and no bytes break it."""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.mqtt.decoding import decode
from edge.mqtt.encoding import encode
from edge.mqtt.frames import Framer, frame
from edge.mqtt.packets import (
    PINGREQ,
    PINGRESP,
    PUBACK,
    PUBCOMP,
    PUBREC,
    PUBREL,
    SUBACK,
    UNSUBACK,
    Ack,
    Answer,
    Auth,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Ping,
    Publish,
    Subscribe,
    Subscription,
    Unsubscribe,
    Will,
)
from edge.mqtt.properties import NONE, Properties
from edge.mqtt.wire import V5, V311, MqttError, Reader, variable

T = TypeVar("T")
Strategy = st.SearchStrategy[object]


def build(made: Callable[..., T], *given: Strategy, **named: Strategy) -> st.SearchStrategy[T]:
    """Build from these fields alone: `st.builds` makes up values for those with a default."""
    fields = st.tuples(*given)
    return st.tuples(fields, st.fixed_dictionaries(named)).map(
        lambda parts: made(*parts[0], **parts[1])
    )


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
levels = st.text(st.characters(codec="utf-8", exclude_characters="\0+#/"), min_size=1, max_size=8)
topics = st.lists(levels, min_size=1, max_size=4).map("/".join)
patterns = st.lists(levels | st.just("+"), min_size=1, max_size=4).map("/".join)
payloads = st.binary(max_size=200)
packet_ids = st.integers(1, 65_535)
users = st.lists(st.tuples(texts, texts), max_size=2).map(tuple)
on_publish = build(
    Properties,
    payload_format=st.none() | st.integers(0, 1),
    message_expiry_s=st.none() | st.integers(0, 2**32 - 1),
    content_type=st.none() | texts,
    response_topic=st.none() | topics,
    correlation=st.none() | payloads,
    subscription_ids=st.lists(st.integers(1, 268_435_455), max_size=2).map(tuple),
    topic_alias=st.none() | st.integers(1, 65_535),
    user=users,
)
on_ack = build(Properties, reason=texts, user=users)
on_connect = build(
    Properties,
    session_expiry_s=st.none() | st.integers(0, 2**32 - 1),
    receive_maximum=st.none() | st.integers(1, 65_535),
    maximum_packet_size=st.none() | st.integers(1, 2**32 - 1),
    topic_alias_maximum=st.none() | st.integers(0, 65_535),
    request_problem=st.none() | st.integers(0, 1),
    user=users,
)
qualities = st.integers(0, 2)
wills = build(Will, topics, payloads, qualities, st.booleans())


@st.composite
def publishes(draw: st.DrawFn, properties: st.SearchStrategy[Properties]) -> Publish:
    qos = draw(qualities)
    return Publish(
        draw(topics),
        draw(payloads),
        qos,
        draw(packet_ids) if qos else 0,
        draw(st.booleans()),
        bool(qos) and draw(st.booleans()),
        draw(properties),
    )


@st.composite
def connects(draw: st.DrawFn, version: int) -> Connect:
    username = draw(st.none() | texts)
    has_password = version == V5 or username is not None
    return Connect(
        version,
        draw(texts),
        draw(st.booleans()),
        draw(st.integers(0, 65_535)),
        username,
        draw(st.none() | payloads) if has_password else None,
        draw(st.none() | wills),
        draw(on_connect) if version == V5 else NONE,
    )


kinds = st.sampled_from([PUBACK, PUBREC, PUBREL, PUBCOMP])
pings = st.sampled_from([Ping(PINGREQ), Ping(PINGRESP)])
unsubscribes = build(Unsubscribe, packet_ids, st.lists(patterns, min_size=1).map(tuple))
packets_311: st.SearchStrategy[Packet] = st.one_of(
    publishes(st.just(NONE)),
    connects(V311),
    build(Connack, st.integers(0, 5), st.booleans()),
    build(Ack, kinds, packet_ids),
    build(
        Subscribe,
        packet_ids,
        st.lists(build(Subscription, patterns, qualities), min_size=1).map(tuple),
    ),
    unsubscribes,
    build(Answer, st.just(SUBACK), packet_ids, st.lists(qualities, min_size=1).map(tuple)),
    build(Answer, st.just(UNSUBACK), packet_ids, st.just(())),
    pings,
    st.just(Disconnect()),
)
options = build(Subscription, patterns, qualities, st.booleans(), st.booleans(), st.integers(0, 2))
codes = st.integers(0, 255)
packets_5: st.SearchStrategy[Packet] = st.one_of(
    publishes(on_publish),
    connects(V5),
    build(Connack, codes, st.booleans(), on_connect),
    build(Ack, kinds, packet_ids, codes, on_ack),
    build(Ack, kinds, packet_ids, codes),
    build(Subscribe, packet_ids, st.lists(options, min_size=1).map(tuple)),
    unsubscribes,
    build(
        Answer,
        st.sampled_from([SUBACK, UNSUBACK]),
        packet_ids,
        st.lists(codes, min_size=1).map(tuple),
    ),
    pings,
    build(Disconnect, codes, on_ack),
    build(Auth, codes, on_ack),
)


def through(packet: Packet, version: int) -> Packet:
    frames = Framer().feed(encode(packet, version))
    assert len(frames) == 1
    return decode(*frames[0], version)


@given(packets_311)
def test_packets_of_3_1_1_are_read_as_they_were_written(packet: Packet) -> None:
    assert through(packet, V311) == packet


@given(packets_5)
def test_packets_of_5_are_read_as_they_were_written(packet: Packet) -> None:
    if isinstance(packet, Connack) and packet.properties.request_problem is not None:
        return
    assert through(packet, V5) == packet


@given(st.lists(packets_311, max_size=8), st.data())
def test_packets_come_whole_however_the_bytes_are_cut(
    packets: list[Packet], data: st.DataObject
) -> None:
    stream = b"".join(encode(packet, V311) for packet in packets)
    framer, found, rest = Framer(), [], stream
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        found += framer.feed(rest[:size])
        rest = rest[size:]

    assert [decode(*each, V311) for each in found] == packets
    assert not framer.rest


@settings(max_examples=300)
@given(st.binary(max_size=80), st.sampled_from([V311, V5]))
def test_no_bytes_break_the_reading(data: bytes, version: int) -> None:
    with suppress(MqttError):
        for head, body in Framer(1000).feed(data):
            decode(head, body, version)


@settings(max_examples=300)
@given(packets_5, st.data())
def test_no_changed_byte_breaks_the_reading(packet: Packet, data: st.DataObject) -> None:
    stream = bytearray(encode(packet, V5))
    place = data.draw(st.integers(0, len(stream) - 1))
    stream[place] = data.draw(st.integers(0, 255))
    with suppress(MqttError):
        for head, body in Framer(10_000).feed(bytes(stream)):
            decode(head, body, V5)


@given(st.integers(0, 268_435_455))
def test_variable_numbers_are_read_as_they_were_written(value: int) -> None:
    assert Reader(variable(value)).variable() == value


def test_packet_that_is_too_large_is_refused_by_its_head_alone() -> None:
    with pytest.raises(MqttError, match="at most 100 bytes"):
        Framer(100).feed(frame(0x30, b"x" * 200)[:6])


@pytest.mark.parametrize(
    ("head", "body", "version"),
    [
        (0x36, b"\0\1a\0\1", V311),  # QoS 3
        (0x38, b"\0\1a", V311),  # DUP with QoS 0
        (0x32, b"\0\1a\0\0", V311),  # packet id 0
        (0x30, b"\0\1+", V311),  # a wildcard in a topic name
        (0x30, b"\0\0", V311),  # an empty topic name
        (0x30, b"\0\2\xc3\x28", V311),  # no UTF-8
        (0x30, b"\0\1\0", V311),  # U+0000
        (0x80, b"\0\1\0\1a\0", V311),  # flags of SUBSCRIBE
        (0x82, b"\0\1", V311),  # no filter
        (0x82, b"\0\1\0\1a\3", V311),  # QoS 3
        (0x82, b"\0\1\0\3a/#\4", V311),  # 5's options in 3.1.1
        (0x82, b"\0\1\0\3#/a\0", V311),  # # not at the end
        (0xC0, b"x", V311),  # bytes behind PINGREQ
        (0x00, b"", V311),
        (0xF0, b"", V311),  # AUTH is of 5
        (0x30, b"\0\1a\2\x23\0\0", V5),  # topic alias cut short
        (0x30, b"\0\1a\3\x23\0\0", V5),  # topic alias 0
        (0x30, b"\0\1a\4\1\0\1\0", V5),  # a property twice
        (0x30, b"\0\1a\2\x11\0", V5),  # a property of CONNECT
        (0x10, b"\0\4MQTT\4\1\0\0\0\0", V311),  # the reserved flag
        (0x10, b"\0\4MQTT\4\x40\0\0\0\0\0\0", V311),  # a password without a name
        (0x10, b"\0\4MQTT\4\x18\0\0\0\0", V311),  # a will's QoS without a will
        (0x10, b"\0\4MQTT\3\0\0\0\0\0", V311),
        (0x10, b"\0\2hj\4\0\0\0\0\0", V311),
    ],
)
def test_what_breaks_the_protocol_is_refused(head: int, body: bytes, version: int) -> None:
    with pytest.raises(MqttError):
        decode(head, body, version)

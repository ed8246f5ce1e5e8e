"""Bytes to packets; whatever breaks the protocol raises `MqttError`."""

from edge.mqtt.packets import (
    PUBLISH,
    PUBREL,
    SUBSCRIBE,
    UNSUBSCRIBE,
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
from edge.mqtt.properties import NONE, Properties, read_properties
from edge.mqtt.topics import check_filter, check_topic
from edge.mqtt.wire import PROTOCOL_ERROR, V5, V311, MqttError, Reader, malformed

UNSUPPORTED_VERSION = 0x84
_FLAGS = {PUBREL: 2, SUBSCRIBE: 2, UNSUBSCRIBE: 2}


def decode(head: int, body: bytes, version: int) -> Packet:
    """Decode one packet; `version` is what the connection's CONNECT said."""
    kind = head >> 4
    if kind == PUBLISH:
        return decode_publish(head, body, version)
    if head & 15 != _FLAGS.get(kind, 0):
        malformed(f"flags {head & 15} in a packet of kind {kind}")
    reader = Reader(body)
    packet = _decode(kind, reader, version)
    reader.finish()
    return packet


def announced_version(body: bytes) -> int:
    """Return the version in which the sender of a CONNECT, broken or not, can be answered.

    Whatever it calls the protocol, by level 5 it says that it reads answers of 5.
    """
    level = int.from_bytes(body[:2]) + 2
    return V5 if body[level : level + 1] == b"\5" else V311


def _decode(kind: int, reader: Reader, version: int) -> Packet:
    match kind:
        case 4 | 5 | 6 | 7:
            return _ack(kind, reader, version)
        case 1:
            return _connect(reader)
        case 8:
            return _subscribe(reader, version)
        case 10:
            return _unsubscribe(reader, version)
        case 12 | 13:
            return Ping(kind)
        case 14:
            return _disconnect(reader, version)
        case 2:
            return _connack(reader, version)
        case 9 | 11:
            return _answer(kind, reader, version)
        case 15 if version == V5:
            return _auth(reader)
    malformed(f"no packet is of kind {kind}")


def decode_publish(head: int, body: bytes, version: int) -> Publish:
    """Decode a message; its topic may be empty in 5, where an alias stands for it."""
    qos = head >> 1 & 3
    if qos == 3:
        malformed("QoS 3")
    if not qos and head & 8:
        malformed("DUP with QoS 0")
    reader = Reader(body)
    topic = reader.text()
    packet_id = _packet_id(reader) if qos else 0
    properties = read_properties(reader, "publish") if version == V5 else NONE
    if topic:
        check_topic(topic)
    elif properties.topic_alias is None:
        raise MqttError(PROTOCOL_ERROR, "a message without a topic")
    _check_response(properties)
    return Publish(topic, reader.rest(), qos, packet_id, bool(head & 1), bool(head & 8), properties)


def _check_response(properties: Properties) -> None:
    topic = properties.response_topic
    if topic is not None and (not topic or "+" in topic or "#" in topic):
        raise MqttError(PROTOCOL_ERROR, f"{topic!r} is no response topic")


def _packet_id(reader: Reader) -> int:
    packet_id = reader.number(2)
    if not packet_id:
        raise MqttError(PROTOCOL_ERROR, "packet identifier 0")
    return packet_id


def _connect(reader: Reader) -> Connect:
    name, version, flags = reader.binary(), reader.byte(), reader.byte()
    if name != b"MQTT" or version not in (V311, V5):
        raise MqttError(UNSUPPORTED_VERSION, f"protocol {name!r} version {version}")
    if flags & 1:
        malformed("the reserved flag of CONNECT is set")
    keep_alive_s = reader.number(2)
    properties = read_properties(reader, "connect") if version == V5 else NONE
    if properties.authentication_data is not None and properties.authentication_method is None:
        raise MqttError(PROTOCOL_ERROR, "authentication data without a method")
    client_id = reader.text()
    will = _will(reader, flags, version)
    username = reader.text() if flags & 128 else None
    if version == V311 and flags & 64 and not flags & 128:
        malformed("a password without a user name")
    password = reader.binary() if flags & 64 else None
    return Connect(
        version, client_id, bool(flags & 2), keep_alive_s, username, password, will, properties
    )


def _will(reader: Reader, flags: int, version: int) -> Will | None:
    qos = flags >> 3 & 3
    if not flags & 4:
        if flags & 0x38:
            malformed("flags of a will without a will")
        return None
    if qos == 3:
        malformed("QoS 3")
    properties = read_properties(reader, "will") if version == V5 else NONE
    _check_response(properties)
    topic = check_topic(reader.text())
    return Will(topic, reader.binary(), qos, bool(flags & 32), properties)


def _connack(reader: Reader, version: int) -> Connack:
    flags, code = reader.byte(), reader.byte()
    return Connack(code, bool(flags & 1), _last_properties(reader, "connack", version))


def _last_properties(reader: Reader, packet: str, version: int) -> Properties:
    return read_properties(reader, packet) if version == V5 and reader.left else NONE


def _ack(kind: int, reader: Reader, version: int) -> Ack:
    packet_id = _packet_id(reader)
    if version != V5 or not reader.left:
        return Ack(kind, packet_id)
    return Ack(kind, packet_id, reader.byte(), _last_properties(reader, "ack", version))


def _subscribe(reader: Reader, version: int) -> Subscribe:
    packet_id = _packet_id(reader)
    properties = read_properties(reader, "subscribe") if version == V5 else NONE
    if len(properties.subscription_ids) > 1:
        raise MqttError(PROTOCOL_ERROR, "several subscription identifiers")
    wanted: list[Subscription] = []
    while reader.left:
        wanted.append(_subscription(reader.text(), reader.byte(), version))
    if not wanted:
        raise MqttError(PROTOCOL_ERROR, "SUBSCRIBE without a topic filter")
    return Subscribe(packet_id, tuple(wanted), properties)


def _subscription(pattern: str, options: int, version: int) -> Subscription:
    qos = options & 3
    handling = options >> 4 & 3
    if options & (0xC0 if version == V5 else 0xFC):
        malformed(f"options {options} of a subscription")
    if qos == 3 or handling == 3:
        raise MqttError(PROTOCOL_ERROR, f"QoS {qos}, retain handling {handling}")
    check_filter(pattern)
    if options & 4 and pattern.startswith("$share/"):
        raise MqttError(PROTOCOL_ERROR, "no-local on a shared subscription")
    return Subscription(pattern, qos, bool(options & 4), bool(options & 8), handling)


def _unsubscribe(reader: Reader, version: int) -> Unsubscribe:
    packet_id = _packet_id(reader)
    properties = read_properties(reader, "unsubscribe") if version == V5 else NONE
    patterns: list[str] = []
    while reader.left:
        pattern = reader.text()
        check_filter(pattern)
        patterns.append(pattern)
    if not patterns:
        raise MqttError(PROTOCOL_ERROR, "UNSUBSCRIBE without a topic filter")
    return Unsubscribe(packet_id, tuple(patterns), properties)


def _answer(kind: int, reader: Reader, version: int) -> Answer:
    packet_id = _packet_id(reader)
    properties = read_properties(reader, "ack") if version == V5 else NONE
    return Answer(kind, packet_id, tuple(reader.rest()), properties)


def _disconnect(reader: Reader, version: int) -> Disconnect:
    if version != V5 or not reader.left:
        return Disconnect()
    return Disconnect(reader.byte(), _last_properties(reader, "disconnect", version))


def _auth(reader: Reader) -> Auth:
    if not reader.left:
        return Auth()
    return Auth(reader.byte(), _last_properties(reader, "auth", V5))

"""Packets to bytes."""

from dataclasses import replace

from edge.mqtt.frames import frame
from edge.mqtt.packets import (
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
    Unsubscribe,
    Will,
)
from edge.mqtt.properties import NONE, property_bytes
from edge.mqtt.wire import V5, binary, text


def encode(packet: Packet, version: int) -> bytes:
    """Return a packet's bytes in this version of the protocol."""
    match packet:
        case Publish():
            return _publish(packet, version)
        case Ack():
            return _ack(packet, version)
        case Connect():
            return _connect(packet)
        case Connack():
            head = bytes((packet.session_present, packet.code))
            tail = property_bytes(packet.properties) if version == V5 else b""
            return frame(0x20, head + tail)
        case Subscribe() | Unsubscribe():
            return _request(packet, version)
        case Answer():
            return _answer(packet, version)
        case Ping():
            return bytes((packet.kind << 4, 0))
        case Disconnect() | Auth():
            return _last(packet, version)


def encode_within(packet: Ack | Connack | Disconnect, largest: int) -> bytes:
    """Return an answer of MQTT 5, without its reason string where that would make it too large."""
    data = encode(packet, V5)
    if len(data) <= largest or packet.properties.reason is None:
        return data
    return encode(packet._replace(properties=replace(packet.properties, reason=None)), V5)


def _publish(packet: Publish, version: int) -> bytes:
    head = 0x30 | packet.dup << 3 | packet.qos << 1 | packet.retain
    body = text(packet.topic)
    if packet.qos:
        body += packet.packet_id.to_bytes(2)
    if version == V5:
        body += property_bytes(packet.properties)
    return frame(head, body + packet.payload)


def _ack(packet: Ack, version: int) -> bytes:
    body = packet.packet_id.to_bytes(2)
    if version == V5 and (packet.code or packet.properties is not NONE):
        body += bytes((packet.code,))
        if packet.properties is not NONE:
            body += property_bytes(packet.properties)
    return frame(packet.kind << 4 | (2 if packet.kind == PUBREL else 0), body)


def _connect(packet: Connect) -> bytes:
    version, will = packet.version, packet.will
    flags = packet.clean << 1 | (packet.username is not None) << 7
    flags |= (packet.password is not None) << 6
    if will:
        flags |= 4 | will.qos << 3 | will.retain << 5
    body = b"\0\4MQTT" + bytes((version, flags)) + packet.keep_alive_s.to_bytes(2)
    if version == V5:
        body += property_bytes(packet.properties)
    body += text(packet.client_id) + (_will(will, version) if will else b"")
    if packet.username is not None:
        body += text(packet.username)
    if packet.password is not None:
        body += binary(packet.password)
    return frame(0x10, body)


def _will(will: Will, version: int) -> bytes:
    properties = property_bytes(will.properties) if version == V5 else b""
    return properties + text(will.topic) + binary(will.payload)


def _request(packet: Subscribe | Unsubscribe, version: int) -> bytes:
    body = packet.packet_id.to_bytes(2)
    if version == V5:
        body += property_bytes(packet.properties)
    if isinstance(packet, Unsubscribe):
        return frame(0xA2, body + b"".join(map(text, packet.patterns)))
    for each in packet.subscriptions:
        options = each.qos
        if version == V5:
            options |= each.no_local << 2 | each.retain_as_published << 3
            options |= each.retain_handling << 4
        body += text(each.pattern) + bytes((options,))
    return frame(0x82, body)


def _answer(packet: Answer, version: int) -> bytes:
    body = packet.packet_id.to_bytes(2)
    if version == V5:
        body += property_bytes(packet.properties)
    if packet.kind == SUBACK or version == V5:
        body += bytes(packet.codes)
    return frame((SUBACK if packet.kind == SUBACK else UNSUBACK) << 4, body)


def _last(packet: Disconnect | Auth, version: int) -> bytes:
    head = 0xE0 if isinstance(packet, Disconnect) else 0xF0
    if version != V5 or (not packet.code and packet.properties is NONE):
        return frame(head, b"")
    return frame(head, bytes((packet.code,)) + property_bytes(packet.properties))

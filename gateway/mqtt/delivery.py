"""What goes to the client: in its window, with its aliases, again after it was away."""

import time
from collections import deque
from dataclasses import replace
from math import ceil

from edge.mqtt.encoding import encode
from edge.mqtt.packets import PUBACK, PUBCOMP, PUBREC, PUBREL, Ack, Publish
from edge.mqtt.properties import NONE, Properties
from edge.mqtt.wire import LONGEST, PROTOCOL_ERROR, V5, MqttError
from gateway.channels import DOWNLINKS, REJECTS_CHANNEL, TELEMETRY_CHANNEL
from gateway.counters import Counters
from gateway.mqtt.session import Queued, Sent, Session
from gateway.mqtt.wire import Sink

WINDOW = 100
MOST_ON_WAY = 1024 * 1024
"""Bytes sent and not confirmed after which no more are: a client that comes back to a long queue
must not be taken for one that does not read."""
MOST_ALIASES = 32
"""Of topics, however many the client allows: each is kept for as long as the connection."""
CHANNELS = frozenset((*DOWNLINKS, REJECTS_CHANNEL, TELEMETRY_CHANNEL))
NOT_FOUND = 0x92
LONGEST_EXPIRY_S = 0xFFFF_FFFF
_OF_MESSAGE = frozenset({0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99})
_OF_RELEASE = frozenset({0, NOT_FOUND})
CODES = {PUBACK: _OF_MESSAGE, PUBREC: _OF_MESSAGE, PUBREL: _OF_RELEASE, PUBCOMP: _OF_RELEASE}
"""Reason codes that an answer may have (MQTT 5, 3.4.2.1 to 3.7.2.1)."""


def check_code(ack: Ack) -> None:
    """Raise for a reason code that answers of this kind do not have."""
    if ack.code not in CODES[ack.kind]:
        raise MqttError(PROTOCOL_ERROR, f"reason code {ack.code:#04x} in packet {ack.packet_id}")


class Delivery:
    """Sends a session's messages over one connection."""

    def __init__(
        self,
        session: Session,
        sink: Sink,
        counters: Counters,
        *,
        version: int,
        properties: Properties = NONE,
    ) -> None:
        self._session = session
        self._sink = sink
        self._counters = counters
        self._version = version
        self._window = min(properties.receive_maximum or WINDOW, WINDOW)
        self._largest = properties.maximum_packet_size or LONGEST
        self._alias_maximum = min(properties.topic_alias_maximum or 0, MOST_ALIASES)
        self._aliases: dict[str, int] = {}
        self._again: deque[int] = deque()
        """Packet ids that are to be sent again on this connection, and were not yet."""
        self._on_way: dict[int, int] = {}
        """Bytes of what was sent on this connection and is not confirmed, by packet id."""
        self._on_way_bytes = 0

    def resend(self) -> None:
        """Send again what the client has not confirmed before it went away, in its window."""
        self._again.extend(self._session.inflight)
        self.pump()

    def pump(self) -> None:
        """Send what is queued, as far as the window allows."""
        session = self._session
        while self._again and not self._is_shut():
            self._resend(self._again.popleft())
        while session.queue and not self._again:
            if session.queue[0].qos and self._is_shut():
                return
            self._send(session.first())

    def _is_shut(self) -> bool:
        unconfirmed = len(self._session.inflight) - len(self._again)
        return unconfirmed >= self._window or self._on_way_bytes >= MOST_ON_WAY

    def _write(self, packet_id: int, data: bytes) -> None:
        self._sink.write(data)
        self._on_way[packet_id] = len(data)
        self._on_way_bytes += len(data)

    def _has_come(self, packet_id: int) -> None:
        self._on_way_bytes -= self._on_way.pop(packet_id, 0)

    def _resend(self, packet_id: int) -> None:
        session, kept = self._session, self._session.kept
        sent = session.inflight.get(packet_id)
        if sent is None:
            return
        if sent.is_released:
            self._sink.write(encode(Ack(PUBREL, packet_id), self._version))
            return
        left_s = _left_s(sent.expires_at)
        # One of QoS 2 may be half there: its packet id is free only once that is over.
        is_over = left_s is not None and left_s <= 0 and sent.publish.qos == 1
        data = encode(_aged(sent.publish, left_s)._replace(dup=True), self._version)
        if not is_over and len(data) <= self._largest:
            self._write(packet_id, data)
            return
        session.confirmed(packet_id)
        self._counters.add("downlinks", channel="expired" if is_over else "too_large")
        if kept:
            kept.done(sent.number)

    def _send(self, queued: Queued) -> None:
        if not self._sent(queued) and self._session.kept:
            self._session.kept.done(queued.number)

    def _sent(self, queued: Queued) -> bool:
        """Send a message, and say whether the client has to confirm it."""
        session, downlink = self._session, queued.downlink
        left_s = _left_s(downlink.expires_at)
        if left_s is not None and left_s <= 0:
            self._counters.add("downlinks", channel="expired")
            return False
        if not queued.qos and self._sink.is_full:
            self._counters.add("downlinks", channel="dropped")
            return False
        properties = self._properties(queued, left_s) if self._version == V5 else NONE
        packet_id = session.packet_id() if queued.qos else 0
        publish = Publish(
            queued.topic,
            downlink.payload,
            queued.qos,
            packet_id,
            retain=queued.retain,
            properties=properties,
        )
        data = self._encoded(publish)
        if data is None:
            self._counters.add("downlinks", channel="too_large")
            return False
        if queued.qos:
            sent = Sent(publish, False, queued.number, downlink.expires_at, downlink.size)
            session.sent(packet_id, sent)
            if session.kept:
                session.kept.sent(queued.number, publish)
            self._write(packet_id, data)
        else:
            self._sink.offer(data)
        self._counters.add("downlinks", channel=_counted_as(downlink.part))
        return bool(queued.qos)

    def _properties(self, queued: Queued, left_s: float | None) -> Properties:
        downlink = queued.downlink
        found = Properties(
            payload_format=downlink.payload_format,
            message_expiry_s=None if left_s is None else _whole_s(left_s),
            content_type=downlink.content_type,
            response_topic=downlink.response_topic,
            correlation=downlink.correlation,
            subscription_ids=queued.identifiers,
            user=downlink.user,
        )
        return NONE if found == NONE else found

    def _encoded(self, publish: Publish) -> bytes | None:
        """Return a message's bytes, with an alias where that fits; None if it is too large.

        What is sent again later has its topic in full.
        """
        known = self._aliases.get(publish.topic)
        if known or len(self._aliases) < self._alias_maximum:
            alias = known or len(self._aliases) + 1
            data = encode(self._aliased(publish, alias, is_known=bool(known)), self._version)
            if len(data) <= self._largest:
                self._aliases[publish.topic] = alias
                return data
        data = encode(publish, self._version)
        return data if len(data) <= self._largest else None

    def _aliased(self, publish: Publish, alias: int, *, is_known: bool) -> Publish:
        properties = replace(publish.properties, topic_alias=alias)
        return publish._replace(topic="" if is_known else publish.topic, properties=properties)

    def confirmed(self, ack: Ack) -> None:
        """Take PUBACK, PUBREC or PUBCOMP."""
        session, packet_id = self._session, ack.packet_id
        sent = session.inflight.get(packet_id)
        if sent is not None and not _is_due(ack.kind, sent):
            raise MqttError(PROTOCOL_ERROR, f"kind {ack.kind} is no answer to packet {packet_id}")
        if ack.kind == PUBREC and ack.code < 0x80:
            code = 0
            if sent is None:
                code = NOT_FOUND if self._version == V5 else 0
            else:
                self._has_come(packet_id)
                session.sent(packet_id, sent.released())
                if session.kept:
                    session.kept.released(sent.number)
            self._sink.write(encode(Ack(PUBREL, packet_id, code), self._version))
            self.pump()
        elif ack.kind in (PUBACK, PUBREC, PUBCOMP):
            self._has_come(packet_id)
            session.confirmed(packet_id)
            if sent is not None and session.kept:
                session.kept.done(sent.number)
            self.pump()


def _counted_as(part: str) -> str:
    """Return a channel's name among the figures; devices make up others, as many as they like."""
    name = part.partition("/")[0]
    return name if name in CHANNELS else "other"


def _is_due(kind: int, sent: Sent) -> bool:
    """Say whether a message may be answered so now; PUBREC may come again."""
    if sent.publish.qos == 1:
        return kind == PUBACK
    return kind == PUBREC or (kind == PUBCOMP and sent.is_released)


def _left_s(expires_at: float | None) -> float | None:
    return None if expires_at is None else expires_at - time.time()


def _aged(publish: Publish, left_s: float | None) -> Publish:
    """Return a message that says how long it is good for now."""
    given = publish.properties
    if left_s is None or given.message_expiry_s is None:
        return publish
    return publish._replace(properties=replace(given, message_expiry_s=_whole_s(left_s)))


def _whole_s(left_s: float) -> int:
    """Return the time that is told: what was given, less the whole seconds that have passed."""
    return min(max(ceil(left_s), 0), LONGEST_EXPIRY_S)

"""What comes from the client: published once it is authorised, answered once it is durable."""

import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import orjson

from edge.mqtt.encoding import encode
from edge.mqtt.packets import PUBACK, PUBCOMP, PUBREC, Ack, Publish
from edge.mqtt.properties import NONE, Properties
from edge.mqtt.wire import PROTOCOL_ERROR, V5, MqttError
from gateway.channels import REJECTS_CHANNEL, ROOT, Channel
from gateway.downlink import Downlink
from gateway.entrance import Entrance
from gateway.ingest import Arrival
from gateway.mqtt.connecting import ALIAS_MAXIMUM, PROTOCOL
from gateway.mqtt.echo import as_downlink
from gateway.mqtt.sessions import Session, Sessions
from gateway.mqtt.wire import Sink
from gateway.outcome import Rejected
from telemetry.encodings import content_type_of
from telemetry.records import JSON

MOST_PENDING = 4_096
RESUME_AT = 1_024
MOST_ROUTES = 64
RECEIVE_MAXIMUM_EXCEEDED = 0x93
ALIAS_INVALID = 0x94
_SUCCESS = b"@\x02"
BRACE = 0x7B

Close = Callable[[int, str], None]


class Link(NamedTuple):
    """What an uplink belongs to."""

    session: Session
    sessions: Sessions
    entrance: Entrance
    sink: Sink
    version: int
    receive_maximum: int
    wants_reasons: bool
    close: Close


class Pending:
    """A message without its answer; answers go out in the order in which messages came."""

    __slots__ = ("answer", "is_answered", "packet_id", "qos", "topic", "uplink")

    def __init__(self, uplink: "Uplink", packet_id: bytes, qos: int, topic: str) -> None:
        self.uplink = uplink
        self.packet_id = packet_id
        self.qos = qos
        self.topic = topic
        self.is_answered = False
        self.answer = b""

    def settle(self, error: object, _message: object) -> None:
        """Note the answer, and send all answers whose turn it is."""
        uplink = self.uplink
        self.is_answered = True
        if error is None and self.qos == 1:
            self.answer = _SUCCESS + self.packet_id
        else:
            self.answer = uplink.answer(self, error)
        pending = uplink.pending
        if pending and pending[0] is self:
            if len(pending) == 1:
                pending.clear()
                if self.answer:
                    uplink.write(self.answer)
            else:
                uplink.answer_in_turn()


class Uplink:
    """The incoming half of one connection."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._ingest = link.entrance.ingest.ingest
        self.write = link.sink.write
        self._is_5 = link.version == V5
        self._routes: dict[bytes, tuple[Channel, str]] = {}
        """Topics of the shortest way: authorised, JSON, and nobody here listens to them."""
        self._aliases: dict[int, str] = {}
        self._is_paused = False
        self._few = min(link.receive_maximum, MOST_PENDING) // 2
        """While so few wait, there is nothing to bound."""
        self.pending: deque[Pending] = deque()

    def fast(self, data: bytes, start: int, stop: int, now: int) -> bool:
        """Take a plain PUBLISH of QoS 1 on a topic that is known; False if it needs more care."""
        end = start + 2 + (data[start] << 8 | data[start + 1])
        route = self._routes.get(data[start + 2 : end])
        if route is None:
            return False
        begin = end + 2
        if self._is_5:
            if begin >= stop or data[begin]:
                return False
            begin += 1
        packet_id = data[end : end + 2]
        if begin >= stop or data[begin] != BRACE or packet_id == b"\0\0":
            return False
        channel, topic = route
        pending = Pending(self, packet_id, 1, topic)
        waiting = self.pending
        waiting.append(pending)
        if len(waiting) > self._few:
            self._bound()
        refusal = self._ingest(Arrival(channel, data[begin:stop]), now=now, settle=pending.settle)
        if refusal is not None:
            pending.settle(refusal, None)
        return True

    def _bound(self) -> None:
        """Hold a client back that sends faster than its messages become durable."""
        link, waiting = self._link, self.pending
        if self._is_5:
            held = len(link.session.received)
            if len(waiting) + held > link.receive_maximum:
                raise MqttError(RECEIVE_MAXIMUM_EXCEEDED, "more than the receive maximum")
        elif len(waiting) >= MOST_PENDING and not self._is_paused and link.sink.wire:
            self._is_paused = True
            link.sink.wire.pause()

    def answer_in_turn(self) -> None:
        """Send the answers at the head of the queue."""
        pending, sink = self.pending, self._link.sink
        while pending and pending[0].is_answered:
            answer = pending.popleft().answer
            if answer:
                sink.write(answer)
        if self._is_paused and len(pending) <= RESUME_AT and sink.wire:
            self._is_paused = False
            sink.wire.resume()

    def publish(self, publish: Publish, now: int) -> None:
        """Take any PUBLISH."""
        topic = self._topic(publish)
        link, qos = self._link, publish.qos
        packet_id = publish.packet_id.to_bytes(2)
        if qos == 2 and publish.packet_id in link.session.received:
            self._again(publish.packet_id)
            return
        pending = Pending(self, packet_id, qos, topic)
        if qos:
            self.pending.append(pending)
            self._bound()
        if qos == 2:
            link.session.received[publish.packet_id] = False
        refusal = self._published(publish, topic, pending.settle, now)
        if refusal is not None:
            pending.settle(refusal, None)

    def _again(self, packet_id: int) -> None:
        """Answer a QoS 2 message that came before; while it is on its way, its answer is too."""
        if self._link.session.received[packet_id]:
            self._link.sink.write(encode(Ack(PUBREC, packet_id), self._link.version))

    def _topic(self, publish: Publish) -> str:
        alias = publish.properties.topic_alias
        if alias is None:
            return publish.topic
        if alias > ALIAS_MAXIMUM:
            raise MqttError(ALIAS_INVALID, f"topic alias {alias}; the most is {ALIAS_MAXIMUM}")
        if publish.topic:
            self._aliases[alias] = publish.topic
        topic = self._aliases.get(alias)
        if topic is None:
            raise MqttError(ALIAS_INVALID, f"topic alias {alias} stands for nothing yet")
        return topic

    def _published(
        self, publish: Publish, topic: str, settle: Callable[[object, object], None], now: int
    ) -> Rejected | None:
        link = self._link
        if link.entrance.rules and not topic.startswith(f"{ROOT}/"):
            return self._translated(publish, topic, settle, now)
        content_type = content_type_of(publish.payload)
        channel = link.entrance.channel(
            link.session.identity, topic, protocol=PROTOCOL, content_type=content_type
        )
        if isinstance(channel, Rejected):
            return channel
        if link.sessions.is_wanted(channel.identity, channel.name) or publish.retain:
            settle = partial(self._echo, publish, channel, settle)
        elif publish.qos == 1 and content_type == JSON and len(self._routes) < MOST_ROUTES:
            self._routes[topic.encode()] = channel, topic
        arrival = Arrival(channel, publish.payload, content_type)
        return link.entrance.ingest.ingest(arrival, now=now, settle=settle)

    def _translated(
        self, publish: Publish, topic: str, settle: Callable[[object, object], None], now: int
    ) -> Rejected | None:
        """Publish a foreign topic's payload as the message that a rule makes of it."""
        entrance, identity = self._link.entrance, self._link.session.identity
        found = entrance.translated(identity, topic, publish.payload, protocol=PROTOCOL)
        if found is None:
            refused = entrance.channel(identity, topic, protocol=PROTOCOL)
            return refused if isinstance(refused, Rejected) else None
        if isinstance(found, Rejected):
            return found
        channel, payload = found
        if payload is None:
            entrance.counters.add("rejected", reason="filtered")
            settle(None, None)
            return None
        arrival = Arrival(channel, payload, content_type_of(payload))
        return entrance.ingest.ingest(arrival, now=now, settle=settle)

    def forget_routes(self) -> None:
        """Look again at who listens to what: a subscription has come."""
        self._routes.clear()

    def _echo(
        self,
        publish: Publish,
        channel: Channel,
        settle: Callable[[object, object], None],
        error: object,
        message: object,
    ) -> None:
        """Hand a durable message to the device's own sessions that listen to it."""
        settle(error, message)
        if error is None:
            origin = self._link.session.client_id
            heard = as_downlink(publish, channel, origin=origin, now=time.time())
            self._link.sessions.deliver(heard)

    def answer(self, pending: Pending, error: object) -> bytes:
        """Return the answer to a message, and tell of a refusal by receipt."""
        link, packet_id = self._link, int.from_bytes(pending.packet_id)
        kind = PUBREC if pending.qos == 2 else PUBACK
        if error is None:
            if pending.qos == 2:
                link.session.received[packet_id] = True
            return encode(Ack(kind, packet_id), link.version) if pending.qos else b""
        refusal = link.entrance.ingest.unavailable(error)
        if pending.qos == 2:
            link.session.received.pop(packet_id, None)
        self._receipt(pending, refusal)
        if not pending.qos:
            return b""
        if self._is_5:
            properties = Properties(reason=_words(refusal)) if link.wants_reasons else NONE
            return encode(Ack(kind, packet_id, refusal.code.mqtt, properties), link.version)
        if refusal.is_kept:
            # Sent again it would be refused again, and its bytes are in `telemetry.dead`.
            if pending.qos == 2:
                link.session.received[packet_id] = True
            return encode(Ack(kind, packet_id), link.version)
        link.close(0, refusal.text)
        return b""

    def _receipt(self, pending: Pending, refusal: Rejected) -> None:
        link = self._link
        identity = link.session.identity
        told = {**refusal.receipt(pending.topic), "packet_id": int.from_bytes(pending.packet_id)}
        wanted = list(link.session.wanted(REJECTS_CHANNEL))
        if wanted:
            receipt = Downlink(
                identity.tenant,
                identity.device_full,
                REJECTS_CHANNEL,
                orjson.dumps(told),
                content_type=JSON,
            )
            link.sessions.queue(link.session, receipt, wanted, retain=False)

    def released(self, ack: Ack) -> None:
        """Take PUBREL: the packet id is free again."""
        known = self._link.session.received.pop(ack.packet_id, None)
        code = 0x92 if known is None and self._is_5 else 0
        self._link.sink.write(encode(Ack(PUBCOMP, ack.packet_id, code), self._link.version))

    def check(self, ack: Ack) -> None:
        """Raise for a PUBREL of a message that has no PUBREC yet."""
        if self._link.session.received.get(ack.packet_id) is False:
            raise MqttError(PROTOCOL_ERROR, "PUBREL before PUBREC")


def _words(refusal: Rejected) -> str:
    words = f"{refusal.reason}: {refusal.text}"
    if refusal.limit:
        words += f"; limit {refusal.limit}"
    if refusal.retry_after_s is not None:
        words += f"; retry after {refusal.retry_after_s:.3f} s"
    return words[:500]

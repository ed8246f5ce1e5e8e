"""One MQTT connection without its socket: bytes in, bytes out, and what they mean."""

from collections.abc import Callable
from dataclasses import dataclass

from edge.mqtt.decoding import announced_version, decode
from edge.mqtt.encoding import encode, encode_within
from edge.mqtt.frames import Framer
from edge.mqtt.packets import (
    CONNECT,
    PINGREQ,
    PINGRESP,
    PUBREL,
    SUBACK,
    UNSUBACK,
    Ack,
    Answer,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Ping,
    Publish,
    Subscribe,
    Unsubscribe,
)
from edge.mqtt.properties import Properties
from edge.mqtt.wire import LONGEST, PACKET_TOO_LARGE, PROTOCOL_ERROR, V5, V311, MqttError
from gateway.identity import Identity
from gateway.mqtt.connecting import OVERHEAD_BYTES, Admitted, Desk, Peer, largest_packet
from gateway.mqtt.delivery import Delivery, check_code
from gateway.mqtt.link import Link
from gateway.mqtt.session import NEVER, Session
from gateway.mqtt.subscribing import QUOTA_EXCEEDED, subscribe, unsubscribe
from gateway.mqtt.uplink import Uplink
from gateway.mqtt.wire import Sink

SESSION_TAKEN_OVER = 0x8E
KEEP_ALIVE_TIMEOUT = 0x8D
NOT_AUTHORISED = 0x87
NORMAL = 0
Short = Callable[[bytes, int, int], int]


@dataclass(slots=True, eq=False)
class Client:
    """What a connection knows of its client once that is let in."""

    connect: Connect
    session: Session
    uplink: Uplink
    delivery: Delivery
    keep_alive_s: float
    is_willed: bool


class Connection:
    """A client from its first byte to its last."""

    def __init__(self, desk: Desk, sink: Sink, peer: Peer) -> None:
        self._desk = desk
        self._sink = sink
        self._peer = peer
        self._framer = Framer(desk.entrance.ingest.most_bytes + OVERHEAD_BYTES)
        self._version = V311
        self._largest = LONGEST
        self._client: Client | None = None
        self._short: Short = _nothing
        self.heard_at = 0
        """When the client was last heard, in epoch microseconds."""
        self.is_closed = False

    @property
    def identity(self) -> Identity:
        """The device; only once it is let in."""
        assert self._client is not None
        return self._client.session.identity

    @property
    def is_owed(self) -> bool:
        """Whether messages of the client have no answer yet."""
        return self._client is not None and self._client.uplink.unanswered > 0

    @property
    def silent_after_s(self) -> float:
        """How long the client may be silent; nobody hears one that is held back."""
        if self._client is None:
            return self._desk.options.connect_within_s
        if self._client.uplink.is_paused:
            return NEVER
        return self._client.keep_alive_s * 1.5 or NEVER

    def receive(self, data: bytes, now: int) -> None:
        """Take bytes that came at `now`, in epoch microseconds."""
        if self._client is not None:
            # Until it is let in, its time runs from the beginning, however slowly it writes.
            self.heard_at = now
        framer = self._framer
        if framer.rest:
            data, framer.rest = framer.rest + data, b""
        try:
            position = self._short(data, 0, now)
            if position < len(data):
                self._all(data, position, now)
        except MqttError as error:
            self._desk.entrance.counters.add("protocol_errors", protocol="mqtt")
            self.fail(error.code, error.reason)

    def _all(self, data: bytes, position: int, now: int) -> None:
        """Take the packets at `position`, each by the short way or else by the ordinary one."""
        while not self.is_closed:
            if self._client is None and position < len(data) and data[position] >> 4 != CONNECT:
                # Nothing of it is kept: whoever sends it may be anybody.
                raise MqttError(PROTOCOL_ERROR, "the first packet is no CONNECT")
            found = self._framer.body_at(data, position)
            if found is None:
                self._framer.rest = data[position:]
                return
            start, stop = found
            head, body = data[position], data[start:stop]
            if self._client is None:
                self._version = announced_version(body)
            self._take(decode(head, body, self._version), now)
            position = self._short(data, stop, now)

    def _take(self, packet: Packet, now: int) -> None:
        client = self._client
        if client is None:
            assert isinstance(packet, Connect)
            self._connect(packet, now)
        elif isinstance(packet, Publish):
            client.uplink.publish(packet, now)
        elif isinstance(packet, Ack):
            self._acknowledge(client, packet)
        elif isinstance(packet, Subscribe):
            self._subscribe(client, packet)
        elif isinstance(packet, Unsubscribe):
            self._unsubscribe(client, packet)
        elif isinstance(packet, Ping) and packet.kind == PINGREQ:
            self._sink.write(encode(Ping(PINGRESP), self._version))
        elif isinstance(packet, Disconnect):
            self._disconnect(client, packet)
        else:
            raise MqttError(PROTOCOL_ERROR, f"{type(packet).__name__} from a client")

    def _connect(self, connect: Connect, now: int) -> None:
        self._version = connect.version
        self._largest = largest_packet(connect)
        admitted = self._desk.admit(connect, self._peer, now=now / 1_000_000)
        if not isinstance(admitted, Admitted):
            self._sink.write(self._told(admitted.connack))
            self._close()
            return
        self.heard_at = now
        self._client = client = self._welcome(connect, admitted)
        self._short = client.uplink.short
        self._desk.entrance.lives.add(self)
        self._sink.write(encode(admitted.connack, self._version))
        client.delivery.resend()

    def _welcome(self, connect: Connect, admitted: Admitted) -> Client:
        desk, session, given = self._desk, admitted.session, connect.properties
        link = Link(
            session,
            desk.sessions,
            desk.entrance,
            self._sink,
            connect.version,
            desk.options.receive_maximum,
            given.request_problem != 0,
            self.fail,
            desk.options.most_routes,
            self._largest,
        )
        delivery = Delivery(
            session,
            self._sink,
            desk.entrance.counters,
            version=connect.version,
            properties=given,
        )
        session.link = self
        is_willed = connect.will is not None
        return Client(connect, session, Uplink(link), delivery, admitted.keep_alive_s, is_willed)

    def _acknowledge(self, client: Client, ack: Ack) -> None:
        check_code(ack)
        if ack.kind == PUBREL:
            client.uplink.check(ack)
            client.uplink.released(ack)
        else:
            client.delivery.confirmed(ack)

    def pump(self) -> None:
        """Send what the session has queued."""
        if self._client is not None:
            self._client.delivery.pump()

    def _subscribe(self, client: Client, packet: Subscribe) -> None:
        session, sessions = client.session, self._desk.sessions
        known = set(session.subscriptions)
        codes = subscribe(session, packet, self._version)
        sessions.changed(session)
        self._answer(Answer(SUBACK, packet.packet_id, codes))
        for other in sessions.of(session.identity).values():
            if other.link is not None:
                other.link.forget_routes()
        for each, code in zip(packet.subscriptions, codes, strict=True):
            handling = each.retain_handling
            if code < 0x80 and (handling == 0 or (handling == 1 and each.pattern not in known)):
                sessions.retained(session, session.subscriptions[each.pattern])

    def _answer(self, answer: Answer) -> None:
        data = encode(answer, self._version)
        if len(data) > self._largest:
            raise MqttError(PACKET_TOO_LARGE, "the answer is larger than the client takes")
        self._sink.write(data)

    def forget_routes(self) -> None:
        """Look again at who listens to what: a session of this device has subscribed."""
        if self._client is not None:
            self._client.uplink.forget_routes()

    def _unsubscribe(self, client: Client, packet: Unsubscribe) -> None:
        codes = unsubscribe(client.session, packet)
        self._desk.sessions.changed(client.session)
        self._answer(Answer(UNSUBACK, packet.packet_id, codes))

    def _disconnect(self, client: Client, packet: Disconnect) -> None:
        expiry_s = packet.properties.session_expiry_s
        if expiry_s is not None:
            if expiry_s and not client.session.expiry_s:
                raise MqttError(PROTOCOL_ERROR, "DISCONNECT gives life to a session without any")
            client.session.expiry_s = min(expiry_s, self._desk.options.longest_session_s)
        client.is_willed = client.is_willed and packet.code != NORMAL
        self._close()

    def fail(self, code: int, reason: str) -> None:
        """Close, and say why where the protocol has a word for it."""
        if self.is_closed:
            return
        if self._version == V5 and self._client is None and code:
            properties = Properties(reason=reason[:200])
            self._sink.write(self._told(Connack(code, properties=properties)))
        elif self._version == V5 and code:
            properties = Properties(reason=reason[:200])
            self._sink.write(self._told(Disconnect(code, properties)))
        elif self._client is None and code == 0x84:
            self._sink.write(encode(Connack(1), V311))
        self._close()

    def renew(self, identity: Identity) -> None:
        """Go on as the registry has the device now; channels are made anew."""
        if self._client is not None:
            self._desk.sessions.renew(self._client.session, identity)
            self._client.uplink.forget_routes()

    def _told(self, packet: Connack | Disconnect) -> bytes:
        if self._version != V5:
            return encode(packet, self._version)
        data = encode_within(packet, self._largest)
        return data if len(data) <= self._largest else b""

    def end(self, reason: str) -> None:
        """Close: the credential is no longer good."""
        self.fail(NOT_AUTHORISED, reason)

    def taken_over(self) -> None:
        """Close: the client has come by another connection."""
        self.fail(SESSION_TAKEN_OVER, "the client id came again")

    def crowded_out(self) -> None:
        """Close: the device has too many connections, and this one is silent for longest."""
        self.fail(QUOTA_EXCEEDED, "too many connections of this device: the oldest silence goes")

    def too_silent(self) -> None:
        """Close: nothing came for one and a half keep-alives."""
        self.fail(KEEP_ALIVE_TIMEOUT, "nothing heard within the keep-alive")

    def _close(self) -> None:
        self._sink.close()
        self.lost()

    def lost(self) -> None:
        """Take note that the transport is gone; the session may live on."""
        if self.is_closed:
            return
        self.is_closed = True
        self._short = _nothing
        client = self._client
        if client is None:
            return
        self._desk.entrance.lives.remove(self)
        client.session.link = None
        self._desk.leave(client.session, is_willed=client.is_willed)


def _nothing(_data: bytes, position: int, _now: int) -> int:
    return position

"""One connection to a broker as MQTT 5 has it: packets in, packets out, and no socket."""

from collections.abc import Sequence
from typing import NamedTuple

from edge.mqtt.decoding import decode
from edge.mqtt.encoding import encode
from edge.mqtt.frames import Framer
from edge.mqtt.packets import (
    PINGREQ,
    PUBREL,
    SUBACK,
    Ack,
    Answer,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Ping,
    Publish,
    Subscribe,
    Subscription,
    Unsubscribe,
)
from edge.mqtt.properties import Properties
from edge.mqtt.wire import PROTOCOL_ERROR, V5, MqttError
from gateway.bridge.intake import Intake, Write

SUBSCRIBE_ID, UNSUBSCRIBE_ID = 1, 2
MEANINGS = {
    0x80: "unspecified error",
    0x84: "it does not speak MQTT 5",
    0x85: "client id not valid",
    0x86: "bad user name or password",
    0x87: "not authorised",
    0x88: "unavailable",
    0x89: "busy",
    0x8A: "banned",
    0x8B: "it shuts down",
    0x8E: "another client took the session over: each bridge needs a client id of its own",
    0x8F: "topic filter not valid",
    0x97: "quota exceeded",
    0x9E: "it has no shared subscriptions",
}


class SentAwayError(Exception):
    """The broker does not let the bridge in, or has sent it away."""


class Login(NamedTuple):
    """What the bridge says of itself, and what it asks for."""

    client_id: str
    user: str | None
    password: bytes | None
    patterns: tuple[str, ...]
    """Topic filters with their group, `$share/…`."""
    qos: int
    window: int
    session_s: int
    keep_alive_s: int


class Subscriber:
    """Logs in, subscribes, and hands messages to the intake."""

    def __init__(
        self, login: Login, intake: Intake, write: Write, *, outdated: Sequence[str] = ()
    ) -> None:
        """`outdated` are filters of earlier, which the broker's session may still hold."""
        self._login = login
        self._intake = intake
        self._write = write
        self._outdated = tuple(outdated)
        self._framer = Framer()
        self.is_subscribed = False
        self.keep_alive_s = login.keep_alive_s

    def greet(self) -> None:
        """Ask to be let in, into the session of earlier if the broker still has it."""
        login = self._login
        wanted = Properties(session_expiry_s=login.session_s, receive_maximum=login.window)
        connect = Connect(
            V5,
            login.client_id,
            False,
            login.keep_alive_s,
            login.user,
            login.password,
            properties=wanted,
        )
        self._send(connect)

    def receive(self, data: bytes, now: int) -> None:
        """Take bytes; raise `MqttError` or `SentAwayError` where the connection is over."""
        for head, body in self._framer.feed(data):
            packet = decode(head, body, V5)
            if isinstance(packet, Publish):
                self._intake.take(packet, now)
            else:
                self._receive(packet)

    def _receive(self, packet: Packet) -> None:
        match packet:
            case Connack():
                self._let_in(packet)
            case Answer():
                self._answered(packet)
            case Ack(kind=kind) if kind == PUBREL:
                self._intake.released(packet.packet_id)
            case Disconnect():
                raise SentAwayError(f"sent away: {_words(packet.code, packet.properties)}")
            case Ping():
                pass
            case _:
                raise MqttError(PROTOCOL_ERROR, "a packet that no broker sends here")

    def _let_in(self, connack: Connack) -> None:
        if connack.code:
            raise SentAwayError(f"not let in: {_words(connack.code, connack.properties)}")
        if connack.properties.shared_available == 0:
            raise SentAwayError(MEANINGS[0x9E])
        told = connack.properties.server_keep_alive_s
        self.keep_alive_s = self.keep_alive_s if told is None else told
        self._intake.begin(self._write, is_resumed=connack.session_present)
        if self._outdated:
            self._send(Unsubscribe(UNSUBSCRIBE_ID, self._outdated))
        login = self._login
        wanted = tuple(Subscription(pattern, login.qos) for pattern in login.patterns)
        self._send(Subscribe(SUBSCRIBE_ID, wanted))

    def _answered(self, answer: Answer) -> None:
        if answer.kind != SUBACK:
            return
        for pattern, code in zip(self._login.patterns, answer.codes, strict=False):
            if code >= 0x80:
                why = _words(code, answer.properties)
                raise SentAwayError(f"no subscription to {pattern}: {why}")
            if code == 0:
                raise SentAwayError(f"QoS 0 only for {pattern}: it would send nothing again")
        self.is_subscribed = True

    def ping(self) -> None:
        """Show that the bridge is there."""
        self._send(Ping(PINGREQ))

    def leave(self, code: int = 0) -> None:
        """Say goodbye; the broker keeps the session."""
        self._send(Disconnect(code))

    def _send(self, packet: Packet) -> None:
        self._write(encode(packet, V5))


def _words(code: int, properties: Properties) -> str:
    said = f" ({properties.reason})" if properties.reason else ""
    return f"{MEANINGS.get(code, 'reason')}, code {code:#04x}{said}"

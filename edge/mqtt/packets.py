"""MQTT's packets as values, for 3.1.1 and 5."""

from typing import NamedTuple

from edge.mqtt.properties import NONE, Properties

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = range(1, 8)
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT, AUTH = range(8, 16)


class Will(NamedTuple):
    """What is published for a client that goes without a word."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    properties: Properties = NONE


class Connect(NamedTuple):
    """The first packet of a client; `clean` starts a new session."""

    version: int
    client_id: str
    clean: bool = True
    keep_alive_s: int = 0
    username: str | None = None
    password: bytes | None = None
    will: Will | None = None
    properties: Properties = NONE


class Connack(NamedTuple):
    """The server's answer; `code` is a 3.1.1 return code or a reason code of 5."""

    code: int
    session_present: bool = False
    properties: Properties = NONE


class Publish(NamedTuple):
    """A message; `packet_id` is 0 for QoS 0."""

    topic: str
    payload: bytes
    qos: int = 0
    packet_id: int = 0
    retain: bool = False
    dup: bool = False
    properties: Properties = NONE


class Ack(NamedTuple):
    """PUBACK, PUBREC, PUBREL or PUBCOMP, by `kind`."""

    kind: int
    packet_id: int
    code: int = 0
    properties: Properties = NONE


class Subscription(NamedTuple):
    """One filter of a SUBSCRIBE, with the options of 5."""

    pattern: str
    qos: int = 0
    no_local: bool = False
    retain_as_published: bool = False
    retain_handling: int = 0


class Subscribe(NamedTuple):
    """A request for topics."""

    packet_id: int
    subscriptions: tuple[Subscription, ...]
    properties: Properties = NONE


class Unsubscribe(NamedTuple):
    """The end of a request for topics."""

    packet_id: int
    patterns: tuple[str, ...]
    properties: Properties = NONE


class Answer(NamedTuple):
    """SUBACK or UNSUBACK, by `kind`; 3.1.1's UNSUBACK has no codes."""

    kind: int
    packet_id: int
    codes: tuple[int, ...]
    properties: Properties = NONE


class Ping(NamedTuple):
    """PINGREQ or PINGRESP, by `kind`."""

    kind: int


class Disconnect(NamedTuple):
    """The end of a connection, with a reason in 5."""

    code: int = 0
    properties: Properties = NONE


class Auth(NamedTuple):
    """A step of 5's enhanced authentication."""

    code: int = 0
    properties: Properties = NONE


Packet = (
    Connect | Connack | Publish | Ack | Subscribe | Unsubscribe | Answer | Ping | Disconnect | Auth
)

"""A client and its connection without a socket: packets in, packets out."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from edge.mqtt.decoding import decode
from edge.mqtt.encoding import encode
from edge.mqtt.frames import Framer
from edge.mqtt.packets import (
    PUBACK,
    Ack,
    Connack,
    Connect,
    Packet,
    Publish,
    Subscribe,
    Subscription,
    Will,
)
from edge.mqtt.properties import Properties
from edge.mqtt.wire import V5, V311
from gateway.mqtt.connecting import Desk, MqttOptions, Peer
from gateway.mqtt.connection import Connection
from gateway.mqtt.kept import KeptSessions
from gateway.mqtt.room import Room
from gateway.mqtt.sessions import Sessions
from gateway.mqtt.wire import Sink
from tests.gateway.entrances import MESSAGE, NOW_US, House, house

PLAIN = Peer("10.0.0.1")
TOPIC = "devices/d1/telemetry"
COMMANDS = "devices/d1/commands/#"
OWN = "devices/d1/#"
GONE = Will(TOPIC, b'{"metrics":{"gone":1}}', 1)
BOTH = pytest.mark.parametrize("version", [V311, V5])


@dataclass
class MemoryWire:
    """Keeps what is written."""

    sent: bytearray = field(default_factory=bytearray)
    writes: list[bytes] = field(default_factory=list)
    is_closed: bool = False
    is_paused: bool = False

    def write(self, data: bytes) -> None:
        self.sent += data
        self.writes.append(data)

    def close(self) -> None:
        self.is_closed = True

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False


class Broker:
    """A listener's connections over one entrance."""

    def __init__(
        self,
        house: House,
        options: MqttOptions | None = None,
        kept: KeptSessions | None = None,
        room: Room | None = None,
    ) -> None:
        self.house = house
        self.sessions = sessions = Sessions(house.entrance.counters, kept, room=room)
        sessions.restore(time.time())
        self.desk = Desk(house.entrance, sessions, options or MqttOptions())
        house.entrance.downlinks.add(sessions.deliver)
        self.dirty: list[Sink] = []

    def settle(self) -> None:
        """Have the outlet settle what waits, and the answers go out."""
        self.house.outlet.poll()
        self.flush()

    def flush(self) -> None:
        self.sessions.commit()
        for sink in self.dirty:
            sink.flush()
        self.dirty.clear()


def broker() -> Broker:
    """Return one that lets devices in by name."""
    return Broker(house(is_anonymous=True))


class Client:
    """One client."""

    def __init__(self, broker: Broker, version: int = V311, peer: Peer = PLAIN) -> None:
        self.broker = broker
        self.version = version
        self.wire = MemoryWire()
        self.rest: list[Packet] = []
        """What came behind the CONNACK."""
        self.connection = Connection(broker.desk, Sink(self.wire, broker.dirty), peer)
        self._framer = Framer()

    def send(self, *packets: Packet, now: int = NOW_US) -> list[Packet]:
        """Send packets, settle, and return what came back."""
        self.send_bytes(b"".join(encode(packet, self.version) for packet in packets), now=now)
        self.broker.settle()
        return self.received()

    def send_bytes(self, data: bytes, *, now: int = NOW_US) -> None:
        if not self.wire.is_closed:
            self.connection.receive(data, now)
            self.broker.flush()

    def received(self) -> list[Packet]:
        self.broker.flush()
        data = bytes(self.wire.sent)
        self.wire.sent.clear()
        return [decode(head, body, self.version) for head, body in self._framer.feed(data)]

    def connect(
        self,
        client_id: str = "c1",
        device: str = "d1",
        *,
        will: Will | None = None,
        keep_alive_s: int = 0,
        clean: bool = True,
    ) -> Connack:
        """Come in by name alone, and return the CONNACK."""
        connect = Connect(self.version, client_id, clean, keep_alive_s, device, will=will)
        answer, *self.rest = self.send(connect)
        assert isinstance(answer, Connack)
        return answer

    def subscribe(self, *patterns: str, qos: int = 2, packet_id: int = 9) -> Packet:
        """Subscribe, and return the SUBACK."""
        wanted = tuple(Subscription(pattern, qos) for pattern in patterns)
        answer, *_ = self.send(Subscribe(packet_id, wanted))
        return answer


def telemetry(packet_id: int = 1, payload: bytes = MESSAGE, qos: int = 1) -> Publish:
    return Publish(TOPIC, payload, qos, packet_id if qos else 0)


def lasting(version: int = V5, *, will: Will | None = None, **properties: object) -> Connect:
    """Return the CONNECT of a client whose session outlives its connection."""
    given = Properties(**{"session_expiry_s": 60, **properties}) if version == V5 else Properties()  # type: ignore[arg-type]
    return Connect(version, "c1", False, username="d1", will=will, properties=given)


def published(packets: Sequence[Packet]) -> list[Publish]:
    """Return the messages among packets."""
    return [packet for packet in packets if isinstance(packet, Publish)]


def drained(client: Client, packets: Sequence[Packet]) -> list[Publish]:
    """Return the messages of QoS 1 among packets, and what comes once they are acknowledged."""
    found: list[Publish] = []
    while fresh := published(packets):
        found += fresh
        packets = client.send(*(Ack(PUBACK, each.packet_id) for each in fresh))
    return found

"""A broker without a socket for the bridge's protocol, and mosquitto for its connections."""

import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from edge.mqtt.decoding import decode
from edge.mqtt.encoding import encode
from edge.mqtt.frames import Framer
from edge.mqtt.packets import Ack, Answer, Connack, Packet, Publish
from edge.mqtt.properties import NONE, Properties
from edge.mqtt.wire import V5
from gateway.bridge.intake import Intake
from gateway.bridge.routes import Routes
from gateway.bridge.subscriber import Login, Subscriber
from telemetry.settings import Settings
from tests.end_to_end.stack import free_port_base
from tests.gateway.entrances import MESSAGE, NOW_US, House

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
LOGIN = Login("b1", "u", b"p", ("$share/g/devices/+/telemetry",), 1, 4, 60, 30)
CONFIGURATION = """listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {folder}/
autosave_interval 1
user root
max_inflight_messages 0
max_queued_messages 0
"""


def routes(one: House, *, tenant: str = "default") -> Routes:
    return Routes(one.directory, one.entrance.ingest, one.entrance.counters, tenant=tenant)


@dataclass
class FakeBroker:
    """Hands packets to a subscriber over an outlet in memory, and keeps what it answers."""

    house: House
    login: Login = LOGIN
    outdated: tuple[str, ...] = ()
    intake: Intake = field(init=False)

    def __post_init__(self) -> None:
        counters = self.house.entrance.counters
        self.intake = Intake(routes(self.house), counters, window=self.login.window)
        self.connect()

    def connect(self) -> None:
        """Begin a connection."""
        self._sent = bytearray()
        self._framer = Framer()
        self.subscriber = Subscriber(
            self.login, self.intake, self._sent.extend, outdated=self.outdated
        )
        self.subscriber.greet()

    def say(self, *packets: Packet) -> None:
        data = b"".join(encode(packet, V5) for packet in packets)
        self.subscriber.receive(data, NOW_US)

    def heard(self) -> list[Packet]:
        """Return what the bridge has said since."""
        data = bytes(self._sent)
        self._sent.clear()
        return [decode(head, body, V5) for head, body in self._framer.feed(data)]

    def let_in(self, properties: Properties = NONE, *, is_resumed: bool = False) -> None:
        """Take its login and its subscription, and forget what it said for that."""
        self.say(Connack(0, is_resumed, properties))
        self.say(Answer(9, 1, (self.login.qos,)))
        self.heard()

    def acknowledged(self) -> list[tuple[int, int]]:
        """Return kind and packet id of the answers since."""
        return [(each.kind, each.packet_id) for each in self.heard() if isinstance(each, Ack)]


def publish(
    packet_id: int, payload: bytes = MESSAGE, *, qos: int = 1, dup: bool = False, device: str = "d1"
) -> Publish:
    return Publish(f"devices/{device}/telemetry", payload, qos, packet_id, dup=dup)


class Mosquitto:
    """A broker of this test's own, killed and started again as it needs."""

    def __init__(self, folder: Path, secure: str = "") -> None:
        """Listen by TLS as well, as `secure` says."""
        if MOSQUITTO is None:
            pytest.skip("mosquitto is not installed (Debian: apt-get install mosquitto)")
        self.port = Settings(port_base=free_port_base()).port("gateway_mqtt")
        folder.mkdir()
        self._file = folder / "mosquitto.conf"
        text = CONFIGURATION.format(port=self.port, folder=folder)
        if secure:
            text += f"listener {self.port + 1} 127.0.0.1\n{secure}"
        self._file.write_text(text)
        self._log = folder / "mosquitto.log"
        self.start()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(MOSQUITTO), "-c", str(self._file)], stdout=log, stderr=log
            )
        give_up = time.monotonic() + 10
        while True:
            try:
                self.client("probe").disconnect()
            except OSError:
                assert time.monotonic() < give_up, self._log.read_text()
                time.sleep(0.05)
            else:
                return

    def client(self, name: str) -> paho.Client:
        """Return a client of other people that is connected, its session new."""
        client = paho.Client(CallbackAPIVersion.VERSION2, name)
        client.max_inflight_messages_set(1000)
        client.max_queued_messages_set(0)
        client.connect("127.0.0.1", self.port)
        return client

    def publish(self, messages: "list[tuple[str, bytes]]", *, qos: int = 1) -> None:
        """Publish, and wait until the broker has acknowledged all of them."""
        client = self.client("device")
        client.loop_start()
        told = [client.publish(topic, payload, qos) for topic, payload in messages]
        for each in told:
            each.wait_for_publish(30)
        client.disconnect()
        client.loop_stop()

    def stop(self) -> None:
        """Let it go, with its sessions on disk."""
        self.process.terminate()
        self.process.wait(10)

"""A message is kept as its device's class says at that moment, whoever brings it."""

from typing import NamedTuple

import pytest

from edge.mqtt.packets import Publish
from gateway.authentication import Authentication, Development
from gateway.counters import Counters
from gateway.directory import Directory
from gateway.entrance import Entrance, Foreign
from gateway.http.logins import Logins, Sender
from gateway.identity import Identity
from gateway.ingest import Ingest
from gateway.limits import Limits, Rate
from gateway.outcome import Rejected
from gateway.rules import read_rules
from telemetry.changes import DeviceBody
from telemetry.devices import Device, Durability
from tests.gateway.entrances import EDITIONS, NOW, House
from tests.gateway.mqtt.clients import Broker, Client, telemetry
from tests.gateway.outlets import MemoryOutlet

RULES = b"""{"rules": [{"name": "plugs", "topic": "tele/+/SENSOR", "product": "plug", "device": 2,
  "speakers": ["hub"], "metrics": {"power": {"path": "P"}}}]}"""
BASIC = "Basic ZDE6"


class Classes(NamedTuple):
    """An entrance with an outlet for each class."""

    house: House
    consumer: MemoryOutlet

    def tell(self, name: str, durability: Durability | None, *, is_disabled: bool = False) -> None:
        """Change a device as the registry does."""
        body = DeviceBody(Device(name, durability=durability), is_disabled)
        self.house.directory.apply(EDITIONS.change("device", name, body))

    def taken(self) -> tuple[int, int]:
        """Return how many records went to the outlets of `industrial` and `consumer`."""
        return len(self.house.outlet.taken), len(self.consumer.taken)


@pytest.fixture
def classes() -> Classes:
    directory, counters = Directory(), Counters()
    industrial, consumer = MemoryOutlet(), MemoryOutlet()
    ingest = Ingest({"industrial": industrial, "consumer": consumer}, counters)
    authentication = Authentication(directory, development=Development(is_anonymous=True))
    limits = Limits(Rate(), Rate(), Rate())
    entrance = Entrance(directory, authentication, limits, ingest, counters)
    return Classes(House(entrance, directory, industrial), consumer)


def test_open_session_goes_over_to_its_devices_new_class(classes: Classes) -> None:
    classes.tell("d1", "consumer")
    client = Client(Broker(classes.house))
    client.connect()
    for packet_id in (1, 2):
        client.send(telemetry(packet_id))
    assert classes.taken() == (0, 2)

    classes.tell("d1", "industrial")
    client.send(telemetry(3))
    assert classes.taken() == (1, 2)

    classes.tell("d1", "consumer")
    client.send(telemetry(4))
    assert classes.taken() == (1, 3)


def test_login_that_http_remembers_has_the_class_of_now(classes: Classes) -> None:
    logins = Logins(classes.house.entrance)

    def found() -> Durability:
        identity = logins.identity(BASIC, None, Sender("127.0.0.1"), now=NOW)
        assert isinstance(identity, Identity)
        return identity.durability

    classes.tell("d1", "consumer")
    assert found() == "consumer"
    classes.tell("d1", None)
    assert found() == "industrial"


def said_by_hub(classes: Classes, speaker: Durability) -> Rejected | None:
    """Have a hub of a class say something for a plug."""
    entrance = classes.house.entrance
    entrance.rules = read_rules(RULES)
    hub = Identity("default", "hub", "local/test", durability=speaker)
    said = Foreign(hub, "tele/p1/SENSOR", b'{"P":1}', "mqtt")
    return entrance.foreign(said, now=round(NOW * 1e6), settle=lambda *_: None)


@pytest.mark.parametrize("speaker", ["industrial", "consumer"])
def test_message_of_a_rule_has_its_devices_class(classes: Classes, speaker: Durability) -> None:
    assert said_by_hub(classes, speaker) is None
    assert classes.taken() == (1, 0)
    classes.tell("plug.p1", "consumer")
    assert said_by_hub(classes, speaker) is None
    assert classes.taken() == (1, 1)


def test_rule_speaks_for_no_disabled_device(classes: Classes) -> None:
    classes.tell("plug.p1", None, is_disabled=True)

    found = said_by_hub(classes, "industrial")

    assert isinstance(found, Rejected)
    assert found.reason == "not_authorised"
    assert classes.taken() == (0, 0)


def test_client_is_told_that_the_rules_device_is_disabled(classes: Classes) -> None:
    classes.house.entrance.rules = read_rules(RULES)
    classes.tell("plug.p1", None, is_disabled=True)
    client = Client(Broker(classes.house))
    client.connect(device="hub")

    client.send(Publish("tele/p1/SENSOR", b'{"P":1}', 1, 1))

    assert classes.taken() == (0, 0)
    assert client.wire.is_closed

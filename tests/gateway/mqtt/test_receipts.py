"""What a session is told of its device's durability class, whatever its version."""

import orjson
import pytest

from edge.mqtt.packets import Ack, Publish, Subscribe, Subscription
from edge.mqtt.wire import V5
from telemetry.changes import DeviceBody
from telemetry.devices import Device, Durability
from tests.gateway.entrances import EDITIONS, MESSAGE
from tests.gateway.mqtt.clients import BOTH, Broker, Client, broker, lasting, published

RECEIPTS = "devices/d1/receipts"


def tell(one: Broker, durability: Durability) -> None:
    """Change the device's class as the registry does."""
    body = DeviceBody(Device("d1", durability=durability))
    one.house.directory.apply(EDITIONS.change("device", "d1", body))


def receipts(packets: list[Publish]) -> list[tuple[str, object, bool]]:
    return [(each.topic, orjson.loads(each.payload), each.retain) for each in packets]


def subscribed(client: Client, pattern: str = RECEIPTS, handling: int = 0) -> list[Publish]:
    wanted = Subscription(pattern, 1, retain_handling=handling)
    return published(client.send(Subscribe(9, (wanted,))))


@BOTH
@pytest.mark.parametrize("pattern", [RECEIPTS, "devices/d1/#", "devices/d1/+"])
def test_session_of_class_consumer_is_told_once_it_asks(version: int, pattern: str) -> None:
    one = broker()
    tell(one, "consumer")
    client = Client(one, version)
    client.connect()

    assert receipts(subscribed(client, pattern)) == [(RECEIPTS, {"durability": "consumer"}, True)]


@BOTH
def test_session_of_class_industrial_is_told_nothing(version: int) -> None:
    client = Client(broker(), version)
    client.connect()
    assert subscribed(client) == []


def test_session_that_wants_nothing_retained_is_told_nothing() -> None:
    one = broker()
    tell(one, "consumer")
    client = Client(one, V5)
    client.connect()
    assert subscribed(client, handling=2) == []


@BOTH
def test_open_session_is_told_of_another_class(version: int) -> None:
    client = Client(broker(), version)
    client.connect()
    subscribed(client)

    tell(client.broker, "consumer")
    first = receipts(published(client.received()))
    tell(client.broker, "consumer")
    again = client.received()
    tell(client.broker, "industrial")
    last = receipts(published(client.received()))

    assert first == [(RECEIPTS, {"durability": "consumer"}, False)]
    assert again == []
    assert last == [(RECEIPTS, {"durability": "industrial"}, False)]


@BOTH
def test_session_that_was_away_is_told_when_it_comes_back(version: int) -> None:
    client = Client(broker(), version)
    client.send(lasting(version))
    subscribed(client)
    client.connection.lost()
    tell(client.broker, "consumer")
    back = Client(client.broker, version)

    _, *told = back.send(lasting(version))

    assert receipts(published(told)) == [(RECEIPTS, {"durability": "consumer"}, False)]


def test_no_device_writes_receipts_of_its_own() -> None:
    client = Client(broker(), V5)
    client.connect()
    (answer,) = client.send(Publish(RECEIPTS, MESSAGE, 1, 1))
    assert isinstance(answer, Ack)
    assert answer.code == 0x87

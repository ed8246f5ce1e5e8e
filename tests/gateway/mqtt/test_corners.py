"""What a hostile reader of MQTT tries: topics, subscriptions, properties, rubbish."""

import time

import pytest

from edge.mqtt.packets import (
    Disconnect,
    Publish,
    Subscribe,
    Subscription,
    Will,
)
from edge.mqtt.properties import Properties
from edge.mqtt.wire import V5, V311
from gateway.downlink import Downlink
from tests.gateway.entrances import MESSAGE
from tests.gateway.mqtt.clients import TOPIC, Client, broker, lasting, published

BOTH = pytest.mark.parametrize("version", [V311, V5])
COMMANDS = "devices/d1/commands/#"
OWN = "devices/d1/#"
GONE = Will(TOPIC, b'{"metrics":{"gone":1}}', 1)


@pytest.mark.parametrize(
    ("packet", "code"),
    [
        (Publish("", MESSAGE), 0x82),
        (Publish("", MESSAGE, properties=Properties(topic_alias=4)), 0x82),
        (Publish(TOPIC, MESSAGE, properties=Properties(topic_alias=0)), 0x94),
        (Publish(TOPIC, MESSAGE, properties=Properties(topic_alias=33)), 0x94),
        (Publish("devices/+/telemetry", MESSAGE), 0x90),
    ],
)
def test_topic_that_is_none_has_its_code(packet: Publish, code: int) -> None:
    client = Client(broker(), V5)
    client.send(lasting())

    (answer,) = client.send(packet)

    assert isinstance(answer, Disconnect)
    assert answer.code == code


@BOTH
@pytest.mark.parametrize("qos", [1, 2])
def test_what_is_sent_again_says_how_long_it_is_still_good(version: int, qos: int) -> None:
    one = broker()
    client = Client(one, version)
    client.send(lasting(version))
    client.subscribe(COMMANDS)
    until = time.time() + 30
    for payload in (b"old", b"new"):
        downlink = Downlink("default", "d1", "commands/x", payload, qos, expires_at=until)
        one.house.entrance.downlinks.deliver(downlink)
    client.received()
    client.connection.lost()
    (session,) = one.sessions
    old, new = session.inflight.values()
    first, second = session.inflight
    session.inflight[first] = old._replace(expires_at=time.time() - 1)
    session.inflight[second] = new._replace(expires_at=time.time() + 10)

    again = published(Client(one, version).send(lasting(version)))

    # Half of a message of QoS 2 may be there: its packet id is not given up.
    assert [each.payload for each in again] == [b"old"] * (qos == 2) + [b"new"]
    if version == V5:
        left = [each.properties.message_expiry_s for each in again]
        assert left in ([9], [0, 9])
    assert one.house.entrance.counters.value("downlinks", channel="expired") == (qos == 1)


@BOTH
def test_level_behind_the_device_may_begin_with_a_dollar(version: int) -> None:
    client = Client(broker(), version)
    client.send(lasting(version))
    client.subscribe(OWN)

    seen = published(client.send(Publish("devices/d1/$x", b"1", 1, 1)))

    assert [each.topic for each in seen] == ["devices/d1/$x"]


@pytest.mark.parametrize("no_local", [True, False])
def test_retained_message_of_its_own_is_not_local_either(no_local: bool) -> None:
    client = Client(broker(), V5)
    client.send(lasting())
    client.send(Publish("devices/d1/state", b"1", 1, 1, retain=True))

    seen = published(client.send(Subscribe(2, (Subscription(OWN, 1, no_local),))))

    assert [each.payload for each in seen] == [b"1"] * (not no_local)

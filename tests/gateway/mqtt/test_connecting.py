"""CONNECT to the end of a session: who is refused and how, what lives on, which will is said."""

import time

import pytest

from edge.mqtt.packets import (
    Connect,
    Disconnect,
    Will,
)
from edge.mqtt.properties import Properties
from edge.mqtt.wire import V5, V311
from tests.gateway.mqtt.clients import TOPIC, Client, broker, lasting

BOTH = pytest.mark.parametrize("version", [V311, V5])
COMMANDS = "devices/d1/commands/#"
OWN = "devices/d1/#"
GONE = Will(TOPIC, b'{"metrics":{"gone":1}}', 1)


@pytest.mark.parametrize(("code", "is_published"), [(0, False), (4, True), (0x80, True)])
def test_only_a_normal_disconnect_takes_the_will_away(code: int, is_published: bool) -> None:
    one = broker()
    client = Client(one, V5)
    client.send(Connect(V5, "c1", username="d1", will=GONE))

    client.send(Disconnect(code))

    assert [taken.value for taken in one.house.outlet.taken] == [GONE.payload] * is_published


def test_will_that_was_due_is_published_though_its_client_comes_again() -> None:
    one = broker()
    delayed = GONE._replace(properties=Properties(will_delay_s=1))
    first = Client(one, V5)
    first.send(lasting(will=delayed))
    first.connection.lost()
    (session,) = one.sessions
    session.will_at = time.time() - 0.1

    Client(one, V5).send(lasting())

    assert [taken.value for taken in one.house.outlet.taken] == [GONE.payload]

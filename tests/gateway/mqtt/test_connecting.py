"""CONNECT to the end of a session: who is refused and how, what lives on, which will is said."""

import time

import pytest

from edge.mqtt.encoding import encode
from edge.mqtt.frames import frame
from edge.mqtt.packets import (
    Connack,
    Connect,
    Disconnect,
    Will,
)
from edge.mqtt.properties import NONE, Properties
from edge.mqtt.wire import V5, V311
from gateway.downlink import Downlink
from telemetry.changes import DeviceBody
from telemetry.devices import Device, Durability
from tests.gateway.entrances import EDITIONS, NOW, enrol, signed
from tests.gateway.mqtt.clients import BOTH, COMMANDS, GONE, Client, broker, lasting


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (lasting(authentication_data=b"x"), 0x82),
        (lasting(receive_maximum=0), 0x82),
        (lasting(will=Will("devices/+/telemetry", b"")), 0x90),
        (lasting(authentication_method="SCRAM"), 0x8C),
    ],
)
def test_refused_connect_of_5_is_told_why(asked: Connect, code: int) -> None:
    client = Client(broker(), V5)

    (answer,) = client.send(asked)

    assert isinstance(answer, Connack)
    assert answer.code == code
    assert answer.properties.reason
    assert client.wire.is_closed


@pytest.mark.parametrize(
    ("durability", "said"),
    [(None, ()), ("industrial", ()), ("consumer", (("durability", "consumer"),))],
)
def test_connack_of_5_says_that_one_replica_is_all_that_is_waited_for(
    durability: Durability | None, said: tuple[tuple[str, str], ...]
) -> None:
    one = broker()
    body = DeviceBody(Device("d1", durability=durability))
    one.house.directory.apply(EDITIONS.change("device", "d1", body))
    client = Client(one, V5)

    (answer,) = client.send(lasting())

    assert isinstance(answer, Connack)
    assert (answer.code, answer.properties.user) == (0, said)


def test_broken_connect_is_answered_in_its_version() -> None:
    bodies = {
        V5: (b"\0\4MQTT\5\3\0\0\0\0\0", b"\x20"),
        V311: (b"\0\4MQTT\4\3\0\0\0\0", b""),
        6: (b"\0\4MQTT\6\2\0\0\0\0", b"\x20\x02\0\x01"),
    }
    for body, begin in bodies.values():
        client = Client(broker())
        client.send_bytes(frame(0x10, body))
        assert bytes(client.wire.sent).startswith(begin)
        assert bool(client.wire.sent) == bool(begin)
        assert client.wire.is_closed


@pytest.mark.parametrize(("largest", "answer"), [(4, b""), (5, b"\x20\x03\0\x95\0")])
def test_connack_that_is_too_large_for_its_client_refuses_it(largest: int, answer: bytes) -> None:
    client = Client(broker(), V5)

    client.send_bytes(encode(lasting(maximum_packet_size=largest), V5))

    assert bytes(client.wire.sent) == answer
    assert client.wire.is_closed
    assert len(client.broker.sessions) == 0


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


def test_session_that_has_ended_is_not_gone_on_with() -> None:
    one = broker()
    first = Client(one, V5)
    first.send(lasting())
    first.subscribe(COMMANDS)
    first.connection.lost()
    (session,) = one.sessions
    session.ends_at = time.time() - 0.1

    (answer,) = Client(one, V5).send(lasting())

    assert isinstance(answer, Connack)
    assert not answer.session_present
    assert not one.house.entrance.downlinks.deliver(Downlink("default", "d1", "commands/x", b"1"))


@BOTH
@pytest.mark.parametrize("clean", [True, False])
def test_empty_client_id_has_its_rules(version: int, clean: bool) -> None:
    client = Client(broker(), version)

    (answer,) = client.send(Connect(version, "", clean, username="d1"))

    assert isinstance(answer, Connack)
    if version == V5:
        assert (answer.code, answer.session_present) == (0, False)
        assert answer.properties.assigned_client_id
    else:
        assert answer.code == (0 if clean else 2)
        assert client.wire.is_closed != clean


@pytest.mark.parametrize("wanted_s", [None, 0, 60, 0xFFFF_FFFF])
def test_session_lives_as_long_as_connack_says(wanted_s: int | None) -> None:
    one = broker()
    client = Client(one, V5)
    given = NONE if wanted_s is None else Properties(session_expiry_s=wanted_s)
    (answer,) = client.send(Connect(V5, "c1", False, username="d1", properties=given))
    assert isinstance(answer, Connack)
    client.connection.lost()

    lives_s = answer.properties.session_expiry_s
    if lives_s is None:
        lives_s = wanted_s or 0
    assert lives_s <= one.desk.options.longest_session_s
    left = [round(session.ends_at - time.time()) for session in one.sessions]
    assert left == [lives_s] * bool(lives_s)


@pytest.mark.parametrize(("before_s", "after_s", "code"), [(0, 60, 0x82), (60, 0, None)])
def test_disconnect_may_end_a_session_and_not_begin_one(
    before_s: int, after_s: int, code: int | None
) -> None:
    one = broker()
    client = Client(one, V5)
    client.send(lasting(session_expiry_s=before_s))

    answers = client.send(Disconnect(0, Properties(session_expiry_s=after_s)))

    assert [each.code for each in answers if isinstance(each, Disconnect)] == [code] * bool(code)
    assert len(one.sessions) == 0


@BOTH
def test_client_is_known_by_its_whole_id_and_in_a_signed_login_by_its_own_part(
    version: int,
) -> None:
    one = broker()
    plain = [Client(one, version), Client(one, version)]
    for number, client in enumerate(plain):
        client.connect(f"hub|{number}")
    assert [client.wire.is_closed for client in plain] == [False, False]

    enrol(one.house.directory, "pk.d1", b"secret")
    again = [Client(one, version), Client(one, version)]
    for later_ms, client in enumerate(again):
        shown = signed("pk.d1", b"secret", timestamp=str(round(NOW * 1000) + later_ms))
        password = shown.password.encode()
        client.send(Connect(version, shown.client_id, True, 0, shown.username, password))
    assert [client.wire.is_closed for client in again] == [True, False]


@pytest.mark.parametrize(("delay_s", "is_away"), [(0, False), (30, False), (30, True)])
def test_will_of_a_device_that_is_revoked_is_not_published(delay_s: int, is_away: bool) -> None:
    one = broker()
    enrol(one.house.directory, "d1")
    client = Client(one, V5)
    client.send(lasting(will=GONE._replace(properties=Properties(will_delay_s=delay_s))))
    if is_away:
        client.connection.lost()

    gone = DeviceBody(Device("d1"), is_disabled=True)
    one.house.directory.apply(EDITIONS.change("device", "d1", gone))
    for session in list(one.sessions):
        one.desk.settle(session, time.time() + 31)
    one.settle()

    assert one.house.outlet.taken == []

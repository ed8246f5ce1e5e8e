"""Answers to messages as both sides owe them: by QoS, by turn, by packet id, and for a time."""

import time

import pytest

from edge.mqtt.packets import (
    PUBACK,
    PUBCOMP,
    PUBREC,
    PUBREL,
    Ack,
    Disconnect,
    Packet,
    Publish,
)
from edge.mqtt.properties import Properties
from edge.mqtt.wire import V5
from gateway.downlink import Downlink
from tests.gateway.mqtt.clients import (
    BOTH,
    COMMANDS,
    OWN,
    Client,
    broker,
    lasting,
    published,
    telemetry,
)

OTHER = b'{"metrics":{"other":2}}'


def commanded(version: int, downlink: Downlink) -> tuple[Client, Publish]:
    """Return a client that was sent a command and has not answered it, and what it was sent."""
    client = Client(broker(), version)
    client.send(lasting(version))
    client.subscribe(COMMANDS)
    client.broker.house.entrance.downlinks.deliver(downlink)
    (sent,) = published(client.received())
    return client, sent


def is_sent_away(client: Client, answers: list[Packet]) -> bool:
    """Say whether a client was sent away, and see that it was told why."""
    codes = [each.code for each in answers if isinstance(each, Disconnect)]
    assert codes == ([0x82] if client.version == V5 and client.wire.is_closed else [])
    return client.wire.is_closed


@BOTH
@pytest.mark.parametrize(
    ("qos", "answers", "is_wrong"),
    [
        (1, (PUBACK,), False),
        (1, (PUBREC,), True),
        (1, (PUBCOMP,), True),
        (2, (PUBACK,), True),
        (2, (PUBCOMP,), True),
        (2, (PUBREC, PUBACK), True),
        (2, (PUBREC, PUBREC, PUBCOMP), False),
    ],
)
def test_message_is_answered_as_its_qos_asks(
    version: int, qos: int, answers: tuple[int, ...], is_wrong: bool
) -> None:
    client, sent = commanded(version, Downlink("default", "d1", "commands/x", b"now", qos))
    assert sent.qos == qos

    heard = client.send(*(Ack(kind, sent.packet_id) for kind in answers))

    assert is_sent_away(client, heard) is is_wrong
    (session,) = client.broker.sessions
    assert len(session.inflight) == is_wrong


@pytest.mark.parametrize("kind", [PUBACK, PUBREC, PUBREL, PUBCOMP])
@pytest.mark.parametrize("code", [0x01, 0x92, 0x99, 0xFF])
def test_answer_has_a_code_of_its_kind(kind: int, code: int) -> None:
    client = Client(broker(), V5)
    client.send(lasting())

    heard = client.send(Ack(kind, 7, code))

    known = {PUBACK: 0x99, PUBREC: 0x99, PUBREL: 0x92, PUBCOMP: 0x92}
    assert is_sent_away(client, heard) is (code != known[kind])


@BOTH
def test_packet_id_that_is_used_for_another_message_is_no_repetition(version: int) -> None:
    """A device that lost its memory begins at 1 again; what it says is not to be lost."""
    one = broker()
    first = Client(one, version)
    first.send(lasting(version))
    assert first.send(telemetry(1, qos=2)) == [Ack(PUBREC, 1)]
    first.connection.lost()

    again = Client(one, version)
    again.send(lasting(version))
    assert again.send(telemetry(1, OTHER, qos=2)) == [Ack(PUBREC, 1)]
    assert again.send(telemetry(1, OTHER, qos=2)._replace(dup=True)) == [Ack(PUBREC, 1)]
    assert again.send(Ack(PUBREL, 1)) == [Ack(PUBCOMP, 1)]

    values = [taken.value for taken in one.house.outlet.taken]
    assert values == [telemetry().payload, OTHER]


@BOTH
def test_packet_id_of_a_message_without_its_answer_is_no_others(version: int) -> None:
    client = Client(broker(), version)
    client.send(lasting(version))
    client.broker.house.outlet.is_held = True

    heard = client.send(telemetry(1, qos=2), telemetry(1, OTHER, qos=2))

    assert is_sent_away(client, heard)
    assert len(client.broker.house.outlet.taken) == 1


def test_message_that_is_heard_at_once_has_all_of_its_time() -> None:
    client = Client(broker(), V5)
    client.send(lasting())
    client.subscribe(OWN)

    said = Publish("devices/d1/x", b"1", properties=Properties(message_expiry_s=60))
    (heard,) = published(client.send(said))

    assert heard.properties.message_expiry_s == 60


@BOTH
def test_command_may_be_good_for_longer_than_5_can_say(version: int) -> None:
    until = time.time() + 2.0**40

    _, heard = commanded(version, Downlink("default", "d1", "commands/x", b"1", expires_at=until))

    assert heard.properties.message_expiry_s == (0xFFFF_FFFF if version == V5 else None)

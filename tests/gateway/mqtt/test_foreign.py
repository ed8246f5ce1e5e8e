"""Foreign topics over MQTT: what a rule makes a message of, leaves out, or cannot read."""

import pytest

from edge.mqtt.packets import PUBACK, Ack, Publish, Will
from edge.mqtt.wire import V5
from gateway.limits import Rate
from gateway.rules import read_rules
from tests.gateway.entrances import house
from tests.gateway.mqtt.clients import BOTH, Broker, Client, broker

RULES = read_rules(
    b"""{"rules": [{"name": "plugs", "topic": "tele/+/SENSOR",
    "metrics": {"power": {"path": "ENERGY.Power"}},
    "where": [{"path": "ENERGY.Power", "op": ">=", "value": 0}]}]}"""
)
TOPIC = "tele/p1/SENSOR"


def client(version: int, rate: Rate | None = None) -> Client:
    one = house(is_anonymous=True, device_rate=rate)
    one.entrance.rules = RULES
    made = Client(Broker(one), version)
    made.connect()
    return made


def said(payload: bytes, packet_id: int = 1) -> Publish:
    return Publish(TOPIC, payload, 1, packet_id)


@BOTH
def test_what_a_rule_cannot_read_is_kept_with_its_topic_and_reason(version: int) -> None:
    device = client(version)

    (answer,) = device.send(said(b"rubbish"))

    assert isinstance(answer, Ack)
    assert answer.code == (0x99 if version == V5 else 0)
    assert not device.wire.is_closed
    (dead,) = device.broker.house.outlet.taken
    assert (dead.topic, dead.key, dead.value) == ("telemetry.dead", b"d1", b"rubbish")
    assert (dead.headers["reason"], dead.headers["topic"]) == (b"undecodable", TOPIC.encode())
    assert b"plugs" in dead.headers["text"]
    counters = device.broker.house.entrance.counters
    assert counters.value("rejected", reason="undecodable") == 1


@BOTH
def test_message_without_the_rules_fields_is_kept_as_well(version: int) -> None:
    device = client(version)
    device.broker.house.entrance.rules = read_rules(
        b'{"rules": [{"name": "a", "topic": "tele/#", "metrics": {"x": {"path": "y"}}}]}'
    )
    device.send(said(b"{}"))
    assert [taken.topic for taken in device.broker.house.outlet.taken] == ["telemetry.dead"]


def test_rubbish_has_its_limit() -> None:
    device = client(V5, Rate(1.0, 1.0))
    answers = device.send(said(b"rubbish", 1), said(b"rubbish", 2))
    assert [each.code for each in answers if isinstance(each, Ack)] == [0x99, 0x97]


@BOTH
def test_what_a_condition_leaves_out_is_acknowledged_and_no_refusal(version: int) -> None:
    device = client(version)
    (answer,) = device.send(said(b'{"ENERGY":{"Power":-1}}'))
    assert answer == Ack(PUBACK, 1)
    counters = device.broker.house.entrance.counters
    assert counters.value("filtered") == 1
    assert "rejected_total{" not in counters.exposition()


WILLS = read_rules(
    b"""{"rules": [
    {"name": "gone", "topic": "tele/+/LWT", "device": 2, "to": "uplink", "payload": "message"},
    {"name": "plugs", "topic": "tele/+/STATE", "device": 2, "metrics": {"on": {"path": "On"}},
     "where": [{"path": "On", "op": ">=", "value": 0}]}]}"""
)


def left(version: int, topic: str, payload: bytes) -> tuple[Client, int]:
    """Have a client with a will on a foreign topic come and go; return how it was answered."""
    one = broker()
    one.house.entrance.rules = WILLS
    client = Client(one, version)
    answer = client.connect(will=Will(topic, payload, 1))
    client.connection.lost()
    one.settle()
    return client, answer.code


@BOTH
@pytest.mark.parametrize(
    ("topic", "payload", "taken"),
    [
        ("tele/d1/LWT", b"Offline", [("uplink", b"d1", b"Offline")]),
        ("tele/d1/STATE", b'{"On":0}', [("telemetry", b"d1", b'{"v":1,"metrics":{"on":0}}')]),
        ("tele/d1/STATE", b'{"On":-1}', []),
        ("tele/d1/STATE", b"Offline", [("telemetry.dead", b"d1", b"Offline")]),
    ],
)
def test_will_on_a_foreign_topic_goes_as_its_rule_says(
    version: int, topic: str, payload: bytes, taken: list[tuple[str, bytes, bytes]]
) -> None:
    client, code = left(version, topic, payload)

    outlet, ingest = client.broker.house.outlet, client.broker.house.entrance.ingest
    assert code == 0
    assert [(each.topic, each.key, each.value) for each in outlet.taken] == taken
    page = ingest.account.page
    assert (page.taken, page.acknowledged) == (len(taken), len(taken))


@BOTH
@pytest.mark.parametrize("topic", ["tele/d2/LWT", "stat/d1/LWT", "devices/d2/telemetry"])
def test_will_that_no_rule_lets_the_device_leave_is_refused_at_the_door(
    version: int, topic: str
) -> None:
    client, code = left(version, topic, b"Offline")

    assert code == (0x87 if client.version == V5 else 5)
    assert client.broker.house.outlet.taken == []
    counters = client.broker.house.entrance.counters
    assert counters.value("connect_refusals", protocol="mqtt", reason="will") == 1

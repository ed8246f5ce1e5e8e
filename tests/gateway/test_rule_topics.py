"""Topics of rules: each that a rule may have is asked, below a device too; others are refused."""

import asyncio
import time

import orjson
import pytest

from edge.mqtt.packets import Ack, Publish, Subscribe, Subscription, Will
from edge.mqtt.wire import V5
from gateway.coap.foreign import ingest_foreign
from gateway.entrance import Foreign
from gateway.identity import Identity
from gateway.outcome import Rejected
from gateway.rules import Rule, RuleError, read_rules
from tests.gateway.bridge.brokers import routes
from tests.gateway.entrances import MESSAGE, NOW_US, House, house
from tests.gateway.mqtt.clients import BOTH, Broker, Client, published, telemetry

SENSOR = "devices/d1/sensor"
BODY = b'{"P":5}'
MADE = b'{"v":1,"metrics":{"power":5}}'


def rules(topic: str, **more: object) -> tuple[Rule, ...]:
    said = {"name": "r", "topic": topic, "metrics": {"power": {"path": "P"}}} | more
    return read_rules(orjson.dumps({"rules": [said]}))


def client(topic: str, version: int = V5, name: str = "d1", **more: object) -> Client:
    one = house(is_anonymous=True)
    one.entrance.go_by(rules(topic, **more))
    made = Client(Broker(one), version)
    made.connect(device=name)
    return made


def landed(client: Client) -> list[tuple[str, bytes, bytes]]:
    return [(each.topic, each.key, each.value) for each in client.broker.house.outlet.taken]


@BOTH
def test_rule_below_a_device_is_asked(version: int) -> None:
    device = client("devices/+/sensor", version)

    answers = device.send(Publish(SENSOR, BODY, 1, 1), telemetry(2))

    assert [each.code for each in answers if isinstance(each, Ack)] == [0, 0]
    assert landed(device) == [("telemetry", b"d1", MADE), ("telemetry", b"d1", MESSAGE)]


@pytest.mark.parametrize("named", ["plug.p1", "p1"])
def test_device_is_named_below_its_root_by_either_name(named: str) -> None:
    device = client("devices/+/messages/#", name="plug.p1", product="plug", device=2)
    device.send(Publish(f"devices/{named}/messages/events/", BODY, 1, 1))
    assert landed(device) == [("telemetry", b"plug.p1", MADE)]


def test_rule_lets_nobody_speak_below_another_device() -> None:
    device = client("devices/+/sensor", device=2, speakers=["d1"])
    (answer,) = device.send(Publish("devices/d2/sensor", BODY, 1, 1))

    assert isinstance(answer, Ack)
    assert (answer.code, landed(device)) == (0x87, [])


def test_hub_speaks_for_others_below_itself_where_the_rule_says_so() -> None:
    device = client("devices/d1/sub/+", device=4, product="plug", speakers=["d1"])
    device.send(Publish("devices/d1/sub/p7", BODY, 1, 1))
    assert landed(device) == [("telemetry", b"plug.p7", MADE)]


@pytest.mark.parametrize("topic", ["#", "+/+/sensor", "+/#"])
def test_wildcard_for_the_root_takes_nothing_below_devices(topic: str) -> None:
    device = client(topic)
    device.send(telemetry(1), Publish(SENSOR, BODY, 1, 2), Publish("x/d1/sensor", BODY, 1, 3))
    assert [topic for topic, _, _ in landed(device)] == ["telemetry", "uplink", "telemetry"]


def test_rule_that_comes_while_a_device_sends_holds_from_its_next_message() -> None:
    one = house(is_anonymous=True)
    device = Client(Broker(one))
    device.connect()
    for packet_id in (1, 2):
        device.send(Publish(SENSOR, BODY, 1, packet_id))

    one.entrance.go_by(rules("devices/+/sensor"))
    device.send(Publish(SENSOR, BODY, 1, 3))
    one.entrance.go_by(())
    device.send(Publish(SENSOR, BODY, 1, 4))

    assert [topic for topic, _, _ in landed(device)] == ["uplink", "uplink", "telemetry", "uplink"]


@BOTH
def test_sessions_of_the_device_hear_what_it_said_and_what_is_retained(version: int) -> None:
    device = client("devices/+/sensor", version)
    device.subscribe("devices/d1/sensor")
    heard = published(device.send(Publish(SENSOR, BODY, 1, 1, retain=True)))
    unread = published(device.send(Publish(SENSOR, b"rubbish", 1, 2)))
    other = Client(device.broker, version)
    other.connect("c2")
    kept = published(other.send(Subscribe(9, (Subscription(SENSOR, 1),))))

    assert [each.payload for each in heard] == [BODY]
    assert unread == []
    assert [each.payload for each in kept] == [BODY]
    assert [topic for topic, _, _ in landed(device)] == ["telemetry", "telemetry.dead"]


@BOTH
def test_will_below_a_device_goes_by_its_rule_and_to_its_sessions(version: int) -> None:
    device = client("devices/+/sensor", version)
    device.subscribe("devices/d1/sensor")
    leaver = Client(device.broker, version)
    leaver.connect("c2", will=Will(SENSOR, BODY, 1))
    leaver.connection.lost()
    device.broker.settle()

    assert landed(device) == [("telemetry", b"d1", MADE)]
    assert [each.payload for each in published(device.received())] == [BODY]


@pytest.mark.parametrize("topic", ["devices/d2/sensor", "devices/d1/rejects", "devices/d1"])
def test_will_of_another_device_is_refused_whatever_rules_say(topic: str) -> None:
    one = house(is_anonymous=True)
    one.entrance.go_by(rules("devices/+/sensor", device=2, speakers=["d1"]))
    assert Client(Broker(one), V5).connect(will=Will(topic, BODY, 1)).code == 0x87


def by_coap(one: House, topic: str, payload: bytes) -> Rejected | None:
    said = Foreign(Identity("default", "d1", "local/test"), topic, payload, "coap")

    async def asked() -> Rejected | None:
        asking = asyncio.ensure_future(ingest_foreign(one.entrance, said, now=NOW_US))
        while not asking.done():
            await asyncio.sleep(0)
            one.outlet.poll()
        return await asking

    return asyncio.run(asked())


def test_rule_below_a_device_is_asked_over_coap() -> None:
    one = house()
    one.entrance.go_by(rules("devices/+/sensor"))

    assert by_coap(one, SENSOR, BODY) is None
    refused = by_coap(one, SENSOR, b"rubbish")

    assert refused is not None
    assert (refused.reason, refused.is_kept) == ("undecodable", True)
    assert [each.topic for each in one.outlet.taken] == ["telemetry", "telemetry.dead"]
    page = one.entrance.ingest.account.page
    assert (page.taken, page.acknowledged) == (2, 2)
    assert one.entrance.counters.value("accepted", protocol="coap") == 1


def test_rule_over_coap_is_answered_in_time_where_the_store_decides_nothing() -> None:
    one = house()
    one.outlet.is_held = True
    one.entrance.ingest.decided_within_s = 0.05
    one.entrance.go_by(rules("devices/+/sensor"))

    began = time.monotonic()
    refused = by_coap(one, SENSOR, BODY)

    assert refused is not None
    assert (refused.reason, refused.retry_after_s) == ("unavailable", 5.0)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("topic", ["devices/plug.p1/messages/events/", "devices/p1/messages"])
def test_rule_below_a_device_is_asked_of_a_broker(topic: str) -> None:
    one = house()
    found = routes(one)
    found.rules = rules("devices/+/messages/#", device=2, product="plug")

    assert found.publish(topic, BODY, now=NOW_US, settle=lambda *_: None) is None
    assert [(each.topic, each.key) for each in one.outlet.taken] == [("telemetry", b"plug.p1")]


@pytest.mark.parametrize(
    ("topic", "words"),
    [
        ("devices/#", "all topics but telemetry, rejects, receipts"),
        ("devices/+/#", "all topics but telemetry"),
        ("devices/+/+", "all topics but telemetry"),
        ("devices/d1/telemetry", "all topics but telemetry"),
        ("devices/+/rejects", "all topics but telemetry"),
        ("devices/+", "all topics but telemetry"),
        ("devices/d1", "all topics but telemetry"),
        ("devices/", "all topics but telemetry"),
        ("$share/group/tele/#", r"without \$share"),
        ("tele/#/x", "no topic filter"),
        ("", "empty"),
    ],
)
def test_topic_that_would_never_be_asked_is_refused_with_those_that_would(
    topic: str, words: str
) -> None:
    with pytest.raises(RuleError, match=words):
        rules(topic)


@pytest.mark.parametrize("topic", ["devices/+/telemetry/raw", "devices/+/twin/#", "devices", "#"])
def test_other_topics_are_taken(topic: str) -> None:
    assert rules(topic)[0].topic == topic


def test_level_that_no_topic_has_is_refused() -> None:
    with pytest.raises(RuleError, match="device is level 4 of a topic that has 3"):
        rules("tele/+/SENSOR", device=4)
    assert rules("tele/#", device=4)

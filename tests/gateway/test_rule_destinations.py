"""Rules whose messages go to a Kafka topic that is not Headwater's own."""

import time
from pathlib import Path

import orjson
import pytest
from confluent_kafka import KafkaError

from edge.mqtt.packets import Ack, Publish
from edge.mqtt.wire import V5
from gateway.account import Account
from gateway.counters import Counters
from gateway.fallback import FallbackOutlet
from gateway.outlet import OutletError
from gateway.rules import Rule, read_rules
from tests.gateway.bridge.brokers import routes
from tests.gateway.entrances import NOW_US, House, house
from tests.gateway.mqtt.clients import Broker, Client
from tests.gateway.test_fallback import Answers, FakeKafka

BODY = b'{"P":5}'
TOPIC = "tele/d1/SENSOR"
MISSING = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)


def rules(**more: object) -> tuple[Rule, ...]:
    said: dict[str, object] = {"name": "plugs", "topic": "tele/+/SENSOR", "device": 2}
    fields = {"metrics": {"power": {"path": "P"}}}
    told = said | {"to": "plugs.raw"} | (more or fields)
    return read_rules(orjson.dumps({"rules": [told]}))


def client(one: House, **more: object) -> Client:
    one.entrance.go_by(rules(**more))
    made = Client(Broker(one), V5)
    made.connect()
    return made


@pytest.mark.parametrize(
    ("more", "payload", "value"),
    [
        ({}, BODY, b'{"v":1,"metrics":{"power":5}}'),
        ({"payload": "message"}, b"\xff\xd8 picture", b"\xff\xd8 picture"),
    ],
)
def test_rule_names_the_kafka_topic(more: dict[str, object], payload: bytes, value: bytes) -> None:
    one = house(is_anonymous=True)

    (answer,) = client(one, **more).send(Publish(TOPIC, payload, 1, 1))

    assert isinstance(answer, Ack)
    assert answer.code == 0
    (taken,) = one.outlet.taken
    assert (taken.topic, taken.key, taken.value) == ("plugs.raw", b"d1", value)
    assert taken.headers["tenant"] == b"default"
    assert taken.headers["channel"] == b"plugs"
    assert "gateway" not in taken.headers


def test_account_knows_nothing_of_what_no_job_counts() -> None:
    one = house(is_anonymous=True)
    device = client(one)
    device.send(Publish(TOPIC, BODY, 1, 1))
    one.outlet.error = MISSING
    device.send(Publish(TOPIC, BODY, 1, 2))

    page = one.entrance.ingest.account.page
    assert (page.taken, page.acknowledged) == (0, 0)


def test_page_that_began_a_record_is_the_one_that_leaves_it_out() -> None:
    account = Account("g1", NOW_US)
    page = account.page
    settle = account.uncounted(lambda *_: None)
    account.due(NOW_US + 3_600_000_000, {})

    settle(None, None)

    assert (page.acknowledged, account.page.acknowledged) == (-1, 0)


def test_refusal_says_that_the_topic_is_not_there() -> None:
    one = house(is_anonymous=True)
    one.outlet.error = MISSING

    (answer,) = client(one).send(Publish(TOPIC, BODY, 1, 1))

    assert isinstance(answer, Ack)
    assert answer.code == 0x83
    assert "Unknown topic" in (answer.properties.reason or "")


def test_bridge_writes_to_it_as_well() -> None:
    one = house()
    found = routes(one)
    found.rules = rules()
    told: list[object] = []

    assert (
        found.publish(TOPIC, BODY, now=NOW_US, settle=lambda error, _: told.append(error)) is None
    )
    one.outlet.poll()

    assert told == [None]
    assert [(each.topic, each.key) for each in one.outlet.taken] == [("plugs.raw", b"d1")]
    page = one.entrance.ingest.account.page
    assert (page.taken, page.acknowledged) == (0, 0)


def test_topic_that_is_not_there_sends_nobody_to_the_spool(tmp_path: Path) -> None:
    kafka, answers = FakeKafka(error=MISSING), Answers()
    outlet = FallbackOutlet(kafka, tmp_path, Counters(), most_bytes=1_000_000)

    outlet.send("plugs.raw", b"d1", BODY, {}, answers.settle)
    outlet.poll()
    assert answers.told == [MISSING]
    assert not outlet.is_spooling

    kafka.is_away = True
    with pytest.raises(OutletError):
        outlet.send("plugs.raw", b"d1", BODY, {}, answers.settle)
    outlet.send("telemetry", b"d1", BODY, {}, answers.settle)
    give_up = time.monotonic() + 10
    while len(answers.told) < 2 and time.monotonic() < give_up:
        outlet.poll()
    with pytest.raises(OutletError):
        outlet.send("plugs.raw", b"d1", BODY, {}, answers.settle)
    assert answers.told == [MISSING, None]
    assert outlet.close(5) == 0

"""Where a broker's messages go: by their topics, to their devices or to `telemetry.dead`."""

import pytest
from confluent_kafka import KafkaError

from gateway.bridge.routes import MOST_KEPT_BYTES
from gateway.outcome import Rejected
from gateway.rules import read_rules
from telemetry.changes import DeviceBody
from telemetry.devices import Device
from tests.gateway.bridge.brokers import routes
from tests.gateway.entrances import EDITIONS, MESSAGE, NOW_US, House, enrol, house
from tests.gateway.outlets import Taken

RULES = b"""{"rules": [
  {"name": "plugs", "topic": "tele/+/SENSOR", "product": "plug", "device": 2,
   "metrics": {"power": {"path": "P"}}, "where": [{"path": "P", "op": ">=", "value": 0}]},
  {"name": "own", "topic": "site/+/up", "device": 2, "payload": "message"},
  {"name": "states", "topic": "stat/+/#", "device": 2, "payload": "message", "to": "uplink"},
  {"name": "raw", "topic": "raw/+", "device": 2, "payload": "message", "to": "raws"}]}"""


def settled(
    one: House, topic: str, payload: bytes = MESSAGE, *, tenant: str = "default"
) -> tuple[object, Taken | None]:
    """Publish, and return what it was settled with and the record, if there is one."""
    found = routes(one, tenant=tenant)
    found.rules = read_rules(RULES)
    told: list[object] = []
    refusal = found.publish(topic, payload, now=NOW_US, settle=lambda error, _: told.append(error))
    assert refusal is None
    one.outlet.poll()
    (answer,) = told
    return answer, one.outlet.taken[-1] if one.outlet.taken else None


def test_topic_names_the_device() -> None:
    one = house()
    answer, taken = settled(one, "devices/meter.m1/telemetry", tenant="acme")

    assert answer is None
    assert taken == Taken(
        "telemetry",
        b"meter.m1",
        MESSAGE,
        {
            "tenant": b"acme",
            "product": b"meter",
            "device": b"m1",
            "received_at": b"%d" % NOW_US,
            "protocol": b"bridge",
            "content_type": b"application/json",
            "gateway": one.entrance.ingest.account.page.name,
        },
    )


def test_rule_makes_a_message_of_a_foreign_payload() -> None:
    answer, taken = settled(house(), "tele/p1/SENSOR", b'{"P":5}')

    assert answer is None
    assert taken is not None
    assert (taken.topic, taken.key) == ("telemetry", b"plug.p1")
    assert taken.value == b'{"v":1,"metrics":{"power":5}}'


def test_message_on_a_foreign_topic_is_of_whom_the_rule_says() -> None:
    _, taken = settled(house(), "site/d7/up")

    assert taken is not None
    assert (taken.topic, taken.key, taken.value) == ("telemetry", b"d7", MESSAGE)


def test_what_is_no_reading_goes_to_uplink_as_it_came() -> None:
    one = house()
    answer, taken = settled(one, "stat/d7/RESULT", b"\xff no message")
    _, reading = settled(one, "site/d7/up")

    assert answer is None
    assert taken is not None
    assert reading is not None
    assert (taken.topic, taken.key, taken.value) == ("uplink", b"d7", b"\xff no message")
    assert taken.headers["channel"] == b"states"
    assert reading.topic == "telemetry"


def test_what_a_rule_leaves_out_is_counted() -> None:
    one = house()
    answer, taken = settled(one, "tele/p1/SENSOR", b'{"P":-5}')

    assert (answer, taken) == (None, None)
    assert one.entrance.counters.value("filtered") == 1
    page = one.entrance.ingest.account.page
    assert (page.taken, page.acknowledged) == (0, 0)


def test_page_counts_what_is_durable_once() -> None:
    one = house()
    settled(one, "devices/meter.m1/telemetry")
    settled(one, "devices/meter.m1/telemetry", b"rubbish")

    page = one.entrance.ingest.account.page
    assert (page.taken, page.acknowledged) == (2, 2)


@pytest.mark.parametrize(
    ("topic", "payload", "reason", "key"),
    [
        ("devices/d1/telemetry", b"rubbish", "undecodable", b"d1"),
        ("devices/d1/telemetry", b'{"device":"d2","metrics":{"a":1}}', "device_mismatch", b"d1"),
        ("devices/d1/telemetry", b" " * 300_000, "too_large", b"d1"),
        ("devices/d1/twin/reported", MESSAGE, "topic", b"topic/devices/d1/twin/reported"),
        ("devices/a b/telemetry", MESSAGE, "topic", b"topic/devices/a b/telemetry"),
        ("nobody/knows", MESSAGE, "topic", b"topic/nobody/knows"),
        ("tele/a b/SENSOR", b'{"P":5}', "not_authorised", b"topic/tele/a b/SENSOR"),
        ("tele/p1/SENSOR", b"P=5", "undecodable", b"topic/tele/p1/SENSOR"),
    ],
)
def test_what_cannot_land_is_kept_with_its_reason(
    topic: str, payload: bytes, reason: str, key: bytes
) -> None:
    one = house()
    answer, taken = settled(one, topic, payload)

    assert isinstance(answer, Rejected)
    assert (answer.reason, answer.is_kept) == (reason, True)
    assert taken is not None
    assert (taken.topic, taken.key, taken.value) == ("telemetry.dead", key, payload)
    assert taken.headers["reason"] == reason.encode()
    assert taken.headers["topic"] == topic.encode()
    assert one.entrance.counters.value("rejected", reason=reason) == 1


def test_what_kafka_would_not_take_is_kept_in_part() -> None:
    _, taken = settled(house(), "devices/d1/telemetry", b"x" * (MOST_KEPT_BYTES + 1))

    assert taken is not None
    assert len(taken.value) == MOST_KEPT_BYTES
    assert b"the first 1,048,576 are kept" in taken.headers["text"]


def test_message_whose_kafka_topic_is_not_there_is_kept_apart_and_holds_up_nothing() -> None:
    one = house()
    found = routes(one)
    found.rules = read_rules(RULES)
    told: list[object] = []
    found.publish("raw/d1", b"\xff", now=NOW_US, settle=lambda error, _: told.append(error))

    (settle,) = one.outlet.waiting
    one.outlet.waiting.clear()
    settle(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART), None)
    one.outlet.poll()

    (answer,) = told
    assert isinstance(answer, Rejected)
    assert (answer.reason, answer.is_kept) == ("topic", True)
    taken = one.outlet.taken[-1]
    assert (taken.topic, taken.value) == ("telemetry.dead", b"\xff")
    assert taken.headers["topic"] == b"raw/d1"
    assert taken.headers["text"] == b"Kafka has no topic raws, where rule raw sends it"
    page = one.entrance.ingest.account.page
    assert (page.taken, page.acknowledged) == (1, 1)


def test_message_that_kafka_does_not_take_for_another_reason_is_tried_again() -> None:
    one = house()
    found = routes(one)
    found.rules = read_rules(RULES)
    told: list[object] = []
    one.outlet.error = KafkaError(KafkaError._MSG_TIMED_OUT)
    found.publish("raw/d1", b"\xff", now=NOW_US, settle=lambda error, _: told.append(error))
    one.outlet.poll()

    assert told == [one.outlet.error]


def test_unknown_device_is_landings_to_judge_and_a_disabled_one_is_kept_apart() -> None:
    one = house()
    enrol(one.directory, "meter.on")
    body = DeviceBody(Device("meter.off"), is_disabled=True)
    one.directory.apply(EDITIONS.change("device", "meter.off", body))

    for device, topic in (("new", "telemetry"), ("on", "telemetry"), ("off", "telemetry.dead")):
        _, taken = settled(one, f"devices/meter.{device}/telemetry")
        assert taken is not None
        assert taken.topic == topic


def test_device_of_another_tenant_is_not_touched() -> None:
    one = house()
    body = DeviceBody(Device("meter.off", tenant="acme"), is_disabled=True)
    one.directory.apply(EDITIONS.change("device", "meter.off", body, tenant="acme"))

    _, taken = settled(one, "devices/meter.off/telemetry")
    assert taken is not None
    assert (taken.topic, taken.headers["tenant"]) == ("telemetry", b"default")


def test_store_that_is_away_is_no_refusal_that_is_kept() -> None:
    one = house()
    one.outlet.is_away = True

    refusal = routes(one).publish(
        "devices/d1/telemetry", MESSAGE, now=NOW_US, settle=lambda *_: None
    )

    assert isinstance(refusal, Rejected)
    assert (refusal.reason, refusal.is_kept) == ("unavailable", False)


def test_change_of_a_device_is_known_at_once() -> None:
    one = house()
    found = routes(one)
    one.directory.on_change = lambda _change: found.forget()
    for durability in ("industrial", "consumer"):
        body = DeviceBody(Device("meter.m1", durability=durability))
        one.directory.apply(EDITIONS.change("device", "meter.m1", body))
        made = found._channel("meter.m1", "telemetry", "application/json")
        assert made.identity.durability == durability

"""What a client publishes: when it is answered, and with what."""

import orjson
import pytest

from edge.mqtt.packets import (
    PUBACK,
    PUBCOMP,
    PUBREC,
    PUBREL,
    Ack,
    Publish,
)
from edge.mqtt.wire import V5, V311
from gateway.limits import Rate
from telemetry.encodings import encode_compact
from tests.gateway.entrances import MESSAGE, NOW_US, house
from tests.gateway.mqtt.clients import BOTH, TOPIC, Broker, Client, telemetry


def broker(**options: object) -> Broker:
    return Broker(house(is_anonymous=True, **options))  # type: ignore[arg-type]


@BOTH
def test_puback_goes_out_only_once_the_outlet_has_settled(version: int) -> None:
    client = Client(broker(), version)
    client.connect()
    client.broker.house.outlet.is_held = True

    assert client.send(telemetry(7)) == []
    assert client.broker.house.outlet.taken[0].value == MESSAGE

    client.broker.house.outlet.is_held = False
    client.broker.settle()
    assert client.received() == [Ack(PUBACK, 7)]


@BOTH
def test_pubacks_go_out_in_the_order_of_the_messages(version: int) -> None:
    client = Client(broker(), version)
    client.connect()
    outlet = client.broker.house.outlet
    outlet.is_held = True
    client.send(telemetry(1), telemetry(2), telemetry(3))

    for settle in reversed(outlet.waiting):
        settle(None, None)

    assert client.received() == [Ack(PUBACK, 1), Ack(PUBACK, 2), Ack(PUBACK, 3)]


@BOTH
def test_record_is_stamped_with_who_sent_it_and_when(version: int) -> None:
    client = Client(broker(), version)
    client.connect(device="meter.m1")
    # The second one takes the short way.
    for number in (1, 2):
        client.send(Publish("devices/m1/telemetry", MESSAGE, 1, number), now=NOW_US + number)

    first, second = client.broker.house.outlet.taken
    assert first.topic == "telemetry"
    assert first.key == b"meter.m1"
    assert first.headers == {
        "tenant": b"default",
        "product": b"meter",
        "device": b"m1",
        "received_at": b"%d" % (NOW_US + 1),
        "protocol": b"mqtt",
        "content_type": b"application/json",
        "gateway": client.broker.house.entrance.ingest.account.page.name,
    }
    assert second.headers == first.headers | {"received_at": b"%d" % (NOW_US + 2)}


@BOTH
def test_qos_2_is_published_once_however_often_it_comes(version: int) -> None:
    client = Client(broker(), version)
    client.connect()

    assert client.send(telemetry(5, qos=2)) == [Ack(PUBREC, 5)]
    assert client.send(telemetry(5, qos=2)._replace(dup=True)) == [Ack(PUBREC, 5)]
    assert client.send(Ack(PUBREL, 5)) == [Ack(PUBCOMP, 5)]
    assert len(client.broker.house.outlet.taken) == 1

    client.send(telemetry(5, qos=2))
    assert len(client.broker.house.outlet.taken) == 2


@BOTH
def test_store_that_is_away_never_gets_an_acknowledgement(version: int) -> None:
    client = Client(broker(), version)
    client.connect()
    client.broker.house.outlet.is_away = True

    answers = client.send(telemetry())

    if version == V5:
        assert isinstance(answers[0], Ack)
        assert answers[0].code == 0x83
        assert "(away); send it again" in str(answers[0].properties.reason)
        assert "retry after" in str(answers[0].properties.reason)
    else:
        assert answers == []
        assert client.wire.is_closed


@BOTH
def test_message_that_is_lost_on_its_way_is_refused(version: int) -> None:
    client = Client(broker(), version)
    client.connect()
    client.send(telemetry())
    client.broker.house.outlet.error = "timed out"

    answers = client.send(telemetry())

    assert all(isinstance(answer, Ack) and answer.code == 0x83 for answer in answers)
    assert client.wire.is_closed is (version == V311)


@BOTH
@pytest.mark.parametrize("value", [b"rubbish", b'{"boot":"k:1","seq":1,"metrics":{"a":1}}'])
def test_rubbish_is_kept_and_refused_with_its_reason(version: int, value: bytes) -> None:
    client = Client(broker(), version)
    client.connect()
    client.subscribe("devices/d1/rejects", qos=0)

    receipt, answer = client.send(telemetry(3, value))

    dead = client.broker.house.outlet.taken[0]
    assert (dead.topic, dead.value, dead.headers["reason"]) == (
        "telemetry.dead",
        value,
        b"undecodable",
    )
    assert isinstance(receipt, Publish)
    told = orjson.loads(receipt.payload)
    assert (told["topic"], told["reason"], told["packet_id"]) == (TOPIC, "undecodable", 3)
    assert isinstance(answer, Ack)
    assert answer.code == (0x99 if version == V5 else 0)


@BOTH
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_what_is_accepted_is_counted_and_nothing_else(version: int, qos: int) -> None:
    client = Client(broker(), version)
    client.connect()

    # The last two come together, by the short way where it is one.
    client.send(telemetry(1, qos=qos))
    client.send(telemetry(2, b"rubbish", qos=qos))
    client.send(telemetry(3, qos=qos), telemetry(4, qos=qos))

    counters = client.broker.house.entrance.counters
    assert counters.value("accepted", protocol="mqtt") == 3
    assert 'headwater_gateway_accepted_total{protocol="mqtt"} 3' in counters.exposition()


def test_device_that_no_receipt_was_asked_for_gets_none() -> None:
    client = Client(broker())
    client.connect()

    assert client.send(telemetry(3, b"rubbish")) == [Ack(PUBACK, 3)]


@pytest.mark.parametrize("topic", ["devices/d2/telemetry", "$SYS/x", "a", "devices/d1/rejects"])
def test_topics_of_others_are_not_published_to(topic: str) -> None:
    client = Client(broker(), V5)
    client.connect()

    (answer,) = client.send(Publish(topic, MESSAGE, 1, 4))

    assert isinstance(answer, Ack)
    assert answer.code == 0x87
    assert client.broker.house.outlet.taken == []


def test_limit_is_named_with_the_time_to_try_again() -> None:
    client = Client(broker(device_rate=Rate(1.0, 1.0)), V5)
    client.connect()
    client.subscribe("devices/d1/rejects", qos=0)

    receipt, accepted, refusal = client.send(telemetry(1), telemetry(2))

    assert accepted == Ack(PUBACK, 1)
    assert isinstance(receipt, Publish)
    told = orjson.loads(receipt.payload)
    assert (told["reason"], told["limit"], told["retry_after_s"]) == ("rate", "device", 1.0)
    assert isinstance(refusal, Ack)
    assert refusal.code == 0x97
    assert "limit device; retry after 1.000 s" in str(refusal.properties.reason)


THREE = {
    "list": b"[" + b",".join([MESSAGE] * 3) + b"]",
    "compact": encode_compact(
        [(NOW_US + second, {"a": 1.5}) for second in range(3)], {"a": 1}, boot="b", seq=1
    ),
}


@pytest.mark.parametrize("form", THREE)
def test_record_of_many_messages_costs_as_many(form: str) -> None:
    client = Client(broker(device_rate=Rate(1.0, 4.0)), V5)
    client.connect()

    answers = client.send(telemetry(1, THREE[form]), telemetry(2), telemetry(3))

    assert [answer.code for answer in answers if isinstance(answer, Ack)] == [0, 0, 0x97]


def test_list_larger_than_the_burst_passes_a_full_bucket_alone() -> None:
    client = Client(broker(device_rate=Rate(1.0, 2.0)), V5)
    client.connect()

    answers = client.send(telemetry(1, THREE["list"]), telemetry(2))

    assert [answer.code for answer in answers if isinstance(answer, Ack)] == [0, 0x97]

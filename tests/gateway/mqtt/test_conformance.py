"""What MQTT 5 asks of a server in its corners: maxima of the client, properties, wills, quotas."""

import pytest

from edge.mqtt.encoding import encode
from edge.mqtt.packets import (
    PUBACK,
    Ack,
    Answer,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Publish,
    Subscribe,
    Subscription,
    Will,
)
from edge.mqtt.properties import Properties
from edge.mqtt.wire import V5
from gateway.downlink import Downlink
from gateway.mqtt.sessions import MOST_SESSIONS_OF_DEVICE
from gateway.mqtt.subscribing import MOST_SUBSCRIPTIONS
from tests.gateway.entrances import house
from tests.gateway.mqtt.clients import COMMANDS, TOPIC, Broker, Client, broker, published, telemetry


def connect(*, clean: bool = False, will: Will | None = None, **properties: int) -> Connect:
    given = Properties(**{"session_expiry_s": 60, **properties})  # type: ignore[arg-type]
    return Connect(V5, "c1", clean, username="d1", will=will, properties=given)


def left_with(one: Broker, *payloads: bytes) -> None:
    """Have a session that was sent commands and went away before it confirmed any."""
    client = Client(one, V5)
    client.send(connect())
    client.subscribe(COMMANDS, qos=1)
    for payload in payloads:
        one.house.entrance.downlinks.deliver(Downlink("default", "d1", "commands/x", payload))
    client.received()
    client.connection.lost()


def test_what_is_sent_again_keeps_to_a_smaller_receive_maximum() -> None:
    one = broker()
    left_with(one, b"1", b"2", b"3")
    client = Client(one, V5)

    seen = published(client.send(connect(receive_maximum=2)))
    assert [(each.payload, each.dup) for each in seen] == [(b"1", True), (b"2", True)]
    one.house.entrance.downlinks.deliver(Downlink("default", "d1", "commands/x", b"4"))
    assert client.received() == []

    (third,) = published(client.send(Ack(PUBACK, seen[0].packet_id)))
    assert (third.payload, third.dup) == (b"3", True)
    (fourth,) = published(client.send(Ack(PUBACK, seen[1].packet_id)))
    assert (fourth.payload, fourth.dup) == (b"4", False)


def test_what_is_sent_again_keeps_to_a_smaller_packet_size() -> None:
    one = broker()
    left_with(one, b"x" * 200, b"2")
    client = Client(one, V5)

    assert [p.payload for p in published(client.send(connect(maximum_packet_size=100)))] == [b"2"]
    assert one.house.entrance.counters.value("downlinks", channel="too_large") == 1


@pytest.mark.parametrize("spare", [0, 2, 3])
def test_alias_does_not_make_a_message_too_large(spare: int) -> None:
    whole = len(encode(Publish("devices/d1/commands/x", b"now", 0), V5))
    client = Client(broker(), V5)
    client.send(connect(maximum_packet_size=whole + spare, topic_alias_maximum=5))
    client.subscribe(COMMANDS, qos=0)

    client.broker.house.entrance.downlinks.deliver(
        Downlink("default", "d1", "commands/x", b"now", 0)
    )

    (heard,) = published(client.received())
    assert heard.topic == "devices/d1/commands/x"
    assert heard.properties.topic_alias == (1 if spare == 3 else None)


def test_reason_strings_keep_to_the_packet_size() -> None:
    client = Client(broker(), V5)
    client.send(connect(maximum_packet_size=40))

    (answer,) = client.send(telemetry(1, b"rubbish"))
    assert answer == Ack(PUBACK, 1, 0x99)
    client.connection.end("a long story of why this credential does no longer hold")
    assert client.received() == [Disconnect(0x87)]


def test_reason_of_a_refused_connect_keeps_to_the_packet_size() -> None:
    client = Client(broker(), V5)
    stranger = Connect(
        V5, "c", username="d1", will=Will("a", b""), properties=Properties(maximum_packet_size=20)
    )
    assert client.send(stranger) == [Connack(0x87)]


def test_clean_start_publishes_the_will_that_waits() -> None:
    one = broker()
    will = Will(TOPIC, b'{"metrics":{"gone":1}}', 1, properties=Properties(will_delay_s=30))
    first = Client(one, V5)
    first.send(connect(will=will))
    first.connection.lost()
    assert one.house.outlet.taken == []

    Client(one, V5).send(connect(clean=True))
    assert [taken.value for taken in one.house.outlet.taken] == [will.payload]


def test_session_that_must_go_for_another_leaves_its_will() -> None:
    one = broker()
    will = Will(TOPIC, b'{"metrics":{"gone":1}}', 1, properties=Properties(will_delay_s=30))
    first = Client(one, V5)
    first.send(connect(will=will))
    first.connection.lost()

    for number in range(MOST_SESSIONS_OF_DEVICE):
        assert one.house.outlet.taken == []
        Client(one, V5).connect(f"other{number}")

    assert [taken.value for taken in one.house.outlet.taken] == [will.payload]


def test_session_that_goes_on_has_no_will_of_before() -> None:
    one = broker()
    will = Will(TOPIC, b'{"metrics":{"gone":1}}', 1, properties=Properties(will_delay_s=30))
    first = Client(one, V5)
    first.send(connect(will=will))
    first.connection.lost()
    Client(one, V5).send(connect())
    assert one.house.outlet.taken == []


@pytest.mark.parametrize(
    "packet",
    [
        telemetry()._replace(properties=Properties(subscription_ids=(1,))),
        telemetry()._replace(properties=Properties(response_topic="devices/+/x")),
        Subscribe(1, (Subscription(COMMANDS, 1),), Properties(subscription_ids=(1, 2))),
    ],
)
def test_properties_that_no_client_may_send_end_the_connection(packet: Packet) -> None:
    client = Client(broker(), V5)
    client.send(connect())

    (answer,) = client.send(packet)

    assert isinstance(answer, Disconnect)
    assert answer.code == 0x82
    assert client.broker.house.outlet.taken == []


def test_filter_that_is_there_is_subscribed_again_at_the_most() -> None:
    client = Client(broker(), V5)
    client.send(connect())
    patterns = [f"devices/d1/commands/{number}" for number in range(MOST_SUBSCRIPTIONS)]
    client.subscribe(*patterns)

    again = client.subscribe(patterns[0], qos=0)
    more = client.subscribe(COMMANDS)

    assert isinstance(again, Answer)
    assert isinstance(more, Answer)
    assert (again.codes, more.codes) == ((0,), (0x97,))


def test_locked_out_client_is_told_for_how_long() -> None:
    one = Broker(house())
    stranger = Connect(V5, "c1", username="d1", password=b"wrong")
    for _ in range(40):
        (answer,) = Client(one, V5).send(stranger)

    assert isinstance(answer, Connack)
    assert answer.code == 0x86
    words = str(answer.properties.reason)
    assert words.startswith("locked_out: too many failed logins; limit logins; retry after ")

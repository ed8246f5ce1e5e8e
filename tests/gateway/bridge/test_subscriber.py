"""The bridge as a client: who it says it is, what it asks for, and when it gives up."""

import pytest

from edge.mqtt.packets import Answer, Connack, Connect, Disconnect, Packet, Subscribe, Unsubscribe
from edge.mqtt.properties import Properties
from edge.mqtt.wire import MqttError
from gateway.bridge.subscriber import SentAwayError
from tests.gateway.bridge.brokers import LOGIN, FakeBroker, publish
from tests.gateway.entrances import house


def test_bridge_asks_for_its_session_and_a_window() -> None:
    (connect,) = FakeBroker(house()).heard()

    assert isinstance(connect, Connect)
    assert (connect.client_id, connect.username, connect.password) == ("b1", "u", b"p")
    assert not connect.clean
    assert connect.properties.session_expiry_s == 60
    assert connect.properties.receive_maximum == 4


def test_bridge_subscribes_with_its_group_and_gives_up_what_is_outdated() -> None:
    broker = FakeBroker(house(), outdated=("$share/g/old",))
    broker.heard()
    broker.say(Connack(0))
    gone, wanted = broker.heard()

    assert isinstance(gone, Unsubscribe)
    assert gone.patterns == ("$share/g/old",)
    assert isinstance(wanted, Subscribe)
    assert [(each.pattern, each.qos) for each in wanted.subscriptions] == [(LOGIN.patterns[0], 1)]
    assert not broker.subscriber.is_subscribed
    broker.say(Answer(11, 2, (0,)), Answer(9, 1, (1,)))
    assert broker.subscriber.is_subscribed


@pytest.mark.parametrize(
    ("packet", "words"),
    [
        (Connack(0x86), "bad user name or password, code 0x86"),
        (Connack(0x88, properties=Properties(reason="later")), r"unavailable, code 0x88 \(later\)"),
        (Connack(0, properties=Properties(shared_available=0)), "no shared subscriptions"),
        (Answer(9, 1, (0x9E,)), "no subscription to .*shared subscriptions"),
        (Answer(9, 1, (0,)), "QoS 0 only"),
        (Disconnect(0x8E), "client id of its own"),
    ],
)
def test_refusal_is_told_in_words(packet: Packet, words: str) -> None:
    with pytest.raises(SentAwayError, match=words):
        FakeBroker(house()).say(packet)


def test_broker_decides_how_long_silence_may_last() -> None:
    broker = FakeBroker(house())
    broker.let_in(Properties(server_keep_alive_s=7))

    assert broker.subscriber.keep_alive_s == 7


def test_what_no_broker_sends_ends_the_connection() -> None:
    with pytest.raises(MqttError):
        FakeBroker(house()).say(Subscribe(1, ()))


def test_messages_may_come_before_the_subscription_is_answered() -> None:
    broker = FakeBroker(house())
    broker.say(Connack(0, True), publish(1))
    broker.house.outlet.poll()

    assert len(broker.acknowledged()) == 1

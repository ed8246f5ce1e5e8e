"""The intake: held while the store is away, answered in turn once messages are durable."""

from itertools import pairwise

import pytest

from edge.mqtt.packets import PUBACK, PUBCOMP, PUBREC, PUBREL, Ack
from tests.gateway.bridge.brokers import FakeBroker, publish
from tests.gateway.entrances import MESSAGE, house


def connected() -> FakeBroker:
    broker = FakeBroker(house())
    broker.let_in()
    return broker


def test_message_is_acknowledged_once_it_is_durable_and_no_earlier() -> None:
    broker = connected()
    outlet = broker.house.outlet
    outlet.is_held = True
    broker.say(publish(1), publish(2))
    outlet.poll()
    assert broker.acknowledged() == []

    outlet.is_held = False
    outlet.poll()
    assert broker.acknowledged() == [(PUBACK, 1), (PUBACK, 2)]


def test_answers_go_out_in_the_order_of_the_messages() -> None:
    broker = connected()
    broker.say(publish(1), publish(2), publish(3))
    first, second, third = broker.house.outlet.waiting

    third(None, None)
    second(None, None)
    assert broker.acknowledged() == []
    first(None, None)
    assert broker.acknowledged() == [(PUBACK, 1), (PUBACK, 2), (PUBACK, 3)]


def test_nothing_is_acknowledged_or_thrown_away_while_the_store_is_away() -> None:
    broker = connected()
    outlet = broker.house.outlet
    outlet.is_away = True
    broker.say(publish(1, b'{"metrics":{"a":1}}'), publish(2, b'{"metrics":{"a":2}}'))
    for now in range(20):
        broker.intake.tick(now)
    was_held = broker.intake.is_held
    assert broker.acknowledged() == []

    outlet.is_away = False
    for now in range(20, 40):
        broker.intake.tick(now)
        outlet.poll()
    assert (was_held, broker.intake.is_held) == (True, False)
    assert [taken.value[-3:] for taken in outlet.taken] == [b"1}}", b"2}}"]
    assert broker.acknowledged() == [(PUBACK, 1), (PUBACK, 2)]


def test_what_the_store_gave_back_is_sent_again_before_what_came_later() -> None:
    broker = connected()
    outlet = broker.house.outlet
    outlet.error = "timed out"
    broker.say(publish(1, b'{"metrics":{"a":1}}'))
    outlet.poll()
    broker.say(publish(2, b'{"metrics":{"a":2}}'))
    assert len(outlet.taken) == 1

    outlet.error = None
    for now in range(10):
        broker.intake.tick(now)
        outlet.poll()
    assert [taken.value[-3:] for taken in outlet.taken] == [b"1}}", b"1}}", b"2}}"]
    assert broker.acknowledged() == [(PUBACK, 1), (PUBACK, 2)]


def test_held_message_is_tried_ever_more_slowly() -> None:
    broker = connected()
    outlet = broker.house.outlet
    outlet.error = "timed out"
    broker.say(publish(1))
    tried: list[int] = []
    for moment in range(200):
        count = len(outlet.taken)
        broker.intake.tick(moment / 10)
        outlet.poll()
        if len(outlet.taken) > count:
            tried.append(moment)

    pauses = [after - before for before, after in pairwise(tried)]
    assert pauses == sorted(pauses)
    assert 50 <= pauses[-1] <= 53


def test_message_that_cannot_be_read_is_kept_and_acknowledged() -> None:
    broker = connected()
    broker.say(publish(1, b"rubbish"))
    broker.house.outlet.poll()

    assert [taken.topic for taken in broker.house.outlet.taken] == ["telemetry.dead"]
    assert broker.acknowledged() == [(PUBACK, 1)]


def test_message_of_qos_2_is_received_once() -> None:
    broker = connected()
    broker.say(publish(1, qos=2))
    broker.say(publish(1, qos=2, dup=True))
    broker.house.outlet.poll()
    broker.say(publish(1, qos=2, dup=True))
    assert broker.acknowledged() == [(PUBREC, 1), (PUBREC, 1)]

    broker.say(Ack(PUBREL, 1))
    assert broker.acknowledged() == [(PUBCOMP, 1)]
    broker.say(publish(1, qos=2))
    assert [taken.value for taken in broker.house.outlet.taken] == [MESSAGE] * 2


@pytest.mark.parametrize(("is_resumed", "copies"), [(True, 1), (False, 2)])
def test_packet_ids_of_qos_2_are_those_of_the_session(is_resumed: bool, copies: int) -> None:
    broker = connected()
    broker.say(publish(1, qos=2))
    broker.house.outlet.poll()
    broker.connect()
    broker.let_in(is_resumed=is_resumed)
    broker.say(publish(1, qos=2, dup=True))

    assert len(broker.house.outlet.taken) == copies


def test_answer_of_an_earlier_connection_is_not_given_on_the_next() -> None:
    broker = connected()
    broker.say(publish(7))
    broker.connect()
    broker.let_in(is_resumed=True)
    broker.house.outlet.poll()
    assert broker.acknowledged() == []

    broker.say(publish(7, dup=True))
    broker.house.outlet.poll()
    assert broker.acknowledged() == [(PUBACK, 7)]


def test_store_that_was_away_on_the_last_connection_is_tried_by_the_next() -> None:
    broker = connected()
    broker.house.outlet.is_away = True
    broker.say(publish(1))
    broker.intake.end()
    broker.house.outlet.is_away = False
    broker.intake.tick(0.0)
    broker.connect()
    broker.let_in(is_resumed=True)
    broker.say(publish(1, dup=True))
    broker.house.outlet.poll()

    assert broker.acknowledged() == [(PUBACK, 1)]


def test_no_more_is_read_while_a_window_waits_and_nothing_is_lost_of_what_was() -> None:
    broker = connected()
    broker.say(*(publish(number) for number in range(1, 4)))
    assert not broker.intake.is_full
    broker.say(*(publish(number) for number in range(4, 8)))
    was_full = broker.intake.is_full
    broker.house.outlet.poll()

    assert (was_full, broker.intake.is_full) == (True, False)
    assert [packet_id for _, packet_id in broker.acknowledged()] == list(range(1, 8))


def test_message_of_qos_0_beyond_the_window_is_let_go_and_counted() -> None:
    broker = connected()
    broker.say(*(publish(0, qos=0) for _ in range(6)))
    broker.house.outlet.poll()

    counters = broker.house.entrance.counters
    assert len(broker.house.outlet.taken) == 4
    assert counters.value("bridge_dropped") == 2
    assert counters.value("bridged", qos="0") == 6
    assert broker.acknowledged() == []

"""Kafka as an outlet, where no broker is, and where one has not the topic."""

import time
from contextlib import suppress

import pytest

from gateway.kafka import CROWDED, KafkaOutlet
from gateway.outlet import OutletError, lacks_topic
from tests.brokers import Broker


def told(_error: object, _message: object) -> None:
    return None


@pytest.mark.parametrize("is_away", [False, True])
def test_full_queue_is_a_refusal_with_the_time_to_try_again(is_away: bool) -> None:
    outlet = KafkaOutlet("127.0.0.1:1", most_waiting=10)
    for _ in range(10):
        outlet.send("telemetry", b"d1", b"{}", {}, told)
    outlet.is_away = is_away

    with pytest.raises(OutletError) as refused:
        outlet.send("telemetry", b"d1", b"{}", {}, told)

    assert refused.value.is_away is is_away
    assert refused.value.retry_after_s > 0
    outlet.close(0.1)


def test_what_waits_behind_others_is_told_that_kafka_is_away_while_devices_go_on() -> None:
    """Each second one message of theirs is tried, and waits for its time: nothing waits for it."""
    outlet = KafkaOutlet("127.0.0.1:1", delivery_timeout_s=3)
    answers: list[object] = []
    for _ in range(CROWDED):
        outlet.send("telemetry", b"d1", b"{}", {}, told)
    for _ in range(10):
        outlet.send("telemetry", b"d1", b"{}", {}, lambda error, _: answers.append(error))

    give_up = time.monotonic() + 10
    while len(answers) < 10 and time.monotonic() < give_up:
        outlet.poll()
        with suppress(OutletError):
            outlet.send("telemetry", b"d2", b"{}", {}, told)
        time.sleep(0.01)

    assert [str(each) for each in answers] == ["Kafka is away"] * 10
    outlet.close(0.1)


@pytest.mark.kafka
def test_topic_that_is_not_there_is_told_alike_each_time_and_concerns_no_other(
    broker: Broker,
) -> None:
    outlet = KafkaOutlet(broker.settings.kafka_bootstrap)
    answers: list[object] = []

    def send(topic: str, count: int) -> None:
        for _ in range(count):
            outlet.send(topic, b"d1", b"{}", {}, lambda error, _: answers.append(error))
        give_up = time.monotonic() + 20
        while outlet.poll() and time.monotonic() < give_up:
            time.sleep(0.01)

    send("nobody.has.it", 2)
    send("nobody.has.it", 2)
    assert [lacks_topic(each) for each in answers] == [True] * 4
    outlet.is_away = True
    send("nobody.has.it", 1)
    send("telemetry", 1)
    assert answers[-1] is None
    assert not outlet.is_away
    outlet.close(1.0)

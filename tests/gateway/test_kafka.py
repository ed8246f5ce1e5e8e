"""Kafka as an outlet, where no broker is."""

import time
from contextlib import suppress

import pytest

from gateway.kafka import CROWDED, KafkaOutlet
from gateway.outlet import OutletError


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

"""Kafka as an outlet, where no broker is."""

import pytest

from gateway.kafka import KafkaOutlet
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

"""A change is as large as Kafka takes: one that is larger would hold up all that come after it."""

import random
from datetime import UTC, datetime

import pytest

from services.problems import LARGEST_BODY, MEDIA_TYPE
from services.registry.kafka import KafkaSink
from telemetry.changes import (
    LARGEST_VALUE,
    Change,
    ChangeKey,
    ChangeRecord,
    TenantBody,
    encode_change,
)
from telemetry.errors import HeadwaterError
from tests.brokers import Broker
from tests.services.endless import PIECE, asked_endlessly
from tests.services.registry_parts import Json, TestedRegistry


def declaration(metrics: int) -> Json:
    named: Json = {f"metric_{number:05}_{'x' * 80}": {} for number in range(metrics)}
    return {"versions": [{"version": 1, "metrics": named}]}


def test_change_that_kafka_would_not_take_is_refused(either: TestedRegistry) -> None:
    before = either.edition()

    answer = either.ask("PUT", "/v1/products/meter", declaration(9_000))

    assert answer.status_code == 422
    assert f"the most is {LARGEST_VALUE:,}" in answer.json()["detail"]
    assert either.edition() == before
    assert either.ask("GET", "/v1/products/meter").status_code == 404
    assert either.ask("PUT", "/v1/products/meter", declaration(2_000)).is_success


@pytest.mark.parametrize("until", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:00:00-14:00"])
def test_time_that_no_clock_in_utc_shows_is_refused(registry: TestedRegistry, until: str) -> None:
    answer = registry.ask("POST", "/v1/api-keys", {"role": "viewer", "valid_until": until})

    assert answer.status_code == 422
    assert "valid_until" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/v1/register"), ("PUT", "/v1/products/meter")]
)
def test_body_of_a_stranger_is_not_read_to_its_end(
    registry: TestedRegistry, method: str, path: str
) -> None:
    """A body is read before it is asked who sends it."""
    answer, read = asked_endlessly(registry.app, method, path)

    assert (answer.status_code, answer.headers["Content-Type"]) == (413, MEDIA_TYPE)
    assert read <= LARGEST_BODY + PIECE


@pytest.mark.kafka
def test_largest_change_is_taken_with_those_around_it(broker: Broker) -> None:
    small = Change(ChangeKey("tenant", "acme", "acme"), 1, datetime.now(UTC), TenantBody())
    given = encode_change(small)
    noise = random.Random(1).randbytes(LARGEST_VALUE)
    sink = KafkaSink(broker.settings.kafka_bootstrap)
    large = ChangeRecord(b"product/acme/meter", noise, given.headers)
    sink.take([given, large, given])
    with pytest.raises(HeadwaterError, match="too large"):
        sink.take([given, large._replace(value=noise * 2), given])

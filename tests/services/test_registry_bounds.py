"""A change is as large as Kafka takes: one that is larger would hold up all that come after it."""

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.registry.kafka import KafkaSink
from telemetry.changes import (
    LARGEST_VALUE,
    Change,
    ChangeKey,
    ChangeRecord,
    TenantBody,
    encode_change,
)
from tests.brokers import Broker
from tests.services.registry_parts import Json, TestedRegistry

HOT = {"metric": "temperature", "check": {"kind": "threshold", "bound": 90}}


def test_change_that_kafka_would_not_take_is_refused(either: TestedRegistry) -> None:
    before = either.edition()

    answer = either.ask("PUT", "/v1/rules/hot", {**HOT, "note": "x" * LARGEST_VALUE})

    assert answer.status_code == 422
    assert "rule hot" in answer.json()["detail"]
    assert either.edition() == before
    assert either.ask("GET", "/v1/rules/hot").status_code == 404


def test_product_of_very_many_metrics_is_refused_as_well(registry: TestedRegistry) -> None:
    metrics: Json = {f"metric_{number:05}_{'x' * 80}": {} for number in range(9_000)}
    body = {"versions": [{"version": 1, "metrics": metrics}]}

    assert registry.ask("PUT", "/v1/products/meter", body).status_code == 422


@pytest.mark.kafka
def test_largest_change_is_taken_with_those_around_it(tmp_path: Path) -> None:
    small = Change(ChangeKey("tenant", "acme", "acme"), 1, datetime.now(UTC), TenantBody())
    given = encode_change(small)
    noise = random.Random(1).randbytes(LARGEST_VALUE)
    broker = Broker(tmp_path)
    try:
        large = ChangeRecord(b"rule/acme/hot", noise, given.headers)
        KafkaSink(broker.settings.kafka_bootstrap).take([given, large, given])
    finally:
        broker.kill()

"""The broker's clock is set back: what came later stays the later one, in batches and replays."""

from collections.abc import Iterable
from pathlib import Path

import orjson
import pytest
from pyspark.sql import SparkSession

from edge.outbox import OutRecord
from spark_jobs.commit_info import Txn
from spark_jobs.jobs.landing import Landing
from spark_jobs.jobs.landing_queries import RECORDS
from spark_jobs.lake import Lake
from telemetry.records import record_headers
from telemetry.settings import Settings
from telemetry.tables import CONFLICTS, READINGS, REJECTED
from tests.spark_jobs.empty_lakes import create_all
from tests.spark_jobs.landing_fleet import NOW, SECOND, enrol, landed, write_segment
from tests.spark_jobs.replay_home import DAY, run

pytestmark = pytest.mark.spark
CAME = [
    (NOW + 60 * SECOND, {"seq": 1, "metrics": {"x": 1.5}}),
    (NOW + 61 * SECOND, {"seq": 2, "metrics": {"new": 2.5}}),
    (NOW, {"seq": 1, "metrics": {"x": 99.5}}),
    (NOW + SECOND, {"seq": 3, "metrics": {"new": "a text"}}),
]
"""Kafka's time and the message of each offset."""


def landed_in(spark: SparkSession, home: Path, batches: Iterable[range]) -> Settings:
    """Land the messages, a segment each, in some batches."""
    settings = Settings(home=home)
    lake = Lake(settings.lake_root)
    create_all(lake)
    enrol(settings.registry_dir)
    landing = Landing(settings, lake)
    for number, offsets in enumerate(batches):
        paths = []
        for offset in offsets:
            at, said = CAME[offset]
            headers = record_headers(
                "plain", received_at=at, protocol="mqtt", content_type="application/json"
            )
            record = OutRecord(b"plain", orjson.dumps(said), headers)
            paths.append(str(write_segment(settings.spool_dir, [record], offset, at)))
        landing.land(spark.read.schema(RECORDS).parquet(*paths), Txn("landing_spool/1", number))
    return settings


def test_first_copies_and_first_uses_are_those_that_came_first(
    spark: SparkSession, tmp_path: Path
) -> None:
    one = landed_in(spark, tmp_path / "one", [range(4)])
    each = landed_in(spark, tmp_path / "each", [range(n, n + 1) for n in range(4)])

    found = landed(Lake(one.lake_root))

    assert found == landed(Lake(each.lake_root))
    assert {row[0] for row in found[READINGS.name]} == {0, 1}
    assert {row[0] for row in found[CONFLICTS.name]} == {2}
    assert {row[0] for row in found[REJECTED.name]} == {3}


def test_replay_of_what_came_over_such_a_step_is_identical(
    spark: SparkSession, tmp_path: Path
) -> None:
    settings = landed_in(spark, tmp_path, [range(2), range(2, 4)])

    result = run(settings, *DAY)

    assert (result["messages"], result["differences"]) == (4, {})

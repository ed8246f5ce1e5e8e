"""What the previous release has written is opened by today's code, and gone on from."""

import re
import tarfile
from pathlib import Path

import polars as pl
import pytest
from pyspark.sql import SparkSession

from infra.kafka.topics import create_topics
from spark_jobs.checkpoint import gold_damage, landing_damage, read_offsets
from spark_jobs.jobs.gold_query import GoldQuery
from spark_jobs.jobs.landing_queries import KafkaQuery, SharedLanding, SpoolQuery
from spark_jobs.lake import Lake
from telemetry.settings import Settings
from telemetry.tables import DEVICE_MINUTE, MESSAGES, READINGS, TABLES
from tests.brokers import Broker
from tests.spark_jobs.checkpoints import put
from tests.spark_jobs.previous_release import (
    EACH,
    FIXTURES,
    STORED_BATCHES,
    fill_kafka,
    fill_spool,
    take_up,
)

ARCHIVES = sorted(FIXTURES.glob("release-*.tar.xz"))


@pytest.fixture(params=ARCHIVES, ids=lambda path: path.name)
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Unpack what a release has left."""
    with tarfile.open(request.param) as archive:
        # The filter is Python 3.11.4's; Debian 12 has 3.11.2. The archives are our own.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(tmp_path)  # noqa: S202
    for listing in (tmp_path / "checkpoints" / "landing_spool").glob("sources/0/[0-9]*"):
        here = f"{tmp_path.as_uri()}/spool"
        put(listing, re.sub(r"file:[^\"]*/spool", here, listing.read_text()))
    return tmp_path


def test_a_release_is_stored() -> None:
    assert ARCHIVES, "python -m tests.spark_jobs.previous_release"


def test_tables_are_brought_to_todays_declaration(home: Path) -> None:
    lake = Lake(str(home / "lake"))
    lake.create_all()
    for table in TABLES:
        assert set(lake.scan(table).collect_schema()) == set(table.column_names)
    assert lake.scan(READINGS).collect().height == 2 * STORED_BATCHES * EACH


def test_checkpoints_are_sound(home: Path) -> None:
    checkpoints = home / "checkpoints"
    assert landing_damage(checkpoints / "landing") is None
    assert landing_damage(checkpoints / "landing_spool") is None
    assert gold_damage(checkpoints / "gold") is None
    assert read_offsets(checkpoints / "landing")


@pytest.mark.spark
@pytest.mark.kafka
@pytest.mark.timeout(600)
def test_streams_go_on_where_the_release_stopped(
    spark: SparkSession, broker: Broker, home: Path
) -> None:
    assert create_topics(broker.settings.kafka_bootstrap) is None
    settings = Settings(home=home, kafka=broker.settings.kafka_bootstrap)
    lake = Lake(settings.lake_root)
    lake.create_all()
    before = {name: newest_batch(home, name) for name in ("landing", "landing_spool", "gold")}
    for batch in range(STORED_BATCHES + 1):
        fill_kafka(settings.kafka_bootstrap, batch)
    fill_spool(settings, STORED_BATCHES)
    take_up(spark, SpoolQuery(SharedLanding(settings)))
    take_up(spark, KafkaQuery(SharedLanding(settings)), GoldQuery(settings))

    everything = list(range(2 * (STORED_BATCHES + 1) * EACH))
    assert lake.scan(READINGS).select(pl.col("seq").sort()).collect()["seq"].to_list() == everything
    assert lake.scan(MESSAGES).collect().height == len(everything)
    minutes = lake.scan(DEVICE_MINUTE).select("count", "sum").sum().collect()
    assert minutes.rows() == [(len(everything), float(sum(everything)))]
    for name, batch in before.items():
        assert newest_batch(home, name) > batch, "it went on in the same checkpoint"


def newest_batch(home: Path, name: str) -> int:
    commits = (home / "checkpoints" / name / "commits").glob("[0-9]*")
    return max(int(path.name) for path in commits)

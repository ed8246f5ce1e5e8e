"""Landing beside a topic or a checkpoint that is not the one which filled the lake."""

import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from pyspark.errors import StreamingQueryException
from pyspark.sql import SparkSession

from spark_jobs.jobs.landing_queries import KafkaQuery, SharedLanding
from spark_jobs.jobs.lost_records import write_down
from spark_jobs.lost_offsets import MADE_ANEW, Lost
from spark_jobs.refusal import CheckpointError, LostOffsetsError
from telemetry.settings import Settings
from telemetry.tables import MESSAGES
from tests.brokers import Broker
from tests.spark_jobs.landing_scene import Scene

pytestmark = [pytest.mark.spark, pytest.mark.kafka, pytest.mark.timeout(600)]


@pytest.fixture
def scene(spark: SparkSession, broker: Broker, tmp_path: Path) -> Scene:
    return Scene(spark, broker, tmp_path)


def test_topic_made_anew_is_known_by_its_records_where_the_checkpoint_is_gone(scene: Scene) -> None:
    scene.send(20)
    scene.land()
    shutil.rmtree(scene.checkpoint)
    scene.make_topic_anew()
    scene.send(24)

    with pytest.raises(LostOffsetsError, match=r"telemetry/0 from 10 on \(topic made anew\)"):
        scene.land()
    # As where `recover` was killed before it gave the topic its name.
    gaps = [Lost(partition, 10, None, MADE_ANEW) for partition in (0, 1)]
    write_down(scene.lake, "telemetry", gaps, datetime.now(UTC), is_accepted=True)
    with pytest.raises(LostOffsetsError, match="topic made anew"):
        scene.land()
    scene.recover(accept_loss=True)
    scene.land()

    scene.assert_kept()
    bronze = scene.lake.scan(MESSAGES).group_by("topic").agg(pl.len()).collect()
    assert sorted(bronze.rows()) == [("telemetry", 20), ("telemetry~2", 24)]


def test_topic_made_anew_before_its_first_record_was_read_is_no_other(scene: Scene) -> None:
    scene.land()
    for name in ("offsets", "commits"):  # A stream that is always on plans no batch without rows.
        shutil.rmtree(scene.checkpoint / name)
    scene.make_topic_anew()
    scene.send(4)
    scene.land()
    scene.send(4)
    scene.land()

    scene.assert_kept()


def test_older_copy_of_a_checkpoint_is_refused_and_loses_nothing(scene: Scene) -> None:
    scene.send(10)
    scene.land()
    copy = scene.settings.home / "copy"
    shutil.copytree(scene.checkpoint, copy)
    for _ in range(3):
        scene.send(10)
        scene.land()
    shutil.rmtree(scene.checkpoint)
    shutil.move(copy, scene.checkpoint)

    for _ in range(2):
        scene.send(10)
        with pytest.raises(CheckpointError, match=r"\[CHECKPOINT_OLDER\].*job recover landing"):
            scene.land()
    assert "CHECKPOINT_OLDER" in str(scene.recover()["found"])
    scene.land()
    scene.send(10)
    scene.land()

    scene.assert_kept()


def test_topic_made_anew_between_two_batches_of_running_landing_is_refused(scene: Scene) -> None:
    rare = Settings(home=scene.settings.home, kafka=scene.bootstrap, landing_trigger_s=10)
    query = KafkaQuery(SharedLanding(rare))
    query.own()
    scene.send(20)
    running = query.start(scene.spark, "always")
    while scene.lake.scan(MESSAGES).select(pl.len()).collect().item() < 20:
        assert running.isActive
        time.sleep(0.2)

    scene.make_topic_anew()
    scene.send(24)

    with pytest.raises(StreamingQueryException):
        running.awaitTermination(60)
    with pytest.raises(LostOffsetsError, match=r"telemetry/0 from 10 on \(topic made anew\)"):
        query.start(scene.spark, "always")
    query.close()
    assert scene.lake.scan(MESSAGES).select(pl.len()).collect().item() == 20

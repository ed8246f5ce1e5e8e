"""Landing from a real broker over lost and damaged checkpoints and dropped records."""

import json
import shutil
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest
from kafka import KafkaProducer
from pyspark.sql import SparkSession

from spark_jobs.lake import Lake
from spark_jobs.refusal import CheckpointError, LostOffsetsError
from telemetry.tables import LOST_OFFSETS, MESSAGES, READINGS
from telemetry.topics import TELEMETRY
from tests.brokers import Broker
from tests.spark_jobs.landing_scene import Scene

pytestmark = [pytest.mark.spark, pytest.mark.kafka, pytest.mark.timeout(600)]


@pytest.fixture
def scene(spark: SparkSession, broker: Broker, tmp_path: Path) -> Scene:
    return Scene(spark, broker, tmp_path)


def test_a_lake_put_back_from_a_backup_is_refused_then_filled_again(scene: Scene) -> None:
    backup = scene.settings.home / "backup"
    scene.send(20)
    scene.land()
    shutil.copytree(scene.lake.root, backup)
    scene.send(20)
    scene.land()
    scene.remember()
    shutil.rmtree(scene.lake.root)
    shutil.move(backup, scene.lake.root)
    scene.lake = Lake(scene.settings.lake_root)
    scene.send(5)

    with pytest.raises(CheckpointError, match=r"\[LAKE_OLDER\].*job recover landing"):
        scene.land()
    assert "LAKE_OLDER" in str(scene.recover()["found"])
    scene.land()

    scene.assert_kept()


def test_lost_and_damaged_checkpoints_lose_and_double_nothing(scene: Scene) -> None:
    scene.send(40)
    scene.land()
    scene.assert_kept()
    scene.send(20)
    scene.land()
    # As after a crash between the commits of bronze and of silver.
    scene.lake.delete(READINGS, "seq >= 50")
    shutil.rmtree(scene.checkpoint)
    scene.send(10)
    scene.land()
    scene.assert_kept()

    newest = max(int(path.name) for path in (scene.checkpoint / "offsets").glob("[0-9]*"))
    (scene.checkpoint / "offsets" / str(newest)).write_bytes(b"")
    scene.send(10)
    with pytest.raises(CheckpointError, match="CHECKPOINT_FILE_EMPTY"):
        scene.land()
    plan = scene.recover(dry_run=True)
    assert "CHECKPOINT_FILE_EMPTY" in str(plan["found"])
    assert not scene.asides()
    done = scene.recover()
    assert (
        done["goes_on_behind"] == plan["goes_on_behind"] == {"telemetry/0": 34, "telemetry/1": 34}
    )
    (aside,) = scene.asides()
    assert (aside / "offsets" / str(newest)).exists()
    scene.land()
    scene.assert_kept()
    assert scene.recover()["found"] == "the checkpoint is sound"

    (scene.checkpoint / "headwater-topic").write_bytes(b"{}")
    scene.send(4)
    assert "CHECKPOINT_FILE_ALTERED" in str(scene.recover()["found"])
    scene.land()
    scene.assert_kept()


def test_dropped_records_stop_landing_until_the_loss_is_accepted(scene: Scene) -> None:
    scene.send(20)
    scene.land()
    scene.send(40)
    scene.drop({0: 14, 1: 10})
    with pytest.raises(LostOffsetsError, match=r"telemetry/0 from 10 to 13 \(dropped\);"):
        scene.land()
    with pytest.raises(LostOffsetsError):
        scene.land()
    gaps = scene.lake.scan(LOST_OFFSETS).collect()
    columns = ["topic", "partition", "first_offset", "last_offset", "reason"]
    assert gaps.select(columns).rows() == [("telemetry", 0, 10, 13, "dropped")]
    assert gaps["accepted_at"].to_list() == [None]
    with pytest.raises(LostOffsetsError, match="--accept-loss"):
        scene.recover()
    assert scene.recover(dry_run=True)["lost"] == "telemetry/0 from 10 to 13 (dropped)"
    done = scene.recover(accept_loss=True)
    assert done["goes_on_behind"] == {"telemetry/0": 13, "telemetry/1": 9}
    scene.land()
    scene.sent = [number for number in scene.sent if number not in range(20, 28, 2)]
    scene.assert_kept()
    assert scene.lake.scan(LOST_OFFSETS).collect()["accepted_at"].null_count() == 0


def test_loss_that_grows_once_it_is_accepted_is_written_down_whole(scene: Scene) -> None:
    scene.send(20)
    scene.land()
    scene.send(40)
    scene.drop({0: 14})
    scene.recover(accept_loss=True)
    scene.drop({0: 20})
    scene.land()

    scene.sent = [number for number in scene.sent if number not in range(20, 40, 2)]
    scene.assert_kept()
    gaps = scene.lake.scan(LOST_OFFSETS).collect()
    assert gaps.select("partition", "first_offset", "last_offset").rows() == [(0, 10, 19)]
    assert gaps["accepted_at"].null_count() == 0


def test_dropped_records_that_bronze_holds_are_not_lost(scene: Scene) -> None:
    scene.send(20)
    scene.land()
    scene.send(20)
    scene.land()
    # As after a crash behind bronze's commit, before Spark's own.
    scene.lake.delete(READINGS, "seq >= 30")
    newest = max(int(path.name) for path in (scene.checkpoint / "commits").glob("[0-9]*"))
    (scene.checkpoint / "commits" / str(newest)).unlink()
    scene.drop({0: 20, 1: 20})
    with pytest.raises(LostOffsetsError, match=r"OFFSETS_DROPPED.*nothing is lost"):
        scene.land()
    scene.recover()
    scene.send(4)
    scene.land()
    scene.assert_kept()
    assert scene.lake.scan(LOST_OFFSETS).collect().is_empty()


def test_topic_that_was_made_anew_goes_on_under_a_name_of_its_own(scene: Scene) -> None:
    scene.send(20)
    scene.land()
    # What took the topic away has cut the last batch short as well: bronze alone has it.
    scene.lake.delete(READINGS, "offset >= 5")
    scene.make_topic_anew()
    scene.send(24)
    with pytest.raises(LostOffsetsError, match=r"telemetry/0 from 10 on \(topic made anew\)"):
        scene.land()
    scene.recover(accept_loss=True)
    scene.land()
    scene.assert_kept()
    bronze = scene.lake.scan(MESSAGES).group_by("topic").agg(pl.len()).collect()
    assert sorted(bronze.rows()) == [("telemetry", 20), ("telemetry~2", 24)]
    shutil.rmtree(scene.checkpoint)
    scene.send(6)
    scene.land()
    scene.assert_kept()


def test_what_workers_do_not_read_is_read_by_spark(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    class Raw(str):
        """A header's name whose bytes are no text."""

        __slots__ = ()

        def encode(self, *_: object) -> bytes:
            return b"\xff\xfe"

    scene.send(4)
    with closing(KafkaProducer(bootstrap_servers=scene.bootstrap)) as producer:
        value = json.dumps({"boot": "b", "seq": 4, "metrics": {"x": 4}}).encode()
        producer.send(TELEMETRY.name, value, b"plain", [(Raw("x"), b"1")], partition=0).get(30)
        scene.sent.append(4)

    with caplog.at_level("INFO"):
        scene.land()

    assert "Spark reads this batch" in caplog.text
    scene.assert_kept()

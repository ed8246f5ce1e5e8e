"""Landing from a real broker over lost and damaged checkpoints and dropped records."""

import json
import shutil
import time
from argparse import Namespace
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from pyspark.sql import SparkSession

from edge.registry_files import RegistryFiles
from infra.kafka.topics import create_topics
from spark_jobs.jobs import recover
from spark_jobs.jobs.landing_memory import LandingMemory
from spark_jobs.jobs.landing_queries import KafkaQuery, SharedLanding
from spark_jobs.jobs.older_lake import MEMORY
from spark_jobs.lake import Lake
from spark_jobs.refusal import CheckpointError, LostOffsetsError
from telemetry.devices import Device
from telemetry.settings import Settings
from telemetry.tables import LOST_OFFSETS, MESSAGES, READINGS
from telemetry.topics import TELEMETRY
from tests.brokers import Broker

pytestmark = [pytest.mark.spark, pytest.mark.kafka, pytest.mark.timeout(600)]
PARTITIONS = (0, 1)


class Scene:
    """A topic of this test's own, what was sent to it, and a home that lands it."""

    def __init__(self, spark: SparkSession, broker: Broker, home: Path) -> None:
        self.spark = spark
        self.bootstrap = broker.settings.kafka_bootstrap
        self.settings = Settings(home=home, kafka=self.bootstrap)
        self.lake = Lake(self.settings.lake_root)
        self.lake.create_all()
        RegistryFiles(self.settings.registry_dir).enrol([Device("plain")])
        self.checkpoint = self.settings.checkpoint_dir / "landing"
        self.sent: list[int] = []
        self.make_topic_anew()

    def make_topic_anew(self) -> None:
        """Delete the topic and create it."""
        with closing(KafkaAdminClient(bootstrap_servers=self.bootstrap)) as admin:
            admin.delete_topics([TELEMETRY.name])
            until = time.monotonic() + 30
            while TELEMETRY.name in admin.list_topics() and time.monotonic() < until:
                time.sleep(0.05)
        assert create_topics(self.bootstrap) is None

    def send(self, messages: int) -> None:
        """Send messages with running numbers, to two partitions in turn."""
        with closing(KafkaProducer(bootstrap_servers=self.bootstrap)) as producer:
            for _ in range(messages):
                number = len(self.sent)
                value = json.dumps({"boot": "b", "seq": number, "metrics": {"x": number}})
                partition = PARTITIONS[number % len(PARTITIONS)]
                producer.send(TELEMETRY.name, value.encode(), b"plain", partition=partition)
                self.sent.append(number)
            producer.flush()

    def drop(self, before: dict[int, int]) -> None:
        """Have Kafka drop the records below some offsets, as retention does."""
        with closing(KafkaAdminClient(bootstrap_servers=self.bootstrap)) as admin:
            admin.delete_records(
                {TopicPartition(TELEMETRY.name, n): at for n, at in before.items()}
            )

    def land(self) -> None:
        """Land what there is, in a process that begins anew."""
        query = KafkaQuery(SharedLanding(self.settings))
        query.own()
        try:
            query.start(self.spark, "available-now").awaitTermination()
        finally:
            query.close()

    def recover(self, **options: bool) -> dict[str, object]:
        """Run the job."""
        told = {"dry_run": False, "accept_loss": False, **options}
        return recover.run(Namespace(stream="landing", **told), self.settings, self.lake)

    def assert_kept(self) -> None:
        """Hold bronze and silver against what was sent: each message once."""
        bronze = self.lake.scan(MESSAGES).select("topic", "partition", "offset", "value").collect()
        assert not bronze.select("topic", "partition", "offset").is_duplicated().any()
        numbers = [json.loads(value)["seq"] for value in bronze["value"]]
        assert sorted(numbers) == self.sent
        readings = self.lake.scan(READINGS).select("seq").collect()["seq"]
        assert sorted(readings) == self.sent

    def remember(self) -> None:
        """Save what landing remembers, as it does once a minute."""
        path = self.settings.checkpoint_dir / MEMORY
        memory = LandingMemory(self.lake, path, remembered=100, horizon_us=None)
        memory.save(time.time())

    def asides(self) -> list[Path]:
        """List checkpoints that were set aside."""
        return sorted(self.settings.checkpoint_dir.glob("landing.broken-*"))


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

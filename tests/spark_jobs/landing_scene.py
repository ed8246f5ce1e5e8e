"""A topic that is sent to and made anew, and a home that lands it from a real broker."""

import json
import time
from argparse import Namespace
from contextlib import closing
from pathlib import Path

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
from telemetry.devices import Device
from telemetry.settings import Settings
from telemetry.tables import MESSAGES, READINGS
from telemetry.topics import TELEMETRY
from tests.brokers import Broker

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

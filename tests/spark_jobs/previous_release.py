"""A small home as a release leaves it: `python -m tests.spark_jobs.previous_release` stores one.

Run it at each release, at the commit that is released, and put the file in place of the older one:
from then on the tests open what that release has written.
"""

import json
import sys
import tarfile
import tempfile
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

from kafka import KafkaProducer
from pyspark.sql import SparkSession

from edge.outbox import OutRecord
from edge.registry_files import RegistryFiles
from spark_jobs.jobs.gold_query import GoldQuery
from spark_jobs.jobs.landing_queries import KafkaQuery, SharedLanding, SpoolQuery
from spark_jobs.jobs.query import Query
from spark_jobs.lake import Lake
from spark_jobs.session import session
from telemetry.devices import Device
from telemetry.settings import Settings
from telemetry.topics import TELEMETRY
from tests.brokers import Broker
from tests.spark_jobs.landing_fleet import NOW, SECOND, write_segment

FIXTURES = Path(__file__).parent / "fixtures"
KEPT = ("lake", "checkpoints", "registry")
DEVICE = b"plain"
EACH = 10
"""Messages of a batch, from each source."""
STORED_BATCHES = 3


def body(number: int) -> bytes:
    """Return the message of a number; every message is of a second of its own."""
    return json.dumps({"boot": "b", "seq": number, "metrics": {"x": number}}).encode()


def fill_spool(settings: Settings, batch: int) -> None:
    """Write one batch of messages, with even numbers, as a segment."""
    numbers = range(2 * batch * EACH, 2 * (batch + 1) * EACH, 2)
    at = NOW + batch * SECOND
    records = [OutRecord(DEVICE, body(number), [("device", DEVICE)]) for number in numbers]
    write_segment(settings.spool_dir, records, batch * EACH, at)


def fill_kafka(bootstrap: str, batch: int) -> None:
    """Send one batch of messages, with odd numbers, to two partitions in turn."""
    with closing(KafkaProducer(bootstrap_servers=bootstrap)) as producer:
        for number in range(2 * batch * EACH + 1, 2 * (batch + 1) * EACH + 1, 2):
            partition = number // 2 % 2
            producer.send(TELEMETRY.name, body(number), DEVICE, partition=partition)
        producer.flush()


def take_up(spark: SparkSession, *queries: Query) -> None:
    """Run queries over what there is, one after the other."""
    for query in queries:
        query.own()
        query.start(spark, "available-now").awaitTermination()
        query.close()


def make(home: Path) -> None:
    """Land a few batches from both sources and bring gold up to them."""
    broker = Broker(home / "broker")
    settings = Settings(home=home, kafka=broker.settings.kafka_bootstrap)
    Lake(settings.lake_root).create_all()
    RegistryFiles(settings.registry_dir).enrol([Device(DEVICE.decode())])
    spark = session(settings, "previous-release")
    try:
        for batch in range(STORED_BATCHES):
            fill_spool(settings, batch)
            fill_kafka(settings.kafka_bootstrap, batch)
            take_up(spark, SpoolQuery(SharedLanding(settings)))
            take_up(spark, KafkaQuery(SharedLanding(settings)), GoldQuery(settings))
    finally:
        spark.stop()
        broker.kill()
    # Another broker has another topic, which would be taken for one that was made anew.
    (settings.checkpoint_dir / "landing" / "headwater-topic").unlink(missing_ok=True)


def main() -> None:
    """Store the home of today's code."""
    target = FIXTURES / f"release-{version('headwater')}.tar.xz"
    with tempfile.TemporaryDirectory() as name:
        make(Path(name))
        FIXTURES.mkdir(exist_ok=True)
        with tarfile.open(target, "w:xz") as archive:
            for kept in KEPT:
                archive.add(Path(name) / kept, kept)
    sys.stdout.write(f"{target}: {target.stat().st_size} bytes\n")


if __name__ == "__main__":
    main()

"""One Spark session and fresh lakes for the tests of the Spark jobs."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from spark_jobs.lake import Lake
from spark_jobs.session import session
from telemetry.settings import Settings
from tests.brokers import Broker
from tests.spark_jobs.fast_service import Told
from tests.spark_jobs.replay_home import make_home


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    home = tmp_path_factory.mktemp("spark")
    settings = Settings(home=home, stream_heap_mb=768)
    if not list(settings.spark_jar_dir.glob("delta-spark*.jar")):
        pytest.skip("the Spark jars are not fetched: run `headwater fetch spark`")
    running = session(settings, "tests")
    # Most plans here run once: what compiling them costs is never earned back.
    running.conf.set("spark.sql.codegen.wholeStage", "false")
    running.conf.set("spark.sql.codegen.factoryMode", "NO_CODEGEN")
    yield running
    running.stop()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture(scope="session")
def replay_home(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return a home whose lake landing filled over some batches, gold made of it."""
    return make_home(spark, tmp_path_factory.mktemp("replay") / "home")


@pytest.fixture
def told(broker: Broker) -> Iterator[Told]:
    reading = Told(broker.settings.kafka_bootstrap)
    yield reading
    reading.close()

"""Sources of landing: their lag, and the identity of a checkpoint."""

import shutil
import time
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from edge.outbox import OutRecord
from edge.registry_files import RegistryFiles
from edge.spool import SpoolOutbox
from spark_jobs.jobs.landing import Landing
from spark_jobs.jobs.landing_queries import SharedLanding, SpoolQuery, checkpoint_id, follow
from spark_jobs.jobs.spool_lag import SpoolLag
from spark_jobs.lake import Lake
from telemetry.devices import Device
from telemetry.settings import Settings
from telemetry.tables import DEVICES, READINGS
from tests.spark_jobs.empty_lakes import create_all
from tests.spark_jobs.landing_fleet import NOW, Fleet, write_segment


def test_lag_of_the_spool_counts_records_behind_the_landed(tmp_path: Path) -> None:
    (tmp_path / "partitions").mkdir()
    (tmp_path / "partitions" / "00000").touch()
    write_segment(tmp_path, list(Fleet(6).batch(7, NOW)), 10, NOW)
    lag = SpoolLag(tmp_path)

    assert lag.behind({("spool", 0): 11}) == 5
    before = lag.landed_until
    assert before is None
    began = time.time()
    assert lag.behind({("spool", 0): 20}) == 0
    write_segment(tmp_path, list(Fleet(6).batch(3, NOW)), 17, NOW)
    assert lag.behind({("spool", 0): 16}) == 3
    assert lag.landed_until is not None
    assert began <= lag.landed_until <= time.time()


def test_lost_checkpoint_begins_with_another_id(tmp_path: Path) -> None:
    first = checkpoint_id(tmp_path / "landing")
    assert checkpoint_id(tmp_path / "landing") == first
    (tmp_path / "landing").rename(tmp_path / "lost")
    assert checkpoint_id(tmp_path / "landing") != first


def test_device_that_is_registered_is_known_though_no_message_comes(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    lake = Lake(settings.lake_root)
    create_all(lake)
    landing = Landing(settings, lake)
    assert lake.scan(DEVICES).collect().is_empty()
    RegistryFiles(settings.registry_dir).enrol([Device("meter.d1", zone="north")])

    looks = iter([True, False])
    follow(landing.follow, lambda: next(looks), every_s=0)

    known = lake.scan(DEVICES).collect()
    assert known.select("device_full", "zone").rows() == [("meter.d1", "north")]


def test_registry_that_cannot_be_followed_is_tried_again() -> None:
    tried: list[int] = []

    def fail() -> None:
        tried.append(1)
        raise OSError("no such folder")

    looks = iter([True, True, False])
    follow(fail, lambda: next(looks), every_s=0)

    assert len(tried) == 2


@pytest.mark.spark
def test_what_is_sent_after_the_spool_was_lost_lands(spark: SparkSession, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    lake = Lake(settings.lake_root)
    create_all(lake)
    RegistryFiles(settings.registry_dir).enrol([Device("plain")])
    for seq in range(3):
        with SpoolOutbox(settings.spool_dir) as outbox:
            outbox.send(OutRecord(b"plain", b'{"seq": %d, "metrics": {"x": 1}}' % seq, []))
        query = SpoolQuery(SharedLanding(settings))
        query.own()
        query.start(spark, "available-now").awaitTermination()
        query.close()
        shutil.rmtree(settings.spool_dir)

    assert sorted(lake.scan(READINGS).collect()["seq"]) == [0, 1, 2]

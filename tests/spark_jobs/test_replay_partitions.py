"""Replays of copies of a key in two partitions, which have no order between them."""

from pathlib import Path

import polars as pl
import pytest
from pyspark.sql import SparkSession

from edge.outbox import OutRecord
from spark_jobs.commit_info import Txn
from spark_jobs.jobs.landing import Landing
from spark_jobs.jobs.landing_queries import RECORDS
from spark_jobs.lake import Lake
from telemetry.settings import Settings
from telemetry.tables import CONFLICTS, DUPLICATES, READINGS
from tests.spark_jobs.landing_fleet import NOW, SECOND, write_segment
from tests.spark_jobs.replay_home import BATCHES, DAY, SIZE, copied, make_gold, run

DEVICE = b"meter.d1"
TABLES = (READINGS, DUPLICATES, CONFLICTS)
LATER, EARLIER = NOW + 9000 * SECOND, NOW + 8000 * SECOND


@pytest.mark.spark
def test_of_copies_in_two_partitions_the_one_that_landed_first_stays_first(
    spark: SparkSession, replay_home: Settings, tmp_path: Path
) -> None:
    settings = copied(replay_home, tmp_path / "home")
    lake = Lake(settings.lake_root)
    running = Landing(settings, lake)

    def land(batch: int, at: int, partition: int, first: int, *values: int) -> None:
        bodies = [
            b'{"boot":"p","seq":%d,"metrics":{"kwh":%d}}' % each for each in enumerate(values)
        ]
        records = [OutRecord(DEVICE, body, [("device", DEVICE)]) for body in bodies]
        path = write_segment(settings.spool_dir, records, first, at, partition)
        running.land(spark.read.schema(RECORDS).parquet(str(path)), Txn("landing_spool/1", batch))

    # A partition that was added is read at once; the old one was behind.
    land(BATCHES, LATER, 1, 0, 1, 2)
    land(BATCHES + 1, EARLIER, 0, BATCHES * SIZE, 1, 20)
    is_mine = pl.col("boot") == "p"
    mine = {table: lake.scan(table).filter(is_mine).collect() for table in TABLES}
    assert mine[READINGS]["partition"].to_list() == [1, 1]
    assert [mine[table]["first_partition"].to_list() for table in TABLES[1:]] == [[1], [1]]
    make_gold(settings)

    assert run(settings, *DAY)["differences"] == {}

"""Landing over many batches, restarts and crashes, whole tables against a simple model."""

from argparse import Namespace
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import polars as pl
import pytest
from pyspark.sql import DataFrame, SparkSession

from edge.registry_files import RegistryFiles
from spark_jobs.commit_info import Txn
from spark_jobs.jobs import conservation
from spark_jobs.jobs.landing import Landing
from spark_jobs.jobs.landing_queries import RECORDS, SharedLanding, SpoolQuery
from spark_jobs.jobs.silver_pause import SilverPause
from spark_jobs.lake import Frame, Lake
from spark_jobs.reading_rows import ReadingRows
from spark_jobs.restatements import NEVER
from spark_jobs.table_files import NOTHING_ALONG, Along
from spark_jobs.transforms import marks
from spark_jobs.transforms.routes import SILVER
from spark_jobs.transforms.staging import STAGE_FROM
from telemetry.devices import Device
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from telemetry.tables import (
    BY_NAME,
    DEVICES,
    FIRST_USE,
    LATE,
    MESSAGES,
    READINGS,
    REJECTED,
    RESTATEMENTS,
    Table,
)
from tests.spark_jobs.empty_lakes import create_all
from tests.spark_jobs.landing_fleet import (
    METER,
    NOW,
    SECOND,
    Fleet,
    Model,
    enrol,
    landed,
    write_segment,
)

pytestmark = pytest.mark.spark
SEGMENTS, RUNS, SIZE = 24, 3, 40


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    enrol(tmp_path / "registry")
    settings = Settings(home=tmp_path, max_offsets_per_batch=1, dedup_recent_keys=50)
    create_all(Lake(settings.lake_root))
    return settings


def test_landing_agrees_with_the_model_over_batches_and_restarts(
    spark: SparkSession, settings: Settings
) -> None:
    fleet, model, first = Fleet(1), Model(), 0
    for run in range(RUNS):
        for number in range(SEGMENTS // RUNS):
            at = NOW + (run * SEGMENTS + number) * SECOND
            records = list(fleet.batch(SIZE, at))
            write_segment(settings.spool_dir, records, first, at)
            model.land(records, first, at)
            first += len(records)
        query = SpoolQuery(SharedLanding(settings))
        query.start(spark, "available-now").awaitTermination()
        figures = query.figures()
        assert figures.lag_messages == 0
        assert figures.rows["bronze"] == SIZE * SEGMENTS // RUNS
        assert set(figures.watermarks) == {"meter"}
    lake = Lake(settings.lake_root)
    assert landed(lake) == model.tables
    assert all(model.tables.values()), "the fleet does everything wrong"
    assert_conserved(settings, lake, first)
    assert_late_is_marked(lake)
    commits = lake.table(REJECTED).history()
    assert sum(commit["operation"] == "WRITE" for commit in commits) == SEGMENTS


def assert_conserved(settings: Settings, lake: Lake, messages: int) -> None:
    """Hold all of bronze against silver; a record of the fleet has one message or two."""
    day = Namespace(first=date(2026, 11, 21), last=None, rows=500, exit_zero=False)
    found = conservation.check(day, settings, lake, datetime(2026, 11, 22, tzinfo=UTC))
    assert found["difference"] == 0
    assert isinstance(found["messages"], int)
    assert messages < found["messages"] < 2 * messages


def assert_late_is_marked(lake: Lake) -> None:
    """Hold the marks against the minutes of late rows, and their versions against the table's."""
    late = lake.scan(LATE).select("device_full", pl.col("event_time").dt.truncate("1m")).collect()
    marked = lake.scan(RESTATEMENTS).collect()
    minutes = marks.windows_of(marked, "1m").select("device_full", "window_start")
    assert set(minutes.iter_rows()) == set(late.iter_rows())
    assert marked["late_version"].max() == lake.table(LATE).version()
    assert set(marked["readings_version"]) == {NEVER}


class FailingLake(Lake):
    """Fails before one table's next commit."""

    fails_at: ClassVar[str | None] = None

    def append(
        self,
        table: Table,
        frame: Frame | ReadingRows,
        txn: Txn | None,
        info: Mapping[str, str] | None = None,
        along: Along = NOTHING_ALONG,
    ) -> bool:
        if table.name == self.fails_at:
            raise OSError("the disk is full")
        return super().append(table, frame, txn, info, along)


def segment(spark: SparkSession, path: Path) -> DataFrame:
    return spark.read.schema(RECORDS).parquet(str(path))


@pytest.mark.parametrize("stage_from", [1, STAGE_FROM], ids=["staged", "by the driver"])
@pytest.mark.parametrize("is_restarted", [True, False], ids=["restarted", "same process"])
def test_crash_between_any_two_commits_leaves_each_message_once(
    spark: SparkSession, settings: Settings, stage_from: int, *, is_restarted: bool
) -> None:
    fleet, model, first = Fleet(2), Model(), 0
    lake = FailingLake(settings.lake_root)
    landing = Landing(settings, lake, stage_from=stage_from)
    silver = [name for name in BY_NAME if name in model.tables]
    for batch_id, name in enumerate([*silver, RESTATEMENTS.name]):
        at = NOW + batch_id * SECOND
        records = list(fleet.batch(60, at))
        path = write_segment(settings.spool_dir, records, first, at)
        model.land(records, first, at)
        first += len(records)
        FailingLake.fails_at = name
        with pytest.raises(OSError, match="disk is full"):
            landing.land(segment(spark, path), Txn("landing_spool/1", batch_id))
        FailingLake.fails_at = None
        if is_restarted:
            landing = Landing(settings, lake, stage_from=stage_from)
        landing.land(segment(spark, path), Txn("landing_spool/1", batch_id))
        assert landed(lake) == model.tables, name
        assert_late_is_marked(lake)


def test_a_batch_cut_short_is_whole_though_the_registry_has_changed_before_it_comes_again(
    spark: SparkSession, settings: Settings
) -> None:
    lake = FailingLake(settings.lake_root)
    landing = Landing(settings, lake)
    records = list(Fleet(5).batch(200, NOW))
    path = write_segment(settings.spool_dir, records, 0, NOW)
    FailingLake.fails_at = READINGS.name
    with pytest.raises(OSError, match="disk is full"):
        landing.land(segment(spark, path), Txn("landing_spool/1", 0))
    FailingLake.fails_at = None
    assert lake.scan(REJECTED).collect().height, "some tables have the batch"

    laxer = replace(METER, lateness=timedelta(days=9), max_age=timedelta(days=60))
    RegistryFiles(settings.registry_dir).put_product(laxer)
    landing.land(segment(spark, path), Txn("landing_spool/1", 0))

    assert lake.scan(READINGS).collect().height
    places = [lake.scan(table).select("offset", "item").unique() for table in SILVER]
    assert pl.concat(places).collect().is_unique().all()


def test_landing_again_knows_what_another_process_has_put_into_silver(
    spark: SparkSession, settings: Settings
) -> None:
    lake, model = Lake(settings.lake_root), Model()
    records = list(Fleet(6).batch(80, NOW))
    knows_nothing = Landing(settings, lake)
    first = write_segment(settings.spool_dir, records, 0, NOW)
    with SilverPause(settings).change():
        pass
    Landing(settings, lake).land(segment(spark, first), Txn("landing_spool/1", 0))
    again = write_segment(settings.spool_dir, records, 80, NOW)
    for offset in (0, 80):
        model.land(records, offset, NOW)

    knows_nothing.land_again(segment(spark, again))

    assert landed(lake) == model.tables


def test_nothing_is_landed_in_silver_before_bronze_has_it(
    spark: SparkSession, settings: Settings
) -> None:
    lake, fleet = FailingLake(settings.lake_root), Fleet(2)
    landing = Landing(settings, lake)

    def land(batch_id: int) -> list[int]:
        records = list(fleet.batch(60, NOW))
        path = write_segment(settings.spool_dir, records, batch_id * 60, NOW)
        try:
            landing.land(segment(spark, path), Txn("landing_spool/1", batch_id))
        except OSError:
            assert FailingLake.fails_at
        written = (READINGS, REJECTED, LATE, FIRST_USE, RESTATEMENTS)
        return [lake.scan(table).collect().height for table in written]

    # The first batch fixes types of metrics, the second one none.
    before = land(0)
    FailingLake.fails_at = MESSAGES.name
    after = land(1)
    FailingLake.fails_at = None

    assert before[0]
    assert after == before


def test_lost_checkpoint_and_new_batches_add_nothing(
    spark: SparkSession, settings: Settings
) -> None:
    fleet, model, lake = Fleet(3), Model(), Lake(settings.lake_root)
    records = list(fleet.batch(200, NOW))
    model.land(records, 0, NOW)
    whole = write_segment(settings.spool_dir, records, 0, NOW)
    Landing(settings, lake, stage_from=1).land(segment(spark, whole), Txn("landing_spool/1", 0))

    again = Landing(settings, lake, stage_from=1)
    part = write_segment(settings.spool_dir, records[:150], 0, NOW)
    again.land(segment(spark, part), Txn("landing_spool/2", 0))
    rest = write_segment(settings.spool_dir, records[150:], 150, NOW)
    again.land(segment(spark, rest), Txn("landing_spool/2", 1))

    assert landed(lake) == model.tables
    assert again.land_again(segment(spark, rest)) == {}


def test_records_of_another_topic_at_the_same_offsets_are_refused(
    spark: SparkSession, settings: Settings
) -> None:
    records = list(Fleet(4).batch(5, NOW))
    landing = Landing(settings, Lake(settings.lake_root))
    old = write_segment(settings.spool_dir, records, 0, NOW)
    landing.land(segment(spark, old), Txn("landing_spool/1", 0))
    new = write_segment(settings.spool_dir, records, 0, NOW + SECOND)
    with pytest.raises(HeadwaterError, match="made anew"):
        landing.land(segment(spark, new), Txn("landing_spool/2", 0))


def test_device_enrolled_between_batches_is_known_and_its_history_kept(
    spark: SparkSession, settings: Settings
) -> None:
    lake, files = Lake(settings.lake_root), RegistryFiles(settings.registry_dir)
    landing = Landing(settings, lake)
    files.enrol([Device("meter.new", zone="a")])
    fleet = Fleet(5)
    value = b'{"seq": 1, "metrics": {"kwh": 1.5}}'
    records = [record for record in fleet.batch(1, NOW)]
    known = [type(record)(b"meter.new", value, [("device", b"meter.new")]) for record in records]
    path = write_segment(settings.spool_dir, known, 0, NOW)
    landing.land(segment(spark, path), Txn("landing_spool/1", 0))
    files.enrol([Device("meter.new", zone="b")])
    landing.land(segment(spark, path), Txn("landing_spool/1", 1))

    assert lake.scan(READINGS).select("zone").collect().rows() == [("a",)]
    history = lake.scan(DEVICES).collect().filter(device_full="meter.new").sort("valid_from")
    assert history["zone"].to_list() == ["a", "b"]
    assert history["valid_to"].to_list() == [history["valid_from"][1], None]
    assert lake.scan(FIRST_USE).collect().is_empty()

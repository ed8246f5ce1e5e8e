"""Rejected messages that pass now are taken up: once, and counted once."""

import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from pyspark.sql import SparkSession

from edge.outbox import OutRecord
from edge.registry_files import RegistryFiles
from spark_jobs.commit_info import Txn
from spark_jobs.jobs.landing import Landing
from spark_jobs.jobs.landing_queries import RECORDS
from spark_jobs.jobs.live_registry import LiveRegistry
from spark_jobs.lake import Lake
from spark_jobs.restatements import REPLAYED_ROWS
from spark_jobs.transforms.marks import TOUCHED, WINDOWS, of_rows
from telemetry.devices import Device
from telemetry.errors import HeadwaterError
from telemetry.products import SchemaVersion
from telemetry.settings import Settings
from telemetry.tables import (
    CONFLICTS,
    DUPLICATES,
    LATE,
    MESSAGES,
    READINGS,
    REJECTED,
    RESTATEMENTS,
)
from tests.spark_jobs.landing_fleet import (
    METER,
    NOW,
    SECOND,
    landed,
    write_segment,
)
from tests.spark_jobs.replay_home import (
    BATCHES,
    DAY,
    SILVER,
    SIZE,
    copied,
    killed_and_run_again,
    make_gold,
    run,
)

pytestmark = pytest.mark.spark
STRANGER = b"meter.stranger"


@pytest.fixture
def settings(replay_home: Settings, tmp_path: Path) -> Settings:
    return copied(replay_home, tmp_path / "home")


def counted(lake: Lake) -> int:
    """Return the sum of the messages in silver: a replayed row has left it."""
    items = [lake.scan(table).select(*REJECTED.key, "device_full") for table in SILVER[:2]]
    for table in SILVER[2:]:
        left = lake.scan(table).filter(pl.col("replayed_at").is_null())
        items.append(left.select(*REJECTED.key, "device_full"))
    return sum(frame.unique().collect().height for frame in items)


def sent(lake: Lake) -> int:
    total = lake.scan(MESSAGES).select(pl.col("items").sum()).collect().item()
    assert isinstance(total, int)
    return total


def rejected(lake: Lake, rule: str) -> pl.DataFrame:
    rules = pl.col("reasons").list.eval(pl.element().struct.field("rule"))
    return lake.scan(REJECTED).filter(rules.list.contains(rule)).collect()


def marked(lake: Lake) -> pl.DataFrame:
    """Return the windows that are marked for rejected messages that landed."""
    marks = lake.scan(RESTATEMENTS).filter(pl.col("reason") == REPLAYED_ROWS).collect()
    assert marks["readings_version"].null_count() == 0
    return marks.select(WINDOWS)


def test_messages_of_a_device_that_was_registered_are_taken_up(
    spark: SparkSession, settings: Settings
) -> None:
    lake = Lake(settings.lake_root)
    running = Landing(settings, lake)
    RegistryFiles(settings.registry_dir).enrol([Device("meter.stranger", zone="z")])
    unknown = rejected(lake, "unknown_device")

    result = run(settings, "--rejected", "--reason", "unknown_device", "--product", "meter")

    assert result["rejected"] == len(unknown)
    stamped = rejected(lake, "unknown_device")
    assert stamped["replayed_at"].count() == result["taken_up"]
    assert result["taken_up"], "the stranger sent something that passes"
    assert counted(lake) == sent(lake)
    is_mine = pl.col("device_full") == "meter.stranger"
    mine = [lake.scan(table).filter(is_mine).select(TOUCHED) for table in (READINGS, LATE)]
    windows = of_rows(pl.concat(mine).collect())
    assert_frame_equal(marked(lake), windows, check_row_order=False)
    assert "z" in lake.scan(READINGS).select("zone").unique().collect()["zone"].to_list()
    assert run(settings, "--rejected")["taken_up"] == 0
    again = stamped.filter(pl.col("replayed_at").is_not_null(), pl.col("item") == 0).head(1)
    record = OutRecord(b"meter.stranger", again["message"].item(), [("device", b"meter.stranger")])
    path = write_segment(settings.spool_dir, [record], BATCHES * SIZE, NOW + 7200 * SECOND)
    before = lake.scan(DUPLICATES).collect().height
    running.land(spark.read.schema(RECORDS).parquet(str(path)), Txn("landing_spool/1", BATCHES))
    assert lake.scan(DUPLICATES).collect().height == before + 1


def test_spark_goes_on_reading_the_tables_that_it_landed_in(
    spark: SparkSession, settings: Settings
) -> None:
    RegistryFiles(settings.registry_dir).enrol([Device("meter.stranger", zone="z")])
    landed_in = run(settings, "--rejected", "--reason", "unknown_device")["landed"]

    assert landed_in
    lake = Lake(settings.lake_root)
    for table in SILVER:
        commits = spark.sql(f"describe history delta.`{lake.uri(table)}`").collect()
        assert len(commits) == lake.table(table).version() + 1


def test_only_messages_of_registered_devices_are_asked_for(settings: Settings) -> None:
    lake = Lake(settings.lake_root)
    unknown = rejected(lake, "unknown_device").filter(pl.col("device_full") == "meter.stranger")
    assert run(settings, "--rejected", "--registered")["rejected"] == 0

    RegistryFiles(settings.registry_dir).enrol([Device("meter.stranger")])
    LiveRegistry(RegistryFiles(settings.registry_dir), lake).refresh()
    result = run(settings, "--rejected", "--registered")

    assert result["rejected"] == unknown.height
    stamped = rejected(lake, "unknown_device").filter(pl.col("replayed_at").is_not_null())
    assert set(stamped["device_full"]) == {"meter.stranger"}
    assert stamped.height == result["taken_up"]


def test_reasons_and_products_that_no_message_had_are_answered_by_those_there_are(
    settings: Settings,
) -> None:
    with pytest.raises(HeadwaterError, match=r"for 'rnage'; there are .*range \(\d+\)"):
        run(settings, "--rejected", "--reason", "rnage")
    with pytest.raises(HeadwaterError, match=r"of product 'metre'; there are .*meter \(\d+\)"):
        run(settings, "--rejected", "--product", "metre")

    RegistryFiles(settings.registry_dir).put_product(replace(METER, key="quiet"))
    assert run(settings, "--rejected", "--product", "quiet")["rejected"] == 0
    earlier = ("--rejected", "--reason", "range", "--from", "2026-11-20")
    assert run(settings, *earlier)["rejected"] == 0


def test_taking_up_after_a_schema_fix_cut_short_anywhere_goes_on(
    settings: Settings, tmp_path: Path
) -> None:
    version = METER.versions[0]
    wider = {**version.metrics, "kwh": replace(version.metrics["kwh"], max=200)}
    fixed = replace(METER, versions=(SchemaVersion(1, wider),))
    RegistryFiles(settings.registry_dir).put_product(fixed)
    other = Settings(home=tmp_path / "other")
    shutil.copytree(settings.home, other.home)
    assert run(other, "--rejected", "--reason", "range")["taken_up"]

    kills = killed_and_run_again(settings, "--rejected")

    assert kills >= 3
    lake = Lake(settings.lake_root)
    assert landed(lake) == landed(Lake(other.lake_root))
    assert counted(lake) == sent(lake)
    assert rejected(lake, "range")["replayed_at"].count()
    assert marked(lake).height
    make_gold(settings)
    assert marked(lake).is_empty(), "gold has read all that was marked"
    # What passes this rule may break another one now, such as being too old.
    assert set(run(settings, *DAY)["differences"]) <= {REJECTED.name}  # type: ignore[call-overload]


def test_what_was_taken_up_behind_a_copy_of_its_key_is_replayed_behind_it(
    spark: SparkSession, settings: Settings
) -> None:
    lake = Lake(settings.lake_root)
    running = Landing(settings, lake)

    def land(batch: int, *values: float) -> None:
        bodies = [
            b'{"boot":"r","seq":%d,"metrics":{"kwh":%d}}' % each for each in enumerate(values)
        ]
        records = [OutRecord(STRANGER, body, [("device", STRANGER)]) for body in bodies]
        at = NOW + batch * 1800 * SECOND
        path = write_segment(settings.spool_dir, records, batch * SIZE, at)
        running.land(spark.read.schema(RECORDS).parquet(str(path)), Txn("landing_spool/1", batch))

    land(BATCHES, 1, 2, 3)
    RegistryFiles(settings.registry_dir).enrol([Device(STRANGER.decode())])
    land(BATCHES + 1, 1, 20)
    run(settings, "--rejected", "--reason", "unknown_device")
    is_mine = pl.col("device_full") == STRANGER.decode(), pl.col("boot") == "r"
    mine = {table: lake.scan(table).filter(*is_mine).collect() for table in SILVER}
    assert sorted(mine[READINGS]["value"]) == [1, 3, 20]
    assert (mine[DUPLICATES]["seq"].to_list(), mine[CONFLICTS]["seq"].to_list()) == ([0], [1])
    make_gold(settings)

    # What was unknown may break a rule of its product as well.
    assert set(run(settings, *DAY)["differences"]) <= {REJECTED.name}  # type: ignore[call-overload]

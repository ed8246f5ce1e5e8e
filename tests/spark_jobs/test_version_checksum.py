"""Checksums beside versions: what Spark would say of the table, whoever wrote to it."""

import json
import shutil
import time
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from spark_jobs.lake import Lake
from spark_jobs.version_checksum import AFTER_S, KEPT
from telemetry.tables import MESSAGES, READINGS
from tests.spark_jobs.gold_fleet import fleet
from tests.spark_jobs.silver_rows import silver

METADATA = ["id", "name", "description", "partitionColumns", "configuration", "createdTime"]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(str(tmp_path))
    made.create(READINGS)
    return made


def append(lake: Lake, seed: int = 1) -> None:
    lake.append(READINGS, silver(fleet(seed=seed, messages=5), READINGS), None)


def logged(lake: Lake) -> Path:
    return Path(lake.uri(READINGS)) / "_delta_log"


def said(lake: Lake, version: int) -> dict[str, object]:
    """Wait for a version's checksum, which comes after its entry."""
    path, until = logged(lake) / f"{version:020d}.crc", time.monotonic() + 20
    while not (path.exists() and path.read_bytes().endswith(b"}")) and time.monotonic() < until:
        time.sleep(0.01)
    found = json.loads(path.read_bytes())
    assert isinstance(found, dict)
    return found


def assert_true(lake: Lake) -> None:
    """Hold the newest version's checksum against its files and its metadata in the log."""
    files = Lake(lake.root).files(READINGS)
    found = said(lake, Lake(lake.root).table(READINGS).version())
    assert (found["numFiles"], found["tableSizeBytes"]) == (files.height, files["size"].sum())
    first = (logged(lake) / f"{0:020d}.json").read_text().splitlines()
    (metadata,) = (json.loads(line)["metaData"] for line in first if "metaData" in line[:20])
    told = found["metadata"]
    assert isinstance(told, dict)
    assert {name: told[name] for name in METADATA} == {name: metadata[name] for name in METADATA}
    assert json.loads(told["schemaString"]) == json.loads(metadata["schemaString"])


def test_each_append_says_how_large_the_table_is(lake: Lake) -> None:
    for seed in range(3):
        append(lake, seed)
        assert_true(lake)


def test_what_others_wrote_between_is_counted(lake: Lake) -> None:
    append(lake, 1)
    Lake(lake.root).delete(READINGS, "zone = 'north'")
    append(Lake(lake.root), 2)
    append(lake, 3)
    assert_true(lake)


def test_it_is_not_seen_before_its_entry_and_of_many_versions_the_newest_has_one(
    lake: Lake,
) -> None:
    for seed in range(5):
        append(lake, seed)
        entry = logged(lake) / f"{seed + 1:020d}.json"
        checksum = entry.with_suffix(".crc")
        assert not checksum.exists() or _age_s(checksum, entry) >= AFTER_S / 2

    said(lake, 5)

    for checksum in logged(lake).glob("*.crc"):
        assert _age_s(checksum, checksum.with_suffix(".json")) >= AFTER_S / 2


@pytest.mark.parametrize("is_made_anew", [True, False])
def test_a_table_that_took_its_place_gets_none(lake: Lake, *, is_made_anew: bool) -> None:
    append(lake)
    said(lake, 1)
    shutil.copytree(lake.root, f"{lake.root} as it was")
    append(lake)
    shutil.rmtree(lake.root)
    if is_made_anew:
        other = Lake(lake.root)
        other.create(READINGS)
        other.delete(READINGS, "zone = 'north'")
        other.delete(READINGS, "zone = 'south'")
    else:
        Path(f"{lake.root} as it was").rename(lake.root)

    time.sleep(3 * AFTER_S)

    assert not (logged(lake) / f"{2:020d}.crc").exists()
    assert Lake(lake.root).table(READINGS).version() <= 2


def _age_s(path: Path, than: Path) -> float:
    """Return how much later one file was written than another."""
    return path.stat().st_mtime - than.stat().st_mtime


def test_old_ones_go_and_versions_of_others_have_none(lake: Lake) -> None:
    for seed in range(KEPT + 3):
        append(lake, seed)
        said(lake, seed + 1)
    Lake(lake.root).delete(READINGS, "zone = 'north'")

    kept = sorted(int(path.stem) for path in logged(lake).glob("*.crc"))

    assert kept == list(range(4, KEPT + 4))


def test_a_table_that_nobody_streams_has_none(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    lake.create(MESSAGES)
    lake.append(MESSAGES, lake.scan(MESSAGES).collect(), None)

    assert lake.table(MESSAGES).version() == 1
    assert not list(tmp_path.rglob("*.crc"))


@pytest.mark.spark
@pytest.mark.parametrize("is_there", [True, False])
def test_spark_learns_from_it_what_the_table_is(
    spark: SparkSession, lake: Lake, *, is_there: bool
) -> None:
    append(lake)
    said(lake, 1)
    if not is_there:
        (logged(lake) / f"{1:020d}.crc").unlink()

    spark.sparkContext.setJobGroup(lake.root, "what is the table")
    assert lake.frame(spark, READINGS).columns == list(READINGS.column_names)
    jobs = spark.sparkContext.statusTracker().getJobIdsForGroup(lake.root)
    spark.sparkContext.setJobGroup("", "")

    assert bool(jobs) != is_there
    assert lake.frame(spark, READINGS).count() == lake.scan(READINGS).collect().height

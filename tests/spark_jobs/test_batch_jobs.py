"""The batch jobs over a small lake: each does its duty, and nothing more the second time."""

import argparse
import json
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from pyspark.sql import SparkSession

from edge.registry_files import RegistryFiles
from spark_jobs.jobs import (
    compact,
    dedup,
    delays,
    job_runs,
    rebuild_gold,
    retention,
    summaries,
    vacuum,
)
from spark_jobs.jobs.gold_query import GoldQuery
from spark_jobs.jobs.gold_tables import WINDOW_TABLES
from spark_jobs.lake import Lake
from spark_jobs.restatements import Mark, Restatements
from spark_jobs.schema import arrow_schema
from spark_jobs.transforms.marks import of_delays, of_rows
from telemetry.settings import Settings
from telemetry.tables import (
    CONFLICTS,
    DELIVERY_DELAY,
    DEVICE_DUPLICATES,
    DEVICE_MINUTE,
    DEVICE_WINDOWS,
    DUPLICATES,
    JOB_RUNS,
    MESSAGES,
    READINGS,
    RESTATEMENTS,
    SUMMARY_PRODUCT_DAY,
    SUMMARY_ZONE_HOUR,
    Table,
)
from tests.spark_jobs.empty_lakes import create_all
from tests.spark_jobs.gold_fleet import NOON, PRODUCTS, fleet
from tests.spark_jobs.silver_rows import silver

pytestmark = pytest.mark.spark
ASIDE = (DUPLICATES, CONFLICTS)


@pytest.fixture(scope="module")
def settings(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return a home whose lake has a day of readings, gold made of them."""
    made = Settings(home=tmp_path_factory.mktemp("home"))
    lake = Lake(made.lake_root)
    create_all(lake)
    for product in PRODUCTS:
        RegistryFiles(made.registry_dir).put_product(product)
    lake.append(READINGS, silver(fleet(seed=5, messages=200), READINGS), None)
    advance(spark, made)
    return made


def advance(spark: SparkSession, settings: Settings) -> None:
    query = GoldQuery(settings)
    query.start(spark, "available-now").awaitTermination()
    query.close()


def run(job: object, settings: Settings, *words: str) -> job_runs.Result:
    parser = argparse.ArgumentParser()
    job.add_arguments(parser)  # type: ignore[attr-defined]
    lake = Lake(settings.lake_root)
    result = job.run(parser.parse_args(words), settings, lake)  # type: ignore[attr-defined]
    assert json.dumps(result, default=str)
    return dict(result)


def rows(settings: Settings, table: Table) -> pl.DataFrame:
    found = Lake(settings.lake_root).scan(table).collect()
    return found.sort([name for name in table.key if name in found.columns])


def assert_equal(left: pl.DataFrame, right: pl.DataFrame) -> None:
    assert_frame_equal(left, right, check_row_order=False, rel_tol=1e-9)


def test_dedup_removes_copies_of_a_replay_and_restates_gold(
    spark: SparkSession, settings: Settings
) -> None:
    lake = Lake(settings.lake_root)
    before, gold = rows(settings, READINGS), {t: rows(settings, t) for t in WINDOW_TABLES}
    copies = before.filter(pl.col("seq") < 7)
    lake.append(READINGS, copies, None)
    aside = silver(fleet(seed=5, messages=3).filter(pl.col("metric") == "load"), DUPLICATES)
    lake.append(DUPLICATES, aside.with_columns(received_date=date(2026, 10, 21)), None)
    advance(spark, settings)

    result = run(dedup, settings, "--all")
    advance(spark, settings)

    assert result["removed_messages"] == 7
    assert result["removed_readings"] == copies.height
    assert_equal(rows(settings, READINGS), before)
    for table, expected in gold.items():
        assert_equal(rows(settings, table), expected)
    counted = rows(settings, DEVICE_DUPLICATES)
    assert counted["removed"].sum() == 7
    assert counted["duplicates"].sum() == 3
    assert run(dedup, settings, "--all")["removed_messages"] == 0
    assert_equal(rows(settings, DEVICE_DUPLICATES), counted)


def test_dedup_sets_whole_messages_aside_with_their_bytes(
    spark: SparkSession, settings: Settings
) -> None:
    lake = Lake(settings.lake_root)
    before, gold = rows(settings, READINGS), {t: rows(settings, t) for t in WINDOW_TABLES}
    firsts = before.filter(pl.col("seq").is_in([20, 21, 22]))
    moved = pl.col("offset") + 10_000
    later = firsts.with_columns(moved, pl.col("kafka_time") + timedelta(hours=1))
    # The second copy of 21 says less, and something new.
    is_other = (pl.col("seq") == 21) & (pl.col("metric") == "load")
    renamed = later.with_columns(metric=pl.when(is_other).then(pl.lit("new")).otherwise("metric"))
    lake.append(READINGS, renamed.filter((pl.col("seq") != 21) | (pl.col("metric") == "new")), None)
    lake.append(MESSAGES, bronze({n: b"{%d}" % n for n in (20, 21, 22)}), None)
    lake.append(MESSAGES, bronze({10_020: b"{20}", 10_021: b"{other}", 10_022: b"{22}"}), None)
    advance(spark, settings)

    result = run(dedup, settings, "--all")

    assert (result["removed_messages"], result["gold"]) == (3, "done")
    assert_equal(rows(settings, READINGS), before)
    for table, expected in gold.items():
        assert_equal(rows(settings, table), expected)
    found = [rows(settings, table).filter(pl.col("offset") >= 10_000) for table in ASIDE]
    shown = [list(f.select("offset", "first_offset", "message").iter_rows()) for f in found]
    assert shown == [
        [(10_020, 20, b"{20}"), (10_022, 22, b"{22}")],
        [(10_021, 21, b"{other}")],
    ]
    assert rows(settings, RESTATEMENTS).is_empty()
    assert run(dedup, settings, "--all")["removed_messages"] == 0


def test_dedup_killed_on_the_way_is_finished_by_the_next_run(
    spark: SparkSession, settings: Settings
) -> None:
    lake = Lake(settings.lake_root)
    before, gold = rows(settings, READINGS), {t: rows(settings, t) for t in WINDOW_TABLES}
    copy = before.filter(pl.col("seq") == 30).with_columns(pl.col("offset") + 20_000)
    lake.append(READINGS, copy, None)
    advance(spark, settings)
    there = before.filter(pl.col("seq") == 30).head(1)
    windows = pl.concat([of_rows(there), of_delays(there)])
    Restatements(lake).mark(windows, Mark("killed", "dedup", NOON))
    lake.append(DUPLICATES, aside(copy.head(1)), None)
    # The first half of what the run that was killed did: set aside, and silver rewritten.
    lake.replace(READINGS, before, None, None)

    result = run(dedup, settings, "--all")
    advance(spark, settings)

    assert result["removed_messages"] == 0
    for table, expected in gold.items():
        assert_equal(rows(settings, table), expected)
    assert rows(settings, RESTATEMENTS).is_empty()


def bronze(values: dict[int, bytes]) -> pl.DataFrame:
    """Return records of bronze at these offsets."""
    plain = {"topic": "telemetry", "partition": 0, "items": 1, "headers": [], "tenant": "default"}
    times = {"kafka_time": NOON, "received_at": NOON, "received_date": NOON.date()}
    empty = pl.from_arrow(arrow_schema(MESSAGES).empty_table())
    assert isinstance(empty, pl.DataFrame)
    records = [
        {name: {"offset": at, "value": value, **plain, **times}.get(name) for name in empty.columns}
        for at, value in values.items()
    ]
    return pl.DataFrame(records, schema=empty.schema)


def aside(readings: pl.DataFrame) -> pl.DataFrame:
    """Return messages as they are set aside."""
    said = silver(readings, DUPLICATES)
    return said.with_columns(received_date=pl.col("received_at").dt.date())


def test_dedup_finds_what_is_new(spark: SparkSession, settings: Settings) -> None:
    before = rows(settings, READINGS)
    run(dedup, settings)
    Lake(settings.lake_root).append(READINGS, before.filter(pl.col("seq") < 5), None)
    advance(spark, settings)

    result = run(dedup, settings)
    advance(spark, settings)

    assert result["removed_messages"] == 5
    assert_equal(rows(settings, READINGS), before)


def test_rebuilding_a_day_gives_the_same_gold(settings: Settings) -> None:
    gold = {table: rows(settings, table) for table in (*WINDOW_TABLES, DELIVERY_DELAY)}

    result = run(rebuild_gold, settings, "--from", "2026-10-20", "--to", "2026-10-21")

    assert result["gold"] == "done"
    for table, expected in gold.items():
        assert_equal(rows(settings, table), expected)


def test_summaries_are_the_statistics_of_zones_and_products(settings: Settings) -> None:
    run(summaries, settings)
    first = rows(settings, SUMMARY_PRODUCT_DAY), rows(settings, SUMMARY_ZONE_HOUR)
    again = run(summaries, settings)
    assert "2026-10-20" not in json.dumps(again["days"], default=str), "nothing came since"
    run(summaries, settings, "--every", "day", "--from", "2026-10-20", "--to", "2026-10-21")

    products = rows(settings, SUMMARY_PRODUCT_DAY)
    assert_equal(products, first[0])
    assert_equal(rows(settings, SUMMARY_ZONE_HOUR), first[1])
    loads = rows(settings, READINGS).filter(
        pl.col("metric") == "load",
        pl.col("product") == "meter",
        pl.col("event_date") == date(2026, 10, 20),
    )
    found = products.row(
        by_predicate=(pl.col("metric") == "load")
        & (pl.col("product") == "meter")
        & (pl.col("window_start") == datetime(2026, 10, 20, tzinfo=UTC)),
        named=True,
    )
    values = loads["value"].drop_nulls().to_numpy()
    assert found["devices"] == loads.filter(pl.col("value").is_not_null())["device_full"].n_unique()
    assert found["count"] == len(values)
    np.testing.assert_allclose(
        [found["sum"], found["mean"], found["stddev"]],
        [values.sum(), values.mean(), values.std(ddof=1)],
        rtol=1e-9,
    )


def test_compact_leaves_one_file_a_closed_partition(
    spark: SparkSession, settings: Settings
) -> None:
    lake = Lake(settings.lake_root)
    tags = pl.concat_list(pl.struct(key=pl.lit("line"), value=pl.lit("3")))
    for part in fleet(seed=9, messages=30).partition_by("product", "metric"):
        said = silver(part.with_columns(boot=pl.lit("c")), READINGS)
        said = said.with_columns(tags.cast(said.schema["tags"]).alias("tags"))
        lake.append(READINGS, said, None)
    before = rows(settings, READINGS)
    lines = "tags['line'] = '3'"
    tagged = lake.frame(spark, READINGS).where(lines).count()
    assert lake.files(READINGS).height > 4

    run(compact, settings, "--tables", READINGS.name)

    partitions = rows(settings, READINGS).select("retention_class", "event_date").n_unique()
    assert lake.files(READINGS).height == partitions
    assert_equal(rows(settings, READINGS), before)
    assert run(compact, settings, "--tables", READINGS.name)["tables"] == {}
    assert lake.frame(spark, READINGS).where(lines).count() == tagged > 0


def test_vacuum_keeps_what_is_young(settings: Settings) -> None:
    assert run(vacuum, settings)["retained_hours"] == 24
    assert rows(settings, READINGS).height


def test_retention_drops_whole_partitions_by_class(settings: Settings) -> None:
    after = (NOON + timedelta(days=95)).date().isoformat()
    dry = run(retention, settings, "--today", after, "--dry-run")
    before = rows(settings, READINGS)

    result = run(retention, settings, "--today", after)

    assert dry["tables"] == result["tables"]
    kept = rows(settings, READINGS)
    assert_equal(kept, before.filter(pl.col("retention_class") == "history"))
    assert set(rows(settings, DEVICE_MINUTE)["retention_class"]) == {"history"}
    # The year that a day table's partition holds is not over.
    assert set(rows(settings, DEVICE_WINDOWS["day"])["retention_class"]) == {"default", "history"}
    assert run(retention, settings, "--today", after)["tables"] == {}


def test_delays_are_merged_over_hours(settings: Settings) -> None:
    result = run(delays, settings, "--from", "2026-10-20", "--to", "2026-10-21")

    assert {figures["product"] for figures in result["products"]} == {"meter", "archive"}  # type: ignore[attr-defined]


def test_every_run_is_recorded(settings: Settings) -> None:
    recorded = rows(settings, JOB_RUNS)

    assert recorded["success"].all()
    assert {"dedup", "summaries", "retention"} <= set(recorded["job"])

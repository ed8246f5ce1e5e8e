"""The quality job over a small lake: what holds, what does not, and what is not asked again."""

import argparse
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from pyspark.sql import SparkSession

from edge.registry_files import RegistryFiles
from spark_jobs.jobs import quality
from spark_jobs.jobs.held_since import held_since
from spark_jobs.jobs.job_runs import Result
from spark_jobs.jobs.quality_figures import COMPARED, Compared, all_figures, days_apart
from spark_jobs.lake import Lake
from spark_jobs.transforms.held import Held
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from telemetry.tables import DEVICE_DAY, DEVICE_HOUR, DEVICE_WINDOWS, QUALITY, READINGS, Table
from tests.spark_jobs.gold_fleet import NOON, PRODUCTS, fleet
from tests.spark_jobs.silver_rows import silver
from tests.spark_jobs.test_gold_tables import merge

pytestmark = pytest.mark.spark

LONG_AGO = timedelta(days=7 * 365)
FIRST_DAY = (NOON - LONG_AGO).date()
DAYS = ("--from", str(FIRST_DAY), "--to", str(FIRST_DAY + timedelta(days=1)))


def readings(seed: int) -> pl.DataFrame:
    moved = fleet(seed, messages=60)
    return moved.with_columns(
        pl.col("event_time", "received_at") - LONG_AGO, boot=pl.lit(str(seed))
    )


@pytest.fixture(scope="module")
def settings(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return a home whose lake has readings of long ago, gold made of them."""
    made = Settings(home=tmp_path_factory.mktemp("home"))
    lake = Lake(made.lake_root)
    lake.create_all()
    for product in PRODUCTS:
        RegistryFiles(made.registry_dir).put_product(product)
    rows = readings(seed=5)
    lake.append(READINGS, silver(rows, READINGS), None)
    merge(lake, [rows])
    return made


def run(settings: Settings, *words: str) -> dict[str, dict[str, object]]:
    result = outcome(settings, "--exit-zero", *words)
    tables = result["tables"]
    assert isinstance(tables, dict)
    return tables


def outcome(settings: Settings, *words: str) -> Result:
    parser = argparse.ArgumentParser()
    quality.add_arguments(parser)
    return quality.run(parser.parse_args(words), settings, Lake(settings.lake_root))


def failed(tables: dict[str, dict[str, object]], table: Table) -> str:
    return str(tables[table.name]["failed"])


def test_what_holds_is_kept_and_its_rows_are_not_asked_again(settings: Settings) -> None:
    words = ("--tables", READINGS.name, DEVICE_HOUR.name)

    first = run(settings, *words)
    second = run(settings, *words)

    assert [failed(first, table) for table in (READINGS, DEVICE_HOUR)] == ["[]", "[]"]
    assert first[READINGS.name]["rows"] == 240
    assert second[READINGS.name]["rows"] == 0
    kept = Lake(settings.lake_root).scan(QUALITY).collect()
    assert set(kept["table"]) == {READINGS.name, DEVICE_HOUR.name}
    assert "gold.device_hour counts what silver.readings and silver.late hold" in set(
        kept["expectation"]
    )


def test_gold_is_compared_with_silver_over_the_days_asked_for(settings: Settings) -> None:
    tables = (*DEVICE_WINDOWS.values(),)

    found = run(settings, *DAYS, "--tables", *(table.name for table in tables))

    for table in tables:
        assert failed(found, table) == "[]"
        assert found[table.name]["rows"]


def test_an_unknown_table_is_refused_with_those_there_are(settings: Settings) -> None:
    with pytest.raises(HeadwaterError, match=r"no table silver\.rows: choose of .*silver\.read"):
        outcome(settings, "--tables", "silver.rows")


def test_days_of_old_that_changed_are_compared_until_gold_agrees(settings: Settings) -> None:
    lake, rows = Lake(settings.lake_root), readings(seed=7)
    names = ("--tables", READINGS.name, *(table.name for table in COMPARED))
    run(settings, *names)

    lake.append(READINGS, silver(rows, READINGS), None)
    run(settings, "--tables", READINGS.name)
    found = [run(settings, *names) for _ in range(2)]

    for tables in found:
        assert [tables[READINGS.name][name] for name in ("failed", "rows")] == [[], 0]
        assert all("counts what silver" in failed(tables, table) for table in COMPARED)
    merge(lake, [readings(seed=5), rows])
    agreed = run(settings, *names)
    assert all(failed(agreed, table) == "[]" for table in COMPARED)


def test_windows_whose_readings_retention_has_dropped_are_held_against_nothing(
    tmp_path: Path,
) -> None:
    """Months of hours stay when days of readings go."""
    lake, rows = Lake(str(tmp_path)), readings(seed=5)
    lake.create_all()
    lake.append(READINGS, silver(rows, READINGS), None)
    merge(lake, [rows])
    lake.delete(READINGS, "retention_class = 'default'")
    today = NOON.date()
    held = held_since(lake, PRODUCTS, today)

    found = {
        is_known: [
            days_apart(figures)
            for figures in all_figures(
                lake, COMPARED, Compared(NOON, [FIRST_DAY], held if is_known else Held()), tmp_path
            )
        ]
        for is_known in (True, False)
    }

    assert found == {True: [set()] * 3, False: [set(), {FIRST_DAY}, {FIRST_DAY}]}


def test_copies_and_uncounted_rows_do_not_hold(settings: Settings) -> None:
    """The last one of this lake: a copy of a message comes into silver beside gold."""
    rows = readings(seed=5).head(4)
    Lake(settings.lake_root).append(READINGS, silver(rows, READINGS), None)
    words = (*DAYS, "--tables", READINGS.name, DEVICE_HOUR.name, DEVICE_DAY.name)

    found = run(settings, *words)

    assert "expect_compound_columns_to_be_unique" in failed(found, READINGS)
    assert "counts what silver" in failed(found, DEVICE_HOUR)
    assert "counts what silver" in failed(found, DEVICE_DAY)
    with pytest.raises(HeadwaterError, match=r"expectations do not hold, see .*overview\.html"):
        outcome(settings, *words)


def test_pages_are_in_the_home(settings: Settings) -> None:
    pages = outcome(settings, "--tables", QUALITY.name, "--exit-zero")["pages"]

    assert Path(str(pages)).is_relative_to(settings.home / "dataquality")
    assert Path(str(pages)).exists()

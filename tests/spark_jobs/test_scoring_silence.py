"""Silence that is told by a look between two batches, cut short before it is saved."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from spark_jobs.lake import Lake
from telemetry.settings import Settings
from tests.spark_jobs.empty_lakes import create_all
from tests.spark_jobs.test_scoring import (
    SILENT,
    Heard,
    advance,
    anomalies,
    at,
    heard,
    land,
    put,
    put_back,
    saved,
    scoring,
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(home=tmp_path)
    create_all(Lake(made.lake_root))
    return made


def test_silence_is_kept_once_though_it_is_told_again(settings: Settings) -> None:
    sink = Heard()
    put(settings, SILENT)
    looking = scoring(settings, sink, 20)
    heard(looking, "boiler.a", 0)
    looking.save()
    looking.look_after(is_current=False)
    assert sink.alerts == []
    before = saved(settings)
    looking.look_after(is_current=True)
    put_back(settings, before)
    scoring(settings, sink, 21).look_after(is_current=True)
    assert len({alert.id for alert in sink.alerts}) == 1
    assert len(sink.alerts) == 2
    assert anomalies(settings) == [("boiler.a", at(10), 1)]


@pytest.mark.spark
def test_silence_that_a_batch_tells_again_is_kept_once(
    spark: SparkSession, settings: Settings
) -> None:
    put(settings, SILENT)
    sink = Heard()
    advance(spark, settings, sink)
    land(settings, ("boiler.a", 0, 50))
    advance(spark, settings, sink)
    before = saved(settings)
    scoring(settings, sink, 20).look_after(is_current=True)
    put_back(settings, before)
    land(settings, ("boiler.a", 20.5, 50), first=1)
    advance(spark, settings, sink)
    assert [alert.state for alert in sink.alerts] == ["firing", "firing", "resolved"]
    assert len({alert.id for alert in sink.alerts if alert.state == "firing"}) == 1
    assert anomalies(settings) == [("boiler.a", at(10), 1)]


def test_silence_that_could_not_be_told_is_told_once_it_can(settings: Settings) -> None:
    sink = Heard()
    put(settings, SILENT)
    looking = scoring(settings, sink, 20)
    heard(looking, "boiler.a", 0)
    looking.save()
    sink.fails = 1
    with pytest.raises(OSError, match="away"):
        looking.look_after(is_current=True)
    assert anomalies(settings) == []
    looking.look_after(is_current=True)
    looking.look_after(is_current=True)
    assert anomalies(settings) == [("boiler.a", at(10), 1)]
    assert len(sink.alerts) == 2

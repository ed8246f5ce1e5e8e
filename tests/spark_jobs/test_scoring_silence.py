"""Silence that is told by a look between two batches, cut short before it is saved."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from spark_jobs.jobs.progress_files import write_progress
from spark_jobs.jobs.scoring_query import ScoringQuery
from spark_jobs.lake import Lake
from telemetry.settings import Settings
from tests.spark_jobs.empty_lakes import create_all
from tests.spark_jobs.test_scoring import (
    NOON,
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
    looking.look_after()
    assert sink.alerts == []
    before = saved(settings)
    looking.look_after(heard_until=2**62)
    put_back(settings, before)
    scoring(settings, sink, 21).look_after(heard_until=2**62)
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
    scoring(settings, sink, 20).look_after(heard_until=2**62)
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
        looking.look_after(heard_until=2**62)
    assert anomalies(settings) == []
    looking.look_after(heard_until=2**62)
    looking.look_after(heard_until=2**62)
    assert anomalies(settings) == [("boiler.a", at(10), 1)]
    assert len(sink.alerts) == 2


@pytest.mark.spark
@pytest.mark.parametrize("is_unread", [False, True])
def test_silence_is_told_beside_devices_that_never_cease(
    spark: SparkSession, settings: Settings, is_unread: bool
) -> None:
    """Landing is never done, nor is scoring; what had come by a while ago both have seen."""
    put(settings, SILENT)
    (settings.home / "stack.json").write_text('{"mode": "full"}')
    sink = Heard()
    half_hour_ago = (datetime.now(UTC) - NOON) / timedelta(minutes=1) - 30

    def look(landed_until: float, *, more: bool) -> None:
        query = ScoringQuery(settings, sink)
        query.own()
        query.start(spark, "available-now").awaitTermination()
        if more:
            land(settings, ("boiler.b", half_hour_ago + 29, 50), first=2)
        said = {"name": "landing", "state": "running", "at": time.time(), "lag_messages": 4000}
        write_progress(settings.progress_dir, said | {"landed_until": landed_until})
        query.close()

    look(time.time(), more=False)
    land(settings, ("boiler.a", half_hour_ago, 50), ("boiler.b", half_hour_ago + 29, 50))
    look(time.time() - 1, more=is_unread)

    told = [(alert.device, alert.state) for alert in sink.alerts]
    assert told == ([] if is_unread else [("boiler.a", "firing")])


@pytest.mark.spark
def test_what_lasts_is_told_again_each_hour_as_the_alert_that_it_was(
    spark: SparkSession, settings: Settings
) -> None:
    put(settings, SILENT)
    (settings.home / "stack.json").write_text('{"mode": "full"}')
    sink = Heard()
    looking = scoring(settings, sink, 20)
    heard(looking, "boiler.a", 0)
    looking.look_after(heard_until=2**62)
    looking.save()

    for _ in range(3):
        query = ScoringQuery(settings, sink)
        query.own()
        query.start(spark, "available-now").awaitTermination()
        query.close()
    mark = settings.checkpoint_dir / "scoring.reminded"
    often = len(sink.alerts)
    os.utime(mark, (0, time.time() - 3601))
    query = ScoringQuery(settings, sink)
    query.start(spark, "available-now").awaitTermination()
    query.close()

    assert (often, len(sink.alerts)) == (2, 3)
    assert len({(alert.id, alert.state) for alert in sink.alerts}) == 1
    assert anomalies(settings) == [("boiler.a", at(10), 1)]

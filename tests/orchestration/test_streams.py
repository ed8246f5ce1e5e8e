from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from orchestration import streams
from orchestration.tables import asset_key
from telemetry.settings import Settings
from telemetry.tables import READINGS
from tests.orchestration.jobs import calls, fake_spark, is_nicer

pytestmark = pytest.mark.filterwarnings("ignore::dagster.PreviewWarning")

TOLD = {
    "landing": {"name": "landing", "lag_messages": 0, "duration_s": 2.5, "rows": {"bronze": 9}},
    "gold": {"name": "gold", "lag_messages": 0, "duration_s": 1.5, "rows": {}},
    "scoring": {"name": "scoring", "lag_messages": 0, "duration_s": 0.5, "rows": {}},
}


def settings(tmp_path: Path) -> Settings:
    for table in (table for filled in streams.FILLED.values() for table in filled):
        rows = pl.DataFrame({"n": range(3 if table == READINGS else 1)})
        rows.write_delta(tmp_path / "lake" / table.name.replace(".", "/"), mode="append")
    return Settings(home=tmp_path, streams="scheduled", streams_interval_s=5)


def test_a_micro_batch_tells_rows_lag_and_duration(tmp_path: Path) -> None:
    result = dg.materialize(
        [streams.micro_batch(settings(tmp_path))],
        resources={"spark": fake_spark(tmp_path, stream=TOLD)},
    )

    made = {one.asset_key: one for one in result.asset_materializations_for_node("run_streams")}
    landing = made[asset_key("streams.landing")].metadata
    assert landing["duration_s"].value == 2.5
    assert landing["lag_messages"].value == 0
    assert landing["rows bronze"].value == 9
    assert made[asset_key("silver.readings")].metadata["dagster/row_count"].value == 3
    assert made[asset_key("streams.scoring")].metadata["duration_s"].value == 0.5
    assert calls(tmp_path) == [["stream", "--trigger", "available-now"]]
    assert not is_nicer(tmp_path)


def test_scoring_that_no_rule_wants_is_not_said_to_have_run(tmp_path: Path) -> None:
    told = {name: figures for name, figures in TOLD.items() if name != "scoring"}
    result = dg.materialize(
        [streams.micro_batch(settings(tmp_path))],
        resources={"spark": fake_spark(tmp_path, stream=told)},
    )

    made = {one.asset_key: one for one in result.asset_materializations_for_node("run_streams")}
    assert made[asset_key("streams.scoring")].metadata["state"].value == "not wanted"
    assert asset_key("gold.anomalies") in made


def test_a_run_starts_at_each_interval(tmp_path: Path) -> None:
    sensor = streams.sensor(settings(tmp_path))

    with dg.DagsterInstance.ephemeral() as instance:
        asked = sensor(dg.build_sensor_context(instance))

    assert isinstance(asked, dg.RunRequest)
    assert sensor.minimum_interval_seconds == 5


def test_no_run_starts_while_one_is_not_over(tmp_path: Path) -> None:
    sensor = streams.sensor(settings(tmp_path))

    with dg.DagsterInstance.ephemeral() as instance:
        run = dg.DagsterRun(job_name=streams.JOB, status=dg.DagsterRunStatus.STARTED)
        instance.add_run(run)
        asked = sensor(dg.build_sensor_context(instance))
        instance.report_run_failed(run)
        next_asked = sensor(dg.build_sensor_context(instance))

    assert isinstance(asked, dg.SkipReason)
    assert isinstance(next_asked, dg.RunRequest)

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import polars as pl

from orchestration.observation import stream_figures, table_sizes
from orchestration.tables import asset_key
from orchestration.watching import watch_sensor
from telemetry.settings import Settings
from telemetry.tables import BY_NAME, FIRST_USE, REJECTED, TABLES


def write(lake: Path, table: str, rows: int) -> None:
    pl.DataFrame({"n": range(rows)}).write_delta(lake / table.replace(".", "/"), mode="append")


def progress(folder: Path, **changes: object) -> None:
    plain = {
        "name": "landing",
        "state": "running",
        "at": 1000.0,
        "lag_messages": 5,
        "age_s": 1.5,
        "event_time": None,
        "rows": {"bronze": 12},
    }
    folder.mkdir(exist_ok=True)
    (folder / "landing.json").write_text(json.dumps({**plain, **changes}))


def later(cursor: str | None) -> str:
    return json.dumps({**json.loads(cursor or "{}"), "next_at": 0.0})


def test_rows_are_those_of_the_log(tmp_path: Path) -> None:
    write(tmp_path, "silver.rejected", 3)
    write(tmp_path, "silver.rejected", 4)

    ((table, size),) = table_sizes(str(tmp_path), TABLES, {}, 0.0)

    assert (table, size.rows, size.files, size.version) == (REJECTED, 7, 2, 1)


def test_a_version_that_was_seen_is_not_told_again(tmp_path: Path) -> None:
    write(tmp_path, "silver.rejected", 3)

    assert list(table_sizes(str(tmp_path), TABLES, {"silver.rejected": 0}, 0.0)) == []


def age(lake: Path, table: str, now_s: float) -> object:
    ((_, size),) = table_sizes(str(lake), [BY_NAME[table]], {}, now_s)
    return size.metadata().get("age_s")


def at(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def test_a_table_tells_how_old_its_newest_row_is(tmp_path: Path) -> None:
    came = pl.DataFrame({"received_at": [at(1000), at(1060)], "event_time": [at(10), at(9999)]})
    came.write_delta(tmp_path / "silver" / "readings")
    ends = pl.DataFrame({"window_end": [at(900), at(1200)]})
    ends.write_delta(tmp_path / "gold" / "device_minute")

    assert age(tmp_path, "silver.readings", 1090.0) == 30.0
    assert age(tmp_path, "gold.device_minute", 1260.0) == 60.0
    # A window that is open ends in time to come.
    assert age(tmp_path, "gold.device_minute", 1150.0) == 0.0


def test_a_table_without_such_times_is_as_old_as_its_newest_file(tmp_path: Path) -> None:
    write(tmp_path, "ops.first_use", 1)
    pl.DataFrame({"n": pl.Series([], dtype=pl.Int64)}).write_delta(tmp_path / "ops" / "job_runs")
    now_s = time.time()

    found = age(tmp_path, "ops.first_use", now_s + 500)
    assert isinstance(found, float)
    assert 499 < found < 600
    assert age(tmp_path, "ops.job_runs", now_s) is None


def test_a_running_stream_tells_its_lag_and_rows(tmp_path: Path) -> None:
    progress(tmp_path)

    figures = stream_figures(tmp_path, "landing", 1002.0)

    assert figures is not None
    assert figures["lag_messages"] == 5
    assert figures["rows bronze"] == 12
    assert "event_time" not in figures


def test_a_silent_or_stopped_stream_is_not_running(tmp_path: Path) -> None:
    assert stream_figures(tmp_path, "landing", 1002.0) is None
    progress(tmp_path)
    assert stream_figures(tmp_path, "landing", 1500.0) is None
    progress(tmp_path, state="stopped")
    assert stream_figures(tmp_path, "landing", 1002.0) is None


def test_the_sensor_reports_each_change_once(tmp_path: Path) -> None:
    write(tmp_path / "lake", "silver.rejected", 3)
    write(tmp_path / "lake", "ops.first_use", 1)
    own = frozenset({asset_key(FIRST_USE.name)})
    sensor = watch_sensor(Settings(home=tmp_path), own)

    first = sensor(dg.build_sensor_context())
    assert isinstance(first, dg.SensorResult)
    soon = sensor(dg.build_sensor_context(cursor=first.cursor))
    write(tmp_path / "lake", "ops.first_use", 1)
    second = sensor(dg.build_sensor_context(cursor=later(first.cursor)))

    kinds = {event.asset_key.path[-1]: type(event) for event in first.asset_events}
    assert kinds == {"rejected": dg.AssetMaterialization, "first_use": dg.AssetObservation}
    assert isinstance(soon, dg.SensorResult)
    assert soon.asset_events == []
    assert isinstance(second, dg.SensorResult)
    assert [event.asset_key.path[-1] for event in second.asset_events] == ["first_use"]


def test_lake_is_looked_at_again_though_the_clock_was_set_back(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    write(Path(settings.lake_root), "silver.rejected", 3)
    ahead = json.dumps({"seen": {}, "next_at": time.time() + 86_400, "pause_s": 300.0})

    found = watch_sensor(settings, frozenset())(dg.build_sensor_context(cursor=ahead))

    assert isinstance(found, dg.SensorResult)
    assert found.asset_events

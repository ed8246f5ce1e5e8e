"""How old dashboards say that their data is, asked without Trino; and when that is red."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.sql.light_engine import query_light
from infra.superset.inside.data_age import KEPT_RED_MS, age, kept_alerts
from orchestration.batch import BATCH_JOBS
from telemetry.settings import Settings
from telemetry.tables import ALERTS, BY_NAME, JOB_RUNS, ZONE_DAY, ZONE_MINUTE
from tests.dashboards.bundle import read
from tests.dashboards.lakes import Row, alert, seed, write

(SQL,) = [one["sql"] for one in read("datasets").values() if one["table_name"] == "data_age"]
SLACK_S = 60.0


@pytest.fixture
def home(tmp_path: Path) -> Path:
    seed(tmp_path / "lake", datetime.now(UTC))
    return tmp_path


def ages(home: Path) -> dict[str, float | None]:
    """Return the age of each source in seconds."""
    rows = query_light(Settings(home=home), SQL).rows
    return {str(source): None if ms is None else float(str(ms)) / 1000 for source, _, ms, _ in rows}


def replaced(home: Path, name: str, rows: list[Row]) -> None:
    """Make a table anew with other rows."""
    folder = home / "lake" / name.replace(".", "/")
    folder.rename(home / name)
    write(home / "lake", BY_NAME[name], rows)


def test_alerts_are_as_old_as_the_last_run_that_brought_them(home: Path) -> None:
    found = ages(home)["alerts"]
    assert found is not None
    assert 8 * 60 <= found < 8 * 60 + SLACK_S
    old = alert(datetime.now(UTC) - timedelta(hours=5))
    write(home / "lake", ALERTS, [old])
    assert ages(home)["alerts"] == pytest.approx(found, abs=SLACK_S)


def test_alerts_that_no_job_brought_have_no_age(home: Path) -> None:
    replaced(home, JOB_RUNS.name, [])
    assert ages(home)["alerts"] is None


def test_gold_is_as_old_as_its_last_final_window(home: Path) -> None:
    now = datetime.now(UTC)
    end = (now - timedelta(minutes=3)).replace(second=0, microsecond=0)
    replaced(home, ZONE_MINUTE.name, [_minute(end, is_final=True), _minute(now, is_final=False)])
    found = ages(home)["gold"]
    assert found is not None
    assert found == pytest.approx((now - end).total_seconds(), abs=SLACK_S / 2)


def test_gold_that_is_never_final_is_as_old_as_what_it_counted(home: Path) -> None:
    now = datetime.now(UTC)
    replaced(home, ZONE_MINUTE.name, [_minute(now, is_final=False)])
    day = _minute(now, is_final=False) | {"window_period": now.date().replace(month=1, day=1)}
    told = day | {"last_at": now - timedelta(minutes=20), "window_start": now.replace(hour=0)}
    ahead = told | {"last_at": now + timedelta(days=400), "zone": "ahead"}
    replaced(home, ZONE_DAY.name, [told, ahead])
    found = ages(home)["gold"]
    assert found is not None
    assert found == pytest.approx(20 * 60, abs=SLACK_S)


def _minute(end: datetime, *, is_final: bool) -> Row:
    start = end - timedelta(minutes=1)
    return {
        "tenant": "default", "product": "room", "zone": "harbour", "metric": "temperature",
        "window_start": start, "window_end": end, "count": 1, "last_at": start,
        "is_final": is_final, "retention_class": "default", "window_period": start.date(),
    }  # fmt: skip


def test_no_table_is_read_whole() -> None:
    named = r"from ((?:bronze|gold|ops)\.\w+)(.*?)(?=union all|from |$)"
    found = re.findall(named, SQL, re.DOTALL)
    assert len(found) == 6
    for name, rest in found:
        dates = [column for column in BY_NAME[name].partition_by if column != "retention_class"]
        assert any(f"{column} >=" in rest for column in dates), name


def test_age_of_alerts_is_red_once_two_runs_are_missing(home: Path) -> None:
    (job,) = [job for job in BATCH_JOBS if job.name == "alerts"]
    step = int(job.cron.partition("/")[2].split()[0])
    rows = query_light(Settings(home=home), SQL).rows
    (red,) = [int(str(red)) for source, *_, red in rows if source == "alerts"]
    assert 2 * step <= red / 60 <= 3 * step


def test_age_is_counted_from_the_newest_row_and_is_never_below_zero() -> None:
    now = datetime(2026, 11, 21, 8, tzinfo=UTC)
    told = {"newest_at": datetime(2026, 11, 21, 7, 59, 30), "red_after_s": 60}  # noqa: DTZ001
    assert age(told, now) == {"age_ms": 30_000.0, "red_after_ms": 60_000.0}
    assert age(told, now - timedelta(hours=1))["age_ms"] == 0


@pytest.mark.parametrize("newest", [None, float("nan")])
def test_source_without_a_row_has_no_age(newest: object) -> None:
    row = {"newest_at": newest, "red_after_s": 60}
    assert age(row, datetime.now(UTC)) == {"age_ms": None, "red_after_ms": 60_000.0}


BROUGHT = {"age_ms": 480_000.0, "red_after_ms": 2_100_000.0}


@pytest.mark.parametrize(
    ("said", "age_ms", "red_ms"),
    [
        ('{"at": 1000.0, "age_s": 2.5}', 12_500.0, KEPT_RED_MS),
        ('{"at": 100.0, "age_s": 2.5}', 480_000.0, KEPT_RED_MS),
        ('{"at": 1000.0, "age_s": null}', 480_000.0, 2_100_000.0),
        ("{", 480_000.0, 2_100_000.0),
        (None, 480_000.0, 2_100_000.0),
    ],
    ids=["kept", "brought later than kept", "not caught up yet", "half a file", "no streams here"],
)
def test_alerts_that_the_streams_keep_are_as_old_as_their_last_look(
    tmp_path: Path, said: str | None, age_ms: float, red_ms: float
) -> None:
    progress, now = tmp_path / "alerts.json", datetime.fromtimestamp(1010, UTC)
    if said is not None:
        progress.write_text(said)
    assert kept_alerts(progress, BROUGHT, now) == {"age_ms": age_ms, "red_after_ms": red_ms}


def test_alerts_that_were_never_brought_are_as_old_as_the_streams_say(tmp_path: Path) -> None:
    progress = tmp_path / "alerts.json"
    progress.write_text('{"at": 1000.0, "age_s": 0.5}')
    never = {"age_ms": None, "red_after_ms": 2_100_000.0}
    found = kept_alerts(progress, never, datetime.fromtimestamp(1001, UTC))
    assert found["age_ms"] == 1500.0

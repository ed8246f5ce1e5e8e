"""What panels say of zones, silent devices and open alerts, asked without Trino."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.sql.light_engine import query_light
from telemetry import tables
from telemetry.settings import Settings
from tests.dashboards.bundle import panels
from tests.dashboards.lakes import Row, alert
from tests.dashboards.test_trends import BY_NAME, asked, number, some_tables, window

SILENT_DAYS = {"spoke": 0.001, "hours": 0.5, "days": 6, "weeks": 20}
"""For how long devices said nothing; one more never spoke."""


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


def test_a_zones_mean_is_that_of_its_readings_whatever_product_they_are_of(
    tmp_path: Path, now: datetime
) -> None:
    rows = [
        window(now - timedelta(minutes=3), 1, zone="z", metric="t", product=product, count=count,
               mean=mean)
        for product, count, mean in (("room", 30, 20.0), ("fridge", 10, 4.0))
    ]  # fmt: skip
    home = some_tables(tmp_path, {tables.DEVICES: [], tables.ZONE_WINDOWS["minute"]: rows})
    (mean,) = [m for m in BY_NAME["zones_now"]["metrics"] if m["metric_name"] == "newest_mean"]
    sql = f"select zone, {mean['expression']} from ({BY_NAME['zones_now']['sql']}) as a group by 1"
    assert list(query_light(Settings(home=home), sql).rows) == [("z", 16.0)]


def test_a_clock_that_is_ahead_does_not_speak_for_its_zone(tmp_path: Path, now: datetime) -> None:
    minute = now.replace(second=0, microsecond=0)
    rows = [
        window(minute + timedelta(minutes=after), 1, zone="z", metric="t", mean=mean)
        for after, mean in ((-2, 19.0), (-1, 20.0), (1, 99.0), (2, 99.0))
    ]
    home = some_tables(tmp_path, {tables.DEVICES: [], tables.ZONE_WINDOWS["minute"]: rows})
    assert asked(home, "zones_now").select("zone", "mean").rows() == [("z", 20.0)]


def test_who_was_not_heard_for_longest_comes_first(tmp_path: Path, now: datetime) -> None:
    spoken = [
        window(now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=int(days)),
               1440, device_full=name, product="room", last_at=now - timedelta(days=days))
        for name, days in SILENT_DAYS.items()
    ]  # fmt: skip
    known: list[Row] = [
        {"tenant": "default", "device_full": name, "device": name, "product": "room", "zone": "z"}
        for name in [*SILENT_DAYS, "never"]
    ]
    home = some_tables(tmp_path, {tables.DEVICE_WINDOWS["day"]: spoken, tables.DEVICES: known})
    (panel,) = [one for one in panels() if one.name == "Longest silent devices"]
    (query,) = panel.query_context["queries"]
    ((column, is_ascending),) = query["orderby"]
    found = asked(home, "devices").sort(column, descending=not is_ascending)
    told = found.filter(found["status"] != "reporting")["device_full"].to_list()
    assert (sorted(told[:2]), told[2:]) == (["never", "weeks"], ["days", "hours"])
    status = dict(found.select("device_full", "status").rows())
    assert status["weeks"] == status["never"] == "not heard for a week"


def test_an_alert_is_open_until_it_is_resolved_however_old_it_is(
    tmp_path: Path, now: datetime
) -> None:
    old, new = now - timedelta(days=45), now - timedelta(days=1)
    resolved: Row = {"state": "resolved", "resolved_at": now}
    opened = [alert(old), alert(old) | resolved, alert(new) | resolved]
    cases: list[tuple[str, list[Row], int, str]] = [
        ("old", opened, 1, "1 alerts are open; 1 were raised in thirty days."),
        ("resolved", opened[1:], 0, "All 1 alerts of thirty days are resolved."),
        ("none", opened[1:2], 0, "No alert has been raised in thirty days: the panels below stay"
         " empty."),
    ]  # fmt: skip
    for name, rows, count, statement in cases:
        home = some_tables(tmp_path / name, {tables.DEVICES: [], tables.ALERTS: rows})
        assert number(home, "Open alerts") == count
        assert asked(home, "alert_statement")["statement"].to_list() == [statement]

"""What panels say of zones and devices, asked without Trino: whose, by names without markup, and
only against a baseline that there is."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from infra.sql.light_engine import query_light
from telemetry import tables
from telemetry.settings import Settings
from telemetry.tables import Table
from tests.dashboards.bundle import panels, read
from tests.dashboards.lakes import Row, write

DATASETS = {one["uuid"]: one for one in read("datasets").values()}
BY_NAME = {one["table_name"]: one for one in DATASETS.values()}
MARKUP = '<b style="position:fixed;inset:0">hot</b>'
STEPS_A_DAY = 289
ROWS_AT_MOST = 10_000
"""More are cut by Superset, which leaves holes in lines."""


def asked(home: Path, dataset: str) -> pl.DataFrame:
    """Return what the query of a dataset finds in a lake."""
    found = query_light(Settings(home=home), BY_NAME[dataset]["sql"])
    return pl.DataFrame(list(found.rows), schema=list(found.columns), orient="row")


def window(start: datetime, minutes: int, **changed: object) -> Row:
    """Return a window of a zone or a device; each of its names is markup."""
    period = start.date() if minutes < 60 else start.date().replace(day=1)
    return {
        "tenant": "default", "zone": MARKUP, "device_full": MARKUP, "product": MARKUP,
        "metric": MARKUP, "window_start": start, "window_end": start + timedelta(minutes=minutes),
        "count": 10, "sum": 200.0, "mean": 20.0, "m2": 40.0, "min": 19.0, "max": 21.0,
        "last_at": start, "first_at": start, "is_final": True, "retention_class": "default",
        "window_period": period,
    } | changed  # fmt: skip


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


def lake(home: Path, rows: dict[Table, list[Row]]) -> Path:
    """Make a lake of all tables; the given rows are in theirs."""
    return some_tables(home, {table: rows.get(table, []) for table in tables.BY_NAME.values()})


def some_tables(home: Path, rows: dict[Table, list[Row]]) -> Path:
    """Make a lake of these tables alone."""
    for table, given in rows.items():
        write(home / "lake", table, given)
    return home


def test_no_name_that_a_chart_shows_can_begin_a_tag(tmp_path: Path, now: datetime) -> None:
    recent = [window(now - timedelta(minutes=10), 5)]
    message: Row = {
        "topic": "telemetry", "partition": 0, "offset": 1, "items": 1, "product": MARKUP,
        "received_at": now - timedelta(minutes=1), "received_date": now.date(),
    }  # fmt: skip
    rows = {
        tables.ZONE_WINDOWS["five_minutes"]: recent,
        tables.DEVICE_WINDOWS["five_minutes"]: recent,
        tables.MESSAGES: [message],
    }
    home = lake(tmp_path, rows)
    drawn = {
        DATASETS[panel.chart["dataset_uuid"]]["table_name"]
        for panel in panels()
        if panel.chart["viz_type"].startswith("echarts") and panel.chart["params"]["groupby"]
    }
    of_words_of_ours = {"dead_letters", "alerts", "set_aside"}
    for dataset in {*drawn, "metrics_measured"} - of_words_of_ours:
        found = asked(home, dataset)
        assert found.height == 1, dataset
        texts = [str(one) for one in found.select(pl.col(pl.String)).row(0)]
        assert any(text.startswith("\u2039b style") for text in texts), dataset
        assert not any("<" in text for text in texts), dataset


def test_a_young_lake_has_no_baseline(tmp_path: Path, now: datetime) -> None:
    recent = [window(now - timedelta(minutes=ago), 5) for ago in (10, 20, 70)]
    hours = [window(now - timedelta(hours=ago), 60) for ago in (1, 2)]
    rows = {tables.ZONE_WINDOWS["five_minutes"]: recent, tables.ZONE_WINDOWS["hour"]: hours}
    found = asked(lake(tmp_path, rows), "trend_by_zone")
    assert found["has_history"].to_list() == [False] * 3
    assert found["baseline"].null_count() == 3


def test_the_baseline_is_that_hour_of_days_before(tmp_path: Path, now: datetime) -> None:
    start = now - timedelta(minutes=10)
    hour = start.replace(minute=0, second=0, microsecond=0)
    known = [
        window(hour - timedelta(days=days), 60, zone="old", sum=mean * 10, mean=mean)
        for days, mean in ((2, 10.0), (3, 14.0))
    ]
    recent = [window(start, 5, zone=zone) for zone in ("old", "new")]
    rows = {tables.ZONE_WINDOWS["five_minutes"]: recent, tables.ZONE_WINDOWS["hour"]: known}
    found = asked(lake(tmp_path, rows), "trend_by_zone").sort("zone")
    assert found.select("zone", "baseline", "has_history").rows() == [
        ("new", None, False),
        ("old", 12.0, True),
    ]


def test_the_baseline_is_of_twenty_eight_days_and_of_none_that_is_shown(
    tmp_path: Path, now: datetime
) -> None:
    hour = now.replace(minute=0, second=0, microsecond=0)
    known = [
        window(hour - timedelta(days=days), 60, zone="old", sum=mean * 10, mean=mean)
        for days, mean in ((1, 10.0), (28, 14.0), (29, 99.0))
    ]
    # The first hour of a day until now is the hour of the day in which now is: it is not shown.
    first = hour - timedelta(days=1)
    known.append(window(first, 60, zone="first"))
    recent = [window(first + n * timedelta(minutes=5), 5, zone="first") for n in range(12)]
    recent.append(window(hour, 5, zone="old"))
    rows = {tables.ZONE_WINDOWS["five_minutes"]: recent, tables.ZONE_WINDOWS["hour"]: known}
    found = asked(lake(tmp_path, rows), "trend_by_zone")
    assert found.select("zone", "baseline").rows() == [("old", 12.0)]


def test_the_band_of_great_numbers_close_together_is_right(tmp_path: Path, now: datetime) -> None:
    hour = now.replace(minute=0, second=0, microsecond=0)
    known = [
        window(hour - timedelta(days=days), 60, sum=mean * 10, mean=mean)
        for days, mean in ((1, 1e9 + 1), (2, 1e9 - 1))
    ]
    rows = {
        tables.ZONE_WINDOWS["five_minutes"]: [window(hour, 5)],
        tables.ZONE_WINDOWS["hour"]: known,
    }
    ((deviation,),) = asked(lake(tmp_path, rows), "trend_by_zone").select("deviation").rows()
    assert deviation == pytest.approx(((2 * 40.0 + 2 * 10 * 1.0) / 20) ** 0.5)


def test_what_is_later_than_a_month_is_counted_as_late(tmp_path: Path, now: datetime) -> None:
    day = (now - timedelta(days=40)).date()
    late: Row = {
        "topic": "telemetry", "partition": 0, "offset": 1, "item": 0, "tenant": "a",
        "metric": "kw", "product": "room", "received_at": now - timedelta(minutes=1),
        "event_date": day, "retention_class": "default",
    }  # fmt: skip
    found = asked(lake(tmp_path, {tables.LATE: [late]}), "set_aside")
    assert found.select("kind", "messages").rows() == [("late", 1)]


def test_zones_and_devices_of_two_tenants_are_not_mixed(tmp_path: Path, now: datetime) -> None:
    named = {"zone": "harbour", "device_full": "room.a", "product": "room", "metric": "kw"}
    minute, recent = (
        [window(now - timedelta(minutes=10), width, tenant=one, **named) for one in ("a", "b")]
        for width in (1, 5)
    )
    place: Row = {"lat": 53.5, "lng": 9.9, "device": "a"}
    copies: Row = {"day": now.date(), "duplicates": 1, "conflicts": 0, "removed": 0}
    came: Row = {
        "topic": "telemetry", "partition": 0, "offset": 1, "items": 1, "item": 0,
        "received_at": now - timedelta(minutes=1), "received_date": now.date(),
    }  # fmt: skip
    bad: Row = {"reasons": [{"field": "kw", "rule": "range", "value": "9"}]}
    opened: Row = {"opened_at": now, "opened_date": now.date(), "state": "open", "severity": "low"}
    rows = {
        tables.ZONE_WINDOWS["minute"]: minute,
        tables.ZONE_WINDOWS["five_minutes"]: recent,
        tables.DEVICE_WINDOWS["five_minutes"]: recent,
        tables.DEVICES: [{"tenant": one, **named, **place} for one in ("a", "b")],
        tables.DEVICE_DUPLICATES: [{"tenant": one, **named, **copies} for one in ("a", "b")],
        tables.MESSAGES: [{"tenant": one, **named, **came} for one in ("a", "b")],
        tables.REJECTED: [{"tenant": one, **named, **came, **bad} for one in ("a", "b")],
        tables.ALERTS: [{"tenant": one, **named, **opened} for one in ("a", "b")],
    }
    home = lake(tmp_path, rows)
    for column, name in (("zone", "harbour"), ("product", "room"), ("device_full", "room.a")):
        found = {one: asked(home, one) for one in BY_NAME if column in columns(one)}
        assert len(found) > 5
        for dataset, rows_found in found.items():
            told = [f"a / {name}", f"b / {name}"]
            assert sorted(rows_found[column].drop_nulls()) == told, dataset


def columns(dataset: str) -> list[str]:
    """Return the names of a dataset's columns."""
    return [one["column_name"] for one in BY_NAME[dataset]["columns"]]


def test_copies_are_counted_from_the_first_one_and_each_of_them_once(
    tmp_path: Path, now: datetime
) -> None:
    named: Row = {"tenant": "a", "device_full": "room.a", "product": "room"}
    counts = [
        named | {"day": now.date() - timedelta(days=days), "duplicates": 3, "conflicts": 1,
                 "removed": 2}
        for days in (0, 1, 2, 31)
    ]  # fmt: skip
    times = [now, now, now - timedelta(days=1), now - timedelta(days=2)]
    copies = [named | {"received_at": at, "received_date": at.date()} for at in times]
    strange = copies[0] | {"device_full": None, "product": None}
    cases: list[tuple[str, list[Row], list[Row], tuple[int, int, int]]] = [
        ("none", [], [], (0, 0, 0)),
        ("before-the-job", copies, [], (3, 3, 0)),
        ("after-it", copies, counts, (3 + 3, 3 + 1, 6)),
        ("of-nobody-known", [strange], [], (1, 1, 0)),
    ]
    for name, aside, counted, expected in cases:
        made: dict[Table, list[Row]] = {
            tables.DEVICES: [], tables.DEVICE_DUPLICATES: counted,
            tables.DUPLICATES: aside, tables.CONFLICTS: aside,
        }  # fmt: skip
        home = some_tables(tmp_path / name, made)
        found = asked(home, "duplicates")
        assert tuple(found.select("duplicates", "conflicts", "removed").sum().row(0)) == expected
        assert number(home, "Duplicates") == expected[0], name


def test_what_was_not_checked_is_not_said_to_be_accounted_for(
    tmp_path: Path, now: datetime
) -> None:
    hour = now.replace(minute=0, second=0, microsecond=0)
    checked: Row = {"hour": hour, "hour_date": hour.date(), "difference": 0, "holds": True}
    cases: list[tuple[str, list[Row], int | None]] = [
        ("never", [], None),
        ("all-there", [checked], 0),
        ("two-lost", [checked | {"difference": -2}, checked | {"difference": 2}], 4),
    ]
    for name, rows, expected in cases:
        home = some_tables(tmp_path / name, {tables.CONSERVATION: rows})
        assert number(home, "Messages unaccounted for") == expected, name


def number(home: Path, title: str) -> object:
    """Return the number that a panel shows, None for no data."""
    (panel,) = [one for one in panels() if one.name == title]
    dataset = DATASETS[panel.chart["dataset_uuid"]]
    named = {one["metric_name"]: one["expression"] for one in dataset["metrics"]}
    sql = f"select {named[panel.chart['params']['metric']]} from ({dataset['sql']}) as asked"
    ((found,),) = query_light(Settings(home=home), sql).rows
    return found


def test_the_table_of_duplicates_leaves_out_the_row_that_says_that_somebody_counted() -> None:
    (panel,) = [one for one in panels() if one.name == "Duplicates by device"]
    (query,) = panel.query_context["queries"]
    assert query["filters"] == [{"col": "device_full", "op": "IS NOT NULL"}]


def test_what_has_no_baseline_comes_behind_what_is_far_from_it_and_says_why(
    tmp_path: Path, now: datetime
) -> None:
    start = now - timedelta(minutes=10)
    hour = start.replace(minute=0, second=0, microsecond=0)
    known = [window(hour - timedelta(days=2), 60, zone="old", mean=10.0, sum=100.0)]
    recent = [window(start, 5, zone=zone) for zone in ("old", "new")]
    recent.append(window(start - timedelta(hours=2), 5, zone="old"))
    rows = {tables.ZONE_WINDOWS["five_minutes"]: recent, tables.ZONE_WINDOWS["hour"]: known}
    home = lake(tmp_path, rows)
    (panel,) = [one for one in panels() if one.name == "Farthest from baseline"]
    (query,) = panel.query_context["queries"]
    assert (query["filters"], query["orderby"]) == ([], [["off", False]])
    dataset = DATASETS[panel.chart["dataset_uuid"]]
    named = {one["metric_name"]: one["expression"] for one in dataset["metrics"]}
    asked_for = ", ".join(f'{named[name]} as "{name}"' for name in query["metrics"])
    sql = f'select zone, {asked_for} from ({dataset["sql"]}) as a group by zone order by "off" desc'
    found = [(row[0], row[-1]) for row in query_light(Settings(home=home), sql).rows]
    assert found == [("old", "1 of 2"), ("new", "none yet: no such hour before the last day")]


def test_lines_of_a_day_are_never_cut() -> None:
    """Superset keeps the greatest values of an answer of too many rows; all others are holes."""
    for panel in panels():
        params, (query,) = panel.chart["params"], panel.query_context["queries"]
        if params["viz_type"].startswith("echarts") and params["groupby"] not in ([], ["metric"]):
            for asks in (params, panel.query_context["form_data"], query):
                if params["x_axis"] == "at" and params["groupby"] != ["rule"]:
                    assert asks["group_others_when_limit_reached"], panel.name
                    assert (asks["series_limit"] + 1) * STEPS_A_DAY < ROWS_AT_MOST, panel.name

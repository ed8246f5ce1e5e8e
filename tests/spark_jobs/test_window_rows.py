"""Windows of all tables in one frame: the partials of each table, and the files they touch."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from spark_jobs.transforms import delays, window_rows, windows
from spark_jobs.transforms.classes import several
from spark_jobs.transforms.partials import merged
from spark_jobs.transforms.reduction import reduction
from spark_jobs.transforms.rules import rules
from spark_jobs.transforms.window_rows import AT, KEY, NAME
from telemetry.tables import DEVICE_MINUTE, DEVICE_SLIDING, ZONE_MINUTE, Table
from tests.spark_jobs.gold_fleet import PRODUCTS, fleet

RULES = rules(PRODUCTS)
NOON = datetime(2026, 10, 20, 12, tzinfo=UTC)
_MOMENT = pl.Datetime("us", "UTC")


@pytest.mark.parametrize("messages", [1, 40, 400])
def test_windows_that_hold_one_partial_keep_it_as_it_is(messages: int) -> None:
    readings = fleet(seed=messages, messages=messages)
    minutes = reduction(readings, delays.messages(readings), RULES).minutes

    gained = window_rows.gained(minutes, RULES)

    assert gained.select(KEY).is_unique().all()
    kept = pl.col("window_end").max(), pl.col("window_period").max()
    assert merged(gained, KEY, *kept).sort(KEY).equals(gained.sort(KEY))


def test_rows_come_back_as_their_table_declares_them() -> None:
    readings = fleet(seed=3, messages=60)
    minutes = windows.minutes(readings)
    nothing = pl.DataFrame(schema={"tenant": pl.String, "product": pl.String, "watermark": _MOMENT})
    gained = window_rows.gained(minutes, RULES)

    tables = window_rows.by_table(
        window_rows.together(gained.clear(), gained, nothing, several(gained))
    )

    for table in window_rows.TABLES:
        partials = windows.cascade(minutes) | {DEVICE_SLIDING.name: windows.sliding(minutes, RULES)}
        ended = windows.ended(partials[table.name], table)
        expected = windows.completed(ended, table, nothing)
        key = list(table.key)
        assert tables[(table.name,)].sort(key).equals(expected.sort(key)), table.name


def file(table: Table, path: str, first: int | None, last: int | None) -> dict[str, object]:
    """Return a file of the day whose windows start within minutes of noon; None: not known."""
    return {
        "table": table.name,
        "path": path,
        "retention_class": "default",
        "window_period": date(2026, 10, 20),
        "min.window_start": None if first is None else NOON + timedelta(minutes=first),
        "max.window_start": None if last is None else NOON + timedelta(minutes=last),
    }


def near(files: list[dict[str, object]], *touched: tuple[Table, int]) -> list[str]:
    windows_ = [
        (table.name, "default", date(2026, 10, 20), NOON + timedelta(minutes=at))
        for table, at in touched
    ]
    schema = {"table": NAME, "min.window_start": _MOMENT, "max.window_start": _MOMENT}
    at = pl.DataFrame(
        windows_,
        schema=dict(zip(AT, (NAME, pl.String, pl.Date, _MOMENT), strict=True)),
        orient="row",
    )
    return sorted(window_rows.near(pl.DataFrame(files, schema_overrides=schema), at)["path"])


def test_files_between_a_late_window_and_now_are_left_alone() -> None:
    files = [
        file(DEVICE_MINUTE, "early", 0, 4),
        file(DEVICE_MINUTE, "between", 5, 55),
        file(DEVICE_MINUTE, "now", 56, 60),
        file(DEVICE_MINUTE, "unknown", None, None),
        file(ZONE_MINUTE, "other", 0, 60),
    ]

    found = near(files, (DEVICE_MINUTE, 2), (DEVICE_MINUTE, 59), (DEVICE_MINUTE, 60))

    assert found == ["early", "now", "unknown"]


def test_windows_a_few_widths_apart_share_a_range() -> None:
    files = [file(DEVICE_MINUTE, "between", 2, 3), file(DEVICE_MINUTE, "after", 6, 9)]

    assert near(files, (DEVICE_MINUTE, 0), (DEVICE_MINUTE, 5)) == ["between"]
    assert near(files, (DEVICE_MINUTE, 0), (DEVICE_MINUTE, 7)) == ["after"]

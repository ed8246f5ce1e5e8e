"""Conservation over small lakes: which hours are checked, and what is told of each message."""

import argparse
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from edge.registry_files import RegistryFiles
from spark_jobs.commit_info import Txn
from spark_jobs.jobs import conservation
from spark_jobs.jobs.conservation import ConservationError
from spark_jobs.jobs.job_runs import Result
from spark_jobs.lake import Lake
from telemetry.errors import HeadwaterError
from telemetry.products import Product
from telemetry.settings import Settings
from telemetry.tables import (
    CONFLICTS,
    CONSERVATION,
    DUPLICATES,
    LATE,
    MESSAGES,
    READINGS,
    REJECTED,
    Table,
)
from tests.spark_jobs.empty_lakes import create_all

HOUR = timedelta(hours=1)
NOW = datetime(2026, 11, 21, 15, 30, tzinfo=UTC)
THIS_HOUR = NOW.replace(minute=0)
TWO_AGO, THREE_AGO = THIS_HOUR - 2 * HOUR, THIS_HOUR - 3 * HOUR
ORDER = (READINGS, LATE, REJECTED, DUPLICATES, CONFLICTS)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(home=tmp_path)
    create_all(Lake(made.lake_root))
    return made


def put(settings: Settings, table: Table, rows: Iterable[Mapping[str, object]]) -> None:
    lake = Lake(settings.lake_root)
    schema = lake.scan(table).collect_schema()
    plain = {
        "items": 1,
        "topic": "telemetry",
        "partition": 0,
        "tenant": "default",
        "device_full": "meter.d1",
        "product": "meter",
        "boot": "",
        "seq": 0,
        "item": 0,
        "device": "d1",
        "metric": "kwh",
        "retention_class": "default",
        "received_date": THIS_HOUR.date(),
        "event_date": THIS_HOUR.date(),
    }
    filled = [{name: {**plain, **row}.get(name) for name in schema} for row in rows]
    lake.append(table, pl.DataFrame(filled, schema=schema), None)


def records(settings: Settings, at: datetime, offsets: Iterable[int], items: int = 1) -> None:
    """Put records into bronze, a second apart."""
    rows = [
        {"offset": offset, "items": items, "kafka_time": at + timedelta(seconds=n)}
        for n, offset in enumerate(offsets)
    ]
    put(settings, MESSAGES, rows)


def message(offset: int, at: datetime, **changes: object) -> dict[str, object]:
    return {"offset": offset, "kafka_time": at, **changes}


def idle(settings: Settings, at: datetime) -> None:
    settings.progress_dir.mkdir(exist_ok=True)
    said = {"idle": True, "at": at.timestamp()}
    (settings.progress_dir / "landing.json").write_text(json.dumps(said))


def check(settings: Settings, *words: str) -> Result:
    parser = argparse.ArgumentParser()
    conservation.add_arguments(parser)
    return conservation.check(parser.parse_args(words), settings, Lake(settings.lake_root), NOW)


def rows(settings: Settings) -> list[dict[str, object]]:
    found = Lake(settings.lake_root).scan(CONSERVATION).sort("hour", "topic", "partition")
    return found.collect().to_dicts()


def test_each_message_is_counted_in_its_one_place(settings: Settings) -> None:
    records(settings, TWO_AGO, range(4))
    records(settings, TWO_AGO + timedelta(minutes=1), [4], items=3)
    at = TWO_AGO + timedelta(minutes=1)
    put(settings, READINGS, [message(0, TWO_AGO, metric=name) for name in ("kwh", "volt")])
    put(settings, LATE, [message(1, TWO_AGO, metric=name) for name in ("kwh", "volt")])
    put(settings, REJECTED, [message(2, TWO_AGO), message(4, at, item=1)])
    put(settings, DUPLICATES, [message(3, TWO_AGO), message(4, at, item=0)])
    put(settings, CONFLICTS, [message(4, at, item=2)])
    idle(settings, NOW)

    result = check(settings)

    assert result["success"]
    assert (result["hours"], result["messages"], result["difference"]) == (1, 7, 0)
    (row,) = rows(settings)
    assert [row[name] for name in ("items", "readings", "late", "rejected")] == [7, 1, 1, 2]
    assert [row[name] for name in ("duplicates", "conflicts", "difference")] == [2, 1, 0]
    assert [row[name] for name in ("first_offset", "last_offset", "wrong")] == [0, 4, None]


@pytest.mark.parametrize("most", [1, 3, 1000])
def test_what_is_lost_doubled_or_unknown_is_named(settings: Settings, most: int) -> None:
    records(settings, TWO_AGO, range(10, 20))
    accepted = [message(n, TWO_AGO) for n in (10, 11, 12, 16, 17, 18, 19)]
    put(settings, READINGS, accepted)
    put(settings, LATE, [message(11, TWO_AGO), message(44, TWO_AGO)])
    put(settings, REJECTED, [message(13, TWO_AGO, partition=2)])
    idle(settings, NOW)

    with pytest.raises(ConservationError) as raised:
        check(settings, "--rows", str(most))

    hour = f"{TWO_AGO:%Y-%m-%d %H:%M}"
    assert str(raised.value) == (
        f"telemetry/0 of {hour}, offsets 10-19: -1 messages,"
        " 13-15 in no table; 11 in two places; 44 not in bronze;"
        f" telemetry/2 of {hour}, nothing in bronze: +1 messages, 13 not in bronze"
    )
    kept, stranger = rows(settings)
    assert (kept["items"], kept["difference"], kept["holds"]) == (10, -1, False)
    assert (stranger["items"], stranger["difference"]) == (0, 1)
    told = check(settings, "--exit-zero", "--from", f"{TWO_AGO.date()}")
    assert not told["success"]
    assert told["difference"] == 2


def test_replayed_rows_leave_the_sum(settings: Settings) -> None:
    records(settings, TWO_AGO, range(2))
    put(settings, READINGS, [message(0, TWO_AGO), message(1, TWO_AGO)])
    put(settings, REJECTED, [message(1, TWO_AGO, replayed_at=THIS_HOUR)])
    idle(settings, NOW)

    assert check(settings)["success"]
    assert rows(settings)[0]["rejected"] == 0


def test_hours_that_a_stream_has_not_passed_wait(settings: Settings) -> None:
    records(settings, TWO_AGO, [7])
    put(settings, READINGS, [message(7, TWO_AGO)])

    waiting = check(settings)
    idle(settings, TWO_AGO + HOUR)
    still_waiting = check(settings)
    idle(settings, TWO_AGO + HOUR + timedelta(minutes=5))
    passed = check(settings)

    assert [told["hours"] for told in (waiting, still_waiting, passed)] == [0, 0, 1]
    assert waiting["hours_left"] == 1


def test_a_later_record_of_the_same_partition_passes_an_hour(settings: Settings) -> None:
    records(settings, TWO_AGO, [7])
    put(settings, READINGS, [message(7, TWO_AGO)])
    later = message(3, THIS_HOUR, partition=1)
    put(settings, MESSAGES, [later])
    put(settings, READINGS, [later])
    assert check(settings)["hours"] == 0

    records(settings, THIS_HOUR, [8])
    put(settings, READINGS, [message(8, THIS_HOUR)])

    assert check(settings)["hours"] == 1


def batch(settings: Settings, number: int, offsets: range, **checkpoint: str) -> None:
    """Commit a batch of landing to bronze, as landing says it."""
    lake = Lake(settings.lake_root)
    records(settings, TWO_AGO, offsets)
    ends = json.dumps({"telemetry/0": [offsets[0], offsets[-1]]})
    said = {"offsets": ends, "query": "landing/one", "batch": str(number)}
    row = lake.scan(MESSAGES).head(0).collect()
    lake.append(MESSAGES, row, Txn("landing/one", number), {**said, **checkpoint})


def test_a_batch_that_is_not_whole_is_left_out_of_both_sides(settings: Settings) -> None:
    checkpoint = settings.checkpoint_dir / "landing"
    (checkpoint / "commits").mkdir(parents=True)
    (checkpoint / "headwater-id").write_text("one")
    (checkpoint / "commits" / "0").touch()
    batch(settings, 0, range(5))
    put(settings, READINGS, [message(n, TWO_AGO) for n in range(5)])
    batch(settings, 1, range(5, 9))
    put(settings, READINGS, [message(n, TWO_AGO) for n in (5, 6)])
    idle(settings, NOW)

    assert check(settings, "--from", f"{TWO_AGO.date()}")["messages"] == 5
    assert rows(settings)[0]["items"] == 5
    Lake(settings.lake_root).delete(CONSERVATION, "true")
    left = check(settings)
    assert (left["hours"], left["hours_left"]) == (0, 1), "it would not be looked at again"
    (checkpoint / "commits" / "1").touch()
    with pytest.raises(ConservationError, match="7-8 in no table"):
        check(settings)


def test_open_hours_are_checked_up_to_bronze_when_asked_for(settings: Settings) -> None:
    records(settings, NOW, [1])
    put(settings, READINGS, [message(1, NOW), message(2, NOW)])

    assert check(settings)["hours"] == 0
    asked = check(settings, "--from", f"{NOW.date()}")

    assert (asked["hours"], asked["difference"]) == (1, 0)


def test_hours_that_retention_may_have_emptied_are_refused(settings: Settings) -> None:
    RegistryFiles(settings.registry_dir).put_product(Product("meter", max_age=timedelta(days=7)))
    old = THIS_HOUR - timedelta(days=84)
    records(settings, old, [1])
    idle(settings, NOW)

    assert check(settings)["hours"] == 0
    with pytest.raises(HeadwaterError, match="gone by retention"):
        check(settings, "--from", f"{old.date()}")

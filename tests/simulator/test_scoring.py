"""The verdict on lakes that were broken by hand: each break is found, and nothing else."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from simulator.scoring.verdict import BROKEN, table
from telemetry.tables import (
    CONFLICTS,
    DEVICE_HOUR,
    DUPLICATES,
    LATE,
    MESSAGES,
    READINGS,
    REJECTED,
)
from tests.simulator.breaking import FAULTS, Break, counts, judge_lake, plain, remove, verdict_on
from tests.simulator.lakes import Rows, prepared, write


def test_whole_lake_keeps_every_promise(tmp_path: Path) -> None:
    verdict = judge_lake(tmp_path)

    assert verdict.ok, table(verdict)
    assert counts(verdict) == {}
    assert verdict.sent == verdict.acked > 1_500
    assert verdict.late
    assert verdict.duplicates
    assert verdict.conflicts
    assert verdict.rejected["range"]
    assert verdict.gold is not None
    assert verdict.gold["wrong"] == 0 < verdict.gold["windows"]


def drop_message(rows: Rows) -> None:
    remove(rows, plain(rows))


def drop_reading(rows: Rows) -> None:
    remove(rows, plain(rows)[:1])


def drop_rejected(rows: Rows) -> None:
    rows.of(REJECTED).pop()


def drop_late(rows: Rows) -> None:
    offset = rows.of(LATE)[0]["offset"]
    rows.tables[LATE.name] = [row for row in rows.of(LATE) if row["offset"] != offset]


def drop_everywhere(rows: Rows) -> None:
    offset = plain(rows)[0]["offset"]
    drop_message(rows)
    rows.tables[MESSAGES.name] = [row for row in rows.of(MESSAGES) if row["offset"] != offset]


def drop_from_bronze(rows: Rows) -> None:
    offset = plain(rows)[0]["offset"]
    rows.tables[MESSAGES.name] = [row for row in rows.of(MESSAGES) if row["offset"] != offset]


@pytest.mark.parametrize(
    "broken",
    [
        drop_message,
        drop_reading,
        drop_rejected,
        drop_late,
        drop_everywhere,
        drop_from_bronze,
        lambda rows: rows.of(DUPLICATES).pop(),
        lambda rows: rows.of(CONFLICTS).pop(),
    ],
)
def test_what_is_missing_is_lost(tmp_path: Path, broken: Break) -> None:
    verdict = judge_lake(tmp_path, broken)

    assert counts(verdict) == {"lost": 1}, verdict.examples
    assert not verdict.ok
    assert verdict.examples[0]["kind"] == "lost"


def repeat_message(rows: Rows) -> None:
    rows.of(READINGS).extend(plain(rows))


def repeat_reading(rows: Rows) -> None:
    rows.of(READINGS).append(plain(rows)[0])


def repeat_as_late(rows: Rows) -> None:
    rows.of(LATE).extend(plain(rows))


@pytest.mark.parametrize("broken", [repeat_message, repeat_reading])
def test_readings_that_came_twice_are_duplicates(tmp_path: Path, broken: Break) -> None:
    assert counts(judge_lake(tmp_path, broken)) == {"duplicate": 1}


def test_message_in_readings_and_late_is_a_duplicate(tmp_path: Path) -> None:
    assert counts(judge_lake(tmp_path, repeat_as_late))["duplicate"] == 1


def test_second_copy_taken_for_a_first_is_a_duplicate(tmp_path: Path) -> None:
    def keep_both(rows: Rows) -> None:
        copy = next(
            row for row in rows.of(DUPLICATES) if str(row["device_full"]).startswith("meter")
        )
        rows.of(DUPLICATES).remove(copy)
        first = [row for row in rows.of(READINGS) if row["offset"] == copy["first_offset"]]
        rows.of(READINGS).extend({**row, "offset": copy["offset"]} for row in first)

    verdict = judge_lake(tmp_path, keep_both)

    assert counts(verdict) == {"duplicate": 1, "misplaced": 1}


def test_accepted_message_that_was_rejected_is_misplaced(tmp_path: Path) -> None:
    def broken(rows: Rows) -> None:
        readings = plain(rows)
        remove(rows, readings)
        record = next(row for row in rows.of(MESSAGES) if row["offset"] == readings[0]["offset"])
        reasons = [{"field": "power", "rule": "range", "value": "1"}]
        rows.of(REJECTED).append({**readings[0], "message": record["value"], "reasons": reasons})

    verdict = judge_lake(tmp_path, broken)

    assert counts(verdict) == {"misplaced": 1}
    assert "expected 1 silver" in str(verdict.examples[0]["detail"])


def test_rejection_for_another_reason_is_misplaced(tmp_path: Path) -> None:
    def broken(rows: Rows) -> None:
        reasons = [{"field": "", "rule": "whim", "value": ""}]
        rows.of(REJECTED)[0]["reasons"] = reasons

    assert counts(judge_lake(tmp_path, broken)) == {"misplaced": 1}


def test_late_message_taken_for_one_in_time_is_misplaced(tmp_path: Path) -> None:
    def broken(rows: Rows) -> None:
        offset = rows.of(LATE)[0]["offset"]
        late = [row for row in rows.of(LATE) if row["offset"] == offset]
        rows.tables[LATE.name] = [row for row in rows.of(LATE) if row["offset"] != offset]
        rows.of(READINGS).extend(late)

    assert counts(judge_lake(tmp_path, broken)) == {"misplaced": 1}


def test_unacknowledged_messages_may_be_there_or_not(tmp_path: Path) -> None:
    def drop_half_of_the_last(rows: Rows) -> None:
        offsets = [row["offset"] for row in rows.of(MESSAGES)][-20::2]
        for name, values in rows.tables.items():
            rows.tables[name] = [row for row in values if row["offset"] not in offsets]

    verdict = judge_lake(tmp_path, drop_half_of_the_last, unacked=60)

    assert verdict.ok, table(verdict)
    assert verdict.acked == verdict.sent - 60


def test_wrong_window_of_gold_is_found_with_its_query(tmp_path: Path) -> None:
    parts, rows, ledger = prepared(tmp_path, replace(FAULTS, faults={}))
    write(rows, tmp_path / "lake")
    path = tmp_path / "lake" / DEVICE_HOUR.name.replace(".", "/")
    gold = pl.read_delta(str(path))
    first = pl.int_range(pl.len()) == 0
    write_deltalake(
        DeltaTable(str(path)),
        gold.with_columns(pl.when(first).then(7).otherwise("count").alias("count")).to_arrow(),
        mode="overwrite",
    )

    verdict = verdict_on(tmp_path, parts, ledger)

    assert verdict.gold is not None
    assert verdict.gold["wrong"] == 1
    assert not verdict.ok
    assert "gold.device_hour" in str(verdict.examples[0]["sql"])


def test_verdict_is_shown_as_a_table(tmp_path: Path) -> None:
    verdict = judge_lake(tmp_path, drop_message)

    text = table(verdict)

    assert "PROMISES ARE BROKEN" in text
    assert "select * from bronze.messages where" in text
    assert set(verdict.as_dict()) >= {
        "ok",
        "sent",
        "acked",
        *BROKEN,
        "late",
        "rejected",
        "examples",
    }

"""The verdict on lakes that were broken by hand: each break is found, and nothing else."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from simulator.scenarios import load_scenario
from simulator.scoring.lake import LakeFiles
from simulator.scoring.score import registered_sentinels, score
from simulator.scoring.verdict import BROKEN, Verdict, table
from telemetry.tables import (
    CONFLICTS,
    DEVICE_HOUR,
    DUPLICATES,
    LATE,
    MESSAGES,
    READINGS,
    REJECTED,
)
from tests.simulator.lakes import Row, Rows, prepared, write, write_ledger
from tests.simulator.runs import RunParts

FAULTS = load_scenario("faults")
Break = Callable[[Rows], None]


def judge_lake(root: Path, broken: Break = lambda rows: None, *, unacked: int = 0) -> Verdict:
    """Return the verdict on a faulty fleet's lake that `broken` has changed."""
    parts, rows, ledger = prepared(root, FAULTS)
    if unacked:
        write_ledger(parts, ledger, unacked=unacked)
    broken(rows)
    write(rows, root / "lake")
    return verdict_on(root, parts, ledger)


def verdict_on(root: Path, parts: RunParts, ledger: Path) -> Verdict:
    """Return the verdict on the lake that stands below `root`."""
    return score(LakeFiles(str(root / "lake")), [ledger], registered_sentinels(parts.registry))


def counts(verdict: Verdict) -> dict[str, int]:
    """Return the broken promises that are not 0."""
    return {kind: getattr(verdict, kind) for kind in BROKEN if getattr(verdict, kind)}


def plain(rows: Rows) -> list[Row]:
    """Return the readings of one ordinary message."""
    first = next(row for row in rows.of(READINGS) if str(row["device_full"]).startswith("meter"))
    return [row for row in rows.of(READINGS) if row["offset"] == first["offset"]]


def remove(rows: Rows, gone: list[Row]) -> None:
    """Remove readings."""
    kept = [row for row in rows.of(READINGS) if not any(row is other for other in gone)]
    rows.tables[READINGS.name] = kept


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


def change(**values: object) -> Break:
    """Return a break that changes one reading."""

    def broken(rows: Rows) -> None:
        row = next(row for row in plain(rows) if row["metric"] == "power")
        changed = {**row, **values}
        remove(rows, [row])
        rows.of(READINGS).append(changed)

    return broken


@pytest.mark.parametrize(
    "broken",
    [
        change(value=1.5),
        change(value=None, value_text="1"),
        change(value=None, quality="sentinel"),
        change(event_time_us=1_795_000_000_000_001),
        lambda rows: rows.of(REJECTED)[0].update(message=b"other"),
        lambda rows: rows.of(LATE)[0].update(value=-1.0),
    ],
)
def test_other_values_times_or_bytes_are_altered(tmp_path: Path, broken: Break) -> None:
    verdict = judge_lake(tmp_path, broken)

    assert counts(verdict) == {"altered": 1}


def test_metric_of_another_name_is_one_lost_and_one_never_sent(tmp_path: Path) -> None:
    verdict = judge_lake(tmp_path, change(metric="powder"))

    assert not verdict.ok
    assert set(counts(verdict)) <= {"altered", "lost", "phantom"}


def test_other_bytes_in_bronze_under_the_same_key_are_altered(tmp_path: Path) -> None:
    def broken(rows: Rows) -> None:
        offset = plain(rows)[0]["offset"]
        record = next(row for row in rows.of(MESSAGES) if row["offset"] == offset)
        value = record["value"]
        assert isinstance(value, bytes)
        record["value"] = value.replace(b'"power":', b'"power":1')

    assert counts(judge_lake(tmp_path, broken)) == {"altered": 1}


def test_message_that_nobody_sent_is_a_phantom(tmp_path: Path) -> None:
    def broken(rows: Rows) -> None:
        record = rows.of(MESSAGES)[5]
        body = b'{"boot":"zz","seq":1,"metrics":{"power":1}}'
        rows.of(MESSAGES).append({**record, "offset": 1_000_000, "value": body})

    assert counts(judge_lake(tmp_path, broken)) == {"phantom": 1}


def test_readings_without_a_record_are_phantoms(tmp_path: Path) -> None:
    def broken(rows: Rows) -> None:
        made_up = [{**row, "offset": 1_000_000, "boot": "zz"} for row in plain(rows)]
        rows.of(READINGS).extend(made_up)

    assert counts(judge_lake(tmp_path, broken)) == {"phantom": 1}


def test_record_that_kafka_holds_twice_is_a_phantom(tmp_path: Path) -> None:
    def broken(rows: Rows) -> None:
        offset = plain(rows)[0]["offset"]
        record = next(row for row in rows.of(MESSAGES) if row["offset"] == offset)
        rows.of(MESSAGES).append({**record, "offset": 1_000_000})

    assert counts(judge_lake(tmp_path, broken)) == {"phantom": 1}


def test_traffic_of_other_devices_and_of_other_times_is_not_ours(tmp_path: Path) -> None:
    def broken(rows: Rows) -> None:
        record = rows.of(MESSAGES)[5]
        received_at = record["received_at"]
        stranger = {**record, "offset": 1_000_000, "kafka_key": b"meter.other", "value": b"{}"}
        before = {**record, "offset": 1_000_001, "value": b"{}"}
        before["received_at"] = received_at.replace(year=2020)  # type: ignore[attr-defined]
        rows.of(MESSAGES).extend([stranger, before])

    assert judge_lake(tmp_path, broken).ok


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

"""The verdict on lakes in which something was changed or made up by hand."""

from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from simulator.entries import ack_head, again_lines
from telemetry.tables import LATE, MESSAGES, READINGS, REJECTED, Table
from tests.simulator.breaking import FAULTS, Break, counts, judge_lake, plain, remove, verdict_on
from tests.simulator.lakes import Rows, prepared, write
from tests.simulator.runs import START


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


def test_record_that_its_device_sent_again_is_none(tmp_path: Path) -> None:
    parts, rows, ledger = prepared(tmp_path, FAULTS)
    row = plain(rows)[0]
    record = next(each for each in rows.of(MESSAGES) if each["offset"] == row["offset"])
    copy = {**record, "offset": 1_000_000}
    rows.of(MESSAGES).append(copy)
    digest = sha256(copy["value"]).hexdigest()  # type: ignore[arg-type]
    device, head = str(row["device_full"]), ack_head("b1", 1, digest)

    write(rows, tmp_path / "lake")
    assert counts(verdict_on(tmp_path, parts, ledger)) == {"phantom": 1}
    for _ in range(2):
        with ledger.open("a") as file:
            file.write(again_lines(device, [head], START))
        assert verdict_on(tmp_path, parts, ledger).ok


def test_message_that_was_sent_again_may_have_come_too_late(tmp_path: Path) -> None:
    parts, rows, ledger = prepared(tmp_path, FAULTS)
    for row in (late := plain(rows)):
        record = next(each for each in rows.of(MESSAGES) if each["offset"] == row["offset"])
        rows.of(LATE).append({**row, "message": record["value"]})
    remove(rows, late)
    write(rows, tmp_path / "lake")
    assert counts(verdict_on(tmp_path, parts, ledger)) == {"misplaced": 1}

    digest = sha256(record["value"]).hexdigest()  # type: ignore[arg-type]
    head = ack_head("b1", 1, digest)
    with ledger.open("a") as file:
        file.write(again_lines(str(late[0]["device_full"]), [head], START))
    assert verdict_on(tmp_path, parts, ledger).ok


def delay(rows: Rows, offset: object, by: timedelta, tables: tuple[Table, ...]) -> None:
    """Have a record received later, as the tables say."""
    for row in (row for table in tables for row in rows.of(table) if row["offset"] == offset):
        received_at = row["received_at"]
        assert isinstance(received_at, datetime)
        row["received_at"] = received_at + by


def test_message_that_waited_for_a_connection_may_have_come_too_late(tmp_path: Path) -> None:
    def late(rows: Rows, by: timedelta) -> None:
        found = plain(rows)
        delay(rows, found[0]["offset"], by, (MESSAGES, READINGS))
        offset = found[0]["offset"]
        value = next(row["value"] for row in rows.of(MESSAGES) if row["offset"] == offset)
        rows.of(LATE).extend({**row, "message": value} for row in found)
        remove(rows, found)

    soon, waited = timedelta(milliseconds=90), timedelta(seconds=40)
    assert counts(judge_lake(tmp_path / "1", lambda rows: late(rows, soon))) == {"misplaced": 1}
    assert judge_lake(tmp_path / "2", lambda rows: late(rows, waited)).ok


def test_clock_that_is_ahead_is_held_to_the_gateways(tmp_path: Path) -> None:
    def later(rows: Rows, by: timedelta) -> None:
        row = next(row for row in rows.of(READINGS) if row["clock"] == "ahead")
        same = [each for each in rows.of(READINGS) if each["offset"] == row["offset"]]
        for each in same:
            each["event_time_us"] += by // timedelta(microseconds=1)  # type: ignore[operator]
        delay(rows, row["offset"], timedelta(milliseconds=7), (MESSAGES, READINGS))

    right, wrong = timedelta(milliseconds=7), timedelta(milliseconds=8)
    assert judge_lake(tmp_path / "1", lambda rows: later(rows, right)).ok
    assert counts(judge_lake(tmp_path / "2", lambda rows: later(rows, wrong)))["altered"] == 1


def test_traffic_of_other_devices_and_of_other_times_is_not_ours(tmp_path: Path) -> None:
    def broken(rows: Rows) -> None:
        record = rows.of(MESSAGES)[5]
        received_at = record["received_at"]
        stranger = {**record, "offset": 1_000_000, "kafka_key": b"meter.other", "value": b"{}"}
        before = {**record, "offset": 1_000_001, "value": b"{}"}
        before["received_at"] = received_at.replace(year=2020)  # type: ignore[attr-defined]
        rows.of(MESSAGES).extend([stranger, before])

    assert judge_lake(tmp_path, broken).ok

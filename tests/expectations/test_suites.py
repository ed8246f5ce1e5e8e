import re
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from expectations import suites
from expectations.holding import Holder, Verdict
from expectations.rule import with_rules
from spark_jobs.jobs import backfill, corrections, dedup
from spark_jobs.restatements import MERGED
from telemetry.tables import (
    DEVICE_MINUTE,
    MESSAGES,
    READINGS,
    REJECTED,
    RESTATEMENTS,
    SUMMARY_ZONE_HOUR,
    TABLES,
    Table,
)
from tests.expectations.rows import GOOD, NOON, SECOND, Row, frame, good

pytestmark = pytest.mark.spark

UNKNOWN_REASON = [{"field": "", "rule": "moon_phase", "value": ""}]
BROKEN: tuple[tuple[Table, dict[str, object], str], ...] = (
    (MESSAGES, {"items": 0}, "a record holds at least one message"),
    (
        MESSAGES,
        {"kafka_time": NOON + 400 * SECOND},
        "received_at is within five minutes of kafka_time",
    ),
    (READINGS, {"event_time_us": 1}, "event_time_us is event_time"),
    (READINGS, {"clock": "slow"}, "clock is one of ok ahead missing"),
    (READINGS, {"quality": "good"}, "quality is one of ok sentinel"),
    (READINGS, {"value_text": "also"}, "one value a row and none for a sentinel"),
    (READINGS, {"quality": "sentinel"}, "one value a row and none for a sentinel"),
    (READINGS, {"value": float("nan")}, "value is finite"),
    (READINGS, {"value": float("-inf")}, "value is finite"),
    (READINGS, {"lat": 91.0}, "lat and lng are on the globe"),
    (READINGS, {"device": "d2"}, "device_full is product and device"),
    (READINGS, {"clock": "missing"}, "clock is missing where the device said no time"),
    (
        READINGS,
        {"device_time": NOON + SECOND},
        "event_time is device_time where clock is ok",
    ),
    (REJECTED, {"reasons": []}, "a rejected message has a reason"),
    (REJECTED, {"reasons": UNKNOWN_REASON}, "every reason is a known rule"),
    (DEVICE_MINUTE, {"count": -1, "stddev": None}, "count is not negative"),
    (DEVICE_MINUTE, {"last": 2.5}, "first and last lie between min and max"),
    (DEVICE_MINUTE, {"stddev": 0.6}, "stddev follows from m2"),
    (
        DEVICE_MINUTE,
        {"window_end": GOOD[DEVICE_MINUTE]["window_start"]},
        "the window is as wide as its table says",
    ),
)

SENTENCE = "a summary of readings has a device"


def hold(spark: SparkSession, folder: Path, table: Table, rows: list[Row]) -> dict[str, Verdict]:
    rules = suites.rules(table)
    held = with_rules(frame(spark, table, rows), rules)
    verdicts = Holder(folder).hold_rows(table.name, held, suites.suite(table, rules), table.key)
    return {one.expectation: one for one in verdicts}


@pytest.mark.parametrize("table", GOOD, ids=lambda table: table.name)
def test_each_broken_rule_is_found_by_its_sentence(spark: SparkSession, table: Table) -> None:
    cases = [(changes, sentence) for of, changes, sentence in BROKEN if of == table]
    rules = [rule for rule in suites.rules(table) if rule.severity == "critical"]
    rows = [good(table), *(good(table, **changes) for changes, _ in cases)]

    numbered = (
        frame(spark, table, rows).coalesce(1).withColumn("n", F.monotonically_increasing_id())
    )
    found = with_rules(numbered, rules).orderBy("n").collect()

    first, *others = [{one.sentence for one in rules if not row[one.sentence]} for row in found]
    assert first == set()
    for broken, (_, sentence) in zip(others, cases, strict=True):
        assert sentence in broken


def test_hour_of_sentinels_alone_has_no_device(spark: SparkSession) -> None:
    rules = suites.rules(SUMMARY_ZONE_HOUR)
    plain = {"tenant": "default", "zone": "north", "product": "meter", "metric": "kwh"}
    counts = [(0, 0), (2, 0), (2, 1)]
    rows = [plain | {"count": count, "devices": devices} for count, devices in counts]

    held = with_rules(frame(spark, SUMMARY_ZONE_HOUR, rows), rules)
    found = {(row["count"], row["devices"]): row[SENTENCE] for row in held.collect()}

    assert found == {(0, 0): True, (2, 0): False, (2, 1): True}


def test_every_reason_to_restate_is_known(spark: SparkSession) -> None:
    rules = suites.rules(RESTATEMENTS)
    ours = [*MERGED, dedup.REASON, corrections.REASON, "replay", backfill.REASON, "rebuild-gold"]
    reasons = [*ours, "whim"]
    rows = [{"reason": reason, "mark_id": str(n)} for n, reason in enumerate(reasons)]

    held = with_rules(frame(spark, RESTATEMENTS, rows), rules).collect()

    (known,) = (rule.sentence for rule in rules if rule.sentence.startswith("reason is one of"))
    assert [row["reason"] for row in held if not row[known]] == ["whim"]


def test_good_rows_hold(spark: SparkSession, tmp_path: Path) -> None:
    verdicts = hold(spark, tmp_path, READINGS, [good(READINGS), good(READINGS, seq=2)])

    assert [one for one in verdicts.values() if not one.success] == []


def test_a_key_that_is_there_twice_is_told_with_its_rows(
    spark: SparkSession, tmp_path: Path
) -> None:
    verdicts = hold(spark, tmp_path, READINGS, [good(READINGS), good(READINGS)])

    (failed,) = (one for one in verdicts.values() if not one.success)
    assert failed.critical
    assert failed.unexpected == 2
    assert "meter.d1" in str(failed.observed)


def test_a_warning_is_not_critical(spark: SparkSession, tmp_path: Path) -> None:
    silent = {"device_time": None, "clock": "missing"}

    verdicts = hold(spark, tmp_path, READINGS, [good(READINGS, **silent)])

    (failed,) = (one for one in verdicts.values() if not one.success)
    assert failed.expectation == "the device named its time"
    assert not failed.critical


def test_another_column_or_type_is_found(spark: SparkSession, tmp_path: Path) -> None:
    rules = suites.rules(REJECTED)
    rows = frame(spark, REJECTED, [good(REJECTED)])
    other = rows.withColumn("offset", F.col("offset").cast("int")).withColumn("more", F.lit(1))

    held = Holder(tmp_path).hold_rows(
        "other", with_rules(other, rules), suites.suite(REJECTED, rules), REJECTED.key
    )

    kinds = {one.details["type"] for one in held if not one.success}
    assert kinds == {"expect_table_columns_to_match_set", "expect_column_values_to_be_of_type"}


def test_pages_show_the_newest_result_of_each_suite(spark: SparkSession, tmp_path: Path) -> None:
    hold(spark, tmp_path, REJECTED, [good(REJECTED, item=-1)])
    hold(spark, tmp_path, REJECTED, [good(REJECTED)])
    hold(spark, tmp_path, MESSAGES, [good(MESSAGES)])

    index = Holder(tmp_path).write_pages()

    text = index.read_text("utf-8")
    assert "silver.rejected" in text
    assert "bronze.messages" in text
    assert "silver.rejected failures" not in text
    assert text.count('class="holds"') == 2
    for link in re.findall('<td><a href="([^"]+)"', text):
        assert (index.parent / link).is_file()


def test_every_table_has_a_suite() -> None:
    for table in TABLES:
        sentences = [rule.sentence for rule in suites.rules(table)]
        assert sentences
        assert len(sentences) == len(set(sentences))
        assert not [sentence for sentence in sentences if "." in sentence or "`" in sentence]


def test_rules_of_windows_take_what_gold_writes(spark: SparkSession) -> None:
    """One value: no spread; text: no statistics."""
    start = GOOD[DEVICE_MINUTE]["window_start"]
    one = {"count": 1, "sum": 1.0, "m2": 0.0, "mean": 1.0, "max": 1.0, "last": 1.0}
    numbers = ("sum", "m2", "min", "max", "mean", "stddev", "first", "last")
    text = {**dict.fromkeys(numbers), "first_text": "a", "last_text": "b", "last_at": start}
    rules = suites.rules(DEVICE_MINUTE)
    rows = [good(DEVICE_MINUTE, **one, stddev=None), good(DEVICE_MINUTE, **text)]

    for row in with_rules(frame(spark, DEVICE_MINUTE, rows), rules).collect():
        assert [rule.sentence for rule in rules if not row[rule.sentence]] == []


BEYOND = float("inf")
LOTS = 1e308


@pytest.mark.parametrize(
    "said",
    [
        {"sum": BEYOND, "mean": LOTS, "min": LOTS, "max": LOTS, "m2": 0.0, "stddev": 0.0},
        {"sum": 0.0, "mean": 0.0, "min": -1e200, "max": 1e200, "m2": BEYOND, "stddev": BEYOND},
        {"sum": 0.0, "mean": BEYOND, "min": -LOTS, "max": LOTS, "m2": BEYOND, "stddev": BEYOND},
    ],
)
def test_window_of_values_whose_sum_no_double_holds_is_left_open(
    spark: SparkSession, said: dict[str, object]
) -> None:
    rules = suites.rules(DEVICE_MINUTE)
    row = good(DEVICE_MINUTE, **said, first=said["min"], last=said["max"])

    (held,) = with_rules(frame(spark, DEVICE_MINUTE, [row]), rules).collect()

    assert [rule.sentence for rule in rules if not held[rule.sentence]] == []

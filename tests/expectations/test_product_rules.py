"""The stream's judgement and the suite of the same product schema find the same rows wrong."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from expectations import product_rules
from expectations.holding import Holder
from expectations.rule import expectation, with_rules
from telemetry.judge import Judged
from telemetry.products import product_from_dict
from tests.telemetry.builders import body, registry, verdict

pytestmark = pytest.mark.spark

WIDE = {"type": "double", "min": -50, "max": 60, "sentinels": [-200]}
PRODUCT = product_from_dict(
    {
        "product": "meter",
        "versions": [
            {
                "version": 1,
                "metrics": {
                    "kwh": {"type": "double", "min": 0, "max": 100, "required": True},
                    "temperature": WIDE,
                    "count": {"type": "int", "sentinels": [-1]},
                    "state": {"type": "string", "values": ["idle", "it's busy"]},
                    "note": {"type": "string", "sentinels": ["none"]},
                    "open": {"type": "bool"},
                },
            },
            {
                "version": 2,
                "metrics": {
                    "kwh": {"type": "double", "min": 0, "max": 1000, "required": True},
                    "temperature": {"type": "int"},
                    "volt": {"type": "double", "required": True},
                },
            },
        ],
    }
)
NUMBERS = (0, 1, 1.5, -1, -50, -50.1, 60, 60.1, 100, 100.5, 1000, -200, -200.0, 1e300)
VALUES = (*NUMBERS, None, True, False, "idle", "it's busy", "lost", "none", "", [1], {"a": 1})
METRICS = ("kwh", "temperature", "count", "state", "note", "open", "volt", "other")
SCHEMA_RULES = {"unknown_metric", "type", "range", "required", "values"}
COLUMNS = (
    "tenant string, product string, device_full string, boot string, seq long, metric string,"
    " value double, value_text string, value_bool boolean, quality string, schema_version int"
)


def messages() -> Iterator[dict[str, object]]:
    for metric in METRICS:
        for value in VALUES:
            yield {metric: value}
            yield {"kwh": 1.5, metric: value}
            yield {"kwh": 1.5, "volt": 230, metric: value}


def rows(seq: int, metrics: dict[str, object], judged: Judged) -> Iterator[tuple[object, ...]]:
    """Yield the rows that the message would be, had nobody judged it."""
    version = next(one for one in PRODUCT.versions if one.version == judged.schema_version)
    for name, value in metrics.items():
        known = version.metrics.get(name)
        is_plain = isinstance(value, int | float | str) and not isinstance(value, bool)
        is_sentinel = known is not None and is_plain and value in known.sentinels
        number = float(value) if isinstance(value, int | float) and is_plain else None
        text = value if isinstance(value, str) else None
        truth = value if isinstance(value, bool) else None
        values = (None, None, None) if is_sentinel else (number, text, truth)
        quality = "sentinel" if is_sentinel else "ok"
        key = ("default", "meter", "meter.d1", "b", seq, name)
        yield (*key, *values, quality, judged.schema_version)


def judged_rows(spark: SparkSession) -> tuple[DataFrame, dict[int, bool]]:
    known = registry(PRODUCT)
    found: list[tuple[object, ...]] = []
    accepted: dict[int, bool] = {}
    for seq, metrics in enumerate(messages()):
        judged = verdict(body(metrics=metrics), known)
        assert {reason.rule for reason in judged.reasons} <= SCHEMA_RULES
        accepted[seq] = not judged.reasons
        found += rows(seq, metrics, judged)
    return spark.createDataFrame(found, COLUMNS), accepted


def test_judgement_and_suite_agree_on_every_row(spark: SparkSession, tmp_path: Path) -> None:
    rules = [*product_rules.row_rules([PRODUCT]), *product_rules.message_rules([PRODUCT])]
    frame, accepted = judged_rows(spark)
    held = with_rules(frame, rules).cache()

    broken: dict[int, set[str]] = {}
    for row in held.collect():
        sentences = {rule.sentence for rule in rules if not row[rule.sentence]}
        broken.setdefault(row.seq, set()).update(sentences)
    assert {seq: not sentences for seq, sentences in broken.items()} == accepted
    assert set(accepted.values()) == {True, False}

    expected = [expectation(rule) for rule in rules]
    failed = {
        rule.sentence for rule in rules if any(rule.sentence in one for one in broken.values())
    }
    verdicts = Holder(tmp_path).hold_rows("product", held, expected, ["seq", "metric"])
    assert {one.expectation for one in verdicts if not one.success} == failed
    good = held.where(held.seq.isin([seq for seq, is_good in accepted.items() if is_good]))
    verdicts = Holder(tmp_path).hold_rows("product", good, expected, ["seq", "metric"])
    assert all(one.success for one in verdicts)


def test_rows_of_other_products_and_versions_are_not_asked(spark: SparkSession) -> None:
    rules = product_rules.row_rules([PRODUCT])
    key = ("default", "other", "other.d1", "b", 1, "anything")
    other = spark.createDataFrame([(*key, None, "text", None, "ok", 1)], COLUMNS)

    (row,) = with_rules(other, rules).collect()

    assert all(row[rule.sentence] for rule in rules)


NAMES = (
    "T",
    "t",
    "wind.speed",
    "a`b",
    "it's",
    'q"q',
    "x\\y",
    "PT08.S1(CO)",
    "\u00b5g/m\u00b3",
    "50 %",
)


def test_metrics_of_any_name_are_held_each_by_itself(spark: SparkSession, tmp_path: Path) -> None:
    metrics = {name: {"type": "double", "max": 1} for name in NAMES}
    one = {"versions": [{"version": 1, "metrics": metrics}]}
    products = [product_from_dict({"product": key, **one}) for key in ("meter", "Meter")]
    rules = product_rules.row_rules(products)
    key = ("default", "meter", "meter.d1", "b", 1)
    rows = [(*key, name, 2.0 if name == "t" else 1.0, None, None, "ok", 1) for name in NAMES]
    held = with_rules(spark.createDataFrame(rows, COLUMNS), rules)

    expected = [expectation(rule) for rule in rules]
    verdicts = Holder(tmp_path).hold_rows("product", held, expected, ["seq", "metric"])

    (failed,) = [one for one in verdicts if not one.success]
    assert failed.expectation.startswith("meter version 1 t fits its schema")
    assert failed.unexpected == 1

"""The fast lane: readings that landing would take, and alerts that scoring would tell."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from pyspark.sql import DataFrame, SparkSession

from spark_jobs.transforms.fast_alarms import alerts
from spark_jobs.transforms.fast_readings import limits_frame, messages, readings
from telemetry.alerts import Alert, alert_id
from telemetry.products import Product, product_from_dict
from telemetry.rules.form import rule_from_dict
from telemetry.rules.rule import VersionedRule
from tests.detection.rules import building

pytestmark = pytest.mark.spark

KAFKA = (
    "key binary, value binary, timestamp timestamp, headers array<struct<key:string,value:binary>>"
)
DEVICES = "tenant string, device_full string, product string, zone string, customer string"
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
NOW_US = round(NOW.timestamp()) * 1_000_000
BOILER = product_from_dict(
    {
        "product": "boiler",
        "versions": [
            {
                "version": 1,
                "metrics": {
                    "temperature": {"type": "double", "min": -50, "max": 500, "sentinels": [-40]},
                    "state": {"type": "string"},
                },
            }
        ],
    }
)
HOT = {"rule": "hot", "metric": "temperature", "check": {"kind": "threshold", "bound": 90}}
Record = tuple[bytes, bytes, datetime, list[tuple[str, bytes]]]


def record(body: object, device: str = "boiler.b1", **headers: str) -> Record:
    """Return a record as the gateway sends it, at noon."""
    product, _, name = device.rpartition(".")
    said = {"tenant": "default", "product": product, "device": name, **headers}
    value = body if isinstance(body, bytes) else orjson.dumps(body)
    pairs = [(key, text.encode()) for key, text in said.items() if text]
    return device.encode(), value, NOW, pairs


def said(value: object, *, metric: str = "temperature", at: timedelta = timedelta()) -> object:
    """Return a message of one metric."""
    ts = (NOW + at).isoformat().replace("+00:00", "Z")
    return {"v": 1, "ts": ts, "seq": 1, "metrics": {metric: value}}


def kept(declared: Mapping[str, object], version: int = 1) -> VersionedRule:
    """Return a rule of the fast lane that is on."""
    return VersionedRule(rule_from_dict({**declared, "lane": "fast"}), version, is_on=True)


def taken(spark: SparkSession, *records: Record, metric: str = "temperature") -> DataFrame:
    """Return the readings of records, of one boiler and a device without a schema."""
    known = [
        ("default", "boiler.b1", "boiler", "north", "c1"),
        ("default", "d1", "default", None, None),
    ]
    devices = spark.createDataFrame(known, DEVICES)
    limits = limits_frame(spark, [BOILER, Product("default")])
    frame = spark.createDataFrame(list(records), KAFKA)
    return readings(messages(frame, 60_000_000), devices, limits, [metric])


def values(spark: SparkSession, *records: Record) -> list[tuple[str, float, int]]:
    """Return device, value and how much later than noon it was, in seconds."""
    return [
        (row.device_full, row.value, (row.event_us - NOW_US) // 1_000_000)
        for row in taken(spark, *records).collect()
    ]


def judged(frame: DataFrame, *rules: VersionedRule) -> list[Alert]:
    """Return the alerts of readings that no baseline is known of."""
    nothing = frame.selectExpr(
        "*", "cast(null as double) median", "cast(null as double) spread",
        "cast(null as date) version",
    )  # fmt: skip
    return [Alert.from_json(bytes(row.value)) for row in alerts(nothing, rules).collect()]


def test_readings_are_those_that_landing_would_take(spark: SparkSession) -> None:
    taken_up = [
        record(said(91.5)),
        record([said(1), said("warm"), said(2.0)]),
        record({"metrics": {"temperature": 3, "state": "on"}}),
        record(said(4), "d1", product="default"),
        record(said(5, at=timedelta(hours=1))),
        record(said(6), tenant=""),
    ]
    assert values(spark, *taken_up) == [
        ("boiler.b1", 91.5, 0),
        ("boiler.b1", 1.0, 0),
        ("boiler.b1", 2.0, 0),
        ("boiler.b1", 3.0, 0),
        ("d1", 4.0, 0),
        ("boiler.b1", 5.0, 60),
        ("boiler.b1", 6.0, 0),
    ]


def test_what_landing_refuses_raises_no_alarm(spark: SparkSession) -> None:
    left_out = [
        record(b""),
        record(b"{"),
        record(b'{"metrics":{"temperature":NaN}}'),
        record(b'{"metrics":{"temperature":91'),
        record(b"\xff\xfe"),
        record(b"[" * 10_000),
        record(said("91")),
        record(said(501)),
        record(said(-40)),
        record(said(91, metric="pressure")),
        record(said(91, at=-timedelta(seconds=31))),
        record({"v": 2, "metrics": {"temperature": 91}}),
        record({"ts": "yesterday", "metrics": {"temperature": 91}}),
        record({"device": "b2", "metrics": {"temperature": 91}}),
        record(said(91), "boiler.stranger"),
        record(said(91), "ghost.b1"),
        record(said(91), content_type="application/cbor"),
    ]

    assert values(spark, *left_out, record(said(7))) == [("boiler.b1", 7.0, 0)]


def test_an_alert_is_the_one_that_scoring_tells(spark: SparkSession) -> None:
    rule = kept({**HOT, "severity": "critical"}, version=3)
    frame = taken(spark, record(said(90)), record(said(95.5)))

    (found,) = judged(frame, rule)

    evaluator = building.evaluator(rule)
    row = ("boiler.b1", "temperature", NOW_US, 95.5)
    told = evaluator.take(building.readings([row], zones={"boiler.b1": "north"}), NOW_US)[0].alert
    same = [
        *("tenant", "rule", "rule_version", "state", "severity", "event_time", "text", "device"),
        *("product", "zone", "customer", "metric", "value", "bound", "score", "baseline"),
    ]
    assert [getattr(found, name) for name in same] == [getattr(told, name) for name in same]
    assert found.id == told.id == alert_id("hot", 3, "default", "boiler.b1", NOW_US, "temperature")
    assert abs(found.detected_at / 1e6 - datetime.now(UTC).timestamp()) < 60


def broken(
    spark: SparkSession, numbers: Sequence[float], **declared: Mapping[str, object]
) -> dict[str, list[float]]:
    """Return which of the numbers break each of some rules."""
    frame = taken(spark, *(record(said(number)) for number in numbers))
    rules = [kept({**HOT, **more, "rule": name}) for name, more in declared.items()]
    found: dict[str, list[float]] = {name: [] for name in declared}
    for alert in judged(frame, *rules):
        found[alert.rule].append(alert.value or 0.0)
    return found


def test_bounds_belong_to_what_is_allowed(spark: SparkSession) -> None:
    span = {"kind": "range", "low": 10, "high": 20}
    found = broken(
        spark,
        [4.9, 5, 9.9, 10, 15, 20, 20.1, 90.5, 92],
        within={"check": span},
        low={"check": {**span, "direction": "below"}},
        least={"check": {"kind": "threshold", "bound": 5, "direction": "below"}},
        far={"least_deviation": 1.5},
    )
    assert found == {
        "within": [4.9, 5, 9.9, 20.1, 90.5, 92],
        "low": [4.9, 5, 9.9],
        "least": [4.9],
        "far": [92],
    }


def test_only_readings_of_the_scope_are_judged(spark: SparkSession) -> None:
    found = broken(
        spark,
        [95],
        any={},
        product={"scope": {"product": "boiler"}},
        zone={"scope": {"zone": "north"}},
        device={"scope": {"device": "boiler.b1"}},
        other_zone={"scope": {"zone": "south"}},
        other_device={"scope": {"device": "boiler.b2"}},
        other_tenant={"tenant": "other"},
        other_metric={"metric": "pressure"},
    )
    assert {name for name, told in found.items() if told} == {"any", "product", "zone", "device"}


def test_a_backlog_raises_nothing_where_the_rule_says_so(spark: SparkSession) -> None:
    frame = taken(spark, record(said(95, at=-timedelta(seconds=20))), record(said(96)))
    rule = kept({**HOT, "connected_within": "10 s"})
    assert [alert.value for alert in judged(frame, rule)] == [96]


def held(spark: SparkSession, check: Mapping[str, object], numbers: Sequence[float]) -> list[Alert]:
    """Judge numbers by a baseline of 10 with a spread of 2."""
    frame = taken(spark, *(record(said(number)) for number in numbers))
    known = frame.selectExpr("*", "10d median", "2d spread", "date'2026-11-26' version")
    found = alerts(known, [kept({**HOT, "check": check})]).collect()
    return [Alert.from_json(bytes(row.value)) for row in found]


def test_stored_baselines_say_what_is_usual(spark: SparkSession) -> None:
    theft = {"kind": "ratio", "ratio": 0.5, "against": "season"}
    (low,) = held(spark, theft, [4.9, 5, 30])
    assert (low.value, low.bound, low.baseline, low.deviation) == (4.9, 5, 10, -5.1)
    assert low.baseline_version == "2026-11-26"
    assert low.text == (
        "temperature of boiler.b1 is 4.9, below 5, which is 0.5 of the usual 10"
        " by the stored baseline of 2026-11-26"
    )
    assert [one.value for one in held(spark, {**theft, "spreads": 4}, [2.1, 1.9])] == [1.9]
    season = {"kind": "seasonal", "deviations": 3}
    assert [one.value for one in held(spark, season, [16, 16.1, 4, 3.9])] == [16.1, 3.9]
    (high,) = held(spark, {**season, "direction": "above"}, [22, 0])
    assert (high.bound, high.score) == (16, round(2 / 3, 6))


def test_without_a_baseline_nothing_is_unusual(spark: SparkSession) -> None:
    season = {"kind": "seasonal", "deviations": 3}
    frame = taken(spark, record(said(95)))
    assert judged(frame, kept({**HOT, "check": season})) == []
    assert len(judged(frame, kept({**HOT, "check": season}), kept(HOT))) == 1

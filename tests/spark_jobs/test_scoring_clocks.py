"""Devices whose clocks lie, through landing to scoring: what they say is flagged, not learnt."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import orjson
import polars as pl
import pytest
from pyspark.sql import SparkSession

from edge.outbox import OutRecord
from edge.registry_files import RegistryFiles
from spark_jobs.jobs.landing_queries import SharedLanding, SpoolQuery
from spark_jobs.lake import Lake
from telemetry.devices import Device
from telemetry.products import product_from_dict
from telemetry.records import record_headers
from telemetry.settings import Settings
from telemetry.tables import LATE, READINGS, REJECTED
from tests.spark_jobs.empty_lakes import create_all
from tests.spark_jobs.landing_fleet import NOW, SECOND, write_segment
from tests.spark_jobs.test_scoring import Heard, advance, put

pytestmark = pytest.mark.spark
KILN = product_from_dict(
    {
        "product": "kiln",
        "lateness": "30 s",
        "max_age": "7 d",
        "versions": [{"version": 1, "metrics": {"t": {"type": "double"}}}],
    }
)
ODD = {"rule": "odd", "metric": "t", "scope": {"product": "kiln"}, "learning": {"readings": 20},
       "check": {"kind": "zscore", "deviations": 4}}  # fmt: skip
SECONDS, WRONG = 120, range(40, 50)
EDGES = (0, 45, 55, SECONDS)
"""Batches, and restarts; one begins in the middle of the wrong seconds."""
LAST = SECONDS - 1
WILD = 1e6
"""What a device says while its clock is behind; who learnt it would find nothing odd again."""
Said = Callable[[datetime], datetime | None]
CLOCKS: dict[str, Said | None] = {
    "kiln.right": lambda now: now,
    "kiln.missing": lambda _now: None,
    "kiln.ahead": lambda now: now + timedelta(days=365),
    "kiln.behind": lambda now: now - timedelta(days=20 * 365),
    "kiln.back": lambda now: now - timedelta(hours=1),
    "kiln.little": lambda now: now - timedelta(seconds=20),
    "kiln.silent": None,
}
"""What a device's clock says while it is wrong; None: it says nothing."""
UNSEEN = {"kiln.behind", "kiln.back", "kiln.little"}


def value_of(device: str, second: int) -> float:
    if second == LAST:
        return 90.0
    is_wild = device in UNSEEN and second in WRONG
    return WILD if is_wild else 50.0 + second * 7 % 5


def record(device: str, second: int) -> OutRecord | None:
    """Return what a device says in a second, as the gateway has it at once."""
    at = NOW + second * SECOND
    now: datetime | None = datetime.fromtimestamp(at / SECOND, UTC)
    said = CLOCKS[device]
    if second in WRONG:
        if said is None:
            return None
        assert now is not None
        now = said(now)
    body: dict[str, object] = {"seq": second, "metrics": {"t": value_of(device, second)}}
    if now is not None:
        body["ts"] = now.isoformat()
    headers = record_headers(device, received_at=at, protocol="test")
    return OutRecord(device.encode(), orjson.dumps(body), headers)


def land(spark: SparkSession, settings: Settings, seconds: range, first: int) -> int:
    """Land what all say in some seconds; return how many records there are by now."""
    for second in seconds:
        said = [record(device, second) for device in CLOCKS]
        records = [one for one in said if one is not None]
        write_segment(settings.spool_dir, records, first, NOW + second * SECOND)
        first += len(records)
    SpoolQuery(SharedLanding(settings)).start(spark, "available-now").awaitTermination()
    return first


def test_a_wrong_clock_is_flagged_and_what_is_usual_stays_known(
    spark: SparkSession, tmp_path: Path
) -> None:
    settings, sink, first = Settings(home=tmp_path), Heard(), 0
    lake = Lake(settings.lake_root)
    create_all(lake)
    registry = RegistryFiles(settings.registry_dir)
    registry.put_product(KILN)
    registry.enrol(Device(name) for name in CLOCKS)
    put(settings, ODD)
    advance(spark, settings, sink)
    for begin, end in pairwise(EDGES):
        first = land(spark, settings, range(begin, end), first)
        advance(spark, settings, sink)

    assert_flagged(lake)
    assert {alert.device for alert in sink.alerts} == CLOCKS.keys()
    assert {alert.value for alert in sink.alerts} == {90.0}, "nothing else is odd"
    scores = {alert.device: (alert.score, alert.bound) for alert in sink.alerts}
    assert scores["kiln.missing"] == scores["kiln.right"]
    assert {scores[name] for name in UNSEEN} == {scores["kiln.silent"]}


def assert_flagged(lake: Lake) -> None:
    """Hold where silver has what was said by a wrong clock."""
    rows = lake.scan(READINGS).filter(pl.col("clock") != "ok").collect()
    flagged = rows.group_by("device_full", "clock").len().rows()
    wrong = len(WRONG)
    assert set(flagged) == {("kiln.ahead", "ahead", wrong), ("kiln.missing", "missing", wrong)}
    ahead = rows.filter(pl.col("clock") == "ahead")
    clamped = ahead["event_time"] - ahead["received_at"]
    assert set(clamped) == {timedelta(seconds=Settings().clock_tolerance_s)}
    rejected = lake.scan(REJECTED).select("device_full", "reasons").collect()
    assert rejected["device_full"].to_list() == ["kiln.behind"] * wrong
    assert {reason["rule"] for reasons in rejected["reasons"] for reason in reasons} == {"too_old"}
    assert lake.scan(LATE).collect()["device_full"].to_list() == ["kiln.back"] * wrong

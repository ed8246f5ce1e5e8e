"""Scoring over Delta silver: alarms once, whatever is cut short; rules that change; silence."""

import random
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from pyspark.sql import SparkSession

from edge.rule_files import RuleFiles
from spark_jobs.gold_state import Position
from spark_jobs.jobs.scoring import MAX_BYTES, NAME, Scoring
from spark_jobs.jobs.scoring_query import ScoringQuery, is_wanted
from spark_jobs.lake import Lake
from spark_jobs.scoring_state import ScoringFiles, ScoringState
from spark_jobs.transforms.reduction import NO_READING
from telemetry.alerts import Alert
from telemetry.rules.form import rule_from_dict
from telemetry.rules.rule import VersionedRule
from telemetry.settings import Settings
from telemetry.tables import ANOMALIES, READINGS
from tests.detection.rules.mill_models import NAMES, VERSION, save_mill_model
from tests.spark_jobs.silver_rows import silver

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOT = {"rule": "hot", "metric": "t", "check": {"kind": "threshold", "bound": 90}}
SILENT = {"rule": "silent", "check": {"kind": "no_data", "lasts": "10 min"}}


@dataclass
class Heard:
    """Keeps what is told, and can be away."""

    alerts: list[Alert] = field(default_factory=list)
    fails: int = 0

    def tell(self, alerts: Sequence[Alert]) -> None:
        """Keep the alerts, and then fail if that is due."""
        self.alerts += alerts
        if self.fails:
            self.fails -= 1
            raise OSError("away")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(home=tmp_path)
    Lake(made.lake_root).create_all()
    return made


def put(
    settings: Settings, declared: Mapping[str, object], *, version: int = 1, on: bool = True
) -> None:
    kept = VersionedRule(rule_from_dict(declared), version, on)
    RuleFiles(settings.registry_dir).put(kept)


def land(
    settings: Settings, *said: tuple[str, float, float], first: int = 0, text: str | None = None
) -> None:
    """Land readings of metric t: device, minutes after noon, value; `text` makes files large."""
    rows = [
        {"tenant": "default", "product": "boiler", "retention_class": "default",
         "device_full": device, "zone": "north", "boot": "b", "seq": first + place, "metric": "t",
         "event_time": at(minute), "received_at": at(minute), "value": value,
         "value_text": text}
        for place, (device, minute, value) in enumerate(said)
    ]  # fmt: skip
    frame = pl.DataFrame(rows, schema=NO_READING.schema)
    Lake(settings.lake_root).append(READINGS, silver(frame, READINGS), None)


def at(minute: float) -> datetime:
    return NOON + timedelta(minutes=minute)


def anomalies(settings: Settings) -> list[tuple[str, datetime, int]]:
    found = Lake(settings.lake_root).scan(ANOMALIES).sort("event_time", "device_full").collect()
    assert found["anomaly_id"].is_unique().all()
    return list(found.select("device_full", "event_time", "rule_version").iter_rows())


def clock(minute: float) -> int:
    return int(at(minute).timestamp() * 1e6)


def advance(spark: SparkSession, settings: Settings, sink: Heard) -> ScoringQuery:
    query = ScoringQuery(settings, sink)
    query.own()
    try:
        query.start(spark, "available-now").awaitTermination()
    finally:
        query.close()
    return query


def saved(settings: Settings) -> dict[Path, bytes]:
    """Return the files that rules are remembered in."""
    folder = settings.checkpoint_dir / NAME
    return {path: path.read_bytes() for path in folder.glob("rules.state*")}


def put_back(settings: Settings, before: Mapping[Path, bytes]) -> None:
    """Let the files be as they were before a kill."""
    assert saved(settings) != before
    for path in saved(settings).keys() - before.keys():
        path.unlink()
    for path, content in before.items():
        path.write_bytes(content)


@pytest.mark.spark
def test_every_alarm_is_told_and_kept_once_through_failures_and_restarts(
    spark: SparkSession, settings: Settings
) -> None:
    put(settings, HOT | {"persistence": {"k": 2, "n": 3}})
    sink = Heard()
    advance(spark, settings, sink)
    land(settings, ("boiler.a", 0, 95), ("boiler.b", 0, 50))
    advance(spark, settings, sink)
    assert sink.alerts == []
    land(settings, ("boiler.a", 1, 96), ("boiler.b", 1, 95), first=2)
    sink.fails = 1
    with pytest.raises(Exception, match="away"):
        advance(spark, settings, sink)
    assert anomalies(settings) == []
    advance(spark, settings, sink)
    assert anomalies(settings) == [("boiler.a", at(1), 1)]
    told = {(alert.id, alert.state) for alert in sink.alerts}
    assert (len(sink.alerts), len(told)) == (2, 1)

    before = saved(settings)
    land(settings, ("boiler.b", 2, 95), ("boiler.a", 2, 20), ("boiler.a", 3, 20), first=4)
    query = advance(spark, settings, sink)
    assert query.figures().lag_messages == 0
    assert anomalies(settings)[1:] == [("boiler.b", at(2), 1)]
    # As if the process had been killed between telling and remembering.
    put_back(settings, before)
    commits = settings.checkpoint_dir / NAME / "commits"
    newest = max(commits.glob("[0-9]*"), key=lambda path: int(path.name))
    newest.unlink()
    newest.with_name(f".{newest.name}.crc").unlink()
    advance(spark, settings, sink)
    assert len(anomalies(settings)) == 2
    assert {alert.device: alert.state for alert in sink.alerts} == {
        "boiler.a": "resolved", "boiler.b": "firing",
    }  # fmt: skip
    kept = ScoringFiles(settings.checkpoint_dir / NAME).read()
    assert kept is not None
    assert kept.state.batch_id == int(newest.name)

    for path in (settings.checkpoint_dir / NAME).iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif not path.name.startswith("rules.state"):
            path.unlink()
    land(settings, ("boiler.b", 4, 20), ("boiler.b", 5, 20), first=7)
    advance(spark, settings, sink)
    assert sink.alerts[-1].state == "resolved"
    assert sink.alerts[-1].device == "boiler.b"


@pytest.mark.spark
def test_what_scoring_is_behind_is_looked_at_a_bearable_number_of_bytes_at_a_time(
    spark: SparkSession, settings: Settings
) -> None:
    put(settings, HOT)
    sink, batches = Heard(), settings.checkpoint_dir / NAME / "commits"
    advance(spark, settings, sink)
    before = len(numbered(batches))
    dice = random.Random(1)
    for minute in range(4):
        noise = dice.randbytes(MAX_BYTES // 3).hex()
        land(settings, ("boiler.a", minute, 95), first=minute, text=noise)

    query = advance(spark, settings, sink)

    assert query.figures().lag_messages == 0
    assert len(numbered(batches)) - before == 2, "three files are as much as a batch may be"
    assert [alert.event_time for alert in sink.alerts] == [clock(0)]


def numbered(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*") if path.name.isdecimal()]


def scoring(settings: Settings, sink: Heard, minute: float) -> Scoring:
    made = Scoring(Lake(settings.lake_root), settings, sink, lambda: clock(minute))
    made.prepare()
    return made


@pytest.mark.parametrize("version", [50, 1], ids=["of a newer lake", "gone from the log"])
def test_scoring_without_its_place_in_silver_begins_anew_behind_it(
    settings: Settings, version: int
) -> None:
    for _ in range(3):
        land(settings, ("boiler.b1", 0, 20))
    lake = Lake(settings.lake_root)
    newest = lake.table(READINGS).version()
    Path(lake.uri(READINGS), "_delta_log", f"{1:020d}.json").unlink()
    before = Scoring(lake, settings, Heard())
    before.state = ScoringState("scoring/before", readings=Position(version))
    before.save()

    after = Scoring(lake, settings, Heard())
    after.prepare()

    assert after.state.app_id != "scoring/before"
    assert after.state.readings == Position(newest)


def test_scoring_is_wanted_once_a_rule_is_on(settings: Settings) -> None:
    assert not is_wanted(settings)
    put(settings, HOT, on=False)
    assert not is_wanted(settings)
    put(settings, HOT, on=True)
    assert is_wanted(settings)
    put(settings, SILENT)
    (settings.registry_dir / "rules" / "default" / "hot.json").write_text("{")
    assert is_wanted(settings), "another one can be read"
    put(settings, SILENT, on=False)
    assert not is_wanted(settings)


def test_rule_that_goes_off_ends_its_alarms(settings: Settings) -> None:
    sink = Heard()
    put(settings, SILENT)
    looking = scoring(settings, sink, 20)
    heard(looking, "boiler.a", 0)
    looking.look_after(heard_until=2**62)
    assert anomalies(settings) == [("boiler.a", at(10), 1)]
    looking.look_after(heard_until=2**62)
    put(settings, SILENT, on=False)
    looking.look_after()
    assert [alert.state for alert in sink.alerts] == ["firing", "resolved"]


def heard(looking: Scoring, device: str, minute: float) -> None:
    """Let a device have spoken."""
    rows = pl.DataFrame(
        {"tenant": ["default"], "device_full": [device], "metric": ["t"], "product": ["boiler"],
         "zone": [None], "customer": [None], "event_time": [at(minute)],
         "received_at": [at(minute)], "value": [1.0], "topic": ["t"], "partition": [0],
         "offset": [0], "item": [0]},
        schema_overrides={"zone": pl.String, "customer": pl.String},
    )  # fmt: skip
    looking.take(rows)


def test_last_rules_are_in_force_while_the_registry_is_away(settings: Settings) -> None:
    put(settings, SILENT)
    sink = Heard()
    looking = scoring(settings, sink, 20)
    heard(looking, "boiler.a", 0)
    looking.look_after(heard_until=2**62)
    rules = settings.registry_dir / "rules"
    (rules / "default" / "bad.json").write_text('{"rule": "ho')
    looking = scoring(settings, sink, 20)
    assert [kept.rule.name for kept in looking.rules] == ["silent"], "as they are remembered"
    rules.rename(settings.registry_dir / "away")
    heard(looking, "boiler.b", 1)
    looking.look_after(heard_until=2**62)
    assert [kept.rule.name for kept in looking.rules] == ["silent"]
    assert [(alert.device, alert.state) for alert in sink.alerts] == [
        ("boiler.a", "firing"), ("boiler.b", "firing"),
    ]  # fmt: skip


def test_damaged_memory_begins_anew(settings: Settings) -> None:
    put(settings, SILENT)
    looking = scoring(settings, Heard(), 0)
    heard(looking, "boiler.a", 0)
    looking.save()
    path = settings.checkpoint_dir / NAME / "rules.state"
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    sink = Heard()
    scoring(settings, sink, 20).look_after(heard_until=2**62)
    assert sink.alerts == []


def test_rule_works_once_its_model_is_there(settings: Settings) -> None:
    check = {"kind": "model", "model": "mills", "version": VERSION, "bound": 0.5}
    put(settings, {"rule": "failing", "metrics": list(NAMES), "check": check})
    looking = scoring(settings, Heard(), 0)
    assert looking.rules == []
    settings.model_dir.mkdir()
    save_mill_model(settings.model_dir / "mills.model", version="f" * 12)
    looking.look_after()
    assert looking.rules == []
    save_mill_model(settings.model_dir / "mills.model")
    looking.look_after()
    assert [kept.rule.name for kept in looking.rules] == ["failing"]

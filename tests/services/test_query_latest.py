"""Latest values: what a commit takes out of the tables is no answer any more."""

import json
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from services.query.deletions import Deletions, is_loss
from services.query.listing import TableFiles
from telemetry.tables import DEVICE_DAY, DEVICES, READINGS
from tests.services.query_lake import Reading, Row, TestLake, numbered, put
from tests.services.query_parts import TestedQueries
from tests.services.test_query_service import HOUR, START


@pytest.fixture
def queries(tmp_path: Path) -> TestedQueries:
    lake = TestLake(tmp_path / "lake")
    lake.land(numbered(Reading(START, 1.0, device=f"meter.m{n}") for n in range(3)))
    lake.make_gold(START + HOUR)
    return TestedQueries(tmp_path)


def devices(queries: TestedQueries) -> list[str]:
    return sorted(point["device_id"] for point in queries.json("/v1/latest")["points"])


def erase(root: Path, device: str) -> None:
    for name in (READINGS.name, DEVICE_DAY.name):
        DeltaTable(str(root / Path(*name.split(".")))).delete(f"device_full = '{device}'")


def test_erased_device_is_not_answered(queries: TestedQueries, tmp_path: Path) -> None:
    assert devices(queries) == ["meter.m0", "meter.m1", "meter.m2"]
    erase(tmp_path / "lake", "meter.m1")
    assert devices(queries) == ["meter.m0", "meter.m2"]


def test_erased_device_is_gone_though_others_speak_meanwhile(
    queries: TestedQueries, tmp_path: Path
) -> None:
    assert len(devices(queries)) == 3
    lake = TestLake(tmp_path / "lake")
    erase(tmp_path / "lake", "meter.m1")
    lake.land(numbered(Reading(START + 1, 2.0, device=f"meter.n{n}") for n in range(5)))
    assert devices(queries) == ["meter.m0", "meter.m2", *(f"meter.n{n}" for n in range(5))]


def test_compaction_and_appends_are_no_deletion(tmp_path: Path) -> None:
    lake = TestLake(tmp_path)
    lake.land([Reading(START, 1.0)])
    seen = Deletions(TableFiles(str(tmp_path), READINGS))
    assert not seen.happened()
    lake.land([Reading(START + 1, 2.0, seq=1)])
    assert not seen.happened()
    DeltaTable(str(tmp_path / "silver" / "readings")).optimize.compact()
    assert not seen.happened()
    erase_one = DeltaTable(str(tmp_path / "silver" / "readings"))
    erase_one.delete("seq = 1")
    assert seen.happened()
    assert not seen.happened()


def test_commit_that_nobody_can_read_may_have_removed_rows() -> None:
    assert is_loss(None, {})
    gone: dict[str, dict[str, object]] = {"remove": {"path": "a%20b", "dataChange": True}}
    assert is_loss(iter([gone]), {"a b": 2})
    assert is_loss(iter([gone]), {"a b": None})
    added: dict[str, dict[str, object]] = {"add": {"path": "c", "stats": '{"numRecords": 2}'}}
    assert not is_loss(iter([gone, added]), {"a b": 2})


def test_news_are_what_changed_and_everything_after_a_deletion(
    queries: TestedQueries, tmp_path: Path
) -> None:
    latest = queries.service.latest
    before = latest.state()
    assert before.since(before.edition) is None
    TestLake(tmp_path / "lake").land([Reading(START + 5, 9.0, device="meter.m1", seq=9)])
    news = latest.state().since(before.edition)
    assert news is not None
    assert news.rows is not None
    assert news.rows.select("device_full", "number").rows() == [("meter.m1", 9.0)]
    erase(tmp_path / "lake", "meter.m1")
    news = latest.state().since(before.edition)
    assert news is not None
    assert news.rows is None


def test_compacted_files_bring_no_news(queries: TestedQueries, tmp_path: Path) -> None:
    before = queries.service.latest.state()
    DeltaTable(str(tmp_path / "lake" / "silver" / "readings")).optimize.compact()
    TestLake(tmp_path / "lake").land([Reading(START - 5, 9.0, device="meter.m1", seq=9)])
    news = queries.service.latest.state().since(before.edition)
    assert news is None or (news.rows is not None and news.rows.is_empty())


def test_place_is_the_last_that_was_said_or_the_registered_one(tmp_path: Path) -> None:
    registered: Row = {
        "tenant": "default",
        "product": "meter",
        "zone": "north",
        "lat": 1.0,
        "lng": 2.0,
    }
    root = tmp_path / "lake"
    put(root, DEVICES, [registered | {"device_full": name} for name in ("meter.m1", "meter.m2")])
    lake = TestLake(root)
    said = Reading(START, 1.0, device="meter.m1").row() | {"lat": 3.0, "lng": 4.0}
    put(root, READINGS, [said])
    lake.readings.append(Reading(START, 1.0, device="meter.m1"))
    lake.make_gold(START)
    latest = TestedQueries(tmp_path).service.latest

    def places() -> dict[str, tuple[float, float]]:
        found = latest.state().places.select("device_full", pl.struct("lat", "lng"))
        return {name: (at["lat"], at["lng"]) for name, at in found.rows()}

    assert places() == {"meter.m1": (3.0, 4.0), "meter.m2": (1.0, 2.0)}
    lake.land([Reading(START + 1, 1.0, device="meter.m1", seq=1)])
    assert places()["meter.m1"] == (3.0, 4.0)
    latest.rebuild()
    assert places()["meter.m1"] == (3.0, 4.0)


def test_gold_that_is_hours_behind_and_writes_again_hides_no_reading(tmp_path: Path) -> None:
    """Silver went on for three hours in which gold stood still."""
    lake = TestLake(tmp_path / "lake")
    lake.land([Reading(START, 1.0)])
    lake.make_gold(START)
    lake.land(numbered(Reading(START + HOUR, 2.0, device=f"meter.m{n}") for n in (1, 2)))
    hour_ms = 3_600_000
    for commit in (tmp_path / "lake" / "silver" / "readings" / "_delta_log").glob("*.json"):
        make_older(commit, 2 * hour_ms)
    gold = TableFiles(str(tmp_path / "lake"), DEVICE_DAY).listing()
    said = {"watermarks": {}, "at": max(gold.modified) / 1000, "age_s": 3 * hour_ms / 1000}
    (tmp_path / "progress").mkdir()
    (tmp_path / "progress" / "gold.json").write_text(json.dumps(said))
    points = TestedQueries(tmp_path).json("/v1/latest")["points"]
    found = {point["device_id"]: point["value"] for point in points}
    assert found == {"meter.m1": 2.0, "meter.m2": 2.0}


def make_older(commit: Path, by_ms: int) -> None:
    """Let a commit's files have been written earlier than they were."""
    actions = [json.loads(line) for line in commit.read_text().splitlines()]
    for action in actions:
        if "add" in action:
            action["add"]["modificationTime"] -= by_ms
    commit.write_text("".join(f"{json.dumps(action)}\n" for action in actions))

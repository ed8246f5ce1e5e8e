"""When landing has passed an hour: by its records, its checkpoint and its progress."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from spark_jobs.jobs.landed_until import (
    MARGIN,
    LandedUntil,
    in_flight,
    landed_until,
    quiet_partitions,
)
from spark_jobs.noted_topic import NotedTopic, note_topic
from telemetry.settings import Settings

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def plan(checkpoint: Path, batch_id: int, at: datetime, ends: dict[str, int]) -> None:
    """Write a batch's offsets as Spark does."""
    (checkpoint / "offsets").mkdir(parents=True, exist_ok=True)
    metadata = {"batchWatermarkMs": 0, "batchTimestampMs": int(at.timestamp() * 1000)}
    lines = ["v1", json.dumps(metadata), json.dumps({"telemetry": ends})]
    (checkpoint / "offsets" / str(batch_id)).write_text("\n".join(lines))


def end(checkpoint: Path, batch_id: int) -> None:
    (checkpoint / "commits").mkdir(exist_ok=True)
    (checkpoint / "commits" / str(batch_id)).touch()


def test_a_partition_without_news_in_the_newest_whole_batch_is_behind_landing(
    tmp_path: Path,
) -> None:
    plan(tmp_path, 0, NOON - MINUTE, {"0": 5, "1": 8})
    end(tmp_path, 0)
    assert quiet_partitions(tmp_path) == {}
    plan(tmp_path, 1, NOON, {"0": 5, "1": 9})
    assert quiet_partitions(tmp_path) == {}
    end(tmp_path, 1)
    assert quiet_partitions(tmp_path) == {("telemetry", 0): NOON}
    plan(tmp_path, 2, NOON + MINUTE, {"0": 6, "1": 9})
    assert quiet_partitions(tmp_path) == {("telemetry", 0): NOON}


@pytest.mark.parametrize("said", ["", "v1", "v1\n{}\n{}", 'v1\n{}\n{"logOffset":1}', "v1\n[]\n-"])
def test_damaged_batch_says_nothing_and_fails_nothing(tmp_path: Path, said: str) -> None:
    for number in range(2):
        plan(tmp_path, number, NOON, {"0": 5})
        end(tmp_path, number)
    (tmp_path / "offsets" / "1").write_text(said)
    assert quiet_partitions(tmp_path) == {}


def test_any_of_three_signs_passes_a_moment() -> None:
    until = LandedUntil({("telemetry", 0): NOON}, {"spool": NOON})
    known = until.with_records({("telemetry", 1): NOON, ("telemetry", 0): NOON - MINUTE})
    for place in (("telemetry", 0), ("telemetry", 1), ("spool", 5)):
        assert known.has_passed(place, NOON - MARGIN)
        assert not known.has_passed(place, NOON - MARGIN + MINUTE)
    assert not known.has_passed(("telemetry", 2), NOON - 60 * MINUTE)


def test_progress_counts_where_nothing_is_left_to_read_or_nothing_of_before(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    segments = settings.spool_dir / "segments"
    segments.mkdir(parents=True)
    (segments / "one.parquet").touch()
    settings.progress_dir.mkdir()
    for name, idle in (("landing", True), ("landing_spool", False)):
        said = {"idle": idle, "at": NOON.timestamp()}
        (settings.progress_dir / f"{name}.json").write_text(json.dumps(said))

    assert landed_until(settings, NOON).topics == {"telemetry": NOON}
    busy = {"idle": False, "at": NOON.timestamp(), "landed_until": (NOON - MINUTE).timestamp()}
    (settings.progress_dir / "landing_spool.json").write_text(json.dumps(busy))
    assert landed_until(settings, NOON).topics == {"telemetry": NOON, "spool": NOON - MINUTE}
    (segments / "one.parquet").unlink()
    assert landed_until(settings, NOON).topics == {"telemetry": NOON, "spool": NOON}


def test_progress_that_a_loss_of_power_has_emptied_says_nothing(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    settings.progress_dir.mkdir(parents=True)
    (settings.progress_dir / "landing.json").write_bytes(b"")

    assert not landed_until(settings, NOON).has_passed(("telemetry", 0), NOON - 9 * MINUTE)


def test_a_topic_that_was_made_anew_is_known_by_its_own_name(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    checkpoint = settings.checkpoint_dir / "landing"
    for number, ends in enumerate(({"0": 5, "1": 8}, {"0": 5, "1": 9})):
        plan(checkpoint, number, NOON, ends)
        end(checkpoint, number)
    note_topic(checkpoint, NotedTopic("telemetry~3", "id"))
    settings.progress_dir.mkdir()
    said = {"idle": True, "at": NOON.timestamp()}
    (settings.progress_dir / "landing.json").write_text(json.dumps(said))
    now = NOON + 10 * MINUTE

    until = landed_until(settings, now)

    older = {"telemetry": now, "telemetry~2": now}
    assert until.topics == {**older, "telemetry~3": NOON, "spool": now}
    assert until.partitions == {("telemetry~3", 0): NOON}


@pytest.mark.parametrize(
    ("commit", "expected"),
    [
        ({"query": "landing/one", "batch": "3"}, {}),
        ({"query": "landing/one", "batch": "4"}, {("telemetry", 2): (7, 9)}),
        ({"query": "landing/lost", "batch": "4"}, {}),
        ({"query": "landing_spool/lost", "batch": "3"}, {("telemetry", 2): (7, 9)}),
        ({}, {("telemetry", 2): (7, 9)}),
    ],
    ids=["ended", "not ended", "before this checkpoint", "of a lost checkpoint", "of no query"],
)
def test_the_newest_batch_is_in_flight_until_its_checkpoint_says_that_it_ended(
    tmp_path: Path, commit: dict[str, object], expected: object
) -> None:
    checkpoint = tmp_path / "landing"
    plan(checkpoint, 3, NOON, {})
    end(checkpoint, 3)
    begun_anew = tmp_path / "landing_spool"
    begun_anew.mkdir()
    for each in (checkpoint, begun_anew):
        (each / "headwater-id").write_text("one")
    rewrite = {"operation": "OPTIMIZE"}
    older = {"offsets": json.dumps({"telemetry/2": [1, 6]})}

    found = in_flight(
        [rewrite, commit | {"offsets": json.dumps({"telemetry/2": [7, 9]})}, older], tmp_path
    )

    assert found == expected
    assert in_flight([rewrite], tmp_path) == {}

"""Drills do not pass where what they rehearse did not come, or where what they hold was broken."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import write_deltalake

from infra.drills.clocks import moved_nothing
from infra.drills.drill import outcome
from infra.drills.drills import DRILLS
from infra.drills.floods import HOT, has, held_beside, held_memory, held_p95
from infra.drills.freshness import Delay, delays_s
from infra.drills.ground import Ground, Verdict
from infra.drills.lives import Lives, fates, lives
from infra.drills.race import met
from infra.supervision.configuration import log_path
from telemetry.settings import Settings

WELL: Verdict = {"ok": True, "acked": 9, "lost": 0, "late": 3}
NOW = datetime.now(UTC)
MOMENT = pl.Datetime("us", "UTC")


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(Settings(home=tmp_path), "full", tmp_path / "drills" / "one", lambda _: None)


def write_progress(ground: Ground, watermark: datetime) -> None:
    folder = ground.settings.progress_dir
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gold.json").write_text(json.dumps({"watermarks": {"drill": watermark.isoformat()}}))


def write_readings(ground: Ground, rows: Sequence[dict[str, object]]) -> None:
    times = {name: MOMENT for name in ("received_at", "device_time", "event_time")}
    frame = pl.DataFrame(rows)
    typed = frame.cast({name: kind for name, kind in times.items() if name in frame.columns})
    uri = f"{ground.settings.lake_root}/silver/readings"
    write_deltalake(uri, typed.to_arrow(), mode="append")


def said(ahead_s: float, *, clock: str, held_s: float, product: str = "drill") -> dict[str, object]:
    """Return a reading whose device was so far ahead, and what silver makes of it."""
    arrived = datetime.now(UTC)
    return {
        "product": product,
        "clock": clock,
        "received_at": arrived,
        "device_time": arrived + timedelta(seconds=ahead_s),
        "event_time": arrived + timedelta(seconds=held_s),
    }


def test_watermark_ahead_of_the_time_is_seen(ground: Ground) -> None:
    write_readings(ground, [said(3600, clock="ahead", held_s=60), said(1, clock="ok", held_s=1)])
    write_progress(ground, NOW - timedelta(seconds=10))
    assert moved_nothing(ground, WELL) == []

    write_progress(ground, NOW + timedelta(days=365))
    (complaint,) = moved_nothing(ground, WELL)
    assert "moved the watermark" in complaint


@pytest.mark.parametrize(
    ("ahead_s", "silver", "complaint"),
    [
        (3600, {"clock": "ok", "held_s": 60}, "not flagged"),
        (3600, {"clock": "ahead", "held_s": 3600}, "not held"),
        (1, {"clock": "ahead", "held_s": 1}, "not flagged"),
        (3600, {"clock": "ahead", "held_s": 60, "product": "meter"}, "no clock was ahead"),
    ],
    ids=["not told", "believed", "told for nothing", "another's"],
)
def test_clock_ahead_that_is_not_told_or_believed_is_seen(
    ground: Ground, ahead_s: float, silver: dict[str, Any], complaint: str
) -> None:
    write_readings(ground, [said(ahead_s, **silver)])
    write_progress(ground, NOW)

    (found,) = moved_nothing(ground, WELL)

    assert complaint in found


def test_delays_are_read_from_the_commits_and_the_hot_device_is_told(ground: Ground) -> None:
    for device, product, ago_s in (
        ("drill.other", "drill", 30),
        (HOT, "drill", 20),
        ("meter.one", "meter", 10),
        ("drill.other", "drill", 300),
    ):
        at = datetime.now(UTC) - timedelta(seconds=ago_s)
        row = {"product": product, "device_full": device, "partition": 2, "received_at": at}
        write_readings(ground, [row])

    since = datetime.now(UTC) - timedelta(seconds=100)
    hot, other = sorted(delays_s(ground.settings.lake_root, since=since, hot=HOT), reverse=True)

    assert (hot.is_hot, other.is_hot) == (True, False)
    assert other.partition == 2
    assert 30 <= other.seconds < 40


@pytest.mark.parametrize(
    ("before", "beside", "is_held"),
    [
        ([1.0] * 20, [1.2] * 20, True),
        ([1.0] * 20, [4.9] * 20, True),
        ([1.0] * 20, [5.1] * 20, False),
        ([6.0] * 20, [8.9] * 20, True),
        ([6.0] * 20, [9.1] * 20, False),
        ([1.0] * 20, [], False),
    ],
)
def test_p95_of_the_others_is_held(before: list[float], beside: list[float], is_held: bool) -> None:
    assert (held_p95(before, beside) == []) is is_held


def sent(partition: int, until_s: int, *, is_hot: bool = False, each: int = 1) -> list[Delay]:
    """Return delays of so many messages a second; the heat is from second 30 to 60."""
    seconds = range(30, until_s) if is_hot else range(until_s)
    at = [NOW + timedelta(seconds=second) for second in seconds for _ in range(each)]
    return [Delay(partition, moment, 1.0, is_hot) for moment in at]


@pytest.mark.parametrize(
    ("delays", "complaint"),
    [
        ([*sent(0, 64), *sent(1, 64), *sent(0, 64, is_hot=True, each=2)], None),
        ([*sent(0, 64), *sent(1, 42), *sent(0, 64, is_hot=True, each=2)], "has not landed"),
        ([*sent(0, 64), *sent(1, 64)], "0 % of the traffic"),
        ([*sent(0, 64), *sent(1, 64), *sent(0, 64, is_hot=True)], "33 % of the traffic"),
        ([*sent(0, 64), *sent(1, 64), *sent(0, 40, is_hot=True, each=2)], None),
    ],
    ids=["held", "others wait", "no hot device", "lukewarm", "the hot one waits"],
)
def test_others_are_held_beside_a_device_that_was_hot(
    delays: list[Delay], complaint: str | None
) -> None:
    heated = NOW + timedelta(seconds=30)

    found = held_beside(delays, heated, heated + timedelta(seconds=30))

    assert [complaint in text for text in found if complaint] == ([True] if complaint else [])
    assert bool(found) is bool(complaint)


@pytest.mark.parametrize(
    ("name", "pids", "failures", "complaint"),
    [
        ("late-flood", (1, 2), (), None),
        ("late-flood", (1, 3), (), "streams died of it"),
        ("compaction-race", (1, None), (), "streams died of it"),
        ("compaction-race", (1, 2), ("gold failed, tries again in 1 s: lost",), "a query failed"),
        ("broker-crash", (3, 2), ("landing failed, tries again in 1 s: away",), None),
        ("broker-crash", (1, 2), (), "kafka was not ended"),
        ("broker-crash", (3, 3), (), "streams died of it"),
        ("driver-crash", (1, 2), (), "streams was not ended"),
        ("checkpoint-loss", (1, 3), (), None),
        ("slow-disk", (1, 2), ("landing failed, tries again in 1 s: away",), None),
        ("disk-full", (3, 3), ("landing failed, tries again in 1 s: full",), None),
    ],
)
def test_who_is_to_live_through_a_drill_does(
    name: str, pids: tuple[int, int | None], failures: tuple[str, ...], complaint: str | None
) -> None:
    before = Lives({"kafka": 1, "streams": 2})
    after = Lives(dict(zip(("kafka", "streams"), pids, strict=True)), failures)

    found = fates(DRILLS[name], before, after)

    assert len(found) == (complaint is not None)
    assert complaint is None or complaint in found[0]


def test_what_failed_before_the_drill_is_not_held_against_it(tmp_path: Path) -> None:
    log = log_path(tmp_path, "streams")
    assert lives(tmp_path) == Lives({})
    log.parent.mkdir(parents=True)
    log.write_text("12:00 ERROR gold failed, tries again in 1 s: before\n")
    before = lives(tmp_path)
    with log.open("a") as file:
        file.write("12:01 INFO batch 7\n12:02 ERROR gold failed, tries again in 2 s: within\n")

    (failure,) = lives(tmp_path, before.logged).failures

    assert failure.endswith("within")
    log.write_text("12:03 ERROR gold failed, tries again in 1 s: in a new log\n")
    assert lives(tmp_path, 10_000).failures[0].endswith("in a new log")


def test_race_in_which_nothing_met_is_none() -> None:
    nothing: dict[str, object] = {"dates": 0, "tables": {"ops.duplicates": {"rows": 0}}}
    packed: dict[str, object] = {"left": 0, "tables": {"silver.readings": {"files": [40, 3]}}}

    assert met([packed, nothing]) == []
    assert "nothing raced" in met([nothing, {"left": 0, "tables": {}}])[0]


def test_flood_of_which_a_part_never_came_is_none(ground: Ground) -> None:
    check = DRILLS["duplicate-flood"].check

    assert check(ground, {**WELL, "duplicates": 3, "conflicts": 1}) == []
    assert check(ground, {**WELL, "duplicates": 3, "conflicts": 0}) == has(
        ["conflicts"], ground, WELL
    )


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [(800, 900, None), (800, 1100, "grew by 300"), (None, 900, "measured"), (800, 0, "measured")],
)
def test_memory_that_was_not_measured_is_not_taken_for_held(
    before: int | None, after: int | None, complaint: str | None
) -> None:
    found = held_memory(before, after)

    assert [*found] == [] if complaint is None else complaint in found[0]


def test_tables_that_could_not_be_compared_are_no_broken_promise(ground: Ground) -> None:
    unknown: Verdict = {"ok": False, "said": "error: not idle after 300 s"}

    found = outcome(DRILLS["late-flood"], heal_s=3.0, complaints=[], verdict=unknown, ground=ground)

    assert found.complaints == [
        "the tables were not held against the ledger: error: not idle after 300 s"
    ]

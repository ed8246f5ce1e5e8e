"""Waiting for the streams, with a clock that tests turn."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from simulator.scoring.idle import Clock, wait_until_taken_up
from telemetry.errors import HeadwaterError


class Turned:
    """A clock that sleeping moves on; `each` is called with the time after every sleep."""

    def __init__(self, each: Callable[[float], None] = lambda now: None) -> None:
        self.time = 1_000.0
        self._each = each

    def sleep(self, seconds: float) -> None:
        """Move on."""
        self.time += seconds
        self._each(self.time)

    @property
    def clock(self) -> Clock:
        """The clock that the scorer is given."""
        return Clock(lambda: self.time, self.sleep)


def progress(folder: Path, name: str, at: float, **changes: object) -> None:
    """Write a stream's progress: idle, unless changed."""
    state = {"name": name, "state": "running", "at": at, "idle": True, "lag_messages": 0}
    (folder / f"{name}.json").write_text(json.dumps({**state, "rows": {"bronze": 5}, **changes}))


def test_idle_streams_are_believed_after_three_still_seconds(tmp_path: Path) -> None:
    turned = Turned(lambda now: progress(tmp_path, "landing", now))

    assert wait_until_taken_up(tmp_path, 60, turned.clock)

    assert 1_003 <= turned.time < 1_005


def test_progress_from_before_the_question_says_nothing(tmp_path: Path) -> None:
    progress(tmp_path, "landing", 999.0)

    with pytest.raises(HeadwaterError, match="landing is running, silent since"):
        wait_until_taken_up(tmp_path, 10, Turned().clock)


def test_a_stream_that_follows_is_waited_for(tmp_path: Path) -> None:
    def step(now: float) -> None:
        progress(tmp_path, "landing", now)
        if now >= 1_020:
            progress(tmp_path, "gold", now)

    turned = Turned(step)

    wait_until_taken_up(tmp_path, 60, turned.clock, needs=["gold"])

    assert turned.time >= 1_023


def test_what_a_gateway_holds_back_is_waited_for(tmp_path: Path) -> None:
    segments = tmp_path / "spool" / "segments"
    segments.mkdir(parents=True)
    (segments / "00000-0.parquet").touch()

    def step(now: float) -> None:
        progress(tmp_path, "landing", now)
        busy(tmp_path, "gold", now, now - 1)
        if now >= 1_020:
            (segments / "00000-0.parquet").unlink(missing_ok=True)
            progress(tmp_path, "gold", now)

    turned = Turned(step)
    assert wait_until_taken_up(tmp_path, 60, turned.clock, spools=[segments])
    assert turned.time >= 1_023

    (segments / "00000-9.parquet").touch()
    with pytest.raises(HeadwaterError, match="a gateway has 1 files of messages"):
        wait_until_taken_up(tmp_path, 10, turned.clock, spools=[segments])


def test_a_stream_that_never_begins_is_named(tmp_path: Path) -> None:
    turned = Turned(lambda now: progress(tmp_path, "landing", now))

    with pytest.raises(HeadwaterError, match="gold has not begun"):
        wait_until_taken_up(tmp_path, 10, turned.clock, needs=["gold"])


def test_rows_that_still_arrive_are_waited_for(tmp_path: Path) -> None:
    turned = Turned(
        lambda now: progress(tmp_path, "landing", now, rows={"bronze": min(now, 1_020)})
    )

    wait_until_taken_up(tmp_path, 60, turned.clock)

    assert turned.time >= 1_023


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"idle": False, "lag_messages": 7}, "gold is busy, 7 messages behind"),
        ({"lag_messages": 7}, "gold is 7 messages behind"),
        ({"state": "failed", "error": "no disk"}, r"gold failed \(no disk\)"),
    ],
)
def test_what_is_not_idle_is_named(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    def each(now: float) -> None:
        progress(tmp_path, "landing", now)
        progress(tmp_path, "gold", now, **changes)

    with pytest.raises(HeadwaterError, match=said):
        wait_until_taken_up(tmp_path, 10, Turned(each).clock)


def test_stream_that_was_given_up_is_not_waited_for(tmp_path: Path) -> None:
    progress(tmp_path, "landing_spool", 100.0, state="stopped", idle=False)

    wait_until_taken_up(tmp_path, 60, Turned(lambda now: progress(tmp_path, "gold", now)).clock)


def test_no_progress_at_all_is_told(tmp_path: Path) -> None:
    with pytest.raises(HeadwaterError, match="no stream has written its progress"):
        wait_until_taken_up(tmp_path, 2, Turned().clock)


def busy(folder: Path, name: str, at: float, newest: float) -> None:
    """Write the progress of a stream that never comes to an end."""
    progress(folder, name, at, idle=False, lag_messages=9, age_s=at - newest, rows={"bronze": at})


def test_streams_that_others_keep_busy_are_left_once_all_has_passed(tmp_path: Path) -> None:
    def each(now: float) -> None:
        busy(tmp_path, "landing", now, now - 1)
        busy(tmp_path, "gold", now, now - 15)
        progress(tmp_path, "fast", now, lag_messages=None)

    turned = Turned(each)

    assert not wait_until_taken_up(tmp_path, 60, turned.clock, needs=["gold"])

    assert 1_017 <= turned.time <= 1_018


def test_a_stream_that_stands_still_is_waited_for_while_others_pass(tmp_path: Path) -> None:
    def each(now: float) -> None:
        busy(tmp_path, "landing", now, now)
        busy(tmp_path, "gold", now, 900.0)

    with pytest.raises(HeadwaterError, match="gold is busy, 9 messages behind"):
        wait_until_taken_up(tmp_path, 10, Turned(each).clock, needs=["gold"])


def test_a_failed_stream_has_not_passed_whatever_it_took_up(tmp_path: Path) -> None:
    def each(now: float) -> None:
        busy(tmp_path, "landing", now, now)
        progress(tmp_path, "gold", now, state="failed", error="no disk", age_s=0.0)

    with pytest.raises(HeadwaterError, match="gold failed"):
        wait_until_taken_up(tmp_path, 10, Turned(each).clock, needs=["gold"])

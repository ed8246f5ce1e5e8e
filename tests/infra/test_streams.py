"""What the queries say of themselves, and what is made of their silence."""

import json
from pathlib import Path

import pytest

from infra.streams import forget_progress, read_streams, streams_complaint
from telemetry.settings import Settings

NOW = 1_000_000.0


def said(settings: Settings, name: str = "landing", **changes: object) -> None:
    """Write a query's progress."""
    progress = {
        "name": name,
        "state": "running",
        "at": NOW - 1,
        "input_rows_per_s": 10.0,
        "lag_messages": 3,
        "age_s": 1.5,
        "event_time": "2026-11-21T08:00:00+00:00",
    } | changes
    settings.progress_dir.mkdir(parents=True, exist_ok=True)
    (settings.progress_dir / f"{name}.json").write_text(json.dumps(progress))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def states(settings: Settings, **options: float | str) -> list[str]:
    gone = options.get("gone")
    since = options.get("since", 0.0)
    assert not isinstance(since, str)
    streams = read_streams(settings, now=NOW, gone=str(gone) if gone else None, since=since)
    return [stream.state for stream in streams]


def test_fresh_progress_is_taken_as_it_is(settings: Settings) -> None:
    said(settings)
    (stream,) = read_streams(settings, now=NOW)
    assert (stream.name, stream.state, stream.lag_messages, stream.age_s) == (
        "landing",
        "running",
        3,
        1.5,
    )


def test_a_lag_that_nobody_knows_is_no_number(settings: Settings) -> None:
    said(settings, lag_messages=0, is_lag_known=False)
    (stream,) = read_streams(settings, now=NOW)
    assert stream.lag_messages is None


def test_silent_query_is_degraded(settings: Settings) -> None:
    said(settings, at=NOW - 16)
    assert states(settings) == ["degraded"]


def test_scheduled_query_may_be_silent_between_runs(settings: Settings) -> None:
    scheduled = settings.model_copy(update={"streams": "scheduled"})
    said(scheduled, at=NOW - 120, state="stopped")
    assert states(scheduled) == ["running"]
    said(scheduled, at=NOW - 3600, state="stopped")
    assert states(scheduled) == ["degraded"]


def test_query_that_drained_the_spool_is_done(settings: Settings) -> None:
    said(settings, "landing_spool", at=NOW - 99, state="stopped", lag_messages=0)
    (stream,) = read_streams(settings, now=NOW, since=NOW - 9)
    assert stream.is_done


def test_queries_share_the_state_of_an_application_that_is_gone(settings: Settings) -> None:
    said(settings)
    said(settings, "gold")
    assert states(settings, gone="failed") == ["failed", "failed"]
    (gold, _) = read_streams(settings, now=NOW, gone="stopped")
    assert gold.input_rows_per_s == 0.0


def test_progress_of_an_earlier_run_is_not_this_ones(settings: Settings) -> None:
    said(settings, at=NOW - 5)
    assert states(settings, since=NOW - 2) == ["starting"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": "x"}'])
def test_broken_progress_is_passed_over(settings: Settings, text: str) -> None:
    said(settings)
    (settings.progress_dir / "broken.json").write_text(text)
    assert states(settings) == ["running"]


def test_application_is_ready_once_all_its_queries_run(settings: Settings) -> None:
    far = 4e9
    assert streams_complaint(settings, "light") == "landing_spool is starting"
    said(settings, "landing_spool", at=far)
    said(settings, "gold", at=far, state="starting")
    assert streams_complaint(settings, "light") == "gold is starting"
    said(settings, "gold", at=far)
    assert streams_complaint(settings, "light") is None
    forget_progress(settings)
    assert streams_complaint(settings, "light") == "landing_spool is starting"

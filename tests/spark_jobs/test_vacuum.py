"""Vacuum: it keeps what a stream has still to read, and says so when asked for less."""

import argparse
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake.exceptions import CommitFailedError

from spark_jobs.gold_state import GoldFiles, GoldState, Position
from spark_jobs.jobs import vacuum
from spark_jobs.jobs.job_runs import LostError, Result, tried
from spark_jobs.jobs.scoring import Scoring
from spark_jobs.lake import Lake
from spark_jobs.scoring_state import ScoringState
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from telemetry.tables import LATE, READINGS
from tests.spark_jobs.empty_lakes import create_all
from tests.spark_jobs.gold_fleet import fleet
from tests.spark_jobs.silver_rows import silver
from tests.spark_jobs.test_scoring import HOT, Heard
from tests.spark_jobs.test_scoring import put as put_rule


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(home=tmp_path)
    lake = Lake(made.lake_root)
    create_all(lake)
    lake.append(READINGS, silver(fleet(seed=1, messages=5), READINGS), None)
    return made


def run(settings: Settings, *words: str) -> Result:
    parser = argparse.ArgumentParser()
    vacuum.add_arguments(parser)
    return vacuum.run(parser.parse_args(words), settings, Lake(settings.lake_root))


def lags(settings: Settings, name: str, hours: float, *, messages: int = 7) -> None:
    """Write the progress of a stream whose newest row is so old."""
    settings.progress_dir.mkdir(exist_ok=True)
    at = (datetime.now(UTC) - timedelta(hours=1)).timestamp()
    said = {"name": name, "at": at, "lag_messages": messages, "age_s": (hours - 1) * 3600}
    (settings.progress_dir / f"{name}.json").write_text(json.dumps(said))


def age_commits(settings: Settings, hours: int) -> None:
    """Make every commit of silver.readings look as old as that."""
    log = Path(settings.lake_root) / "silver" / "readings" / "_delta_log"
    then = datetime.now(UTC).timestamp() - hours * 3600
    for path in log.glob("*.json"):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for line in lines:
            if "commitInfo" in line:
                line["commitInfo"]["timestamp"] = round(then * 1000)
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        os.utime(path, (then, then))


def test_less_than_a_lagging_stream_needs_is_refused_with_both_ages(settings: Settings) -> None:
    lags(settings, "landing", 49.5)

    with pytest.raises(HeadwaterError, match=r"--hours 30 .*stream landing .*49\.5 h.*52 h"):
        run(settings, "--hours", "30")

    assert run(settings)["retained_hours"] == 52
    assert run(settings, "--hours", "60")["retained_hours"] == 60


def test_what_gold_has_still_to_read_is_kept(settings: Settings) -> None:
    state = GoldState("gold/x", readings=Position(1), late=Position(0))
    GoldFiles(settings.checkpoint_dir / "gold").save(state)
    age_commits(settings, 40)

    with pytest.raises(HeadwaterError, match=r"--hours 24 .*gold .*40\.0 h.*kept for 4[23] h"):
        run(settings, "--hours", "24")


def test_gold_that_has_read_all_needs_nothing_however_long_nothing_came(settings: Settings) -> None:
    lake = Lake(settings.lake_root)
    readings, late = (Position(lake.table(table).version() + 1) for table in (READINGS, LATE))
    state = GoldState("gold/x", readings=readings, late=late)
    GoldFiles(settings.checkpoint_dir / "gold").save(state)
    age_commits(settings, 40)

    assert run(settings, "--hours", "24")["retained_hours"] == 24


def test_what_rules_have_still_to_look_at_is_kept_while_one_is_on(settings: Settings) -> None:
    before = Scoring(Lake(settings.lake_root), settings, Heard())
    before.state = ScoringState("scoring/x", readings=Position(1))
    before.save()
    age_commits(settings, 40)
    assert run(settings)["retained_hours"] == 24, "no rule is on"
    put_rule(settings, HOT, on=True)

    with pytest.raises(HeadwaterError, match=r"--hours 24 .*scoring .*40\.0 h.*kept for 4[23] h"):
        run(settings, "--hours", "24")
    (settings.checkpoint_dir / "scoring" / "rules.state").write_bytes(b"{")

    assert run(settings)["retained_hours"] == 24, "they begin anew"


def test_damaged_state_of_gold_is_named_with_what_mends_it(settings: Settings) -> None:
    files = GoldFiles(settings.checkpoint_dir / "gold")
    files.save(GoldState("gold/x"))
    (files.checkpoint / "gold.json").write_text('{"app_id": "gold/x"')

    with pytest.raises(HeadwaterError, match=r"gold\.json .*job recover gold"):
        run(settings)


def test_progress_that_a_loss_of_power_has_emptied_fails_nothing(settings: Settings) -> None:
    lags(settings, "landing", 30.5)
    (settings.progress_dir / "gold.json").write_bytes(b"")

    assert run(settings)["retained_hours"] == 33


def test_a_stream_without_lag_needs_nothing(settings: Settings) -> None:
    lags(settings, "landing", 49.5, messages=0)

    assert run(settings, "--hours", "24")["retained_hours"] == 24
    with pytest.raises(HeadwaterError, match="below 24"):
        run(settings, "--hours", "1")


def test_strays_of_crashed_writers_go_and_young_files_stay(settings: Settings) -> None:
    folder = Path(settings.lake_root) / "silver" / "readings"
    old, young = folder / "old.parquet", folder / "young.parquet"
    for path in (old, young):
        pl.DataFrame({"a": [1]}).write_parquet(path)
    two_days_ago = datetime.now(UTC).timestamp() - 2 * 86400
    os.utime(old, (two_days_ago, two_days_ago))

    assert run(settings)["tables"] == {READINGS.name: {"files": 1}}

    assert (old.exists(), young.exists()) == (False, True)


def test_a_job_is_tried_three_times_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    tries = []

    def lose() -> None:
        tries.append(1)
        raise CommitFailedError("another was faster")

    with pytest.raises(LostError, match="dedup: other writers were faster 3 times: run"):
        tried(lose, "dedup", pause_s=0)

    assert len(tries) == 3
    said = [record.message.partition(";")[0] for record in caplog.records]
    assert said == [f"dedup: another writer was faster (try {n} of 3)" for n in (1, 2, 3)]

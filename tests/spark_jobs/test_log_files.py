"""Old entries of a log go; what is left is whole: from a checkpoint on, each version."""

import os
import time
from pathlib import Path

import pytest
from deltalake import write_deltalake

from edge.rule_files import RuleFiles
from spark_jobs.gold_state import GoldFiles, GoldState, Position
from spark_jobs.jobs.landing_logs import LandingLogs
from spark_jobs.lake import Lake
from spark_jobs.log_files import TIDIED_EVERY, hooks, is_newest, trim
from spark_jobs.schema import conform
from spark_jobs.scoring_state import ScoringFiles, ScoringState
from telemetry.rules.form import rule_from_dict
from telemetry.rules.rule import VersionedRule
from telemetry.settings import Settings
from telemetry.tables import READINGS
from tests.spark_jobs.empty_lakes import create_all
from tests.spark_jobs.gold_fleet import fleet
from tests.spark_jobs.made_checkpoints import checkpoints
from tests.spark_jobs.silver_rows import silver

VERSIONS = 120
"""Of which 49 and 99 have a checkpoint."""
ROWS = silver(fleet(seed=1, messages=1), READINGS)


class Remembered:
    """What rules remember: nothing, and it changes."""

    def save(self) -> bytes:
        return b"all of it"

    def changes(self) -> bytes:
        return b"news"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("log") / "lake"
    lake = Lake(str(root))
    create_all(lake)
    for _ in range(VERSIONS):
        lake.append(READINGS, ROWS, None)
    assert checkpoints(lake.uri(READINGS), 2) == [49, 99]
    return root


@pytest.fixture
def settings(written: Path, tmp_path: Path) -> Settings:
    """Give each test the lake as it was written."""
    settings = Settings(home=tmp_path)
    for source in filter(Path.is_file, written.rglob("*")):
        target = Path(settings.lake_root) / source.relative_to(written)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.hardlink_to(source)
    return settings


def versions(lake: Lake) -> list[int]:
    """Return the versions of silver whose commits are in its log."""
    return sorted(int(path.stem) for path in Path(lake.uri(READINGS), "_delta_log").glob("*.json"))


@pytest.mark.parametrize(("keep_from", "first"), [(120, 99), (99, 99), (98, 49), (48, 0)])
def test_a_checkpoint_stays_and_all_behind_it(
    settings: Settings, keep_from: int, first: int
) -> None:
    lake = Lake(settings.lake_root)
    before = lake.scan(READINGS).collect()

    deleted = trim(lake.table(READINGS), keep_from)

    assert versions(lake) == [*range(first, VERSIONS + 1)]
    assert (deleted > 0) == (first > 0)
    again = Lake(settings.lake_root)
    assert again.scan(READINGS).collect().equals(before)
    assert again.scan_at(READINGS, first + 1).collect().height == len(ROWS) * (first + 1)
    assert again.append(READINGS, ROWS, None)
    assert again.scan(READINGS).collect().height == len(ROWS) * (VERSIONS + 1)


def test_what_gold_has_still_to_read_stays(settings: Settings) -> None:
    lake = Lake(settings.lake_root)
    state = GoldState("gold/1", 3, readings=Position(100), late=Position(0))
    GoldFiles(settings.checkpoint_dir / "gold").save(state)
    LandingLogs(settings, lake, kept=10, margin=5).trim()
    assert versions(lake)[0] == 49


def put_rule(settings: Settings, *, on: bool) -> None:
    said = {"rule": "hot", "metric": "t", "check": {"kind": "threshold", "bound": 90}}
    RuleFiles(settings.registry_dir).put(VersionedRule(rule_from_dict(said), 1, on))


@pytest.mark.parametrize(("on", "first"), [(True, 49), (False, 99)])
def test_scoring_that_is_off_holds_nothing(settings: Settings, first: int, *, on: bool) -> None:
    put_rule(settings, on=on)
    files = ScoringFiles(settings.checkpoint_dir / "scoring")
    files.save(ScoringState("scoring/1", 0, Position(90)), Remembered())
    lake = Lake(settings.lake_root)
    LandingLogs(settings, lake, kept=10, margin=5).trim()
    assert versions(lake)[0] == first


def test_what_scoring_has_still_to_read_stays(settings: Settings) -> None:
    put_rule(settings, on=True)
    lake = Lake(settings.lake_root)
    files = ScoringFiles(settings.checkpoint_dir / "scoring")
    for batch_id, version in enumerate((20, 90, 106)):
        state = ScoringState("scoring/1", batch_id, Position(version))
        files.save(state, Remembered())
    LandingLogs(settings, lake, kept=10, margin=5).trim()
    assert versions(lake)[0] == 99


@pytest.mark.parametrize("damage", [b"", b"{", b"[]\n", b'{"readings": {"version": null}}\n'])
def test_nothing_goes_while_a_stream_s_place_cannot_be_read(
    settings: Settings, damage: bytes
) -> None:
    put_rule(settings, on=True)
    lake = Lake(settings.lake_root)
    path = settings.checkpoint_dir / "scoring" / "rules.state"
    path.parent.mkdir(parents=True)
    path.write_bytes(damage)
    LandingLogs(settings, lake, kept=10).trim()
    assert versions(lake)[0] == 0


def test_without_streams_the_newest_versions_stay(settings: Settings) -> None:
    lake = Lake(settings.lake_root)
    LandingLogs(settings, lake, kept=30).trim()
    assert versions(lake)[0] == 49


def test_what_cannot_be_deleted_fails_no_batch(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    lake = Lake(settings.lake_root)
    lake.table(READINGS)
    entry = Path(lake.uri(READINGS), "_delta_log", f"{3:020d}.json")
    entry.unlink()
    entry.mkdir()
    LandingLogs(settings, lake, kept=10, every_s=0).trim_if_due()
    assert "old entries of logs stay" in caplog.text


def test_age_alone_takes_nothing_away_that_a_stream_may_have_to_read(settings: Settings) -> None:
    lake = Lake(settings.lake_root)
    long_ago = time.time() - 30 * 86_400
    for path in Path(lake.uri(READINGS), "_delta_log").iterdir():
        os.utime(path, (long_ago, long_ago))

    write_deltalake(
        lake.table(READINGS),
        conform(READINGS, ROWS.to_arrow()),
        mode="append",
        post_commithook_properties=hooks(Handle(TIDIED_EVERY - 1)),
    )

    assert versions(lake)[0] == 0


def test_a_version_that_another_writer_adds_is_seen(settings: Settings) -> None:
    lake, other = Lake(settings.lake_root), Lake(settings.lake_root)
    handle = lake.table(READINGS)
    assert is_newest(handle)
    other.append(READINGS, ROWS, None)
    assert not is_newest(handle)
    assert lake.table(READINGS).version() == VERSIONS + 1

    # What is known was trimmed, as happens to who slept for long: the log says nothing of it.
    slept = lake.table(READINGS)
    other.append(READINGS, ROWS, None)
    for version in range(VERSIONS + 2):
        Path(lake.uri(READINGS), "_delta_log", f"{version:020d}.json").unlink()
    assert not is_newest(slept)
    assert lake.table(READINGS).version() == VERSIONS + 2


class Handle:
    """A table at a version."""

    def __init__(self, version: int) -> None:
        self._version = version

    def version(self) -> int:
        return self._version


def test_fewer_versions_are_kept_where_there_are_many_a_second(settings: Settings) -> None:
    lake = Lake(settings.lake_root)
    log = Path(lake.uri(READINGS), "_delta_log")
    info = next(
        line
        for line in (log / f"{VERSIONS:020d}.json").read_text().splitlines()
        if "commitInfo" in line
    )
    for version in range(VERSIONS + 1, 1_200):
        (log / f"{version:020d}.json").write_text(info + "\n")
    LandingLogs(settings, lake).trim()
    assert versions(lake)[0] == 0
    often = settings.model_copy(update={"landing_trigger_s": 0.1})
    LandingLogs(often, lake).trim()
    assert versions(lake)[0] == 99


def test_delta_rs_looks_for_old_entries_seldom() -> None:
    asked = [hooks(Handle(version)).cleanup_expired_logs for version in range(10 * TIDIED_EVERY)]
    # None: as the table says.
    assert asked.count(None) == 10
    assert asked.count(False) == len(asked) - 10

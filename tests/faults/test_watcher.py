"""The killer kills a whole process group at the very file that it was told of."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.points import LANDED, NAMES, POINTS, WINDOWS
from tests.faults.watcher import TIME_IS_OVER

SLEEPER = ["sh", "-c", "sleep 60 & sleep 60"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "checkpoints" / "landing" / "offsets").mkdir(parents=True)
    (tmp_path / "lake" / "silver" / "readings" / "_delta_log").mkdir(parents=True)
    return tmp_path


def watcher(
    home: Path, point: str, *, nth: int, pid: int, within_s: float
) -> subprocess.Popen[str]:
    what = [str(home), point, str(nth), str(pid), str(within_s)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.watcher", *what], stdout=subprocess.PIPE, text=True
    )


def test_group_is_killed_at_the_second_file(home: Path) -> None:
    victim = subprocess.Popen(SLEEPER, start_new_session=True)
    killer = watcher(home, "offsets:landing", nth=2, pid=victim.pid, within_s=20)
    assert killer.stdout is not None
    assert killer.stdout.readline() == "READY\n"
    offsets = home / "checkpoints" / "landing" / "offsets"

    for name in (".7.crc", "7"):
        (offsets / name).touch()
    assert victim.poll() is None
    (offsets / ".8.tmp").touch()
    (offsets / ".8.tmp").rename(offsets / "8")

    assert victim.wait(timeout=10) == -9
    assert '"file": "8"' in killer.stdout.read()
    assert killer.wait(timeout=10) == 0
    killer.stdout.close()


def test_files_in_new_partitions_are_seen(home: Path) -> None:
    victim = subprocess.Popen(SLEEPER, start_new_session=True)
    killer = watcher(home, "staged:silver.readings", nth=1, pid=victim.pid, within_s=20)
    assert killer.stdout is not None
    killer.stdout.readline()
    partition = home / "lake" / "silver" / "readings" / "event_date=2026-11-21"

    partition.mkdir()
    number = 0
    while killer.poll() is None:
        (partition / f"part-{number}.zstd.parquet#1").touch()
        number += 1

    assert killer.wait(timeout=10) == 0
    assert victim.wait(timeout=10) == -9
    killer.stdout.close()


def test_nothing_is_killed_when_no_such_file_appears(home: Path) -> None:
    victim = subprocess.Popen(SLEEPER, start_new_session=True)
    killer = watcher(home, "offsets:landing", nth=1, pid=victim.pid, within_s=0.2)

    assert killer.wait(timeout=20) == TIME_IS_OVER
    assert victim.poll() is None
    victim.kill()
    victim.wait()
    assert killer.stdout is not None
    killer.stdout.close()


def test_every_table_of_a_batch_is_a_point() -> None:
    assert {f"commit:{table}" for table in (*LANDED, *WINDOWS)} < set(POINTS)
    assert len(set(NAMES)) == len(NAMES)

"""A disk that is full: the stream says so, and goes on by itself once there is room."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from edge.outbox import OutRecord
from edge.registry_files import RegistryFiles
from spark_jobs.checkpoint import landing_damage
from spark_jobs.jobs.host import Hosted
from spark_jobs.jobs.landing_queries import SPOOL, SharedLanding, SpoolQuery
from spark_jobs.lake import Lake
from telemetry.devices import Device
from telemetry.settings import Settings
from telemetry.tables import MESSAGES, READINGS
from tests.spark_jobs.landing_fleet import NOW, SECOND, write_segment

pytestmark = [pytest.mark.spark, pytest.mark.faults, pytest.mark.long, pytest.mark.timeout(600)]
SIZE_KB = 4096
EACH = 200
WITHIN_S = 120


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A disk below one folder of the home."""

    home: Path
    folder: Path

    def fill(self) -> None:
        """Leave no room."""
        with suppress(OSError), self._filler.open("wb", 0) as filler:
            for _ in range(SIZE_KB):
                filler.write(bytes(1024))

    def free(self) -> None:
        """Make room again."""
        self._filler.unlink()

    @property
    def _filler(self) -> Path:
        return self.folder / "filler"


@pytest.fixture(params=["lake", "checkpoints"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / request.param
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_KB}k", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small tmpfs needs root")
    yield SmallDisk(tmp_path, folder)
    subprocess.run(["umount", "-l", str(folder)], check=True)


def send(settings: Settings, segment: int) -> None:
    """Put a segment of messages into the spool."""
    first = segment * EACH
    bodies = (b'{"boot":"b","seq":%d,"metrics":{"x":1}}' % n for n in range(first, first + EACH))
    records = [OutRecord(b"plain", body, [("device", b"plain")]) for body in bodies]
    write_segment(settings.spool_dir, records, first, NOW + segment * SECOND)


class Driven:
    """A hosted query whose pauses are passed over."""

    def __init__(self, hosted: Hosted, progress: Path) -> None:
        self._hosted = hosted
        self._progress = progress
        self._now = 0.0

    def until(self, wanted: str) -> dict[str, object]:
        """Step until what is said holds a text."""
        give_up = time.monotonic() + WITHIN_S
        while wanted not in (said := self._progress.read_text() if self._now else ""):
            assert time.monotonic() < give_up, said
            self._now += 10
            self._hosted.step(self._now)
            time.sleep(0.1)
        found: dict[str, object] = json.loads(said)
        return found


def test_stream_waits_for_room_and_loses_nothing(spark: SparkSession, disk: SmallDisk) -> None:
    settings = Settings(home=disk.home, landing_trigger_s=0.2)
    lake = Lake(settings.lake_root)
    lake.create_all()
    RegistryFiles(settings.registry_dir).enrol([Device("plain")])
    query = SpoolQuery(SharedLanding(settings))
    hosted = Hosted(query, spark, settings.progress_dir)
    driven = Driven(hosted, settings.progress_dir / f"{SPOOL}.json")
    try:
        send(settings, 0)
        driven.until(f'"bronze": {EACH}')
        disk.fill()
        send(settings, 1)
        full = driven.until("[DISK_FULL]")
        assert full["state"] == "degraded"
        assert "no room is left" in str(full["error"])
        disk.free()
        send(settings, 2)
        driven.until('"idle": true')
    finally:
        hosted.stop(5.0)
        query.close()

    assert landing_damage(settings.checkpoint_dir / SPOOL) is None
    for table, column in ((MESSAGES, "offset"), (READINGS, "seq")):
        rows = lake.scan(table).select(column).collect()[column]
        assert sorted(rows) == list(range(3 * EACH)), table.name

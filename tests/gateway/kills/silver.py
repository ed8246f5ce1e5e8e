"""What a topic becomes in silver: landed as `headwater job stream` does it, and counted."""

import os
import subprocess
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path

from edge.registry_files import RegistryFiles
from infra.environment import child_environment
from infra.spark_submit import spark_submit_command
from spark_jobs.lake import Lake
from telemetry.devices import Device
from telemetry.settings import Settings
from telemetry.tables import LATE, READINGS

LANDED_WITHIN_S = 300


def rows_of_silver(
    home: Path, bootstrap: str, devices: Collection[str]
) -> Mapping[str, Counter[float]]:
    """Land a whole topic in a lake of its own; return by device how many rows each value has.

    The devices are registered first: rows of unknown ones would wait for that.
    """
    home.mkdir()
    settings = Settings(home=home, kafka=bootstrap)
    lake = Lake(settings.lake_root)
    lake.create_all()
    RegistryFiles(settings.registry_dir).enrol([Device(name) for name in devices])
    _take_up(settings, home / "streams.log")
    found: dict[str, Counter[float]] = defaultdict(Counter)
    for table in (READINGS, LATE):
        for device, value in lake.scan(table).select("device_full", "value").collect().iter_rows():
            found[device][value] += 1
    return found


def _take_up(settings: Settings, log: Path) -> None:
    words = ["--queries", "landing", "--trigger", "available-now"]
    with log.open("w") as out:
        done = subprocess.run(
            spark_submit_command(settings, "stream", words),
            env={**os.environ, **child_environment(settings)},
            stdout=out,
            stderr=out,
            timeout=LANDED_WITHIN_S,
            check=False,
        )
    assert done.returncode == 0, log.read_text()

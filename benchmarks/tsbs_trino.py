"""Trino alone, as `headwater up` starts it, over the lake of a home."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from infra.trino.server import trino_service
from telemetry.settings import Settings


@contextmanager
def trino(settings: Settings) -> Iterator[int]:
    """Run Trino until it knows the lake's tables; yield its process id."""
    service = trino_service(settings, waits_for_tables=False)
    assert service.folder is not None
    service.folder.mkdir(parents=True, exist_ok=True)
    service.before_start()
    with (service.folder / "log").open("w") as log:
        process = subprocess.Popen(
            service.command(), cwd=service.folder, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        while service.complaint() is not None:
            if process.poll() is not None:
                raise RuntimeError(f"Trino ended at its start: see {service.folder}/log")
            time.sleep(0.5)
        service.when_ready()
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)

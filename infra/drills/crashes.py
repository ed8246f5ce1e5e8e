"""Crashes: the broker or the stream application killed, its checkpoint lost."""

import shutil
import time

from infra.batch_job import run_job
from infra.drills.ground import Ground
from telemetry.errors import HeadwaterError

STOP_WITHIN_S = 60.0


def kill_broker(ground: Ground) -> list[str]:
    """Kill the broker."""
    ground.kill("kafka")
    return []


def kill_streams(ground: Ground) -> list[str]:
    """Kill the stream application: Python driver, JVM, and what watches over them."""
    ground.kill("streams")
    return []


def lose_checkpoint(ground: Ground) -> list[str]:
    """Stop the streams, put landing's checkpoint aside, recover it, and start them again."""
    daemon, query = ground.daemon, ground.landing
    checkpoint = ground.settings.checkpoint_dir / query
    daemon.stop_service("streams")
    try:
        _wait_until_stopped(ground)
        ground.folder.mkdir(parents=True, exist_ok=True)
        shutil.move(checkpoint, ground.folder / "checkpoint")
        return _recover(ground, query)
    finally:
        daemon.run_service("streams")


def _wait_until_stopped(ground: Ground) -> None:
    until = time.monotonic() + STOP_WITHIN_S
    while ground.daemon.runs()["streams"].pid is not None:
        if time.monotonic() > until:
            raise HeadwaterError(f"the streams do not stop within {STOP_WITHIN_S:.0f} s")
        time.sleep(0.2)


def _recover(ground: Ground, query: str) -> list[str]:
    done = run_job(ground.settings, "recover", (query,), ground.say)
    return [f"job recover: {done.complaint}"] if done.code else []

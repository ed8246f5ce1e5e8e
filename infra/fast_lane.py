"""The fast lane as a service: it waits until a rule needs it, then becomes Spark's application."""

import os
import sys
import time

from edge.rule_files import RuleFiles
from infra.gentle_stop import command
from infra.spark_submit import spark_submit_command
from infra.supervision.service import Service
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from telemetry.topics import TELEMETRY

NAME = "fast"
THREADS = 3 * TELEMETRY.partitions
"""A task a partition of two queries while rules change, and what reads the broadcasts."""
BUDGET_MB = 1100
LOOK_EVERY_S = 1.0


def fast_service(settings: Settings) -> Service:
    """Return the fast lane; it reads and writes Kafka, so the light stack has none."""
    return Service(
        name=NAME,
        command=lambda: (sys.executable, "-m", "infra.fast_lane"),
        stops_group=False,
        budget_mb=BUDGET_MB,
        after=() if settings.kafka else ("kafka",),
        stop_wait_s=30,
    )


def is_wanted(settings: Settings) -> bool:
    """Tell whether a rule of the fast lane is on; one that cannot be read is nobody's wish."""
    try:
        rules = RuleFiles(settings.registry_dir).rules().values()
        return any(kept.is_on and kept.rule.lane == "fast" for kept in rules)
    except (HeadwaterError, OSError):
        return False


def main() -> None:
    """Wait for a rule, then become the application."""
    settings = Settings()
    while not is_wanted(settings):
        time.sleep(LOOK_EVERY_S)
    words = spark_submit_command(settings, NAME, heap_mb=settings.fast_heap_mb, threads=THREADS)
    whole = command(words)
    os.execv(whole[0], whole)  # noqa: S606 (a list of our own arguments)


if __name__ == "__main__":
    main()

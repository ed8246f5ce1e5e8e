"""How far landing is behind the spool."""

import time
from collections.abc import Mapping
from pathlib import Path

from edge.spool_partition import next_offset
from spark_jobs.jobs.passed_moments import PassedMoments
from telemetry.topics import SPOOL_TOPIC


class SpoolLag:
    """Asks the spool's partitions for their next offsets."""

    def __init__(self, spool_dir: Path) -> None:
        self._spool_dir = spool_dir
        self._moments = PassedMoments[int]()
        self.landed_until: float | None = None
        """Seconds since 1970: all that the spool had then is landed."""

    def look(self) -> dict[int, int]:
        """Note where each partition is now, and return it."""
        at = time.time()
        partitions = self._spool_dir / "partitions"
        numbers = [int(path.name) for path in partitions.glob("*")] if partitions.exists() else []
        ends = {n: next_offset(self._spool_dir, n) for n in numbers}
        self._moments.look(at, ends)
        return ends

    def behind(self, landed: Mapping[tuple[str, int], int]) -> int:
        """Return the records in segments that are not landed."""
        ends = self.look()
        taken = {n: landed.get((SPOOL_TOPIC, n), -1) + 1 for n in ends}
        self.landed_until = self._moments.passed(taken)
        return sum(max(0, end - taken[n]) for n, end in ends.items())

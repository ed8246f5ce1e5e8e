"""Checkpoints of a table's log, which are made beside the commits that they are of."""

import time
from pathlib import Path

PATIENCE_S = 20.0


def checkpoints(table: str, count: int) -> list[int]:
    """Return the versions of a table that have one, once so many have, or after a while."""
    until = time.monotonic() + PATIENCE_S
    while True:
        found = Path(table, "_delta_log").glob("*.checkpoint.parquet")
        versions = sorted(int(path.name[:20]) for path in found if path.is_file())
        if len(versions) >= count or time.monotonic() > until:
            return versions
        time.sleep(0.05)

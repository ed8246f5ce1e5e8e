"""What a kill has left in the tables: how far each had come with the batch that was cut off."""

import json
from pathlib import Path

from tests.faults.points import LANDED


def cut(lake: Path) -> list[str]:
    """Return the tables that hold landing's newest batch, if not all had their turn.

    A table that the batch had no rows for is taken for one that had not its turn: only the last
    table, which every batch writes, tells that a batch is whole.
    """
    batches = {table: _newest_batch(lake / Path(*table.split("."))) for table in LANDED}
    newest = max(batches.values())
    if batches[LANDED[-1]] == newest:
        return []
    return [table for table, batch in batches.items() if batch == newest]


def _newest_batch(table: Path) -> int:
    """Return the newest batch of landing in a table, -1 if there is none."""
    for commit in sorted((table / "_delta_log").glob("*.json"), reverse=True):
        for line in commit.read_text().splitlines():
            said = json.loads(line).get("commitInfo", {})
            if "batch" in said:
                return int(said["batch"])
    return -1

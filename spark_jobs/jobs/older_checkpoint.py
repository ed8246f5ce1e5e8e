"""Whether a checkpoint is an older copy of itself: tables have batches that it never planned.

Batches that it plans next have numbers that the tables know, and would be taken for done.
"""

from collections.abc import Iterable
from pathlib import Path

from spark_jobs.checkpoint import APP_ID, CHECKPOINT_OLDER, newest_planned
from spark_jobs.checkpoint_files import Damage
from spark_jobs.gold_state import GoldFiles
from spark_jobs.jobs.gold_tables import TABLES
from spark_jobs.lake import Lake
from telemetry.settings import Settings
from telemetry.tables import ANOMALIES, MESSAGES, Table


def landing_is_behind(settings: Settings, lake: Lake, stream: str) -> Damage | None:
    """Return which batch of this checkpoint bronze has and the checkpoint does not know."""
    folder = settings.checkpoint_dir / stream
    known = folder / APP_ID
    if not known.exists():
        return None
    return _unknown(folder, f"{stream}/{known.read_text()}", lake, [MESSAGES])


def gold_is_behind(settings: Settings, lake: Lake) -> Damage | None:
    """Return which batch of gold's checkpoint a table of gold has and it does not know."""
    files = GoldFiles(settings.checkpoint_dir / "gold")
    state = files.state()
    return _unknown(files.checkpoint, state.app_id, lake, TABLES) if state else None


def scoring_is_behind(folder: Path, app_id: str, lake: Lake) -> Damage | None:
    """Return which batch of a checkpoint gold.anomalies has and the checkpoint does not know."""
    return _unknown(folder, app_id, lake, [ANOMALIES])


def _unknown(folder: Path, app_id: str, lake: Lake, tables: Iterable[Table]) -> Damage | None:
    planned = newest_planned(folder)
    for table in tables:
        done = lake.committed(table, app_id)
        if done is not None and done > planned:
            return Damage(
                CHECKPOINT_OLDER,
                f"{folder} is an older copy: {table.name} has its batch {done}, and the newest"
                f" that it planned is {planned}",
            )
    return None

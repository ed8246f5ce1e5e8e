"""Lakes of every declared table without a row: one is made a process, the others are copies."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from spark_jobs.lake import Lake


def create_all(lake: Lake) -> None:
    """Give a lake that has none every declared table."""
    shutil.copytree(_made(), lake.root, dirs_exist_ok=True)


@cache
def _made() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="headwater-empty-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    Lake(str(folder / "lake")).create_all()
    return folder / "lake"

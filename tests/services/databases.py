"""Databases of SQLite at today's schema: one is migrated a process, the others are copies of it."""

import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from sqlalchemy import Engine

Opened = Callable[[str], Engine]
"""Opens the database of a URL, as a service does when it starts."""


def migrated(path: Path, opened: Opened) -> str:
    """Put a database without rows in a place that has none yet; return its URL."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_made(opened))
    return f"sqlite:///{path}"


@cache
def _made(opened: Opened) -> bytes:
    folder = Path(tempfile.mkdtemp(prefix="headwater-database-"))
    try:
        # Who closes last leaves no log behind, so that the file is all there is.
        opened(f"sqlite:///{folder / 'made.db'}").dispose()
        assert [path.name for path in folder.iterdir()] == ["made.db"]
        return (folder / "made.db").read_bytes()
    finally:
        shutil.rmtree(folder)

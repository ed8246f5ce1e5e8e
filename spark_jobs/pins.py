"""Versions of tables that a process goes on reading: logs and files stay for as long as it runs.

A pin is a file that its process holds locked. The kernel frees the lock with its holder, and who
looks next removes the file.
"""

import fcntl
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import BinaryIO

import orjson

from telemetry.settings import Settings
from telemetry.tables import Table


class Pins:
    """The pins of one lake's readers, on one machine."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.checkpoint_dir / "pins"

    @contextmanager
    def held(self, versions: Mapping[str, int]) -> Iterator[None]:
        """Keep these versions of tables, by name, readable for as long as the context lasts."""
        self._folder.mkdir(parents=True, exist_ok=True)
        name = uuid.uuid4().hex
        unfinished, path = self._folder / f".{name}", self._folder / f"{name}.json"
        with unfinished.open("wb") as file:
            # Locked before it can be seen: nobody takes it for one that was left behind.
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(orjson.dumps(dict(versions)))
            file.flush()
            unfinished.replace(path)
            try:
                yield
            finally:
                path.unlink(missing_ok=True)

    def is_read(self, table: Table) -> bool:
        """Tell whether somebody reads a version of a table."""
        return any(True for _ in self.of(table))

    def of(self, table: Table) -> Iterator[int]:
        """Yield the versions of a table that somebody reads."""
        for path in sorted(self._folder.glob("*.json")):
            with suppress(FileNotFoundError), path.open("rb") as file:
                if _is_left_behind(file):
                    path.unlink(missing_ok=True)
                elif (version := orjson.loads(file.read()).get(table.name)) is not None:
                    yield int(version)


def _is_left_behind(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

"""What retention is about to drop, noted first: what a killed run has dropped the next one tells.

That rows of a class are gone stands in no table, so the runs' results have to say all of it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson

from edge.durable_files import replace_durably

Partition = Mapping[str, object]
"""Its columns as text, its rows and bytes."""
Dropped = Mapping[str, Sequence[Partition]]
"""Partitions by the name of their table."""
_SIZES = {"rows", "bytes"}


class DroppedPartitions:
    """One file, there from before the first partition goes until a run's result tells of all."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def begin(self, dropped: Dropped) -> Dropped:
        """Note what goes next; return it with what went, or was to go, before and is not told."""
        before = self._untold()
        whole = {
            name: _whole(before.get(name, ()), dropped.get(name, ()))
            for name in before.keys() | dropped.keys()
        }
        replace_durably(self._path, orjson.dumps(whole))
        return whole

    def forget(self) -> None:
        """Forget it: a result tells of it."""
        self._path.unlink(missing_ok=True)

    def _untold(self) -> Dropped:
        try:
            found: Dropped = orjson.loads(self._path.read_bytes())
        except (FileNotFoundError, orjson.JSONDecodeError):
            return {}
        return found


def _whole(before: Sequence[Partition], now: Sequence[Partition]) -> list[Partition]:
    names = [named(one) for one in now]
    return [*now, *(one for one in before if named(one) not in names)]


def named(partition: Partition) -> Partition:
    """Return what names a partition."""
    return {name: value for name, value in partition.items() if name not in _SIZES}

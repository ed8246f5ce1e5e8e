"""Where the first copies of the newest messages are, in 41 bytes a message."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from spark_jobs.dedup.index import Key

_ROW = np.dtype(
    [
        ("mark", np.int64),
        ("digest", np.int64),
        ("has_digest", np.bool_),
        ("topic", np.int32),
        ("partition", np.int32),
        ("offset", np.int64),
        ("item", np.int64),
    ]
)
_GROWTH = 1 << 16


class Copy(NamedTuple):
    """Where a message is; `digest` of its bytes, None where it is not known."""

    topic: str
    partition: int
    offset: int
    item: int
    digest: int | None


class Copies(NamedTuple):
    """Where many messages are, by column; `digest` of all of them or of none."""

    topic: Sequence[str]
    partition: Sequence[int] | np.ndarray
    offset: Sequence[int] | np.ndarray
    item: Sequence[int] | np.ndarray
    digest: Sequence[int] | np.ndarray | None


class RecentCopies:
    """A ring of the newest first copies; it grows to `capacity` and then forgets the oldest."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._rows = np.zeros(min(capacity, _GROWTH), dtype=_ROW)
        self._count = 0
        self._next = 0
        self._topics: list[str] = []

    def add(self, keys: Sequence[Key], copies: Copies) -> None:
        """Remember first copies, the newest last."""
        added = self._packed(keys, copies)[-self._capacity :]
        if not len(added):
            return
        self._grow(self._count + len(added))
        places = (self._next + np.arange(len(added))) % len(self._rows)
        self._rows[places] = added
        self._next = int(places[-1] + 1) % len(self._rows)
        self._count = min(self._count + len(added), len(self._rows))

    def _packed(self, keys: Sequence[Key], copies: Copies) -> np.ndarray:
        packed = np.empty(len(keys), dtype=_ROW)
        packed["mark"] = np.fromiter(map(hash, keys), dtype=np.int64, count=len(keys))
        packed["topic"] = [self._topic(topic) for topic in copies.topic]
        for name in ("partition", "offset", "item"):
            packed[name] = getattr(copies, name)
        packed["has_digest"] = copies.digest is not None
        packed["digest"] = 0 if copies.digest is None else copies.digest
        return packed

    def _topic(self, topic: str) -> int:
        if topic not in self._topics:
            self._topics.append(topic)
        return self._topics.index(topic)

    def _grow(self, wanted: int) -> None:
        size = len(self._rows)
        if wanted <= size or size == self._capacity:
            return
        # The ring has not wrapped before it is at its capacity, so its rows stay in place.
        size = min(self._capacity, max(wanted, 2 * size))
        rows = np.zeros(size, dtype=_ROW)
        rows[: self._count] = self._rows[: self._count]
        self._rows, self._next = rows, self._count % size

    def find(self, keys: Iterable[Key]) -> dict[Key, Copy]:
        """Return the copies that are remembered, in one pass over the ring."""
        marks = {hash(key): key for key in keys}
        if not marks or not self._count:
            return {}
        rows = self._rows[: self._count]
        wanted = np.fromiter(marks, dtype=np.int64, count=len(marks))
        found = rows[np.isin(rows["mark"], wanted)]
        return {marks[int(row["mark"])]: self._copy(row) for row in found}

    def _copy(self, row: np.void) -> Copy:
        return Copy(
            self._topics[int(row["topic"])],
            int(row["partition"]),
            int(row["offset"]),
            int(row["item"]),
            int(row["digest"]) if row["has_digest"] else None,
        )

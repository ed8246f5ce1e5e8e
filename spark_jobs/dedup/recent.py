"""Where the first copies of the newest messages are, in 41 bytes a message."""

from collections.abc import Collection, Sequence
from typing import NamedTuple, Self

import numpy as np
import polars as pl

from spark_jobs.dedup.names import ODD, Key, boot_marks

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
    """Where many messages are, by column; `digest` of all of them or of none.

    Each is in one of `topics`, by its place among them.
    """

    topics: list[str]
    topic: np.ndarray
    partition: np.ndarray
    offset: np.ndarray
    item: np.ndarray
    digest: np.ndarray | None

    def at(self, place: int) -> Copy:
        """Return where one is."""
        return Copy(
            self.topics[self.topic[place]],
            int(self.partition[place]),
            int(self.offset[place]),
            int(self.item[place]),
            None if self.digest is None else int(self.digest[place]),
        )

    def only(self, places: np.ndarray) -> Self:
        """Return some of them."""
        return self._replace(
            topic=self.topic[places],
            partition=self.partition[places],
            offset=self.offset[places],
            item=self.item[places],
            digest=None if self.digest is None else self.digest[places],
        )


def copies(frame: pl.DataFrame) -> Copies:
    """Return where the messages of a frame with coordinates are, without digests."""
    topics = frame["topic"].unique(maintain_order=True)
    code = frame["topic"].replace_strict(topics, range(len(topics)), return_dtype=pl.Int32)
    partition, offset, item = (frame[name].to_numpy() for name in ("partition", "offset", "item"))
    return Copies(topics.to_list(), code.to_numpy(), partition, offset, item, None)


def digests(messages: pl.Series) -> np.ndarray:
    """Return 64 bits for each message's bytes; another process may find others."""
    found: np.ndarray = messages.hash().to_numpy().view(np.int64)
    return found


def key_marks(boots: np.ndarray, seq: np.ndarray) -> np.ndarray:
    """Return 64 bits that stand for each key, given the mark of its boot."""
    mixed: np.ndarray = boots ^ (seq.astype(np.uint64) * ODD)
    return mixed.view(np.int64)


def marks_of(keys: Sequence[Key]) -> np.ndarray:
    """Return `key_marks` of keys one by one."""
    seq = np.fromiter((key[3] for key in keys), dtype=np.int64, count=len(keys))
    return key_marks(boot_marks(keys), seq)


class RecentCopies:
    """A ring of the newest first copies; it grows to `capacity` and then forgets the oldest."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._rows = np.zeros(min(capacity, _GROWTH), dtype=_ROW)
        self._count = 0
        self._next = 0
        self._topics: list[str] = []

    def add(self, marked: np.ndarray, found: Copies) -> None:
        """Remember first copies by the marks of their keys, the newest last."""
        added = self._packed(marked, found)[-self._capacity :]
        if not len(added):
            return
        self._grow(self._count + len(added))
        places = (self._next + np.arange(len(added))) % len(self._rows)
        self._rows[places] = added
        self._next = int(places[-1] + 1) % len(self._rows)
        self._count = min(self._count + len(added), len(self._rows))

    def _packed(self, marked: np.ndarray, found: Copies) -> np.ndarray:
        packed = np.empty(len(marked), dtype=_ROW)
        packed["mark"] = marked
        topics = np.array([self._topic(topic) for topic in found.topics], dtype=np.int32)
        packed["topic"] = topics[found.topic] if len(marked) else 0
        for name in ("partition", "offset", "item"):
            packed[name] = getattr(found, name)
        packed["has_digest"] = found.digest is not None
        packed["digest"] = 0 if found.digest is None else found.digest
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

    def find(self, keys: Collection[Key]) -> dict[Key, Copy]:
        """Return the copies that are remembered, in one pass over the ring."""
        if not keys or not self._count:
            return {}
        asked = list(keys)
        wanted = marks_of(asked)
        of_mark = dict(zip(wanted.tolist(), asked, strict=True))
        rows = self._rows[: self._count]
        found = rows[np.isin(rows["mark"], wanted)]
        return {of_mark[int(row["mark"])]: self._copy(row) for row in found}

    def _copy(self, row: np.void) -> Copy:
        return Copy(
            self._topics[int(row["topic"])],
            int(row["partition"]),
            int(row["offset"]),
            int(row["item"]),
            int(row["digest"]) if row["has_digest"] else None,
        )

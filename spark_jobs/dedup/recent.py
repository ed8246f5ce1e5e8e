"""Where the first copies of the newest messages are, in 41 bytes a message."""

from collections.abc import Collection, Sequence
from typing import NamedTuple, Self

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from spark_jobs.dedup.names import ODD, Key, boot_marks

_COLUMNS: dict[str, type[np.generic]] = {
    "mark": np.int64,
    "digest": np.int64,
    "has_digest": np.bool_,
    "topic": np.int32,
    "partition": np.int32,
    "offset": np.int64,
    "item": np.int64,
}


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
    """A ring of the newest first copies; it forgets the oldest beyond its `capacity`.

    Memory that was never written to is none yet.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._columns = {name: np.zeros(capacity, type_) for name, type_ in _COLUMNS.items()}
        self._count = 0
        self._next = 0
        self._topics: list[str] = []

    def add(self, marked: np.ndarray, found: Copies) -> None:
        """Remember first copies by the marks of their keys, the newest last."""
        added = min(len(marked), self._capacity)
        if not added:
            return
        topics = np.array([self._topic(topic) for topic in found.topics], dtype=np.int32)
        said = {
            "mark": marked,
            "digest": np.zeros(1, np.int64) if found.digest is None else found.digest,
            "has_digest": np.array([found.digest is not None]),
            "topic": topics[found.topic],
            **{name: getattr(found, name) for name in ("partition", "offset", "item")},
        }
        for name, values in said.items():
            self._put(self._columns[name], np.broadcast_to(values, len(marked))[-added:])
        self._next = (self._next + added) % self._capacity
        self._count = min(self._count + added, self._capacity)

    def _put(self, column: np.ndarray, values: np.ndarray) -> None:
        behind = column[self._next : self._next + len(values)]
        behind[:] = values[: len(behind)]
        column[: len(values) - len(behind)] = values[len(behind) :]

    def _topic(self, topic: str) -> int:
        if topic not in self._topics:
            self._topics.append(topic)
        return self._topics.index(topic)

    def find(self, keys: Collection[Key]) -> dict[Key, Copy]:
        """Return the copies that are remembered, in one pass over the ring."""
        if not keys or not self._count:
            return {}
        asked = list(keys)
        wanted = marks_of(asked)
        of_mark = dict(zip(wanted.tolist(), asked, strict=True))
        marks = pa.array(self._columns["mark"][: self._count])
        is_there = pc.is_in(marks, value_set=pa.array(wanted))
        places = np.flatnonzero(is_there.to_numpy(zero_copy_only=False))
        return {of_mark[marks[at].as_py()]: self._at(at) for at in places.tolist()}

    def _at(self, place: int) -> Copy:
        said = {name: column[place].item() for name, column in self._columns.items()}
        return Copy(
            self._topics[said["topic"]],
            said["partition"],
            said["offset"],
            said["item"],
            said["digest"] if said["has_digest"] else None,
        )

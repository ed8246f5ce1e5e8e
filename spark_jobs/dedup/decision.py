"""The decision on each message of a batch: the first of its key, a duplicate, or a conflict."""

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, Self

import numpy as np
import polars as pl

from spark_jobs.dedup.index import KeyIndex
from spark_jobs.dedup.names import UNIQUE, BootNames, Key
from spark_jobs.dedup.recent import Copies, Copy, key_marks

Kind = Literal["duplicate", "conflict"]
Find = Callable[[Mapping[Key, int | None]], Mapping[Key, Copy]]
"""Looks first copies up, given keys with their event times, and says their digests; a key that
silver lacks is left out."""
_VERDICTS = {
    "row": pl.UInt32,
    "kind": pl.String,
    "first_topic": pl.String,
    "first_partition": pl.Int32,
    "first_offset": pl.Int64,
    "first_item": pl.Int32,
}


class Verdict(NamedTuple):
    """Why a message is not the first of its key: what it is, beside which first copy."""

    kind: Kind
    first: Copy


class Candidates(NamedTuple):
    """Accepted messages by column; each is of one of `boots`, by its place among them.

    Of two with one key, the first by append time and then coordinates wins; in a partition the
    first by offset, though the broker's clock was set back between them. `event` has their event
    times, in microseconds.
    """

    rows: np.ndarray
    boots: BootNames
    boot: np.ndarray
    seq: np.ndarray
    time: np.ndarray
    event: np.ndarray
    copies: Copies

    def keys(self) -> list[Key]:
        """Return all keys that another message could have as well."""
        named = self.keys_at(np.arange(len(self.seq)))
        return [key for key in named if not key[2].startswith(UNIQUE)]

    def keys_at(self, places: np.ndarray) -> list[Key]:
        """Return the keys of some."""
        names = [*zip(*(column.to_list() for column in self.boots[:3]), strict=True)]
        both = zip(self.boot[places].tolist(), self.seq[places].tolist(), strict=True)
        return [(*names[of], seq) for of, seq in both]

    def in_order(self, places: np.ndarray) -> np.ndarray:
        """Return some, those that win first."""
        said = self.copies.only(places)
        topic = np.argsort(np.argsort(np.array(said.topics)))[said.topic]
        order = np.lexsort((said.item, said.offset, said.partition, topic))
        came = _came(topic[order], said.partition[order], self.time[places][order])
        found: np.ndarray = places[order[np.argsort(came, kind="stable")]]
        return found

    def only(self, places: np.ndarray) -> Self:
        """Return some of them."""
        return self._replace(
            rows=self.rows[places],
            boot=self.boot[places],
            seq=self.seq[places],
            time=self.time[places],
            event=self.event[places],
            copies=self.copies.only(places),
        )


def _came(topic: np.ndarray, partition: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Return append times of records in order, none earlier than one before it in its partition."""
    begins = np.ones(len(time), dtype=bool)
    begins[1:] = (topic[1:] != topic[:-1]) | (partition[1:] != partition[:-1])
    if not ((time[1:] < time[:-1]) & ~begins[1:]).any():
        return time
    times, rank = np.unique(time, return_inverse=True)
    floor = begins.cumsum() * len(times)
    latest: np.ndarray = times[np.maximum.accumulate(floor + rank) - floor]
    return latest


class Verdicts(NamedTuple):
    """The messages that are not the first of their key."""

    frame: pl.DataFrame


def decide(found: Candidates, index: KeyIndex, find: Find) -> dict[int, Verdict]:
    """Return the verdicts, by place, on messages that are not the first of their key.

    The index takes the keys up at once: should the batch not be committed, it says yes to them
    again and silver says no.
    """
    doubtful = found.in_order(_doubtful(found, index))
    if not len(doubtful):
        return {}
    keys = found.keys_at(doubtful)
    marks = found.boots.marks[found.boot[doubtful]].tolist()
    here: dict[Key, int] = {}
    repeated: dict[Key, list[int]] = {}
    held: dict[Key, list[int]] = {}
    for place, key, mark in zip(doubtful.tolist(), keys, marks, strict=True):
        if index.add(key, mark):
            here[key] = place
        elif key in here:
            repeated.setdefault(key, []).append(place)
        else:
            held.setdefault(key, []).append(place)
    copy_at = found.copies.at
    firsts = {key: copy_at(here[key]) for key in repeated}
    asked = {key: int(found.event[places[0]]) for key, places in held.items()}
    copies = find(asked) if asked else {}
    index.lack(key for key in held if key not in copies)
    firsts |= {key: copies.get(key) or copy_at(places[0]) for key, places in held.items()}
    return {
        place: _beside(firsts[key], copy)
        for key, places in (repeated | held).items()
        for place in places
        if (copy := copy_at(place))[:4] != firsts[key][:4]
    }


def _doubtful(found: Candidates, index: KeyIndex) -> np.ndarray:
    """Take runs of numbers up that are new as a whole; return the places of all others."""
    is_doubtful = ~found.boots.is_unique[found.boot]
    counted = np.flatnonzero(found.boots.is_counted[found.boot])
    if len(counted):
        order = counted[np.lexsort((found.seq[counted], found.boot[counted]))]
        boot, seq = found.boot[order], found.seq[order]
        starts, ends, has_none = _runs(boot, seq)
        first, last = starts[has_none], ends[has_none] - 1
        is_new = has_none.copy()
        is_new[has_none] = index.add_runs(found.boots.marks[boot[first]], seq[first], seq[last])
        is_doubtful[order[np.repeat(is_new, ends - starts)]] = False
    return np.flatnonzero(is_doubtful)


def _runs(boot: np.ndarray, seq: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where runs of numbers without a gap start and end, and which have none twice."""
    is_same_boot = boot[1:] == boot[:-1]
    step = seq[1:] - seq[:-1]
    starts = np.concatenate(([0], np.flatnonzero(~is_same_boot | (step != 1)) + 1))
    is_repeated = np.zeros(len(seq), dtype=bool)
    repeats = is_same_boot & (step == 0)
    is_repeated[1:] = repeats
    is_repeated[:-1] |= repeats
    has_none = ~np.logical_or.reduceat(is_repeated, starts)
    return starts, np.concatenate((starts[1:], [len(seq)])), has_none


def _beside(first: Copy, copy: Copy) -> Verdict:
    # A first copy whose bytes are gone can only be taken for the same.
    is_same = first.digest in (None, copy.digest)
    return Verdict("duplicate" if is_same else "conflict", first)


def verdict_rows(found: Candidates, verdicts: Mapping[int, Verdict]) -> Verdicts:
    """Return verdicts as a frame, by the messages' rows."""
    rows = [(int(found.rows[place]), kind, *first[:4]) for place, (kind, first) in verdicts.items()]
    return Verdicts(pl.DataFrame(rows, _VERDICTS, orient="row"))


def firsts(found: Candidates, verdicts: Mapping[int, Verdict]) -> tuple[np.ndarray, Copies]:
    """Return the marks and the places of those that are the first of their key."""
    first = found
    if verdicts:
        is_first = np.ones(len(found.seq), dtype=bool)
        is_first[list(verdicts)] = False
        first = found.only(np.flatnonzero(is_first))
    return key_marks(first.boots.marks[first.boot], first.seq), first.copies

"""The decision on each message of a batch: the first of its key, a duplicate, or a conflict."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from spark_jobs.dedup.index import UNIQUE, Key, KeyIndex
from spark_jobs.dedup.recent import Copy


class Candidate(NamedTuple):
    """An accepted message: its key, where it is, and a digest of its bytes."""

    tenant: str
    device_full: str
    boot: str
    seq: int
    topic: str
    partition: int
    offset: int
    item: int
    digest: int

    @property
    def key(self) -> Key:
        """Key of the message."""
        return self.tenant, self.device_full, self.boot, self.seq

    @property
    def copy(self) -> Copy:
        """Where it is."""
        return Copy(self.topic, self.partition, self.offset, self.item, self.digest)


Kind = Literal["first", "duplicate", "conflict"]


class Verdict(NamedTuple):
    """What a message is, and beside which first copy."""

    kind: Kind
    first: Copy | None


FIRST = Verdict("first", None)
Find = Callable[[Collection[Key]], Mapping[Key, Copy]]
"""Looks first copies up, with their digests; a key that silver lacks is left out."""


def decide(candidates: Sequence[Candidate], index: KeyIndex, find: Find) -> list[Verdict]:
    """Judge the messages of a batch, which come in the order in which the first copy wins."""
    verdicts = [FIRST] * len(candidates)
    firsts: dict[Key, Copy] = {}
    held: dict[Key, list[int]] = {}
    for place, candidate in enumerate(candidates):
        if candidate.boot.startswith(UNIQUE):
            continue
        key = candidate[:4]
        first = firsts.get(key)
        if first is not None:
            verdicts[place] = _beside(first, candidate)
        elif key in held:
            held[key].append(place)
        elif key in index:
            held[key] = [place]
        else:
            firsts[key] = candidate.copy
    copies = find(held.keys()) if held else {}
    for key, places in held.items():
        # Silver may lack a key that the index holds: what retention took is new again.
        first = copies.get(key) or candidates[places[0]].copy
        for place in places:
            verdicts[place] = _beside(first, candidates[place])
    return verdicts


def _beside(first: Copy, candidate: Candidate) -> Verdict:
    if first[:4] == candidate.copy[:4]:
        return FIRST
    # A first copy whose bytes are gone can only be taken for the same.
    is_same = first.digest in (None, candidate.digest)
    return Verdict("duplicate" if is_same else "conflict", first)


def firsts_of(
    candidates: Iterable[Candidate], verdicts: Iterable[Verdict]
) -> list[tuple[Key, Copy]]:
    """Return what is to be remembered once the batch is committed."""
    return [
        (candidate.key, candidate.copy)
        for candidate, verdict in zip(candidates, verdicts, strict=True)
        if verdict.kind == "first" and not candidate.boot.startswith(UNIQUE)
    ]

"""The decision on each message of a batch: the first of its key, a duplicate, or a conflict."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal, NamedTuple

from spark_jobs.dedup.index import Key, KeyIndex
from spark_jobs.dedup.recent import Copy

Kind = Literal["duplicate", "conflict"]
Find = Callable[[Collection[Key]], Mapping[Key, Copy]]
"""Looks first copies up, with their digests; a key that silver lacks is left out."""


class Verdict(NamedTuple):
    """Why a message is not the first of its key: what it is, beside which first copy."""

    kind: Kind
    first: Copy


def decide(
    keys: Sequence[Key],
    copy_at: Callable[[int], Copy],
    index: KeyIndex,
    find: Find,
    *,
    received_at: int,
) -> dict[int, Verdict]:
    """Return the verdicts, by place, on messages that are not the first of their key.

    The keys come in the order in which the first copy wins, and the index takes them up at once:
    should the batch not be committed, it says yes to them again and silver says no.
    """
    here: dict[Key, int] = {}
    repeated: dict[Key, list[int]] = {}
    held: dict[Key, list[int]] = {}
    for place, key in enumerate(keys):
        if index.add(key, received_at):
            here[key] = place
        elif key in here:
            repeated.setdefault(key, []).append(place)
        else:
            held.setdefault(key, []).append(place)
    firsts = {key: copy_at(here[key]) for key in repeated}
    copies = find(held.keys()) if held else {}
    firsts |= {key: copies.get(key) or copy_at(places[0]) for key, places in held.items()}
    return {
        place: _beside(firsts[key], copy)
        for key, places in (repeated | held).items()
        for place in places
        if (copy := copy_at(place))[:4] != firsts[key][:4]
    }


def _beside(first: Copy, copy: Copy) -> Verdict:
    # A first copy whose bytes are gone can only be taken for the same.
    is_same = first.digest in (None, copy.digest)
    return Verdict("duplicate" if is_same else "conflict", first)

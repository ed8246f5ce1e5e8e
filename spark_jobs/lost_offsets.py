"""Records that Kafka dropped before they were read: which they are, and where landing goes on."""

import json
from collections.abc import Container, Mapping
from typing import NamedTuple

DROPPED = "dropped"
MADE_ANEW = "topic made anew"


class Log(NamedTuple):
    """What a partition holds: from `first` up to, and without, `end`."""

    first: int
    end: int


class Lost(NamedTuple):
    """Offsets that were never read, both inclusive; `last` is None where nobody knows it."""

    partition: int
    first: int
    last: int | None
    reason: str


def lost(needed: Mapping[int, int], logs: Mapping[int, Log], *, is_anew: bool) -> list[Lost]:
    """Return what is missing between the next offset needed of a partition and what is there.

    A topic that was made anew counts its offsets from 0 again: what the old one still held behind
    the last one read is gone, however much there was.
    """
    found = []
    for partition, next_offset in sorted(needed.items()):
        log = logs.get(partition)
        if is_anew or log is None or log.end < next_offset:
            found.append(Lost(partition, next_offset, None, MADE_ANEW))
        elif log.first > next_offset:
            found.append(Lost(partition, next_offset, log.first - 1, DROPPED))
    return found


def unanswered(found: list[Lost], accepted: Container[tuple[int, int]]) -> list[Lost]:
    """Return what nobody has accepted yet, by partition and first offset."""
    return [each for each in found if (each.partition, each.first) not in accepted]


def starting_offsets(topic: str, needed: Mapping[int, int], logs: Mapping[int, Log]) -> str:
    """Return Spark's `startingOffsets`: behind what is needed no more, or at the first there is."""
    starts = {str(n): max(needed.get(n, log.first), log.first) for n, log in logs.items()}
    return json.dumps({topic: starts})


def shown(found: list[Lost], topic: str) -> str:
    """Return the ranges in words."""
    return ", ".join(
        f"{topic}/{each.partition} from {each.first}"
        f" {'on' if each.last is None else f'to {each.last}'} ({each.reason})"
        for each in found
    )

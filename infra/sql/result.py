"""What a query answers, whichever engine did."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from telemetry.errors import HeadwaterError


class QueryError(HeadwaterError):
    """The query cannot be answered; the message says where in it and why."""


@dataclass(frozen=True, slots=True)
class Result:
    """Column names, each of them once, and rows as they come."""

    columns: tuple[str, ...]
    rows: Iterator[Sequence[object]]


def unique_names(names: Sequence[str]) -> tuple[str, ...]:
    """Number names that come again, so that a row can be an object."""
    taken, seen = set(names), set[str]()
    unique = []
    for name in names:
        if name in seen:
            name = next(new for n in count(2) if (new := f"{name}_{n}") not in taken)
            taken.add(name)
        seen.add(name)
        unique.append(name)
    return tuple(unique)

"""What a query answers, whichever engine did."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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
    seen: dict[str, int] = {}
    unique = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return tuple(unique)

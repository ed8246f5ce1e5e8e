"""Readings as columns, and the series that they are of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]
Times = NDArray[np.int64]
Values = NDArray[np.float64]
Flags = NDArray[np.bool_]
_NEVER = -(2**62)


class Series(NamedTuple):
    """One metric of one device."""

    tenant: str
    device: str
    metric: str


class Source(NamedTuple):
    """A series with what was known of its device when it spoke."""

    series: Series
    product: str
    zone: str | None = None
    customer: str | None = None


def fields_of(source: Source) -> list[str | None]:
    """Return a source as JSON may hold it."""
    return [*source.series, *source[1:]]


def source_of(fields: Sequence[str]) -> Source:
    """Read what `fields_of` gave."""
    return Source(Series(*fields[:3]), *fields[3:])


@dataclass(frozen=True, slots=True)
class Readings:
    """Readings in the order of their arrival, a column a field; `of` counts in `sources`.

    `times` are event times, `delays` how much later each was received, both in microseconds.
    `messages` are numbers that readings of one message share, and none of its neighbours has.
    """

    sources: Sequence[Source]
    of: Rows
    times: Times
    delays: Times
    values: Values
    messages: Times

    def __len__(self) -> int:
        return len(self.times)

    def source(self, cell: int) -> Source:
        """Return who spoke."""
        return self.sources[int(self.of[cell])]

    def where(self, kept: Flags | Rows) -> "Readings":
        """Return some of the readings."""
        return Readings(
            self.sources,
            self.of[kept],
            self.times[kept],
            self.delays[kept],
            self.values[kept],
            self.messages[kept],
        )

"""Readings as columns, and the series that they are of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detection.keyed import blocks

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


class Roster:
    """All series seen, numbered as they came, with their newest source and time."""

    def __init__(self, sources: Sequence[Source] = (), newest: Times | None = None) -> None:
        self.sources = list(sources)
        self._numbers = {source.series: number for number, source in enumerate(sources)}
        self._newest = np.zeros(0, np.int64) if newest is None else newest.copy()

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def newest(self) -> Times:
        """The youngest event time of each series, in microseconds."""
        return self._newest[: len(self.sources)]

    def number(self, readings: Readings) -> Rows:
        """Return each reading's series by its number; new ones are added."""
        numbers = self._numbers
        for place in np.unique(readings.of).tolist():
            source = readings.sources[place]
            if source.series not in numbers:
                numbers[source.series] = len(numbers)
                self.sources.append(source)
        missing = len(numbers) - len(self._newest)
        if missing > 0:
            more = np.full(max(missing, len(self._newest)), _NEVER, np.int64)
            self._newest = np.concatenate([self._newest, more])
        of = np.array([numbers.get(source.series, -1) for source in readings.sources], np.intp)
        return of[readings.of] if len(readings) else np.zeros(0, np.intp)

    def in_order(self, numbers: Rows, readings: Readings) -> Flags:
        """Say of each reading whether no reading of its series that came before is younger."""
        kept = np.zeros(len(numbers), np.bool_)
        for rows, cells in blocks(numbers):
            at = readings.times[cells]
            highest = np.maximum.accumulate(np.maximum(at, self._newest[rows][:, None]), axis=1)
            kept[cells] = at >= highest
            self._newest[rows] = highest[:, -1]
            for row, last in zip(rows.tolist(), readings.of[cells[:, -1]].tolist(), strict=True):
                self.sources[row] = readings.sources[last]
        return kept

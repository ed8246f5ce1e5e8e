"""The series that a home's rules have seen, by number."""

from collections.abc import Mapping, Sequence

import numpy as np

from detection.keyed import blocks
from detection.rules.readings import Flags, Readings, Rows, Source, Times
from detection.rules.touched import Touched

_NEVER = -(2**62)


class Roster:
    """All series seen, numbered as they came, with their newest source and time."""

    def __init__(self, sources: Sequence[Source] = (), newest: Times | None = None) -> None:
        self.sources = list(sources)
        self._numbers = {source.series: number for number, source in enumerate(sources)}
        self._newest = np.zeros(0, np.int64) if newest is None else newest.copy()
        self._touched = Touched()
        self._renamed: set[int] = set()

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
                self._add(source)
        self._hold()
        of = np.array([numbers.get(source.series, -1) for source in readings.sources], np.intp)
        return of[readings.of] if len(readings) else np.zeros(0, np.intp)

    def _add(self, source: Source) -> None:
        self._renamed.add(len(self.sources))
        self._numbers[source.series] = len(self.sources)
        self.sources.append(source)

    def _hold(self) -> None:
        missing = len(self.sources) - len(self._newest)
        if missing > 0:
            more = np.full(max(missing, len(self._newest)), _NEVER, np.int64)
            self._newest = np.concatenate([self._newest, more])

    def in_order(self, numbers: Rows, readings: Readings) -> Flags:
        """Say of each reading whether no reading of its series that came before is younger."""
        kept = np.zeros(len(numbers), np.bool_)
        self._touched.add(numbers)
        for rows, cells in blocks(numbers):
            at = readings.times[cells]
            highest = np.maximum.accumulate(np.maximum(at, self._newest[rows][:, None]), axis=1)
            kept[cells] = at >= highest
            self._newest[rows] = highest[:, -1]
            for row, last in zip(rows.tolist(), readings.of[cells[:, -1]].tolist(), strict=True):
                if self.sources[row] != readings.sources[last]:
                    self.sources[row] = readings.sources[last]
                    self._renamed.add(row)
        return kept

    def changes(self) -> tuple[Rows, list[int]]:
        """Return numbers that spoke since this was asked last, and those whose source is new."""
        renamed, self._renamed = sorted(self._renamed), set()
        return self._touched.take(), renamed

    def apply(self, numbers: Rows, sources: Mapping[int, Source], newest: Times) -> None:
        """Take up what another roster's `changes` say, with the newest time of each number."""
        for number, source in sorted(sources.items()):
            if number == len(self.sources):
                self._add(source)
            self.sources[number] = source
        self._hold()
        self._newest[numbers] = newest
        self._renamed.clear()

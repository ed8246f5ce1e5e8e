"""A chart as data: panels of lines over UTC time, in which gaps stay gaps."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

READING_GAP = 3.0
WINDOW_GAP = 1.5


@dataclass(frozen=True, slots=True)
class Line:
    """One line; `breaks` are the points before which the line is interrupted."""

    label: str
    times: tuple[datetime, ...]
    values: tuple[float, ...]
    breaks: frozenset[int] = frozenset()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()

    @property
    def lonely(self) -> tuple[int, ...]:
        """Points with a break on either side, which no line would show."""
        ends = {0, len(self.times)} | self.breaks
        return tuple(i for i in range(len(self.times)) if i in ends and i + 1 in ends)


@dataclass(frozen=True, slots=True)
class Panel:
    """Lines that share one axis of values."""

    y_label: str
    lines: tuple[Line, ...]
    is_logarithmic: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """Panels one below the other, over the same time."""

    title: str
    panels: tuple[Panel, ...]

    @property
    def span(self) -> tuple[datetime, datetime]:
        """The first and the last time of any line."""
        times = [time for panel in self.panels for line in panel.lines for time in line.times]
        return min(times), max(times)


def gaps(times: Sequence[datetime], step: timedelta | None = None) -> frozenset[int]:
    """Return the points that follow a gap: far more than the usual interval.

    Windows, `step` wide, come at steady times, so half an interval too much is a gap already.
    """
    intervals = [after - before for before, after in pairwise(times)]
    # Several readings of one time say nothing of how far the next one is.
    steps = [interval.total_seconds() for interval in intervals if interval]
    if not steps:
        return frozenset()
    usual = timedelta(seconds=median(steps))
    longest = max(step, usual) * WINDOW_GAP if step else usual * READING_GAP
    return frozenset(index for index, gap in enumerate(intervals, start=1) if gap > longest)

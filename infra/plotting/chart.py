"""A chart as data: panels of lines over UTC time, in which gaps stay gaps."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

GAP_INTERVALS = 3.0


@dataclass(frozen=True, slots=True)
class Line:
    """One line; `breaks` are the points before which the line is interrupted."""

    label: str
    times: tuple[datetime, ...]
    values: tuple[float, ...]
    breaks: frozenset[int] = frozenset()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


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
    """Return the points that follow a gap: more than a step, or thrice the usual interval."""
    intervals = [after - before for before, after in pairwise(times)]
    if not intervals:
        return frozenset()
    usual = median(interval.total_seconds() for interval in intervals)
    longest = step * 1.5 if step else timedelta(seconds=usual * GAP_INTERVALS)
    if not longest:
        return frozenset()
    return frozenset(index for index, gap in enumerate(intervals, start=1) if gap > longest)

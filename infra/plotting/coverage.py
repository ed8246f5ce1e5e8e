"""What of a series its line shows: gold lags behind readings, and retention drops them first."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from infra.plotting.chart import Line
from infra.plotting.series import RAW, STEPS, Extent


def drawn_span(series: Iterable[tuple[Line, Extent]], window: str) -> tuple[datetime, datetime]:
    """Return from when to when readings are in any of the lines."""
    spans = [_shown(line, extent, window) for line, extent in series if line.times]
    return min(first for first, _ in spans), max(last for _, last in spans)


def undrawn(line: Line, extent: Extent, window: str) -> Iterator[str]:
    """Yield in words what stands before and behind a line that has points."""
    if not line.times:
        return
    first, last = _shown(line, extent, window)
    lacks = "no readings are left"
    if window != RAW:
        lacks = f"gold has no whole {window} windows: --window raw"
    if first > extent.first:
        yield f"before {first:%Y-%m-%d %H:%M:%S} UTC, of which {lacks}"
    if last < extent.last:
        yield f"from {last:%Y-%m-%d %H:%M:%S} UTC on, of which {lacks}"


def _shown(line: Line, extent: Extent, window: str) -> tuple[datetime, datetime]:
    """Return the part of the extent that the line's windows, or readings, cover."""
    ends = line.times[-1] + STEPS.get(window, timedelta())
    return max(extent.first, line.times[0]), min(extent.last, ends)

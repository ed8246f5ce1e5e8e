"""Charts as PNG."""

import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib import dates
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from infra.plotting.chart import Chart, Line, Panel
from telemetry.errors import HeadwaterError

WIDTH_IN = 12.0
PANEL_IN = 4.2
DPI = 120
FEW_POINTS = 60

Times = npt.NDArray[np.datetime64]


def saved(chart: Chart, path: Path) -> None:
    """Save the chart as PNG."""
    figure = Figure(figsize=(WIDTH_IN, PANEL_IN * len(chart.panels)), layout="constrained")
    all_axes = figure.subplots(len(chart.panels), sharex=True, squeeze=False)[:, 0]
    figure.suptitle(chart.title, parse_math=False)
    for axes, panel in zip(all_axes, chart.panels, strict=True):
        _panel(axes, panel)
    locator = dates.AutoDateLocator(tz=UTC)  # type: ignore[no-untyped-call]
    all_axes[-1].xaxis.set_major_locator(locator)
    formatter = dates.ConciseDateFormatter(locator, tz=UTC)  # type: ignore[no-untyped-call]
    all_axes[-1].xaxis.set_major_formatter(formatter)
    all_axes[-1].set_xlabel("UTC")
    try:
        figure.savefig(path, dpi=DPI, format="png")
    except OSError as error:
        raise HeadwaterError(f"{path} cannot be written: {error.strerror}") from error


def _panel(axes: Axes, panel: Panel) -> None:
    for line in panel.lines:
        times, values = _with_gaps(line, line.values)
        marker = "." if len(line.times) <= FEW_POINTS else ""
        (drawn,) = axes.plot(times, values, label=line.label, linewidth=1.2, marker=marker)
        lonely = _utc([line.times[index] for index in line.lonely])
        alone = [line.values[index] for index in line.lonely]
        axes.plot(lonely, alone, ".", color=drawn.get_color())
        if line.low:
            low, high = _with_gaps(line, line.low)[1], _with_gaps(line, line.high)[1]
            axes.fill_between(times, low, high, alpha=0.18, color=drawn.get_color(), linewidth=0)
    axes.set_ylabel(panel.y_label, parse_math=False)  # a name may have dollars in it
    axes.grid(alpha=0.3)
    axes.margins(x=0.01)
    if panel.is_logarithmic:
        axes.set_yscale("log")
    if len(panel.lines) > 1:
        for text in axes.legend(loc="best", fontsize="small").get_texts():
            text.set_parse_math(False)


def _with_gaps(line: Line, values: tuple[float, ...]) -> tuple[Times, list[float]]:
    """Return the points with a NaN in each gap, which interrupts the line."""
    times: list[datetime] = []
    found: list[float] = []
    for index, (time, value) in enumerate(zip(line.times, values, strict=True)):
        if index in line.breaks:
            times.append(times[-1] + (time - times[-1]) / 2)
            found.append(math.nan)
        times.append(time)
        found.append(value)
    return _utc(times), found


def _utc(times: list[datetime]) -> Times:
    return np.array([time.astimezone(UTC).replace(tzinfo=None) for time in times], "datetime64[us]")

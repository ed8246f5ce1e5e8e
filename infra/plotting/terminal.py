"""Charts in the terminal."""

import math
import shutil
import textwrap
from itertools import cycle, islice

import plotext

from infra.plotting.chart import Chart, Line, Panel
from infra.plotting.time_ticks import time_ticks
from infra.plotting.value_ticks import value_ticks

LEAST_HEIGHT = 15
MARKERS = (("braille", "⢕"), ("hd", "▚"), ("dot", "•"), ("x", "x"), ("o", "o"), ("+", "+"))
"""Markers by the names of the library, and as the legend shows them."""


def drawn(chart: Chart, *, width: int | None = None, height: int | None = None) -> str:
    """Return the chart as text: its title, and a panel below the other, legends outside."""
    terminal = shutil.get_terminal_size((100, 24))
    columns = width or min(160, terminal.columns)
    rows = height or max(LEAST_HEIGHT, (terminal.lines - 3) // len(chart.panels) - 1)
    ticks = time_ticks(*chart.span)
    parts = [textwrap.fill(chart.title, columns)]
    for panel in chart.panels:
        parts += [textwrap.fill(_legend(panel), columns), _panel(panel, ticks, (columns, rows))]
    return "\n".join(parts)


def _legend(panel: Panel) -> str:
    if len(panel.lines) == 1:
        return panel.y_label
    names = [
        f"{sign} {line.label}" for line, (_, sign) in zip(panel.lines, _markers(panel), strict=True)
    ]
    return f"{panel.y_label}:   {'   '.join(names)}"


def _markers(panel: Panel) -> list[tuple[str, str]]:
    return list(islice(cycle(MARKERS), len(panel.lines)))


def _panel(panel: Panel, ticks: list[tuple[float, str]], size: tuple[int, int]) -> str:
    figure = plotext.figure
    figure.clear()
    figure.plot_size(*size)
    figure.theme("colorless")
    height = math.log10 if panel.is_logarithmic else float
    for line, (marker, _) in zip(panel.lines, _markers(panel), strict=True):
        figure.draw(_signal(line, [height(value) for value in line.values], marker))
    figure.label("UTC")
    values = [value for line in panel.lines for value in line.values]
    numbers = value_ticks(min(values), max(values), is_logarithmic=panel.is_logarithmic)
    labels = [f"{number:,.6g}" for number in numbers]
    figure.ruler("y").ticks([height(number) for number in numbers], labels)
    times = [time.timestamp() for line in panel.lines for time in line.times]
    margin = 0.0 if min(times) < max(times) else 1.0
    figure.ruler("x").lim(min(times) - margin, max(times) + margin)
    figure.ruler("x").ticks([at for at, _ in ticks], [label for _, label in ticks])
    return str(plotext.uncolorize(figure.build().string())).strip("\n")


def _signal(line: Line, heights: list[float], marker: str) -> object:
    times = [time.timestamp() for time in line.times]
    signal = plotext.figure.signal(times, heights, marker=marker).lines()
    for index in line.breaks:
        signal.line(index, False)
    return signal

"""What each way to land an event costs, as PNG: bars, or curves where a message's metrics grow."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from infra.plotting.picture import DPI

WIDTH_IN, HEIGHT_IN = 7.0, 4.2
COST = "_cpu_us_per_event"
Curves = Mapping[str, Mapping[int, float]]
"""Way → metrics of a message → µs of CPU an event."""


def save(
    by_metrics: Mapping[str, Mapping[str, object]], names: Mapping[str, str], path: Path
) -> None:
    """Draw the figures of each number of metrics, by the names of ways that have figures there."""
    curves = costs(by_metrics, names)
    figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN), layout="constrained")
    axes = figure.subplots()
    if len(by_metrics) > 1:
        _draw_curves(axes, curves)
    else:
        _draw_bars(axes, curves)
    axes.set_ylabel("µs of CPU an event")
    axes.grid(axis="y", alpha=0.3)
    figure.savefig(path, dpi=DPI, format="png")


def costs(by_metrics: Mapping[str, Mapping[str, object]], names: Mapping[str, str]) -> Curves:
    """Return a curve for each way that was measured."""
    found: dict[str, dict[int, float]] = {}
    for count, figures in by_metrics.items():
        for way, name in names.items():
            cost = figures.get(way + COST)
            if isinstance(cost, float):
                found.setdefault(name, {})[int(count)] = cost
    return found


def _draw_curves(axes: Axes, curves: Curves) -> None:
    for name, curve in curves.items():
        axes.plot([*curve], [*curve.values()], marker="o", linewidth=1.2, label=name)
    axes.set_xlabel("metrics of a message")
    axes.set_ylim(bottom=0)
    axes.legend()


def _draw_bars(axes: Axes, curves: Curves) -> None:
    values = [cost for curve in curves.values() for cost in curve.values()]
    bars = axes.bar([*curves], values)
    axes.bar_label(bars, fmt="%.1f")
    axes.tick_params(axis="x", labelrotation=15)

"""A curve of cost as PNG: µs of CPU an event over what grew."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from infra.plotting.picture import DPI

WIDTH_IN, HEIGHT_IN = 7.0, 4.2
WIDE = 100


def save(name: str, curve: Mapping[str, float], path: Path) -> None:
    """Draw the points of a curve; far apart, on a logarithmic axis."""
    values, costs = [int(value) for value in curve], list(curve.values())
    figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN), layout="constrained")
    axes = figure.subplots()
    axes.plot(values, costs, marker="o", linewidth=1.2)
    if min(values) and max(values) / min(values) > WIDE:
        axes.set_xscale("log")
    for value, cost in zip(values, costs, strict=True):
        axes.annotate(f"{cost:.1f}", (value, cost), xytext=(0, 7), textcoords="offset points")
    axes.set_ylim(0, max(costs) * 1.2)
    axes.set_xlabel(name.replace("_", " "))
    axes.set_ylabel("µs of CPU an event")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=DPI, format="png")

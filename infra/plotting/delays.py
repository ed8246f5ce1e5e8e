"""The plot of measured delays beside the lateness that they ask for."""

from pathlib import Path

from infra.lateness import Proposal
from infra.plotting.chart import Chart, Line, Panel
from infra.plotting.picture import saved
from infra.plotting.terminal import drawn

LEAST_S = 0.001
"""What is drawn for no delay at all, for a logarithm has no zero."""


def draw_delays(proposal: Proposal) -> str:
    """Return the plot as text for the terminal."""
    return drawn(_chart(proposal))


def save_delays(proposal: Proposal, path: Path) -> None:
    """Save the plot as PNG."""
    saved(_chart(proposal), path)


def _chart(proposal: Proposal) -> Chart:
    times = tuple(delay.hour for delay in proposal.delays)
    values = {
        "p50": [delay.p50 for delay in proposal.delays],
        "p95": [delay.p95 for delay in proposal.delays],
        "p99": [delay.p99 for delay in proposal.delays],
    }
    if proposal.proposed is not None:
        values["proposed"] = [proposal.proposed.total_seconds()] * len(times)
    lines = [
        Line(name, times, tuple(max(LEAST_S, second) for second in seconds))
        for name, seconds in values.items()
    ]
    panel = Panel("delay in s", tuple(lines), is_logarithmic=True)
    return Chart(f"delivery delay of {proposal.product}", (panel,))

"""The plot of a trial: alarms over time, and the device that it would have been on most."""

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from infra.plotting.chart import Chart, Line, Panel, gaps
from infra.plotting.picture import saved
from infra.rule_trial.trial import EPOCH, DeviceTrial, History, Trial

MOST_POINTS = 20_000
_STEPS = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(days=1))


def save_trial(trial: Trial, history: History, path: Path) -> None:
    """Save the plot as PNG."""
    saved(_chart(trial, history), path)


def _chart(trial: Trial, history: History) -> Chart:
    assert trial.first is not None
    assert trial.last is not None
    panels = [_begun(trial, trial.first, trial.last)]
    worst = next(iter(trial.worst()), None)
    if worst is not None and trial.rule.metrics:
        panels.append(_series(trial, worst, history))
    alarms = len(trial.alarms)
    title = f"rule {trial.rule.name} on history: {alarms:,} alarms on {len(trial.worst()):,} of"
    return Chart(f"{title} {len(trial.devices):,} devices", tuple(panels))


def _begun(trial: Trial, first: datetime, last: datetime) -> Panel:
    """Count the alarms that begin in each step, steps without any too."""
    step = next((step for step in _STEPS if (last - first) / step <= 400), _STEPS[-1])
    counts = Counter((alarm.began_at - EPOCH) // step for alarm in trial.alarms)
    steps = range((first - EPOCH) // step, (last - EPOCH) // step + 1)
    times = tuple(EPOCH + number * step for number in steps)
    line = Line("alarms", times, tuple(float(counts[number]) for number in steps))
    return Panel(f"alarms begun in {step}", (line,))


def _series(trial: Trial, device: DeviceTrial, history: History) -> Panel:
    metric = trial.rule.metrics[0]
    mine = (pl.col("device_full") == device.device) & (pl.col("metric") == metric)
    parts = [
        rows.filter(mine & pl.col("value").is_finite()).select("event_time", "value")
        for rows in history.pieces()
    ]
    rows = pl.concat(parts).sort("event_time")
    thinned = rows.gather_every(max(1, len(rows) // MOST_POINTS))
    lines = [_line(f"{metric} of {device.device}", thinned)]
    within = pl.any_horizontal(
        (pl.col("event_time") >= alarm.began_at)
        & (pl.col("event_time") <= (alarm.ended_at or trial.last))
        for alarm in device.alarms
    )
    alarmed = rows.filter(within)
    if not alarmed.is_empty():
        lines.append(_line("in alarm", alarmed.gather_every(max(1, len(alarmed) // MOST_POINTS))))
    return Panel(metric, tuple(lines))


def _line(label: str, rows: pl.DataFrame) -> Line:
    times = tuple(rows["event_time"].to_list())
    return Line(label, times, tuple(rows["value"].to_list()), gaps(times))

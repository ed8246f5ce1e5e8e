"""`headwater detect`: the stream's detectors over files."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.progress import track

from detection.scoring import ALARM_FROM, DETECTORS, SERIES, Scorer, metrics_of
from detection.tables import (
    Cells,
    Form,
    all_rows,
    batches,
    form_of,
    numbers,
    numeric_columns,
)
from detection.whole_files import whole
from infra.publish.layout import time_name
from telemetry.errors import HeadwaterError

DEVICE_NAMES = ("device", "device_id", "device_name", "device_full")
NEVER_METRICS = ("anomaly", "changepoint", "label")
EPILOG = """\b
Examples:
  headwater detect nyc_taxi.csv --out scores.csv
  headwater detect pump.csv --train-rows 400 --out scores.csv
  headwater detect fleet.csv --device-column meter --metric-column kwh --out scores.csv
  headwater detect monday.csv --state taxi.state --out monday_scores.csv
  headwater detect tuesday.csv --state taxi.state --out tuesday_scores.csv

One line out for each row in: row, score (0 to 1), alarm (1 from a score of 0.5 on), and device
where there is such a column. One metric is watched by `series` (`stuck`: by runs of one value),
several by `rig`, which learns from each device's first rows. Several files are one after another
in time. Needs no running stack.
"""


@dataclass(frozen=True, slots=True)
class Watched:
    """What is read of the files."""

    form: Form
    device: int | None
    metrics: list[str]
    rows: int


@click.command(epilog=EPILOG)
@click.argument("files", nargs=-1, required=True, metavar="FILE…",
                type=click.Path(exists=True, dir_okay=False, path_type=Path))  # fmt: skip
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path),
              help="Where to write the scores, as CSV.")  # fmt: skip
@click.option("--time-column", help="Column of the time: no metric.")
@click.option("--device-column", help="Column of the device; default one named device.")
@click.option("--metric-column", multiple=True, help="A metric; default all numeric columns.")
@click.option("--detector", type=click.Choice(DETECTORS),
              help="Default: series for one metric, rig for several.")  # fmt: skip
@click.option("--train-rows", type=click.IntRange(min=10), default=400, show_default=True,
              help="Rows of each device that rig, t2, residual and forest learn from.")  # fmt: skip
@click.option("--batch-rows", type=click.IntRange(min=1), default=10_000, show_default=True,
              help="Rows at a time; the scores do not depend on it.")  # fmt: skip
@click.option("--state", type=click.Path(dir_okay=False, path_type=Path),
              help="Go on from this file if it is there, and save to it.")  # fmt: skip
def detect(  # noqa: PLR0913 - each is an option of the command line
    files: tuple[Path, ...],
    *,
    out: Path,
    time_column: str | None,
    device_column: str | None,
    metric_column: tuple[str, ...],
    detector: str | None,
    train_rows: int,
    batch_rows: int,
    state: Path | None,
) -> None:
    """Score each row of FILE… (CSV, .gz too) as the stream would."""
    check_out(out, files)
    if state:
        check_out(state, files, "--state")
        if state.resolve() == out.resolve():
            raise HeadwaterError(f"{out} cannot hold scores and state: name two files")
    before = metrics_of(state) if state and state.exists() else ()
    watched = _watched(files, time_column, device_column, metric_column, before)
    name = detector or ("series" if len(watched.metrics) == 1 else "rig")
    scorer = Scorer(name, watched.metrics, train_rows)
    if state and state.exists():
        scorer.load(state)
    learns = f", learning from each device's first {train_rows} rows" if name not in SERIES else ""
    click.echo(f"{name} over {', '.join(watched.metrics)}{learns}", err=True)
    bad, alarms = _score_all(files, watched, scorer, out, batch_rows)
    if state and (watched.rows or before):
        # Without rows there is no saying which columns are numbers.
        scorer.save(state)
    click.echo(f"{watched.rows} rows, {alarms} alarms, {bad} bad rows (score 0): {out}", err=True)


def check_out(out: Path, read: Sequence[Path], option: str = "--out") -> None:
    """Refuse to write where nothing can be written, or over what is read."""
    if not out.parent.is_dir():
        raise HeadwaterError(f"there is no folder {out.parent}: make it first")
    if out.exists() and any(out.samefile(path) for path in read):
        raise HeadwaterError(f"{out} would be written over while it is read: name another {option}")


def _watched(
    files: Sequence[Path],
    time: str | None,
    device: str | None,
    metrics: Sequence[str],
    before: Sequence[str],
) -> Watched:
    """Return what is read; a state's metrics, `before`, go on even where a file says none."""
    form = form_of(files[0])
    for other in files[1:]:
        if form_of(other).columns != form.columns:
            raise HeadwaterError(
                f"{other} has other columns than {files[0]}: score them in two calls"
            )
    for name in filter(None, (time, device, *metrics)):
        if name not in form.columns:
            raise HeadwaterError(
                f"there is no column {name!r}; the columns are {', '.join(form.columns)}"
            )
    lower = {name.lower(): name for name in reversed(form.columns)}
    device = device or next((lower[name] for name in DEVICE_NAMES if name in lower), None)
    if not metrics and set(before) <= set(form.columns):
        metrics = before
    found = list(metrics) or _metrics(files[0], form, time, device)
    if not found:
        raise HeadwaterError(
            f"{files[0]} has no numeric column; its columns are {', '.join(form.columns)}:"
            " is it a table, and its delimiter , ; | or a tab?"
        )
    rows = sum(1 for _ in all_rows(files, form))
    return Watched(form, form.columns.index(device) if device else None, found, rows)


def _metrics(path: Path, form: Form, time: str | None, device: str | None) -> list[str]:
    times = {time} if time else {name for name in form.columns if time_name(name)}
    return [
        name
        for name in numeric_columns(path, form)
        if name not in times and name != device and name.lower() not in NEVER_METRICS
    ]


def _score_all(
    files: Sequence[Path], watched: Watched, scorer: Scorer, out: Path, batch_rows: int
) -> tuple[int, int]:
    places = [watched.form.columns.index(name) for name in watched.metrics]
    bad = alarms = row = 0
    header = ["row", "score", "alarm", *(["device"] if watched.device is not None else [])]
    with whole(out) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        rows = all_rows(files, watched.form)
        total = -(-watched.rows // batch_rows)
        for batch in track(batches(rows, batch_rows), "scoring", total, console=_console()):
            devices = [_device(cells, watched.device) for cells in batch]
            values = np.column_stack([numbers(batch, place) for place in places])
            scores = scorer.score(devices, values)
            bad += _bad_rows(values, scorer.detector)
            for device, score in zip(devices, scores.tolist(), strict=True):
                alarm = int(score >= ALARM_FROM)
                named = [device] if watched.device is not None else []
                writer.writerow([row, f"{score:.6f}", alarm, *named])
                alarms += alarm
                row += 1
    return bad, alarms


def _bad_rows(values: np.ndarray, detector: str) -> int:
    finite = np.isfinite(values)
    good = finite.any(axis=1) if detector in SERIES else finite.all(axis=1)
    return int((~good).sum())


def _device(cells: Cells, place: int | None) -> str:
    return cells[place] if place is not None and place < len(cells) else ""


def _console() -> Console:
    return Console(stderr=True)

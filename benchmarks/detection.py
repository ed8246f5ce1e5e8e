"""Detectors on the hard sets: NAB, injected theft, remaining life, failure, rigs; CPU, state.

`make bench BENCH=detection OUT=build/detection.json` reads ../shared/data, or --data FOLDER;
what is not there is left out.
"""

import csv
import gzip
import time
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.made_up_rigs import rigs
from benchmarks.nab_scoring import (
    PROFILES,
    Told,
    five_fold,
    gains_of,
    in_sample,
    percent,
    read,
    told,
)
from benchmarks.nab_scoring import at as sum_at
from benchmarks.report import Figures, parser, report
from detection.models.life import remaining_cycles
from detection.models.training import predict, train
from detection.scoring import ALARM_FROM
from detection.series import SeriesDetector
from detection.stuck import StuckDetector

DAY = 48
DAYS = 14
TRIALS = 40


def nab(folder: Path) -> Figures:
    """Score the labelled series, in sample, five-fold by file and at the frozen threshold."""
    files = read(folder)
    detector = SeriesDetector()
    rows = sum(len(series.values) for series in files.values())
    started = time.process_time()
    scores = {
        name: detector.step(series.values[None], _states(detector.state_bytes))[0]
        for name, series in files.items()
    }
    figures: dict[str, object] = {
        "nab_cpu_us_a_reading": 1e6 * (time.process_time() - started) / rows,
        "series_state_bytes": detector.state_bytes,
    }
    windows = sum(len(series.windows) for series in files.values())
    for profile in PROFILES:
        gains = {name: gains_of(files[name], scores[name], profile) for name in files}
        frozen = sum(sum_at(each, ALARM_FROM) for each in gains.values())
        figures[f"nab_{profile}_five_fold"] = five_fold(gains, windows, profile)
        figures[f"nab_{profile}_in_sample"], threshold = in_sample(gains, windows, profile)
        figures[f"nab_{profile}_best_threshold"] = threshold
        figures[f"nab_{profile}_frozen"] = percent(frozen, windows, profile)
    figures |= _counted([told(files[name], scores[name] >= ALARM_FROM) for name in files])
    return figures | {"nab_files": len(files), "nab_windows": windows, "nab_readings": rows}


def _counted(files: list[Told]) -> Figures:
    """Return precision, recall and delay of alarms; a window's middle is the moment it is about."""
    delays = np.array([delay for each in files for delay in each.delays])
    lengths = np.array([length for each in files for length in each.lengths])
    missed, false = (sum(getattr(each, name) for each in files) for name in ("missed", "false"))
    figures: dict[str, object] = {
        "series_recall": len(delays) / (len(delays) + missed),
        "series_precision": len(delays) / (len(delays) + false),
        "series_false_alarms": false,
    }
    for name, found in (("from_start", delays), ("from_middle", delays - lengths / 2)):
        for share in (50, 95):
            figures[f"series_delay_readings_{name}_p{share}"] = float(np.percentile(found, share))
    return figures


def theft(file: Path) -> Figures:
    """Inject four kinds of theft into honest homes; the plain ratio rule stands beside."""
    homes: dict[str, list[float]] = {}
    with gzip.open(file, "rt") as lines:
        for home, _, kwh in islice(csv.reader(lines), 1, None):
            homes.setdefault(home, []).append(float(kwh or "nan"))
    honest = [values[np.isfinite(values)] for values in map(np.array, homes.values())]
    months = sum(map(len, honest)) / DAY / 30.4
    figures: dict[str, object] = {
        "theft_false_alarms_a_meter_month": sum(int(_alarms(home).sum()) for home in honest)
        / months,
        "theft_plain_ratio_rule_fires_on_honest": float(
            np.mean([_ratio_rule(home) for home in honest])
        ),
    }
    drawn = np.random.default_rng(7)
    for kind in ("constant", "zero", "scaled", "shifted"):
        delays = []
        for home in honest:
            for start in drawn.integers(60 * DAY, len(home) - DAYS * DAY, TRIALS):
                stolen = home[: start + DAYS * DAY].copy()
                stolen[start:] = _stolen(kind, home[:start], stolen[start:])
                delays.append(_days_until_told(stolen, start))
        found = np.isfinite(delays)
        figures[f"theft_{kind}_found_in_14_days"] = float(np.mean(found))
        for share in (50, 95):
            days = np.percentile(np.array(delays)[found], share) if found.any() else np.nan
            figures[f"theft_{kind}_delay_days_p{share}"] = float(days)
    return figures


def _stolen(kind: str, before: np.ndarray, honest: np.ndarray) -> np.ndarray:
    if kind == "constant":
        return np.full(len(honest), round(float(before.mean()), 3))
    return {"zero": 0.0 * honest, "scaled": 0.5 * honest,
            "shifted": np.maximum(honest - 0.1, 0.0)}[kind].round(3)  # fmt: skip


def _days_until_told(home: np.ndarray, start: int) -> float:
    """Return the days from a row to the first alarm from it on; infinite for none."""
    rows = np.flatnonzero(_alarms(home)[start:])
    return float(rows[0] + 1) / DAY if len(rows) else np.inf


def _alarms(home: np.ndarray) -> np.ndarray:
    detector = StuckDetector()
    return np.asarray(detector.step(home[None], _states(detector.state_bytes))[0] >= ALARM_FROM)


def _ratio_rule(home: np.ndarray) -> float:
    """Return how often a reading is below half the mean of the hour before."""
    hour = (home[1:-1] + home[:-2]) / 2
    return float((home[2:] < 0.5 * hour).mean())


def life(file: Path) -> Figures:
    """Train on engines 1 to 50, test every cycle of 51 to 70 with targets capped at 125."""
    rows = np.loadtxt(file)
    with TemporaryDirectory() as folder:
        part, rest = Path(folder) / "train.txt", Path(folder) / "test.txt"
        np.savetxt(part, rows[rows[:, 0] <= 50])
        np.savetxt(rest, rows[rows[:, 0] > 50])
        _, model = train("rul", part)
        answers = predict("rul", model, rest)
    tested = rows[rows[:, 0] > 50]
    errors = answers - remaining_cycles(tested)
    figures: dict[str, object] = {"rul_rmse_all_cycles": float(np.sqrt(np.mean(errors**2)))}
    drawn = np.random.default_rng(0)
    cut = []
    for _ in range(200):
        ends = [drawn.choice(np.flatnonzero((tested[:, 0] == unit) & (tested[:, 1] >= 30)))
                for unit in np.unique(tested[:, 0])]  # fmt: skip
        cut.append(float(np.mean(errors[ends] ** 2)))
    figures["rul_rmse_one_random_cut_an_engine"] = float(np.sqrt(np.mean(cut)))
    return figures


def failure(file: Path) -> Figures:
    """Train on rows 1 to 5000, test on 5001 to 7000."""
    from sklearn.metrics import average_precision_score

    header, *lines = file.read_text().splitlines()
    with TemporaryDirectory() as folder:
        part, rest = Path(folder) / "train.csv", Path(folder) / "test.csv"
        part.write_text("\n".join([header, *lines[:5000]]))
        rest.write_text("\n".join([header, *lines[5000:7000]]))
        _, model = train("failure", part)
        answers = predict("failure", model, rest)
    place = header.split(",").index("Machine_failure")
    truth = [int(line.split(",")[place]) for line in lines[5000:7000]]
    return {"failure_average_precision": float(average_precision_score(truth, answers))}


def _states(width: int) -> np.ndarray:
    return np.zeros((1, width), np.uint8)


def fleet() -> Figures:
    """Measure the detector on 100,000 series with one reading each a batch."""
    detector = SeriesDetector()
    states = np.zeros((100_000, detector.state_bytes), np.uint8)
    drawn = np.random.default_rng(0)
    batches = [drawn.normal(size=(100_000, 1)) for _ in range(3)]
    started = time.process_time()
    for batch in batches:
        detector.step(batch, states)
    return {"fleet_cpu_us_a_reading": 1e6 * (time.process_time() - started) / 300_000}


def noise() -> Figures:
    """Measure how often the detector of series alarms on white noise."""
    detector = SeriesDetector()
    values = np.random.default_rng(77).normal(size=(60, 10_000))
    scores = detector.step(values, np.zeros((60, detector.state_bytes), np.uint8))
    alarms = int((scores >= ALARM_FROM).sum())
    return {"series_readings_an_alarm_on_white_noise": values.size / alarms}


def main() -> None:
    """Parse, run, report."""
    options = parser(__doc__ or "")
    options.add_argument("--data", type=Path, default=Path("../shared/data"), help="test data")
    given = options.parse_args()
    figures = {**fleet(), **noise(), **rigs()}
    for measure, path in (
        (nab, given.data / "nab"),
        (theft, given.data / "smartmeter" / "households.csv.gz"),
        (life, given.data / "cmapss" / "train_FD001_units_1-70.txt"),
        (failure, given.data / "ai4i" / "ai4i2020_1-7000.csv"),
    ):
        if path.exists():
            figures |= measure(path)
    report("detection", figures, given.out)


if __name__ == "__main__":
    main()

"""Rules over a fleet: CPU a reading and bytes a series of each kind, and what saving costs.

A batch that one device in a hundred has a reading in, looked at and saved durably, is measured for
two sizes of the fleet; beside it what all would cost that is remembered.

`make bench BENCH=rules OUT=build/rules.json` makes up its readings.
"""

import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.report import parser, report
from detection.rules.evaluator import Evaluator
from detection.rules.readings import Readings, Series, Source
from detection.rules.series_watch import SeriesWatch
from spark_jobs.scoring_state import ScoringFiles, ScoringState
from telemetry.rules.form import rule_from_dict
from telemetry.rules.rule import VersionedRule

MINUTE_US = 60_000_000
MONDAY_US = 1_767_571_200_000_000
BATCHES = 4
CHECKS: dict[str, dict[str, object]] = {
    "threshold": {"kind": "threshold", "bound": 90.0},
    "rate": {"kind": "rate", "bound": 90.0},
    "stuck": {"kind": "stuck", "lasts": "3 h"},
    "zscore": {"kind": "zscore", "deviations": 90.0},
    "mad": {"kind": "mad", "deviations": 90.0},
    "ewma": {"kind": "ewma", "deviations": 90.0},
    "seasonal": {"kind": "seasonal", "deviations": 90.0},
    "ratio_hour": {"kind": "ratio", "ratio": 0.01},
    "ratio_season": {"kind": "ratio", "ratio": 0.01, "against": "season"},
    "detector_series": {"kind": "detector", "detector": "series"},
    "detector_stuck": {"kind": "detector", "detector": "stuck"},
}


SILENCE: dict[str, object] = {"kind": "no_data", "lasts": "30 d"}
TOUCHING = 250


def rule(check: dict[str, object], name: str = "r") -> VersionedRule:
    """Return a rule that is on, and that these readings never break."""
    declared = {"rule": name, "metric": "m", "check": check}
    return VersionedRule(rule_from_dict(declared), is_on=True)


def batch(sources: list[Source], number: int, drawn: np.random.Generator) -> Readings:
    """Return a reading of each series."""
    count = len(sources)
    return Readings(
        sources,
        np.arange(count),
        np.full(count, MONDAY_US + number * MINUTE_US),
        np.zeros(count, np.int64),
        drawn.normal(5.0, 0.5, count),
        np.arange(count),
    )


def cost(sources: list[Source], *rules: VersionedRule) -> tuple[float, Evaluator]:
    """Return the CPU of a reading in microseconds, once the series are known."""
    drawn, judging = np.random.default_rng(1), Evaluator()
    judging.put(rules, 0)
    judging.take(batch(sources, 0, drawn), 0)
    batches = [batch(sources, number, drawn) for number in range(1, BATCHES + 1)]
    started = time.process_time()
    found = sum(len(judging.take(each, 0)) for each in batches)
    spent = time.process_time() - started
    assert found == 0
    return 1e6 * spent / (len(sources) * BATCHES), judging


def sources_of(count: int) -> list[Source]:
    """Return so many series, each of a device of its own."""
    return [
        Source(Series("default", f"p.d{number}", "m"), "p", "north", None)
        for number in range(count)
    ]  # fmt: skip


def saving(devices: int) -> dict[str, float]:
    """Return what batches cost that a hundredth of the devices has a reading in."""
    sources, drawn, judging = sources_of(devices), np.random.default_rng(1), Evaluator()
    judging.put([rule(CHECKS["seasonal"]), rule(SILENCE, name="silent")], 0)
    judging.take(batch(sources, 0, drawn), 0)
    touched = max(devices // 100, 1)
    spent, written = [], []
    with TemporaryDirectory() as name:
        files = ScoringFiles(Path(name))
        for number in range(TOUCHING):
            mine = sources[number % 100 * touched :][:touched]
            readings = batch(mine, number + 1, drawn)
            started = time.process_time()
            judging.take(readings, 0)
            written.append(files.save(ScoringState("bench", number), judging))
            spent.append(1e3 * (time.process_time() - started))
        started = time.process_time()
        whole = ScoringFiles(Path(name)).save(ScoringState("bench", TOUCHING), judging)
        all_ms = 1e3 * (time.process_time() - started)
    return {
        f"save_all_{devices}_cpu_ms_a_batch": all_ms,
        f"save_all_{devices}_bytes_a_batch": whole,
        f"save_touched_{devices}_cpu_ms_a_batch": statistics.median(spent[1:]),
        f"save_touched_{devices}_bytes_a_batch": statistics.median(written[1:]),
        f"save_touched_{devices}_cpu_ms_a_batch_with_folds": statistics.fmean(spent[1:]),
        f"save_touched_{devices}_bytes_a_batch_with_folds": statistics.fmean(written[1:]),
    }


def main() -> None:
    """Measure every kind alone, then all together with what saving and loading them costs."""
    options = parser(__doc__ or "")
    options.add_argument("--series", type=int, default=20_000)
    options.add_argument("--only-saving", action="store_true", help="leave the kinds out")
    asked = options.parse_args()
    figures: dict[str, object] = {"series": asked.series}
    for devices in (1000, 100_000):
        figures |= saving(devices)
    if not asked.only_saving:
        figures |= kinds(asked.series)
    report("rules", figures, asked.out)


def kinds(series: int) -> dict[str, object]:
    """Return what each kind of check costs alone, and what it costs to save and load all."""
    sources, figures = sources_of(series), dict[str, object]()
    figures["none_cpu_us_a_reading"], _ = cost(sources)
    for name, check in CHECKS.items():
        figures[f"{name}_cpu_us_a_reading"], judging = cost(sources, rule(check))
        watch = SeriesWatch(rule(check), judging.roster)
        figures[f"{name}_state_bytes"] = watch.state_bytes
    seasonal = rule(CHECKS["seasonal"])
    _, judging = cost(sources, seasonal)
    started = time.process_time()
    saved = judging.save()
    figures["save_cpu_us_a_series"] = 1e6 * (time.process_time() - started) / series
    figures["saved_bytes_a_series"] = len(saved) / series
    started = time.process_time()
    Evaluator().load(saved)
    figures["load_cpu_us_a_series"] = 1e6 * (time.process_time() - started) / series
    return figures


if __name__ == "__main__":
    main()

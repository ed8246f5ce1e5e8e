"""Rules over a fleet: CPU a reading and bytes a series of each kind, and what saving costs.

`make bench BENCH=rules OUT=build/rules.json` makes up its readings.
"""

import time

import numpy as np

from benchmarks.report import parser, report
from detection.rules.evaluator import Evaluator
from detection.rules.readings import Readings, Series, Source
from detection.rules.series_watch import SeriesWatch
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
}


def rule(check: dict[str, object]) -> VersionedRule:
    """Return a rule that is on, and that these readings never break."""
    declared = {"rule": "r", "metric": "m", "check": check}
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


def main() -> None:
    """Measure every kind alone, then all together with what saving and loading them costs."""
    options = parser(__doc__ or "")
    options.add_argument("--series", type=int, default=20_000)
    asked = options.parse_args()
    sources = [
        Source(Series("default", f"p.d{number}", "m"), "p", "north", None)
        for number in range(asked.series)
    ]
    figures: dict[str, object] = {"series": asked.series}
    figures["none_cpu_us_a_reading"], _ = cost(sources)
    for name, check in CHECKS.items():
        figures[f"{name}_cpu_us_a_reading"], judging = cost(sources, rule(check))
        watch = SeriesWatch(rule(check), judging.roster)
        figures[f"{name}_state_bytes"] = watch.state_bytes
    seasonal = rule(CHECKS["seasonal"])
    _, judging = cost(sources, seasonal)
    started = time.process_time()
    saved = judging.save()
    figures["save_cpu_us_a_series"] = 1e6 * (time.process_time() - started) / asked.series
    figures["saved_bytes_a_series"] = len(saved) / asked.series
    started = time.process_time()
    Evaluator().load(saved)
    figures["load_cpu_us_a_series"] = 1e6 * (time.process_time() - started) / asked.series
    report("rules", figures, asked.out)


if __name__ == "__main__":
    main()

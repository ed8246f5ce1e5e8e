"""Our NAB scorer gives what the published one gives for published detectors."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.nab_scoring import PROFILES, Series, Told, gains_of, in_sample, read, told

NAB = Path(__file__).parents[3] / "shared" / "data" / "nab"


@pytest.mark.skipif(not NAB.exists(), reason="needs ../shared/data/nab")
@pytest.mark.parametrize("detector", ["numenta", "contextOSE", "windowedGaussian", "ARTime"])
def test_scores_of_published_detectors_agree(detector: str) -> None:
    expected = json.loads((NAB / "oracle" / "expected.json").read_text())[detector]
    files = read(NAB)
    windows = sum(len(series.windows) for series in files.values())
    scores = {}
    for name in files:
        with (NAB / "oracle" / detector / name).open() as lines:
            scores[name] = np.array([float(row[-1]) for row in list(csv.reader(lines))[1:]])

    for profile in PROFILES:
        gains = {name: gains_of(files[name], scores[name], profile) for name in files}
        score, threshold = in_sample(gains, windows, profile)
        assert round(score, 2) == expected[profile]["score"]
        assert threshold == pytest.approx(expected[profile]["threshold"])


def test_alarms_are_counted_by_window_past_probation() -> None:
    alarms = np.zeros(1000, bool)
    alarms[[20, 205, 207, 400, 995]] = True
    series = Series(np.zeros(1000), ((100, 140), (200, 220), (600, 610), (990, 999)))

    found = told(series, alarms)

    assert found == Told(delays=(5, 5), lengths=(21, 10), missed=2, false=1)

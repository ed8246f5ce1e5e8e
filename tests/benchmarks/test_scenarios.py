"""The benchmark of shipped rules holds them against a past that lasts as long as it says."""

from pathlib import Path

from benchmarks.scenarios import MONDAY_US, Size, groups, measured, readings_of, run_of, shipped

HOUR_US = 3_600_000_000


def test_readings_are_of_the_whole_past(tmp_path: Path) -> None:
    run = run_of("quality", Size(4, 2, 60), 1, tmp_path)
    times = [int(time) for group in groups(run) for time in readings_of(group).times]
    assert min(times) < MONDAY_US + 2 * HOUR_US
    assert max(times) > MONDAY_US + 46 * HOUR_US
    assert times == sorted(times)


def test_shipped_rule_finds_the_jams_of_four_weeks(tmp_path: Path) -> None:
    found = measured(run_of("traffic", Size(8, 28, 10), 1, tmp_path), shipped("traffic"))
    assert found["labels"] == found["found"] != 0
    assert found["false_alarms"] == 0

"""What a benchmark shows: a table of figures, and one of each group of cases."""

from pathlib import Path

import orjson
import pytest

from benchmarks.report import report

CASES = {"1": {"cost": 1.5, "runs": [{"a": 2}]}, "6": {"cost": 2.25, "left": 3}}


def test_cases_stand_side_by_side_and_what_is_deeper_is_in_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = {"cost": 2.25, "none": {}, "by_size": CASES, "of_each_run": [{"a": 1}]}

    report("landing", figures, tmp_path / "sub" / "out.json")

    rows = [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("│")
    ]
    assert rows == [
        ["cost", "2.250"],
        ["none", "{}"],
        ["cost", "1.500", "2.250"],
        ["left", "", "3"],
    ]
    assert orjson.loads((tmp_path / "sub" / "out.json").read_bytes())["figures"] == figures

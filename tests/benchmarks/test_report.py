"""What a benchmark shows: a table of figures, and one of each group of cases."""

import argparse
from pathlib import Path

import orjson
import pytest

from benchmarks.report import count, counts, minutes, parser, report

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


def test_what_cannot_be_written_in_the_end_is_refused_before_the_beginning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    for wrong in (tmp_path, tmp_path / "file" / "out.json", Path("/proc/none/out.json")):
        with pytest.raises(SystemExit):
            parser("").parse_args(["--out", str(wrong)])
        assert str(wrong) in capsys.readouterr().err

    given = parser("").parse_args(["--out", str(tmp_path / "sub" / "out.json")])

    assert given.out == tmp_path / "sub" / "out.json"
    assert given.out.parent.is_dir()


@pytest.mark.parametrize("wrong", ["0", "-1", "x", "", "1.5", "1,,6", "1,0"])
def test_sizes_are_whole_numbers_from_1_on(wrong: str) -> None:
    assert counts("1,6,50") == [1, 6, 50]
    with pytest.raises(argparse.ArgumentTypeError, match="no whole number"):
        counts(wrong)
    with pytest.raises(argparse.ArgumentTypeError, match="no whole number"):
        count(wrong)


@pytest.mark.parametrize("wrong", ["0", "0.9", "-3", "nan", "inf", "x", ""])
def test_a_run_of_which_no_halves_can_be_compared_is_refused(wrong: str) -> None:
    assert minutes("2.5") == 2.5
    with pytest.raises(argparse.ArgumentTypeError, match="no minutes, 1 at least"):
        minutes(wrong)

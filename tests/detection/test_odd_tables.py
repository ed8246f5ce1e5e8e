"""`headwater detect` over files that are damaged, or say little of themselves."""

import gzip
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from infra.cli import cli


def detect(source: Path, *arguments: object) -> Result:
    given = ["detect", source, "--out", source.with_name("out"), *arguments]
    return CliRunner().invoke(cli, [str(argument) for argument in given])


def scored(tmp_path: Path, text: str, *arguments: object) -> list[str]:
    """Return the lines of scores below the header."""
    source = tmp_path / "a.csv"
    source.write_text(text)
    result = detect(source, *arguments)
    assert result.exit_code == 0, result.stderr
    return (tmp_path / "out").read_text().splitlines()[1:]


@pytest.mark.parametrize(
    "rows",
    [
        [f"2024-01-01 00:{n:02}:00,{n}" for n in range(60)],
        [f"pump{n % 2};{n},5" for n in range(60)],
        [f"01.02.2024 00:{n:02};{n},5" for n in range(60)],
        [f"{n}" for n in range(60)],
    ],
)
def test_each_row_without_a_header_has_its_line(tmp_path: Path, rows: list[str]) -> None:
    assert len(scored(tmp_path, "\n".join(rows))) == 60


@pytest.mark.parametrize("header", ["timestamp,0", "time,25,50", "state,kw", "kw"])
def test_header_is_known_by_what_stands_below_it(tmp_path: Path, header: str) -> None:
    cells = {"timestamp": "2024-01-01", "time": "2024-01-01", "state": "idle"}
    row = ",".join(cells.get(name, "1.5") for name in header.split(","))
    assert len(scored(tmp_path, "\n".join([header, *[row] * 30]))) == 30


def test_time_in_numbers_is_no_metric(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("timestamp_ms,kw\n1328862600123,5\n1328862601123,6\n")
    assert "series over kw\n" in detect(tmp_path / "a.csv").stderr


def test_semicolons_part_decimal_commas(tmp_path: Path) -> None:
    rows = [f"{n % 7},5;{n % 5},25" for n in range(60)]
    whole = scored(tmp_path, "\n".join(["a;b", *rows]), "--train-rows", 20)
    assert scored(tmp_path, "\n".join(rows), "--train-rows", 20) == whole
    assert any(not line.endswith(",0.000000,0") for line in whole)


def test_column_whose_name_a_repeated_one_would_get_is_another_one(tmp_path: Path) -> None:
    rows = [f"1,2,{n % 7 + (90 if n == 310 else 0)}" for n in range(400)]
    found = scored(tmp_path, "\n".join(["a,a,a.2", *rows]), "--metric-column", "a.2")
    assert found == scored(tmp_path, "\n".join(["a,b,c", *rows]), "--metric-column", "c")
    assert any(line.endswith(",1") for line in found)


def test_quote_that_does_not_end_costs_no_row(tmp_path: Path) -> None:
    rows = [f'{n},"{"no end" if n == 150 else "note"}{"" if n == 150 else chr(34)}'
            for n in range(400)]  # fmt: skip
    assert len(scored(tmp_path, "\n".join(["kw,note", *rows]))) == 400


def test_quoted_cell_may_hold_lines(tmp_path: Path) -> None:
    rows = [f'{n},"two\nlines"' for n in range(40)]
    assert len(scored(tmp_path, "\n".join(["kw,note", *rows]))) == 40


def test_metrics_that_stand_still_do_not_hide_the_others(tmp_path: Path) -> None:
    rows = [f"{n % 7 + (500 if n > 150 else 0)},5,0" for n in range(200)]
    found = scored(tmp_path, "\n".join(["a,b,c", *rows]), "--train-rows", 100)
    assert all(0.0 <= float(line.split(",")[1]) <= 1.0 for line in found)
    assert found[-1].endswith(",1")
    assert not any(line.endswith(",1") for line in found[:150])


def test_pipe_is_refused_as_it_would_be_half_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    result = detect(tmp_path / "pipe")
    assert result.exit_code == 1
    assert "is a pipe, and is read more than once: save it to a file" in result.stderr


def test_damaged_gzip_is_said_so(tmp_path: Path) -> None:
    source = tmp_path / "a.csv.gz"
    source.write_bytes(gzip.compress(b"value\n" + b"1\n2\n" * 50_000)[:-20])
    result = detect(source)
    assert result.exit_code == 1
    assert "is a damaged gzip" in result.stderr

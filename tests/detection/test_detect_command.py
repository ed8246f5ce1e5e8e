"""`headwater detect` over files that people have."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from infra.cli import cli


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_each_row_gives_one_line_and_bad_rows_are_counted(tmp_path: Path) -> None:
    source, out = tmp_path / "a.csv", tmp_path / "scores.csv"
    cells = ["1.5", "nan", "", "text", "2.5", "inf", "3.5", "4"]
    source.write_text("timestamp,value\n" + "\n".join(f"t{n},{c}" for n, c in enumerate(cells)))

    result = run("detect", source, "--out", out, "--batch-rows", 3)

    assert result.exit_code == 0
    assert "8 rows, 0 alarms, 4 bad rows" in result.stderr
    assert lines_of(out) == ["row,score,alarm", *(f"{n},0.000000,0" for n in range(8))]


@pytest.mark.parametrize("sign", [",", ";"])
def test_delimiters_between_quotes_part_nothing(tmp_path: Path, sign: str) -> None:
    source, out = tmp_path / "a.csv", tmp_path / "scores.csv"
    rows = [f'"2020-01-01 00:00:{n:02}"{sign}"{n}.5"{sign}"{n}"' for n in range(40)]
    source.write_text("\n".join([f'"time"{sign}"flow, l/s; now"{sign}"b"', *rows]))

    result = run("detect", source, "--out", out, "--train-rows", 10, "--detector", "t2")

    assert result.exit_code == 0, result.stderr
    assert "t2 over flow, l/s; now, b" in result.stderr
    assert len(lines_of(out)) == 41


def test_semicolons_labels_and_devices_are_understood(tmp_path: Path) -> None:
    source, out = tmp_path / "rig.csv", tmp_path / "scores.csv"
    rows = [f"2020-01-01 00:00:{n:02};{n % 3},5;{n % 2};7;p{n % 2};0.0;0" for n in range(40)]
    header = "datetime;pressure;flow;volt;device;anomaly;changepoint"
    source.write_text("\n".join([header, *rows]))

    result = run("detect", source, "--out", out, "--train-rows", 10, "--detector", "t2")

    assert result.exit_code == 0
    assert "t2 over pressure, flow, volt" in result.stderr
    assert lines_of(out)[0] == "row,score,alarm,device"
    assert lines_of(out)[2].endswith(",p1")


def test_two_calls_with_a_state_give_the_lines_of_one(tmp_path: Path) -> None:
    values = [str(n % 7 + (90 if n == 310 else 0)) for n in range(400)]
    whole, first, second = (tmp_path / name for name in ("whole.csv", "1.csv", "2.csv"))
    for path, part in ((whole, values), (first, values[:250]), (second, values[250:])):
        path.write_text("\n".join(["value", *part]))
    state = tmp_path / "state"

    run("detect", whole, "--out", tmp_path / "w")
    for path in (first, second):
        run("detect", path, "--out", path.with_suffix(".out"), "--state", state)

    scores = [line.split(",")[1:] for line in lines_of(tmp_path / "w")[1:]]
    parts = [line.split(",")[1:] for name in ("1.out", "2.out") for line in
             lines_of(tmp_path / name)[1:]]  # fmt: skip
    assert scores == parts
    assert ["0", "1"] not in scores
    assert any(alarm == "1" for _, alarm in scores)


@pytest.mark.parametrize(
    ("arguments", "fix"),
    [(["--time-column", "no"], "the columns are"), (["--metric-column", "no"], "the columns are")],
)
def test_a_wrong_column_is_answered_with_those_there_are(
    tmp_path: Path, arguments: list[str], fix: str
) -> None:
    source = tmp_path / "a.csv"
    source.write_text("time,value\n1,2\n")

    result = run("detect", source, "--out", tmp_path / "out", *arguments)

    assert result.exit_code == 1
    assert fix in result.stderr


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "a.csv"
    source.write_text("\n")

    result = run("detect", source, "--out", tmp_path / "out")

    assert result.exit_code == 1
    assert "is empty" in result.stderr


def test_marks_of_other_systems_are_borne(tmp_path: Path) -> None:
    source, out = tmp_path / "a.csv", tmp_path / "out"
    source.write_bytes(b'\xef\xbb\xbf"time";"flow rate"\r\n1;2,5\r\n2;\r\n2;3,5')

    result = run("detect", source, "--out", out)

    assert result.exit_code == 0
    assert "series over flow rate" in result.stderr
    assert len(lines_of(out)) == 4


def test_a_header_without_rows_gives_a_header_without_rows(tmp_path: Path) -> None:
    source, out = tmp_path / "a.csv", tmp_path / "out"
    source.write_text("time,value\n")

    assert run("detect", source, "--out", out).exit_code == 0
    assert lines_of(out) == ["row,score,alarm"]


@pytest.mark.parametrize(
    ("content", "out", "fix"),
    [
        (b"\x7fELF\0\1\0\2\n\0\3", "out", "is no text"),
        (b"time,name\n1,a\n", "out", "has no numeric column"),
        (b"value\n1\n", "nowhere/out", "make it first"),
        (b"value\n1\n", "a.csv", "name another --out"),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_fix(
    tmp_path: Path, content: bytes, out: str, fix: str
) -> None:
    source = tmp_path / "a.csv"
    source.write_bytes(content)

    result = run("detect", source, "--out", tmp_path / out)

    assert result.exit_code == 1
    assert fix in result.stderr
    assert source.read_bytes() == content


def test_columns_of_one_name_are_each_read(tmp_path: Path) -> None:
    source, out = tmp_path / "a.csv", tmp_path / "out"
    rows = [f"{n % 5},{n % 7 + (90 if n == 310 else 0)}" for n in range(400)]
    for header in ("kw,kw", "a,b"):
        source.write_text("\n".join([header, *rows]))
        run("detect", source, "--out", out.with_name(header[0]), "--detector", "series")

    assert lines_of(tmp_path / "k") == lines_of(tmp_path / "a")
    assert any(line.endswith(",1") for line in lines_of(tmp_path / "k"))
    said = run("detect", source.with_name("a.csv"), "--out", out, "--detector", "series").stderr
    assert "series over a, b" in said


def test_sensor_that_is_silent_for_long_at_first_is_read(tmp_path: Path) -> None:
    source, out = tmp_path / "a.csv", tmp_path / "out"
    rows = [f"{n},{n % 7 if n > 1200 else ''},x" for n in range(1500)]
    source.write_text("\n".join(["time,value,note", *rows]))

    assert "series over value\n" in run("detect", source, "--out", out).stderr


@pytest.mark.parametrize("gap", [",,", ",,x", "nothing"])
def test_state_goes_on_where_a_file_does_not_say_what_it_holds(tmp_path: Path, gap: str) -> None:
    rows = [f"{n % 7},{n % 5},x" for n in range(60)]
    rows[30:40] = [] if gap == "nothing" else [gap] * 10
    parts = {"whole": rows, "0": [], "1": rows[:30], "2": rows[30:-20], "3": rows[-20:]}
    for name, part in parts.items():
        (tmp_path / name).write_text("\n".join(["a,b,note", *part]))
        state = [] if name == "whole" else ["--state", tmp_path / "state"]
        options = ["--train-rows", 20, *state]
        result = run("detect", tmp_path / name, "--out", tmp_path / f"{name}.out", *options)
        assert result.exit_code == 0, result.stderr

    scores = [line.split(",")[1:] for line in lines_of(tmp_path / "whole.out")[1:]]
    found = [
        line.split(",")[1:] for name in "0123" for line in lines_of(tmp_path / f"{name}.out")[1:]
    ]
    assert found == scores
    assert any(score != "0.000000" for score, _ in scores)


@pytest.mark.parametrize(
    ("state", "fix"),
    [("nowhere/state", "make it first"), ("out", "name two files"), ("a.csv", "another --state")],
)
def test_state_that_cannot_be_written_is_refused_before_anything_is(
    tmp_path: Path, state: str, fix: str
) -> None:
    source = tmp_path / "a.csv"
    source.write_text("value\n1\n2\n")

    result = run("detect", source, "--out", tmp_path / "out", "--state", tmp_path / state)

    assert result.exit_code == 1
    assert fix in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_state_of_columns_that_a_file_lacks_is_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(f"{name}\n1\n2\n")
        result = run(
            "detect", tmp_path / name, "--out", tmp_path / "out", "--state", tmp_path / "s"
        )

    assert result.exit_code == 1
    assert "is the state of series over a" in result.stderr

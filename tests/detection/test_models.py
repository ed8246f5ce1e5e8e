"""Models of remaining life and failure: trained, saved, loaded and asked, over files."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from detection.models.life import left_at, remaining_cycles, share_lived
from detection.models.training import life_rows
from infra.cli import cli


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def engines(count: int = 10, *, seed: int = 1, first: int = 1) -> np.ndarray:
    """Return engines that wear out: unit, cycle, three settings, 21 sensors."""
    drawn = np.random.default_rng(seed)
    directions = np.r_[drawn.normal(size=14), np.zeros(7)]
    found = []
    for unit in range(first, first + count):
        life = int(drawn.integers(130, 260))
        cycles = np.arange(1.0, life + 1)
        wear = np.exp(4.0 * (cycles / life - 1.0))
        sensors = 100.0 + 5.0 * wear[:, None] * directions + drawn.normal(size=(life, 21))
        settings = np.zeros((life, 3))
        found.append(np.column_stack([np.full(life, unit), cycles, settings, sensors]))
    return np.concatenate(found)


def mills(count: int = 1500, *, seed: int = 1) -> str:
    """Return AI4I's columns; a worn tool under load fails."""
    drawn = np.random.default_rng(seed)
    lines = ["UDI,Product ID,Type,Air temperature [K],Process temperature [K],"
             "Rotational speed [rpm],Torque [Nm],Tool wear [min],Machine failure"]  # fmt: skip
    for row in range(count):
        torque, wear = drawn.normal(40.0, 10.0), drawn.integers(0, 250)
        failed = int(torque * wear > 10_000)
        lines.append(f"{row},L{row},L,300,310,1500,{torque:.1f},{wear},{failed}")
    return "\n".join(lines)


def trained_life(folder: Path) -> Path:
    np.savetxt(folder / "engines.txt", engines())
    result = run("model", "train", "rul", folder / "engines.txt", "--out", folder / "life.model")
    assert result.exit_code == 0, result.output
    return folder / "life.model"


LIFE_HEADER = ",".join(f"c{place}" for place in range(26))


def answers(path: Path) -> np.ndarray:
    return np.loadtxt(path, delimiter=",", skiprows=1)[:, 1]


def test_lives_are_foretold_from_what_came_before_alone(tmp_path: Path) -> None:
    model, rows = trained_life(tmp_path), engines(6, seed=2, first=90)
    np.savetxt(tmp_path / "new.txt", rows)
    early = rows[rows[:, 1] <= 100]
    header = ",".join(f"c{place}" for place in range(26))
    np.savetxt(tmp_path / "early.csv", early, delimiter=",", header=header, comments="")

    for name in ("new.txt", "early.csv"):
        result = run("model", "predict", model, tmp_path / name, "--out", tmp_path / f"{name}.out")
        assert result.exit_code == 0, result.output

    found = answers(tmp_path / "new.txt.out")
    truth = remaining_cycles(rows)
    assert ((found >= 0) & (found <= 125)).all()
    assert np.sqrt(np.mean((found - truth) ** 2)) < 0.6 * truth.std()
    assert (answers(tmp_path / "early.csv.out") == found[rows[:, 1] <= 100]).all()


def test_share_lived_and_cycles_left_are_each_others_inverse() -> None:
    rows = engines(2)

    found = left_at(share_lived(rows), rows[:, 1])

    late = remaining_cycles(rows) < 125
    assert found[late] == pytest.approx(remaining_cycles(rows)[late], abs=1e-6)


def test_failures_are_foretold_and_the_model_is_listed(tmp_path: Path) -> None:
    (tmp_path / "mills.csv").write_text(mills())
    (tmp_path / "new.csv").write_text(mills(300, seed=2))

    trained = run("model", "train", "failure", tmp_path / "mills.csv", "--out", tmp_path / "m")
    run("model", "predict", tmp_path / "m", tmp_path / "new.csv", "--out", tmp_path / "risk")
    listed = json.loads(run("model", "list", tmp_path, "--json").stdout)

    assert json.loads(trained.stdout)["average_precision"] > 0.8
    truth = np.array([line.endswith(",1") for line in mills(300, seed=2).splitlines()[1:]])
    found = answers(tmp_path / "risk")
    assert found[truth].mean() > 0.8
    assert found[~truth].mean() < 0.1
    assert [(row["model"], row["kind"], row["rows"]) for row in listed] == [("m", "failure", 1500)]


def test_units_behind_names_and_numbers_beyond_all_are_borne(tmp_path: Path) -> None:
    (tmp_path / "mills.csv").write_text(mills())
    header, *rows = mills(300, seed=2).splitlines()
    beyond = [",".join([*row.split(",")[:6], "1e308", *row.split(",")[7:]]) for row in rows[:3]]
    (tmp_path / "plain.csv").write_text("\n".join([header, *rows]))
    other = header.replace("[", "(").replace("]", ")").replace("Tool wear (min)", "tool_wear_min")
    (tmp_path / "other.csv").write_text("\n".join([other, *rows]))
    (tmp_path / "beyond.csv").write_text("\n".join([header, *beyond]))
    run("model", "train", "failure", tmp_path / "mills.csv", "--out", tmp_path / "m")

    for name in ("plain", "other", "beyond"):
        result = run("model", "predict", tmp_path / "m", tmp_path / f"{name}.csv", "--out",
                     tmp_path / name)  # fmt: skip
        assert result.exit_code == 0, result.stderr

    assert other != header
    assert (tmp_path / "other").read_text() == (tmp_path / "plain").read_text()
    assert len(answers(tmp_path / "beyond")) == 3


def test_a_file_with_types_that_no_model_is_made_of_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mills.csv").write_text(mills())
    run("model", "train", "failure", tmp_path / "mills.csv", "--out", tmp_path / "m")
    strange = {"__class__": "Popen", "__module__": "subprocess", "__loader__": "ObjectNode",
               "__id__": 1, "content": None}  # fmt: skip
    packed = tmp_path / "packed"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("schema.json", json.dumps({**strange, "protocol": 2}))
    with zipfile.ZipFile(tmp_path / "m") as archive:
        about = archive.read("about.json")
    with zipfile.ZipFile(tmp_path / "bad", "w") as archive:
        archive.writestr("about.json", about)
        archive.writestr("model.skops", packed.read_bytes())

    result = run("model", "predict", tmp_path / "bad", tmp_path / "mills.csv", "--out",
                 tmp_path / "out")  # fmt: skip

    assert result.exit_code == 1
    assert "subprocess.Popen" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("kind", "text", "fix"),
    [
        ("rul", "1 2 3\n4 5 6\n", "the 26 of C-MAPSS"),
        ("failure", "a,b\n1,2\n", "a failure model needs type"),
        ("failure", "\n".join(mills(3).splitlines()[:2]), "give it more rows"),
        ("failure", mills(60).replace(",1\n", ",0\n"), "failures and rows without one"),
        ("rul", LIFE_HEADER, "give it more rows"),
        (
            "rul",
            f"{LIFE_HEADER}\n{'1,' * 25}nan\n",
            "row 0, counted from 0, has no number in column c25",
        ),
        ("rul", f"{LIFE_HEADER}\n{'1,' * 25}inf\n", "no number in column c25"),
        ("rul", f"{LIFE_HEADER}\n{'1,' * 24}1\n", "no number in column c25"),
    ],
)
def test_data_of_another_shape_is_refused_with_what_is_needed(
    tmp_path: Path, kind: str, text: str, fix: str
) -> None:
    (tmp_path / "data").write_text(text)

    result = run("model", "train", kind, tmp_path / "data", "--out", tmp_path / "m")

    assert result.exit_code == 1
    assert fix in result.stderr


def test_what_is_no_model_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m").write_text("row,score\n")

    result = run("model", "predict", tmp_path / "m", tmp_path / "m", "--out", tmp_path / "out")

    assert result.exit_code == 1
    assert "is no model file" in result.stderr


def test_a_header_alone_is_answered_by_a_header_alone(tmp_path: Path) -> None:
    (tmp_path / "mills.csv").write_text(mills())
    (tmp_path / "header.csv").write_text(mills(0))
    run("model", "train", "failure", tmp_path / "mills.csv", "--out", tmp_path / "m")

    result = run("model", "predict", tmp_path / "m", tmp_path / "header.csv", "--out",
                 tmp_path / "out")  # fmt: skip

    assert result.exit_code == 0
    assert (tmp_path / "out").read_text() == "row,probability\n"


def test_units_of_several_files_are_lives_of_their_own(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("two", 2)):
        np.savetxt(tmp_path / name, engines(3, seed=seed))

    rows = life_rows(tmp_path / "one", tmp_path / "two")

    together = np.concatenate([engines(3, seed=1), engines(3, seed=2, first=4)])
    assert np.array_equal(rows, together)

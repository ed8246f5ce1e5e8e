"""Environments of their own: named by their lock, and missed by name."""

import sys
from pathlib import Path

import pytest

from infra.apart import LOCKS, Apart, fitting_python, run_telling
from infra.flink import FLINK
from infra.superset.environment import SUPERSET
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings


def test_each_has_a_lock_whose_every_file_has_a_checksum() -> None:
    for apart in (FLINK, SUPERSET):
        lines = (LOCKS / f"{apart.name}.txt").read_text("utf-8").split("\n")
        starts = [number for number, line in enumerate(lines) if "==" in line]

        assert starts
        assert all("--hash=sha256:" in lines[number + 1] for number in starts)


def test_another_lock_has_another_folder(tmp_path: Path) -> None:
    settings = Settings(cache=tmp_path)

    folders = {apart.folder(settings) for apart in (FLINK, SUPERSET)}

    assert {folder.parent for folder in folders} == {tmp_path / "flink", tmp_path / "superset"}
    assert len({folder.name for folder in folders}) == 2


def test_environment_that_is_not_whole_names_the_command(tmp_path: Path) -> None:
    settings = Settings(cache=tmp_path)
    (FLINK.folder(settings) / "bin").mkdir(parents=True)
    (FLINK.folder(settings) / "bin" / "python").touch()

    with pytest.raises(HeadwaterError, match="headwater fetch flink"):
        FLINK.python(settings)


def test_environment_that_is_whole_is_not_made_again(tmp_path: Path) -> None:
    settings, said = Settings(cache=tmp_path), list[str]()
    folder = FLINK.folder(settings)
    folder.mkdir(parents=True)
    (folder / ".installed").touch()

    Apart("flink", "Flink", "").make(settings, said.append)

    assert said == []
    assert FLINK.python(settings) == folder / "bin" / "python"


def test_download_is_told_of_and_what_fails_is_returned() -> None:
    lines = "Resolved 2\\nDownloading pandas (11.7MiB)\\n Downloaded pandas\\nerror: no space left"
    program = f"import sys; sys.exit(print('{lines}', file=sys.stderr) or 2)"
    said = list[str]()

    ended = run_telling([sys.executable, "-c", program], {}, said.append)

    assert said == ["Downloading pandas (11.7MiB)", "Downloaded pandas"]
    assert ended == (2, "Resolved 2 error: no space left")


def test_python_that_is_too_new_is_not_taken() -> None:
    assert fitting_python((3, 11)) is not None
    assert fitting_python((3, 13)) != fitting_python((3, 12))

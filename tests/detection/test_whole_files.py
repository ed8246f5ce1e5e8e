"""Results go whole into files, and straight into pipes and devices, which stay what they are."""

import os
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from detection.whole_files import whole
from infra.cli import cli


def test_scores_go_into_a_pipe_which_stays_one(tmp_path: Path) -> None:
    source, pipe = tmp_path / "a.csv", tmp_path / "pipe"
    source.write_text("value\n1\n2\n")
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()

    result = CliRunner().invoke(cli, ["detect", str(source), "--out", str(pipe)])

    assert result.exit_code == 0, result.stderr
    assert pipe.is_fifo()
    reader.join(timeout=10)
    assert read == ["row,score,alarm\n0,0.000000,0\n1,0.000000,0\n"]
    assert {path.name for path in tmp_path.iterdir()} == {"a.csv", "pipe"}


def test_device_is_not_replaced_by_a_file() -> None:
    with whole(Path("/dev/null")) as path:
        assert path == Path("/dev/null")

    assert Path("/dev/null").is_char_device()


def test_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    target, link = tmp_path / "kept" / "scores", tmp_path / "link"
    target.parent.mkdir()
    target.write_text("before")
    link.symlink_to(target)

    with whole(link) as path:
        path.write_text("after")
        assert target.read_text() == "before"

    assert link.is_symlink()
    assert target.read_text() == "after"


def test_what_stood_there_stays_where_the_writing_fails(tmp_path: Path) -> None:
    out = tmp_path / "scores"
    out.write_text("before")

    with pytest.raises(ValueError, match="broken"):
        write_a_part(out)

    assert out.read_text() == "before"


def write_a_part(out: Path) -> None:
    with whole(out) as path:
        path.write_text("a part")
        raise ValueError("broken")

"""One lock per home."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from infra.cli import cli
from infra.environment import PROJECT
from infra.home_lock import check_apart, home_lock
from telemetry.errors import HeadwaterError


def test_second_holder_is_told_who_holds(tmp_path: Path) -> None:
    with (
        home_lock(tmp_path, "up"),
        pytest.raises(HeadwaterError, match=f"headwater up, pid {os.getpid()}"),
        home_lock(tmp_path, "down"),
    ):
        pass


def test_lock_is_free_again_afterwards(tmp_path: Path) -> None:
    for purpose in ("up", "down"):
        with home_lock(tmp_path, purpose):
            assert purpose in (tmp_path / "lock").read_text()


def test_lock_left_by_a_killed_process_does_not_block(tmp_path: Path) -> None:
    program = "import os, sys; from pathlib import Path; from infra.home_lock import home_lock\n"
    program += "with home_lock(Path(sys.argv[1]), 'up'): os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", program, tmp_path], check=False)
    assert "headwater up, pid" in (tmp_path / "lock").read_text()
    with home_lock(tmp_path, "up"):
        assert f"pid {os.getpid()}" in (tmp_path / "lock").read_text()


def test_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HeadwaterError, match="HEADWATER_HOME"), home_lock(tmp_path / "file", "up"):
        pass


def test_checkout_is_no_home_and_a_folder_within_it_is(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(PROJECT)

    for home in (PROJECT, tmp_path / "link"):
        with pytest.raises(HeadwaterError, match="name another folder"):
            check_apart(home)
    check_apart(PROJECT / ".headwater")


def test_nothing_starts_in_the_checkout() -> None:
    environment = {"HEADWATER_HOME": str(PROJECT)}
    result = CliRunner().invoke(cli, ["up", "--light", "--only", "none"], env=environment)

    assert result.exit_code == 1
    assert "Headwater's own checkout" in result.stderr

"""What `down` ends, and what `--wipe` deletes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.doctor.stack import stray_processes
from infra.processes import DEMO_MARK, stack_processes
from infra.stopping import OURS, end_demo, wipe
from telemetry.errors import HeadwaterError
from telemetry.home_parts import HomeParts
from telemetry.settings import Settings


def test_wipe_deletes_the_state_and_an_empty_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "lake" / "silver").mkdir(parents=True)
    (home / "stack.json").touch()
    wipe(Settings(home=home))
    assert not home.exists()


def test_wipe_leaves_what_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    (tmp_path / "thesis.tex").touch()
    wipe(Settings(home=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_wipe_leaves_a_checkout_alone(tmp_path: Path) -> None:
    (tmp_path / "gateway").mkdir()
    with pytest.raises(HeadwaterError, match="own checkout"):
        wipe(Settings(home=tmp_path), project=tmp_path)
    assert (tmp_path / "gateway").is_dir()


def test_wipe_knows_every_part_of_a_home() -> None:
    settings = Settings(home=Path("/home-of-a-stack"))
    named = [name for name, found in vars(HomeParts).items() if isinstance(found, property)]
    parts = [getattr(settings, name).relative_to(settings.home).parts[0] for name in named]
    assert parts
    assert set(parts) <= set(OURS)


def test_what_a_demo_started_is_ended_and_is_no_stray(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    marked = {**os.environ, DEMO_MARK: str(tmp_path)}
    fleet = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], env=marked)
    assert [found.pid for found in stack_processes(tmp_path, DEMO_MARK)] == [fleet.pid]
    assert stray_processes(settings) == []
    end_demo(settings)
    fleet.wait(timeout=10)
    assert stack_processes(tmp_path, DEMO_MARK) == []

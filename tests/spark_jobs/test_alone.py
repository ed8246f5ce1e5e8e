"""Who has a checkpoint: one process on one machine."""

import json
import os
import shutil
from pathlib import Path

import pytest

from spark_jobs.jobs.alone import SILENT_S, Owner
from spark_jobs.refusal import InUseError
from telemetry.settings import Settings


def test_second_owner_hears_who_the_first_is(tmp_path: Path) -> None:
    first, second = (Owner(Settings(home=tmp_path), "landing") for _ in range(2))
    first.take()
    first.take()
    with pytest.raises(InUseError, match=rf"IN_USE.*pid {os.getpid()} on.*headwater down"):
        second.take()
    first.release()
    second.take()
    second.release()


def test_lock_that_was_deleted_with_all_checkpoints_is_taken_anew(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    first, second = (Owner(settings, "landing") for _ in range(2))
    first.take()
    shutil.rmtree(settings.checkpoint_dir)

    first.take()

    with pytest.raises(InUseError, match="CHECKPOINT_IN_USE"):
        second.take()
    first.release()


def test_owner_on_another_machine_counts_while_it_is_alive(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    lock = settings.checkpoint_dir / "gold.lock"
    lock.parent.mkdir()
    lock.write_text(json.dumps({"host": "elsewhere", "pid": 5}))
    owner = Owner(settings, "gold", host="here")
    with pytest.raises(InUseError, match=r"another machine .pid 5 on elsewhere"):
        owner.take()
    silent_since = lock.stat().st_mtime - SILENT_S - 1
    os.utime(lock, (silent_since, silent_since))
    owner.take()
    assert json.loads(lock.read_text())["host"] == "here"
    owner.release()
    assert lock.read_text() == ""

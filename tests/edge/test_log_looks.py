"""A look that saw half of a commit is taken again; any other error is told at once."""

import shutil
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from edge.log_looks import TRIES, seen


def half_a_commit(path: Path) -> None:
    """Leave a table's log as a listing may show it: the newest checksum without its entry."""
    pl.DataFrame({"a": [1]}).write_delta(path)
    (path / "_delta_log" / f"{1:020d}.crc").write_text("{}")


def test_half_a_commit_is_an_error_to_who_does_not_look_again(tmp_path: Path) -> None:
    half_a_commit(tmp_path)
    with pytest.raises(DeltaError, match="CRC file version 1"):
        DeltaTable(tmp_path)


def test_a_look_is_taken_again_until_the_entry_is_seen(tmp_path: Path) -> None:
    half_a_commit(tmp_path)
    looks = []

    def look() -> DeltaTable:
        looks.append(1)
        if len(looks) == 3:
            log = tmp_path / "_delta_log"
            shutil.copy(log / f"{0:020d}.json", log / f"{1:020d}.json")
        return DeltaTable(tmp_path)

    assert seen(look).version() == 1
    assert len(looks) == 3


@pytest.mark.parametrize(("said", "looks"), [("CRC file version 1", TRIES), ("no such table", 1)])
def test_what_stays_wrong_is_told(said: str, looks: int) -> None:
    taken = []

    def look() -> None:
        taken.append(1)
        raise DeltaError(said)

    with pytest.raises(DeltaError, match=said):
        seen(look)
    assert len(taken) == looks

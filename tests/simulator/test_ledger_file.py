"""The ledger's file: appended, durable when announced, mended after a kill."""

import os
from pathlib import Path

import pytest

from simulator.ledger_file import LedgerFile
from telemetry.errors import HeadwaterError


def test_runs_append_to_one_ledger(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ledger.ndjson"
    for text in ("a\n", "b\n"):
        with LedgerFile(path) as ledger:
            ledger.announce(text)
            ledger.acknowledge("ack\n")

    assert path.read_text() == "a\nack\nb\nack\n"


def test_line_torn_by_a_kill_does_not_swallow_the_next(tmp_path: Path) -> None:
    path = tmp_path / "ledger.ndjson"
    path.write_text('{"e":"se')

    with LedgerFile(path) as ledger:
        ledger.announce("next\n")

    assert path.read_text() == '{"e":"se\nnext\n'


def test_announcement_is_whole_in_the_file_before_it_returns(tmp_path: Path) -> None:
    path = tmp_path / "ledger.ndjson"
    ledger = LedgerFile(path)

    ledger.announce("x" * 3_000_000 + "\n")

    assert path.stat().st_size == 3_000_001
    ledger.close()
    ledger.close()


def test_no_path_keeps_nothing() -> None:
    with LedgerFile(None) as ledger:
        ledger.announce("a\n")
        ledger.acknowledge("b\n")


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/proc").is_dir(), reason="needs /proc")
def test_unwritable_path_is_told() -> None:
    with pytest.raises(HeadwaterError, match="--ledger"):
        LedgerFile(Path("/proc/ledger.ndjson"))

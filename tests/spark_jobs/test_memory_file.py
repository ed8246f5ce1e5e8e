"""The memory of landing at rest."""

from pathlib import Path

import pytest

from spark_jobs.dedup.index import KeyIndex, PackedIndex
from spark_jobs.jobs.memory_file import MemoryFile, Saved

KEYS = [("t", "d", "b", 7), ("t", "d", "b", 8), ("t", "d", "h:00", 0)]


def test_memory_is_read_back(tmp_path: Path) -> None:
    index = KeyIndex(remembered=10, horizon_us=None)
    for key in KEYS:
        index.add(key)
    saved = Saved(1.5, index.packed(), [("spool", 0, 9)], [("default", None, 4)])
    file = MemoryFile(tmp_path / "below" / "memory")
    file.save(saved)
    assert not file.is_due

    read = MemoryFile(tmp_path / "below" / "memory").load()

    assert read == saved
    again = KeyIndex(remembered=10, horizon_us=None)
    again.unpack(read.index)
    assert not any(again.add(key) for key in KEYS)
    assert again.add(("t", "d", "b", 9))


@pytest.mark.parametrize("text", [b"", b"\x00", b"{}"])
def test_damaged_memory_is_built_anew(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "memory").write_bytes(text)
    assert MemoryFile(tmp_path / "memory").load() is None


def test_flipped_byte_is_noticed_wherever_it_is(tmp_path: Path) -> None:
    path = tmp_path / "memory"
    MemoryFile(path).save(Saved(1.5, PackedIndex(), [("spool", 0, 9)], []))
    content = path.read_bytes()
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert MemoryFile(path).load() is None


def test_first_start_has_none(tmp_path: Path) -> None:
    file = MemoryFile(tmp_path / "memory")
    assert file.load() is None
    file.save(Saved(0.0, PackedIndex(), [], []))
    assert file.load() is not None

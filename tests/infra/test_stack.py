"""stack.json."""

from pathlib import Path

import pytest

from infra.stack import Stack, read_stack, write_stack, write_whole
from telemetry.errors import HeadwaterError


def test_stack_is_read_as_it_was_written(tmp_path: Path) -> None:
    stack = Stack("light", 18000, ("streams",))
    write_stack(tmp_path, stack)
    assert read_stack(tmp_path) == stack
    assert [path.name for path in tmp_path.iterdir()] == ["stack.json"]


def test_no_stack_was_started(tmp_path: Path) -> None:
    assert read_stack(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_broken_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "stack.json").write_text(text)
    with pytest.raises(HeadwaterError, match="remove it"):
        read_stack(tmp_path)


def test_file_of_secrets_is_its_owners_alone_even_where_it_was_open(tmp_path: Path) -> None:
    path = tmp_path / "run" / "file"
    write_whole(path, "old")
    write_whole(path, "new", mode=0o600)

    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text() == "new"

"""stack.json."""

from pathlib import Path

import pytest

from infra.stack import Stack, read_stack, write_stack
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

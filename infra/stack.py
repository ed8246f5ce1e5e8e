"""What was started in a home: mode and services, kept in stack.json for other processes."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from telemetry.errors import HeadwaterError

Mode = Literal["full", "light"]


@dataclass(frozen=True, slots=True)
class Stack:
    """The stack of a home as `up` wrote it down."""

    mode: Mode
    port_base: int
    services: tuple[str, ...]


def read_stack(home: Path) -> Stack | None:
    """Return the home's stack, or None if none was ever started."""
    path = home / "stack.json"
    try:
        found = json.loads(path.read_bytes())
        return Stack(found["mode"], found["port_base"], tuple(found["services"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise HeadwaterError(f"{path} is not readable: remove it, then `headwater up`") from error


def write_stack(home: Path, stack: Stack) -> None:
    """Write stack.json in one step."""
    write_whole(home / "stack.json", json.dumps(asdict(stack)) + "\n")


def write_whole(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Replace a file's text so that a reader sees the old or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = path.with_name(f".{path.name}.new")
    whole.unlink(missing_ok=True)
    whole.touch(mode)
    whole.write_text(text, "utf-8")
    whole.replace(path)

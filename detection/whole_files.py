"""Results in files that a person names: whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield the path to write to; what stands at `path` is replaced once all is written.

    Pipes and devices (`/dev/stdout`, `/dev/null`) are written to as they are: nothing may take
    their place. A link stays one, and what it leads to is replaced.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    target = path.resolve()
    part = target.with_name(f"{target.name}.part")
    yield part
    part.replace(target)

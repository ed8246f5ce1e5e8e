"""A lock a writer: landing's and gold's memory belong to one process at a time."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from telemetry.errors import HeadwaterError
from telemetry.settings import Settings


@contextmanager
def alone(settings: Settings, name: str) -> Iterator[None]:
    """Hold the lock of `landing` or `gold`; raise if another process does."""
    settings.checkpoint_dir.mkdir(parents=True, exist_ok=True)
    with (settings.checkpoint_dir / f"{name}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise HeadwaterError(
                f"{name} runs already in another process: stop it, or wait until it ends"
            ) from error
        yield

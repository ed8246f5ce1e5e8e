"""One lock per home: two commands never change the same stack at once."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.environment import PROJECT
from telemetry.errors import HeadwaterError


def check_apart(home: Path, project: Path = PROJECT) -> None:
    """Raise where the home is the checkout, whose `gateway/` would pass for a stack's and be wiped.

    A folder within it, as the default one, is a home like any other.
    """
    if home.resolve() == project.resolve():
        raise HeadwaterError(
            f"{home} is Headwater's own checkout: unset HEADWATER_HOME, or name another folder"
        )


@contextmanager
def home_lock(home: Path, purpose: str) -> Iterator[None]:
    """Hold the home's lock; the kernel frees it with its holder, so a left file never blocks."""
    path = home / "lock"
    try:
        home.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise HeadwaterError(
            f"{home} cannot be written ({error.strerror}): mend it, or set HEADWATER_HOME"
        ) from error
    try:
        _take(descriptor, home)
        _note(descriptor, purpose)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, home: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip()
        raise HeadwaterError(
            f"{home} is locked by {holder or 'another headwater command'}: wait until it ends,"
            " or set another HEADWATER_HOME"
        ) from None


def _note(descriptor: int, purpose: str) -> None:
    """Write who holds the lock; a full disk must not keep `down` from working."""
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"headwater {purpose}, pid {os.getpid()}\n".encode(), 0)
    except OSError:
        return

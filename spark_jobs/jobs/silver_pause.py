"""Lets a job change silver between two batches of landing, which then remembers it anew."""

import fcntl
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from telemetry.settings import Settings


class SilverPause:
    """A lock that landing holds for a batch, and a note of who changed silver last."""

    def __init__(self, settings: Settings) -> None:
        self._lock = settings.checkpoint_dir / "silver.lock"
        self._note = settings.checkpoint_dir / "silver.changed"
        self._seen = self._noted()

    @contextmanager
    def batch(self) -> Iterator[bool]:
        """Hold silver for a batch; yields whether another process changed it since the last."""
        with _locked(self._lock):
            noted = self._noted()
            is_changed, self._seen = noted != self._seen, noted
            yield is_changed

    @contextmanager
    def still(self) -> Iterator[None]:
        """Hold silver while it is looked at."""
        with _locked(self._lock):
            yield

    @contextmanager
    def change(self) -> Iterator[None]:
        """Hold silver for a change, noted before it begins: it may be cut short."""
        with _locked(self._lock):
            temporary = self._note.with_suffix(".new")
            temporary.write_text(uuid.uuid4().hex)
            temporary.replace(self._note)
            yield

    def _noted(self) -> str:
        return self._note.read_text() if self._note.exists() else ""


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

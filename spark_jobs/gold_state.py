"""What gold keeps beside its checkpoint: what was merged so far, and who owns gold."""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import polars as pl

from spark_jobs.checkpoint import GOLD_STATE, newest_planned
from spark_jobs.refusal import RefusalError
from spark_jobs.seal import sealed
from spark_jobs.transforms.rules import WATERMARKS
from telemetry.errors import HeadwaterError

_MICROS = WATERMARKS | {"highest": pl.Int64(), "watermark": pl.Int64()}


class OwnedError(RefusalError):
    """Another process owns gold."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far gold has read a table: the versions before `version`, and its files up to `index`."""

    version: int
    index: int = -1

    @property
    def is_between_versions(self) -> bool:
        """Tell whether a version of the table holds exactly what was read."""
        return self.index < 0


class Noted(NamedTuple):
    """A table of gold as it was: its id, and the newest version."""

    id: str
    version: int


@dataclass(frozen=True, slots=True)
class GoldState:
    """What the tables hold once batch `batch_id` is done."""

    app_id: str
    batch_id: int = -1
    readings: Position = Position(0)
    late: Position = Position(0)
    watermarks: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=WATERMARKS))
    tables: Mapping[str, Noted] = field(default_factory=dict)
    """The tables themselves, by name; none as earlier releases have left it."""


class GoldFiles:
    """State and ownership as files: the checkpoint's folder, and a lock beside."""

    def __init__(self, checkpoint: Path) -> None:
        self.checkpoint = checkpoint
        self._state = checkpoint / GOLD_STATE
        self._owner = checkpoint.with_name(f"{checkpoint.name}.owner")

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Own gold for as long as the context lasts; raise `OwnedError` if another process does."""
        self._owner.parent.mkdir(parents=True, exist_ok=True)
        with self._owner.open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise OwnedError(
                    "CHECKPOINT_IN_USE",
                    "gold is being written by another process: a job such as `rebuild-gold` is"
                    " waited for, streams end by `headwater down`",
                ) from error
            yield

    def state(self) -> GoldState | None:
        """Return the state, None before gold was ever started here; raise if it is damaged."""
        if not self._state.exists():
            return None
        try:
            return _state(orjson.loads(self._state.read_bytes()))
        except (ValueError, KeyError, TypeError) as error:
            raise HeadwaterError(
                f"{self._state} cannot be read ({error}): `headwater job recover gold` mends it"
            ) from error

    def save(self, state: GoldState) -> None:
        """Replace the state durably."""
        micros = state.watermarks.select(pl.col(name).cast(kind) for name, kind in _MICROS.items())
        kept: dict[str, object] = {
            "app_id": state.app_id,
            "batch_id": state.batch_id,
            "readings": asdict(state.readings),
            "late": asdict(state.late),
            "watermarks": micros.rows(),
            "tables": {name: [*noted] for name, noted in state.tables.items()},
        }
        _write(self._state, orjson.dumps(sealed(kept)))

    def positions(self, batch_id: int) -> Mapping[str, Position]:
        """Return how far a batch reads each source, by the table's id, as the checkpoint says."""
        text = (self.checkpoint / "offsets" / str(batch_id)).read_text()
        offsets = [orjson.loads(line) for line in text.splitlines()[2:]]
        return {
            offset["reservoirId"]: Position(offset["reservoirVersion"], offset["index"])
            for offset in offsets
        }

    def tables(self) -> frozenset[str]:
        """Return the ids of the tables that the newest batch reads; none before the first.

        A batch of another stream reads a table that has none.
        """
        newest = newest_planned(self.checkpoint)
        try:
            return frozenset(self.positions(newest)) if newest >= 0 else frozenset()
        except (ValueError, KeyError, TypeError):
            return frozenset({""})

    def is_planned(self, state: GoldState) -> bool:
        """Tell whether a batch behind the state has begun: some tables may have it."""
        return (self.checkpoint / "offsets" / str(state.batch_id + 1)).exists()


def _state(found: Mapping[str, Any]) -> GoldState:
    micros = pl.DataFrame(found["watermarks"], schema=_MICROS, orient="row")
    return GoldState(
        app_id=found["app_id"],
        batch_id=found["batch_id"],
        readings=Position(**found["readings"]),
        late=Position(**found["late"]),
        watermarks=micros.select(pl.col(name).cast(kind) for name, kind in WATERMARKS.items()),
        tables={name: Noted(*noted) for name, noted in found.get("tables", {}).items()},
    )


def _write(path: Path, text: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)

"""What scoring keeps beside its checkpoint: what rules remember, and which batch that is of.

```
rules.state        all that is remembered, as of save n
rules.state.n+1    what has changed since, one file a save
rules.state.n+2    …
```
Once the changes are as large as what they stand on, or too many, all is written anew and they go.
"""

import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

import orjson

from edge.durable_files import replace_durably
from spark_jobs.gold_state import Position
from telemetry.errors import HeadwaterError

NAME = "rules.state"
MOST_CHANGES = 500
"""Files of changes that a start may have to read."""


@dataclass(frozen=True, slots=True)
class ScoringState:
    """What was looked at once batch `batch_id` is done: silver up to `readings`."""

    app_id: str
    batch_id: int = -1
    readings: Position = field(default_factory=lambda: Position(0))


class Memory(Protocol):
    """What rules remember, as it can be written down."""

    def save(self) -> bytes:
        """Return all of it."""

    def changes(self) -> bytes | None:
        """Return what has changed since either was asked; None if all is to be saved."""


class Kept(NamedTuple):
    """What was saved: all that was remembered at one time, and its changes since, in order."""

    state: ScoringState
    whole: bytes
    changes: Sequence[bytes]


class ScoringFiles:
    """The files of one checkpoint: each a line of JSON, then what the evaluator has saved."""

    def __init__(self, checkpoint: Path, *, most_changes: int = MOST_CHANGES) -> None:
        self.checkpoint = checkpoint
        self._most_changes = most_changes
        self._path = checkpoint / NAME
        self._number = 0
        """Of the newest save."""
        self._is_known = False
        """Whether the files hold what `memory` had when it was asked last."""
        self._whole_bytes = self._changed_bytes = self._changes = 0

    def save(self, state: ScoringState, memory: Memory) -> int:
        """Keep both durably, in one step; return the bytes written.

        What is written follows what has changed: twice that at most, and now and then all of it.
        Files that could not be written are to be read again before the next save.
        """
        changes = memory.changes() if self._is_known else None
        self._is_known = False
        if changes is None or not self._has_room(changes):
            written = self._save_whole(state, memory.save())
        else:
            written = self._save_changes(state, changes)
        self._is_known = True
        return written

    def _has_room(self, changes: bytes) -> bool:
        is_small = self._changed_bytes + len(changes) <= self._whole_bytes
        return is_small and self._changes < self._most_changes

    def _save_whole(self, state: ScoringState, memory: bytes) -> int:
        # Whatever stands there is older, though its writing may have been said to have failed.
        self._number = max([self._number, *self._numbers()])
        content = _with_head(state, self._number, memory)
        replace_durably(self._path, content)
        self._clean(self._number)
        self._whole_bytes, self._changed_bytes, self._changes = len(content), 0, 0
        return len(content)

    def _save_changes(self, state: ScoringState, changes: bytes) -> int:
        number = self._number + 1
        content = _with_head(state, number, changes)
        replace_durably(self._path_of(number), content)
        self._number, self._changes = number, self._changes + 1
        self._changed_bytes += len(content)
        return len(content)

    def read(self) -> Kept | None:
        """Return what was saved, None before anything was; raise for what is damaged."""
        if not self._path.exists():
            return None
        state, number, whole = _read(self._path)
        newer = [each for each in self._numbers() if each > number]
        changes = []
        for place, each in enumerate(newer, 1):
            state, said, content = _read(self._path_of(each))
            if each != number + place or said != each:
                raise HeadwaterError(f"{self._path_of(each)}: the changes before it are gone")
            changes.append(content)
        self._clean(number)
        self._number, self._changes, self._is_known = number + len(newer), len(newer), True
        self._whole_bytes, self._changed_bytes = len(whole), sum(map(len, changes))
        return Kept(state, whole, changes)

    def position(self) -> Position | None:
        """Return how far silver was looked at by the newest save, None before there was any."""
        if not self._path.exists():
            return None
        newest = max(self._numbers(), default=None)
        with (self._path if newest is None else self._path_of(newest)).open("rb") as file:
            return Position(**orjson.loads(file.readline())["readings"])

    def _path_of(self, number: int) -> Path:
        return self._path.with_name(f"{NAME}.{number}")

    def _numbers(self) -> list[int]:
        names = (path.name.removeprefix(f"{NAME}.") for path in self._path.parent.glob(f"{NAME}.*"))
        return sorted(int(name) for name in names if name.isdecimal())

    def _clean(self, number: int) -> None:
        """Remove changes that are in the whole of that number, and what a kill has left half."""
        for each in self._numbers():
            if each <= number:
                self._path_of(each).unlink()
        for left in self._path.parent.glob(f".{NAME}*"):
            left.unlink()


def _with_head(state: ScoringState, number: int, memory: bytes) -> bytes:
    head = {**asdict(state), "save": number, "crc32": zlib.crc32(memory)}
    return orjson.dumps(head) + b"\n" + memory


def _read(path: Path) -> tuple[ScoringState, int, bytes]:
    """Return what a file holds, with its number; what an older version has saved is number 0."""
    head, _, memory = path.read_bytes().partition(b"\n")
    try:
        said = orjson.loads(head)
        state = ScoringState(said["app_id"], said["batch_id"], Position(**said["readings"]))
        number, is_whole = int(said.get("save", 0)), said["crc32"] == zlib.crc32(memory)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise HeadwaterError(f"{path} is damaged: {error}") from error
    if not is_whole:
        raise HeadwaterError(f"{path} is damaged: its checksum does not fit")
    return state, number, memory

"""What scoring keeps beside its checkpoint: what rules remember, and which batch that is of."""

import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path

import orjson

from edge.durable_files import replace_durably
from spark_jobs.gold_state import Position
from telemetry.errors import HeadwaterError

NAME = "rules.state"


@dataclass(frozen=True, slots=True)
class ScoringState:
    """What was looked at once batch `batch_id` is done: silver up to `readings`."""

    app_id: str
    batch_id: int = -1
    readings: Position = field(default_factory=lambda: Position(0))


class ScoringFiles:
    """One file: a line of JSON, then what the evaluator has saved."""

    def __init__(self, checkpoint: Path) -> None:
        self.checkpoint = checkpoint
        self._path = checkpoint / NAME

    def save(self, state: ScoringState, memory: bytes) -> None:
        """Replace both durably, in one step."""
        head = orjson.dumps({**asdict(state), "crc32": zlib.crc32(memory)})
        replace_durably(self._path, head + b"\n" + memory)

    def read(self) -> tuple[ScoringState, bytes] | None:
        """Return what was saved, None before anything was; raise for what is damaged."""
        if not self._path.exists():
            return None
        head, _, memory = self._path.read_bytes().partition(b"\n")
        try:
            said = orjson.loads(head)
            state = ScoringState(said["app_id"], said["batch_id"], Position(**said["readings"]))
            is_whole = said["crc32"] == zlib.crc32(memory)
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise HeadwaterError(f"{self._path} is damaged: {error}") from error
        if not is_whole:
            raise HeadwaterError(f"{self._path} is damaged: its checksum does not fit")
        return state, memory

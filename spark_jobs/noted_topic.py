"""Which topic a checkpoint's offsets are of: one that is made anew counts from 0 again."""

import re
from pathlib import Path
from typing import NamedTuple

import orjson

from spark_jobs.seal import FIELD, is_sealed, sealed
from telemetry.topics import TELEMETRY

NOTE = "headwater-topic"
_GENERATION = re.compile(rf"{re.escape(TELEMETRY.name)}(?:~(\d+))?")


class NotedTopic(NamedTuple):
    """What bronze calls the topic, and the broker's own id of it."""

    name: str
    id: str


def noted_topic(checkpoint: Path) -> NotedTopic | None:
    """Return what was noted, None if nothing was; raise ValueError if it is damaged."""
    path = checkpoint / NOTE
    if not path.exists():
        return None
    found = orjson.loads(path.read_bytes())
    # A damaged name of the checksum is one more field, not a file without a checksum.
    if (
        not isinstance(found, dict)
        or set(found) - {FIELD} != {"name", "id"}
        or not is_sealed(found)
    ):
        raise ValueError(f"{path} is not as it was written")
    return NotedTopic(found["name"], found["id"])


def readable_note(checkpoint: Path) -> NotedTopic | None:
    """Return what was noted, None also where that is damaged."""
    try:
        return noted_topic(checkpoint)
    except ValueError:
        return None


def note_topic(checkpoint: Path, topic: NotedTopic) -> None:
    """Keep in the checkpoint which topic its offsets are of."""
    checkpoint.mkdir(parents=True, exist_ok=True)
    temporary = checkpoint / f"{NOTE}.new"
    temporary.write_bytes(orjson.dumps(sealed(topic._asdict())))
    temporary.replace(checkpoint / NOTE)


def generation(topic: str) -> int | None:
    """Return which topic of ours a name in bronze means; None if it is none of ours."""
    match = _GENERATION.fullmatch(topic)
    return int(match[1] or 1) if match else None


def generation_name(number: int) -> str:
    """Return what bronze calls a generation of the topic: `telemetry`, then `telemetry~2`."""
    return TELEMETRY.name if number == 1 else f"{TELEMETRY.name}~{number}"

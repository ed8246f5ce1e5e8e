"""Whether a checkpoint can be gone on from: what is in its folder is whole and agrees."""

import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from spark_jobs.checkpoint_files import Damage, file_damages
from spark_jobs.noted_topic import noted_topic
from spark_jobs.seal import is_sealed
from telemetry.topics import TELEMETRY

APP_ID = "headwater-id"
GOLD_STATE = "gold.json"
LAKE_OLDER, CHECKPOINT_OLDER = "LAKE_OLDER", "CHECKPOINT_OLDER"
OLDER_NOTE = "older-lake"
"""There once gold was found ahead of silver, which grows and would hide it: what was found, and
the newest batch of gold in that lake."""
_NUMBER = re.compile(r"\d+")
Numbered = Mapping[int, Path]


def landing_damage(folder: Path) -> Damage | None:
    """Return the first damage of a checkpoint of landing; None if it is sound, new or gone."""
    return _first(folder, _id_damages)


def kafka_damage(folder: Path) -> Damage | None:
    """Return the first damage of the checkpoint that reads Kafka, another stream's files too."""
    damage = landing_damage(folder) or _start_lost(folder)
    return damage or _foreign(folder, TELEMETRY.name, TELEMETRY.name)


def spool_damage(folder: Path, segments: Path) -> Damage | None:
    """Return the first damage of the spool's checkpoint, or that its segments were elsewhere.

    Spark opens the files of the last batch again at each start, by the paths that it noted.
    """
    damage = landing_damage(folder) or _foreign(folder, "logOffset", "path")
    if damage or not has_batches(folder):
        return damage
    newest = max(folder.glob("sources/0/[0-9]*"), key=lambda path: int(path.stem), default=None)
    lines = newest.read_text("utf-8").split("\n")[1:] if newest else []
    noted = [unquote(json.loads(line)["path"]) for line in lines if line]
    if all(path.startswith(unquote(segments.as_uri())) for path in noted):
        return None
    return Damage("CHECKPOINT_MOVED", f"{newest} names files that are not below {segments}")


def gold_damage(folder: Path) -> Damage | None:
    """Return the first damage of gold's checkpoint; None if it is sound, new or gone."""
    return _first(folder, _state_damages)


def batches_damage(folder: Path) -> Damage | None:
    """Return the first damage of Spark's own files in any checkpoint."""
    return _first(folder, lambda _: iter(()))


def has_batches(folder: Path) -> bool:
    """Tell whether a batch was ever planned here."""
    return bool(_numbered(folder / "offsets"))


def newest_planned(folder: Path) -> int:
    """Return the newest batch that was planned here, -1 before the first."""
    return max(_numbered(folder / "offsets"), default=-1)


def read_offsets(folder: Path) -> list[str] | None:
    """Return what each source had been read up to when the newest batch was committed.

    Before the first one is, that is where the sources started; None if they did not say.
    """
    commits = _numbered(folder / "commits")
    if commits:
        return _sources(folder / "offsets" / str(max(commits)))
    starts = [folder / "sources" / "0" / "0"]
    return [path.read_text("utf-8").split("\n")[1] for path in starts if path.exists()] or None


def _first(folder: Path, own: Callable[[Path], Iterator[Damage]]) -> Damage | None:
    return next((found for check in (_whole, _ordered, own) for found in check(folder)), None)


def _whole(folder: Path) -> Iterator[Damage]:
    """Yield files that are empty, altered or no log of Spark's."""
    offsets, commits = _numbered(folder / "offsets"), _numbered(folder / "commits")
    metadata = folder / "metadata"
    if (offsets or commits) and not metadata.exists():
        yield Damage("CHECKPOINT_METADATA_LOST", f"{metadata} is missing")
    sources = sorted(folder.glob("sources/*/[0-9]*"))
    logs = [*offsets.values(), *commits.values(), *sources]
    for path in [*([metadata] if metadata.exists() else []), *logs]:
        yield from file_damages(path, is_log=path != metadata)


def _ordered(folder: Path) -> Iterator[Damage]:
    """Yield what is missing among the batches, and sources that go backwards."""
    offsets, commits = _numbered(folder / "offsets"), _numbered(folder / "commits")
    for name, found in (("offsets", offsets), ("commits", commits)):
        for number in sorted(set(range(min(found, default=0), max(found, default=0))) - set(found)):
            yield Damage("CHECKPOINT_GAP", f"{folder / name / str(number)} is missing")
    # Spark removes old offsets before old commits, so only newer commits must have theirs.
    oldest = min(offsets, default=-1)
    for number in sorted(n for n in commits if n >= oldest and n not in offsets):
        yield Damage(
            "CHECKPOINT_OFFSETS_LOST",
            f"batch {number} is committed, and {folder / 'offsets' / str(number)} is missing",
        )
    if offsets and max(offsets) > max(commits, default=oldest - 1) + 1:
        yield Damage("CHECKPOINT_GAP", f"{folder / 'commits' / str(max(offsets) - 1)} is missing")
    yield from _backwards(offsets)
    if offsets:
        yield from _missing_listings(folder, offsets[max(offsets)])


def _missing_listings(folder: Path, newest: Path) -> Iterator[Damage]:
    """Yield missing lists of files, from the newest batch's back to one that has all before it."""
    for number, line in enumerate(_sources(newest)):
        logs = folder / "sources" / str(number)
        for listed in range(_positions(line).get("log", -1), -1, -1):
            if (logs / f"{listed}.compact").exists():
                break
            if not (logs / str(listed)).exists():
                yield Damage("CHECKPOINT_GAP", f"{logs / str(listed)} is missing")


def _start_lost(folder: Path) -> Damage | None:
    """Return that nothing says where a first batch begins, which was planned and not committed.

    Spark would begin it where the topic, or bronze, ends by now: behind what it was to read.
    """
    start = folder / "sources" / "0" / "0"
    if start.exists() or _numbered(folder / "commits") or not has_batches(folder):
        return None
    return Damage("CHECKPOINT_START_LOST", f"{start} is missing, and no batch is committed yet")


def _backwards(offsets: Numbered) -> Iterator[Damage]:
    before: list[dict[str, int]] = []
    for _, path in sorted(offsets.items()):
        try:
            now = [_positions(line) for line in _sources(path)]
        except (ValueError, KeyError, TypeError, AttributeError):
            yield Damage("CHECKPOINT_FILE_UNREADABLE", f"{path} holds no offsets")
            return
        pairs = list(zip(before, now, strict=False)) if before else []
        if (before and len(before) != len(now)) or any(
            new.get(name, -1) < position for old, new in pairs for name, position in old.items()
        ):
            yield Damage("CHECKPOINT_BACKWARDS", f"{path} is behind the batch before it")
        before = now


def _foreign(folder: Path, offset: str, noted: str) -> Damage | None:
    """Return the first file that is another stream's: what is in each of ours has these names."""
    planned = [(path, _sources(path)) for path in _numbered(folder / "offsets").values()]
    for path, lines in sorted(planned):
        if len(lines) != 1 or offset not in _said(lines[0]):
            return Damage("CHECKPOINT_OTHER_STREAM", f"{path} has no offsets of this stream")
    for path in sorted(folder.glob("sources/*/[0-9]*")):
        lines = path.read_text("utf-8").split("\n")[1:]
        if not all(noted in _said(line) for line in lines if line):
            return Damage("CHECKPOINT_OTHER_STREAM", f"{path} is of no source of this stream")
    return None


def _sources(path: Path) -> list[str]:
    """Return the lines of the sources in a file of `offsets`, behind version and metadata."""
    return path.read_text("utf-8").split("\n")[2:]


def _positions(line: str) -> dict[str, int]:
    """Return what must not go backwards in a source's offset, by name."""
    found = _said(line)
    if "reservoirId" in found:
        return {str(found["reservoirId"]): int(found["reservoirVersion"])}
    if "logOffset" in found:
        return {"log": int(found["logOffset"])}
    return {
        f"{topic}/{partition}": int(offset)
        for topic, partitions in found.items()
        for partition, offset in partitions.items()
    }


def _said(line: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(line) if line not in ("", "-", "0") else {}
    return found


def _id_damages(folder: Path) -> Iterator[Damage]:
    path = folder / APP_ID
    if not path.exists():
        if has_batches(folder):
            yield Damage("CHECKPOINT_ID_LOST", f"{path} is missing")
        return
    try:
        uuid.UUID(path.read_bytes().decode("ascii"))
    except ValueError:
        yield Damage("CHECKPOINT_ID_LOST", f"{path} holds no id")
    try:
        noted_topic(folder)
    except ValueError as error:
        yield Damage("CHECKPOINT_FILE_ALTERED", str(error))


def _state_damages(folder: Path) -> Iterator[Damage]:
    if (folder / OLDER_NOTE).exists():
        yield Damage(LAKE_OLDER, (folder / OLDER_NOTE).read_text("utf-8").partition("\n")[0])
    path = folder / GOLD_STATE
    if not path.exists():
        if has_batches(folder):
            yield Damage("CHECKPOINT_STATE_LOST", f"{path} is missing")
        return
    try:
        state = json.loads(path.read_bytes())
        batch, positions = int(state["batch_id"]), [state[name] for name in ("readings", "late")]
        read = sorted(int(position["version"]) for position in positions)
        is_whole = is_sealed(state)
    except (ValueError, KeyError, TypeError):
        yield Damage("CHECKPOINT_STATE_LOST", f"{path} cannot be read")
        return
    if not is_whole:
        yield Damage("CHECKPOINT_FILE_ALTERED", f"{path} is not as it was written (its checksum)")
    yield from _disagreement(folder, batch, read)


def _disagreement(folder: Path, batch: int, read: list[int]) -> Iterator[Damage]:
    """Yield where gold's state and Spark's batches are not of one moment.

    A state ahead of the batches would pass over silver without a word; one behind would take
    what it holds twice.
    """
    planned = newest_planned(folder)
    committed = max(_numbered(folder / "commits"), default=-1)
    if not committed <= batch <= planned:
        yield Damage(
            "CHECKPOINT_STATE_APART",
            f"{folder / GOLD_STATE} is of batch {batch}, Spark's newest are {committed} (committed)"
            f" and {planned} (planned)",
        )
    elif batch >= 0:
        lines = _sources(folder / "offsets" / str(batch))
        if sorted(version for line in lines for version in _positions(line).values()) != read:
            yield Damage(
                "CHECKPOINT_STATE_APART", f"{folder / GOLD_STATE} and batch {batch} read other rows"
            )


def _numbered(folder: Path) -> Numbered:
    if not folder.is_dir():
        return {}
    return {int(path.name): path for path in folder.iterdir() if _NUMBER.fullmatch(path.name)}

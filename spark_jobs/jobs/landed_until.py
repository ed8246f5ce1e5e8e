"""How far landing has come: what is whole in silver, and which hours of Kafka time are behind it.

A record's Kafka time never goes back within its partition, and landing takes a partition's
records in order. So an hour is behind landing in a partition once (1) bronze holds a later record
of it, or (2) the newest batch that ended was planned after the hour and found nothing new there
(Spark's source leaves no partition with a backlog out of a batch), or (3) landing said after the
hour that nothing was left to read, or that all which had come by a later moment is landed.
"""

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from spark_jobs.checkpoint import APP_ID, has_batches
from spark_jobs.jobs.landing_queries import KAFKA, SPOOL
from spark_jobs.jobs.progress_files import read_progress
from spark_jobs.noted_topic import generation, generation_name, readable_note
from spark_jobs.transforms.offsets import Offsets, offsets_from_text
from telemetry.settings import Settings
from telemetry.topics import SPOOL_TOPIC, TELEMETRY

MARGIN = timedelta(minutes=2)
"""Clocks of broker, landing and this job differ; a batch is planned after it has looked."""
Partition = tuple[str, int]
_EVER = datetime(1970, 1, 1, tzinfo=UTC)
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LandedUntil:
    """Moments up to which records have landed, by partition and by whole topic."""

    partitions: Mapping[Partition, datetime]
    topics: Mapping[str, datetime]

    def has_passed(self, partition: Partition, moment: datetime) -> bool:
        """Tell whether every record of the partition from before a moment is in silver."""
        by_record = self.partitions.get(partition, _EVER)
        by_topic = self.topics.get(partition[0], _EVER)
        return max(by_record, by_topic) >= moment + MARGIN

    def with_records(self, newest: Mapping[Partition, datetime]) -> "LandedUntil":
        """Return the same, knowing the newest record of each partition that is in silver."""
        later = {place: max(at, self.partitions.get(place, _EVER)) for place, at in newest.items()}
        return LandedUntil({**self.partitions, **later}, self.topics)


def landed_until(settings: Settings, now: datetime) -> LandedUntil:
    """Return how far landing says that it is, by its checkpoint and its progress."""
    checkpoint = settings.checkpoint_dir / KAFKA
    topic = _topic(checkpoint)
    # Nothing comes any more of a topic in whose place there is a new one.
    topics = {generation_name(older): now for older in range(1, generation(topic) or 1)}
    for name, query in ((topic, KAFKA), (SPOOL_TOPIC, SPOOL)):
        if at := _passed_at(settings.progress_dir / f"{query}.json"):
            topics[name] = at
    if not any((settings.spool_dir / "segments").glob("*.parquet")):
        topics[SPOOL_TOPIC] = now
    return LandedUntil(quiet_partitions(checkpoint), topics)


def _topic(checkpoint: Path) -> str:
    """Return what bronze calls the topic that a checkpoint reads."""
    noted = readable_note(checkpoint)
    return noted.name if noted else TELEMETRY.name


def _passed_at(progress: Path) -> datetime | None:
    said = read_progress(progress) or {}
    moments = [said["at"]] if said.get("idle") else []
    if (until := said.get("landed_until")) is not None:
        moments.append(until)
    return datetime.fromtimestamp(max(moments), UTC) if moments else None


def quiet_partitions(checkpoint: Path) -> dict[Partition, datetime]:
    """Return the partitions that the newest batch found nothing new in, and when it looked.

    None where its files are damaged: landing is refused then, and has passed nothing more.
    """
    newest = newest_done(checkpoint)
    if newest < 1:
        return {}
    try:
        (before, _), (after, planned_at) = (_planned(checkpoint, n) for n in (newest - 1, newest))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning("the checkpoint of landing does not say what it found: %s", error)
        return {}
    topic = _topic(checkpoint)
    return {(topic, part): planned_at for part, end in after.items() if before.get(part) == end}


def newest_done(checkpoint: Path) -> int:
    """Return the newest batch that is in all its tables, -1 before the first."""
    return max((int(path.name) for path in (checkpoint / "commits").glob("[0-9]*")), default=-1)


def _planned(checkpoint: Path, batch_id: int) -> tuple[dict[int, int], datetime]:
    path = checkpoint / "offsets" / str(batch_id)
    if not path.exists():
        return {}, _EVER
    _, metadata, source = path.read_text().splitlines()[:3]
    ends = {int(part): end for part, end in json.loads(source)[TELEMETRY.name].items()}
    return ends, datetime.fromtimestamp(json.loads(metadata)["batchTimestampMs"] / 1000, UTC)


def in_flight(commits: Iterable[Mapping[str, object]], checkpoints: Path) -> Offsets:
    """Return the offsets of bronze's newest batch, unless all its tables have it.

    Every batch before it is whole: landing begins a batch when the one before is.
    """
    for commit in commits:
        if "offsets" in commit:
            is_whole = _is_whole(commit, checkpoints)
            return {} if is_whole else offsets_from_text(str(commit["offsets"]))
    return {}


def _is_whole(commit: Mapping[str, object], checkpoints: Path) -> bool:
    query, _, checkpoint_id = str(commit.get("query", "")).partition("/")
    checkpoint = checkpoints / query
    if not query or not (checkpoint / APP_ID).exists():
        return False
    if (checkpoint / APP_ID).read_text() != checkpoint_id:
        # A new checkpoint holds silver against bronze's last batch before it plans one of its own.
        return has_batches(checkpoint)
    return newest_done(checkpoint) >= int(str(commit["batch"]))

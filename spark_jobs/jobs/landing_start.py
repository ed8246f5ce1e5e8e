"""Where landing starts: behind its checkpoint, or behind bronze where the checkpoint is gone."""

import json
import shutil
from collections.abc import Mapping
from datetime import datetime
from functools import reduce
from operator import or_
from pathlib import Path
from typing import NamedTuple

import polars as pl
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from spark_jobs.checkpoint import has_batches, read_offsets
from spark_jobs.jobs.kafka_source import TopicNow, topic_now
from spark_jobs.jobs.known_records import holds_others
from spark_jobs.jobs.lost_records import accepted, write_down
from spark_jobs.lake import Lake
from spark_jobs.lost_offsets import Lost, lost, shown, starting_offsets, unanswered
from spark_jobs.noted_topic import (
    NotedTopic,
    generation,
    generation_name,
    note_topic,
    noted_topic,
    readable_note,
)
from spark_jobs.refusal import LostOffsetsError
from spark_jobs.transforms.offsets import Offsets
from spark_jobs.transforms.records import as_records
from telemetry.settings import Settings
from telemetry.tables import MESSAGES
from telemetry.topics import TELEMETRY

LANDING = "landing"
LATEST_COMMITS = 500


class KafkaStart(NamedTuple):
    """What bronze calls the topic, its id, and `startingOffsets` for an empty checkpoint."""

    topic: str
    offsets: str
    topic_id: str


class Standing(NamedTuple):
    """How landing stands to the topic: the next offset of each partition, and what is lost.

    `is_stuck` says that the checkpoint asks for offsets that Kafka has no more.
    """

    topic: str
    now: TopicNow
    needed: dict[int, int]
    lost: list[Lost]
    is_stuck: bool
    is_anew: bool


def kafka_start(settings: Settings, lake: Lake, now: datetime) -> KafkaStart:
    """Return where Kafka's query starts; raise, and write it down, if that would lose records."""
    checkpoint = settings.checkpoint_dir / LANDING
    standing = kafka_standing(settings, lake)
    missing = unanswered(standing.lost, accepted(lake, standing.topic))
    # Once that is accepted the topic gets another name, unless `recover` was cut short before.
    missing = standing.lost if standing.is_anew else missing
    # One that was accepted may have grown since: Kafka goes on dropping until landing runs.
    write_down(lake, standing.topic, standing.lost, now)
    if missing:
        raise LostOffsetsError(
            "OFFSETS_LOST",
            f"Kafka has dropped records that landing never read: {shown(missing, standing.topic)};"
            " they are written down in ops.lost_offsets. `headwater job recover landing"
            " --accept-loss` goes on behind them",
        )
    if standing.is_stuck:
        raise LostOffsetsError(
            "OFFSETS_DROPPED",
            "Kafka has dropped records that landing's checkpoint asks for, and bronze holds them"
            " all: `headwater job recover landing` goes on behind them, nothing is lost",
        )
    # One that was made anew before anything of the old one was read is the one that is meant.
    if noted_topic(checkpoint) is None or standing.is_anew:
        note_topic(checkpoint, NotedTopic(standing.topic, standing.now.id))
    starts = starting_offsets(TELEMETRY.name, standing.needed, standing.now.logs)
    return KafkaStart(standing.topic, starts, standing.now.id)


def kafka_standing(settings: Settings, lake: Lake, *, is_damaged: bool = False) -> Standing:
    """Hold the checkpoint, or bronze where it is gone or damaged, against what the broker has."""
    checkpoint = settings.checkpoint_dir / LANDING
    now = topic_now(settings.kafka_bootstrap)
    noted = readable_note(checkpoint) if is_damaged else noted_topic(checkpoint)
    read = None if is_damaged else read_up_to(checkpoint)
    if noted:
        topic, is_anew = noted.name, noted.id != now.id
    else:
        newest = newest_offsets(lake)
        topic = _newest_name(newest)
        mine = {part: last for (name, part), last in newest.items() if name == topic}
        # Of a checkpoint without a note, as earlier releases left it, the offsets are believed.
        is_known = read is not None or not mine
        is_anew = not is_known and holds_others(
            settings.kafka_bootstrap, lake, topic, mine, now.logs
        )
    if read is not None and not lost(read, now.logs, is_anew=is_anew):
        return Standing(topic, now, read, [], is_stuck=False, is_anew=False)
    landed = {at[1]: last + 1 for at, last in newest_offsets(lake).items() if at[0] == topic}
    # A partition that bronze has nothing of was read from its start on, as the others were.
    never = dict.fromkeys(now.logs, 0) if landed else {}
    needed = {
        n: max(landed.get(n, 0), (read or {}).get(n, 0)) for n in never | landed | (read or {})
    }
    found = lost(needed, now.logs, is_anew=is_anew)
    is_anew = is_anew or any(each.last is None for each in found)
    return Standing(topic, now, needed, found, is_stuck=read is not None, is_anew=is_anew)


def read_up_to(checkpoint: Path) -> dict[int, int] | None:
    """Return the next offset of each partition behind whole batches, None before there is any."""
    lines = read_offsets(checkpoint) if has_batches(checkpoint) else None
    if not lines:
        return None
    return {int(n): offset for n, offset in json.loads(lines[0])[TELEMETRY.name].items()}


def newest_offsets(lake: Lake) -> dict[tuple[str, int], int]:
    """Return the newest offset of each partition in bronze."""
    newest = lake.scan(MESSAGES).group_by("topic", "partition").agg(pl.col("offset").max())
    return {(topic, part): offset for topic, part, offset in newest.collect().iter_rows()}


def _newest_name(newest: Mapping[tuple[str, int], int]) -> str:
    """Return what bronze called the topic last."""
    found = (generation(topic) for topic, _ in newest)
    return generation_name(max((number for number in found if number), default=1))


def forget_start(checkpoint: Path) -> None:
    """Remove where a query was to start that never planned a batch: bronze says it anew."""
    shutil.rmtree(checkpoint / "sources", ignore_errors=True)


def last_batch(spark: SparkSession, lake: Lake, topic: str) -> DataFrame | None:
    """Return the records of the newest batch in bronze, which silver may hold in part only."""
    spans = _last_spans(lake, topic)
    if not spans:
        return None
    conditions = [
        (F.col("topic") == at[0]) & (F.col("partition") == at[1]) & F.col("offset").between(*span)
        for at, span in spans.items()
    ]
    return as_records(lake.frame(spark, MESSAGES).where(reduce(or_, conditions)))


def _last_spans(lake: Lake, topic: str) -> Offsets:
    for commit in lake.table(MESSAGES).history(LATEST_COMMITS):
        spans = _spans(commit)
        if any(_is_of_one_source(at[0], topic) for at in spans):
            return spans
    return {}


def _is_of_one_source(topic: str, other: str) -> bool:
    """Tell whether two names in bronze are of one stream: a topic that was made anew has another.

    A batch of the old topic may have been cut short by what took the topic away.
    """
    return topic == other or None not in (generation(topic), generation(other))


def _spans(commit: Mapping[str, object]) -> Offsets:
    """Return the offsets that a commit of landing carries."""
    said = commit.get("offsets")
    found = json.loads(said) if isinstance(said, str) else {}
    named = ((name.rpartition("/"), span) for name, span in found.items())
    return {(topic, int(part)): (span[0], span[1]) for (topic, _, part), span in named}

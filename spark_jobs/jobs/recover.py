"""Set a stream's damaged checkpoint aside, so that the stream goes on from the tables."""

import argparse
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from edge.registry_files import RegistryFiles
from spark_jobs.checkpoint import gold_damage, has_batches, kafka_damage, spool_damage
from spark_jobs.checkpoint_files import Damage
from spark_jobs.gold_state import GoldFiles
from spark_jobs.jobs.alone import Owner
from spark_jobs.jobs.gold import NAME as GOLD
from spark_jobs.jobs.held_since import held_since
from spark_jobs.jobs.held_since import standing as windows_standing
from spark_jobs.jobs.job_runs import Result, recorded
from spark_jobs.jobs.kafka_source import BrokerAwayError
from spark_jobs.jobs.landing_queries import KAFKA, SPOOL, checkpoint_id
from spark_jobs.jobs.landing_start import (
    Standing,
    kafka_standing,
    newest_offsets,
)
from spark_jobs.jobs.lost_gold import gold_has_lost_a_table
from spark_jobs.jobs.lost_records import accepted, write_down
from spark_jobs.jobs.older_checkpoint import gold_is_behind, landing_is_behind
from spark_jobs.jobs.older_lake import (
    forget_older_lake,
    gold_has_lost_its_place,
    gold_is_ahead,
    landing_is_ahead,
)
from spark_jobs.lake import Lake
from spark_jobs.lost_offsets import shown, unanswered
from spark_jobs.noted_topic import (
    NotedTopic,
    generation,
    generation_name,
    note_topic,
    readable_note,
)
from spark_jobs.refusal import InUseError, LostOffsetsError
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from telemetry.topics import SPOOL_TOPIC

STREAMS = (KAFKA, SPOOL, GOLD)
WAIT_S = 20.0
"""The host of a refused stream has its lock for a moment now and then, to look again."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the stream, and how far to go."""
    parser.add_argument("stream", choices=STREAMS)
    parser.add_argument("--dry-run", action="store_true", help="say what would be done")
    parser.add_argument(
        "--accept-loss",
        action="store_true",
        help="go on behind records that Kafka dropped before they were read",
    )


def run(arguments: argparse.Namespace, settings: Settings, lake: Lake) -> Result:
    """Mend a stream that is refused; leave one that is sound alone."""
    with _owned(settings, arguments.stream):
        if arguments.dry_run:
            return _recover(arguments, settings, lake, datetime.now(UTC))
        work = partial(_recover, arguments, settings, lake)
        return recorded(lake, "recover", arguments, work)


@contextmanager
def _owned(settings: Settings, stream: str) -> Iterator[None]:
    owner = Owner(settings, GOLD if stream == GOLD else KAFKA)
    until = time.monotonic() + WAIT_S
    with ExitStack() as owned:
        while True:
            try:
                owner.take()
                break
            except InUseError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)
        owned.callback(owner.release)
        if stream == GOLD:
            owned.enter_context(GoldFiles(settings.checkpoint_dir / GOLD).owned())
        yield


def _recover(
    arguments: argparse.Namespace, settings: Settings, lake: Lake, now: datetime
) -> Result:
    stream: str = arguments.stream
    folder = settings.checkpoint_dir / stream
    if stream == GOLD:
        forget_older_lake(settings, lake)
    damage = _damage(settings, stream, folder) or _apart(settings, lake, stream)
    standing = None
    if stream == KAFKA:
        standing = _standing(settings, lake, damage)
    result: Result = {"stream": stream, "found": _found(folder, damage, standing)}
    if standing and standing.lost:
        result["lost"] = shown(standing.lost, standing.topic)
        _answer_loss(arguments, lake, standing, now)
    if damage or (standing and (standing.is_stuck or standing.is_anew)):
        aside = folder.with_name(f"{folder.name}.broken-{now:%Y%m%dT%H%M%SZ}")
        result["set_aside"] = str(aside) if folder.exists() else None
        if not arguments.dry_run:
            noted = readable_note(folder)
            if folder.exists():
                folder.rename(aside)
            _renew(stream, folder, standing, noted)
    if stream == GOLD:
        products = RegistryFiles(settings.registry_dir).products().values()
        result["stay"] = windows_standing(lake, held_since(lake, products, now.date()))
    return result | {"goes_on_behind": _behind(stream, lake, standing)}


def _damage(settings: Settings, stream: str, folder: Path) -> Damage | None:
    if stream == SPOOL:
        return spool_damage(folder, settings.spool_dir / "segments")
    return gold_damage(folder) if stream == GOLD else kafka_damage(folder)


def _apart(settings: Settings, lake: Lake, stream: str) -> Damage | None:
    """Return in what a sound checkpoint and the lake are not of one moment."""
    if stream == GOLD:
        asked = (gold_is_behind, gold_is_ahead, gold_has_lost_its_place, gold_has_lost_a_table)
        return next((found for ask in asked if (found := ask(settings, lake))), None)
    return landing_is_behind(settings, lake, stream) or landing_is_ahead(settings, lake, stream)


def _standing(settings: Settings, lake: Lake, damage: Damage | None) -> Standing | None:
    """Ask the broker what is lost; a damaged checkpoint can be set aside without its answer."""
    try:
        return kafka_standing(settings, lake, is_damaged=damage is not None)
    except BrokerAwayError as error:
        if damage is None:
            raise HeadwaterError(
                f"{error}. Start it first: `headwater up`; the light stack has none, and its stream"
                f" is {SPOOL}"
            ) from error
        return None


def _found(folder: Path, damage: Damage | None, standing: Standing | None) -> str:
    if damage:
        return f"[{damage.code}] {damage.said}"
    if standing and standing.lost:
        return "[OFFSETS_LOST] Kafka dropped records that were never read"
    if standing and standing.is_stuck:
        return "[OFFSETS_DROPPED] Kafka dropped records that bronze holds"
    return "the checkpoint is sound" if has_batches(folder) else "there is no checkpoint"


def _answer_loss(
    arguments: argparse.Namespace, lake: Lake, standing: Standing, now: datetime
) -> None:
    """Write the gaps down as accepted, or refuse to go on."""
    missing = unanswered(standing.lost, accepted(lake, standing.topic))
    if arguments.dry_run:
        return
    if missing and not arguments.accept_loss:
        raise LostOffsetsError(
            "OFFSETS_LOST",
            f"Kafka has dropped records that landing never read:"
            f" {shown(missing, standing.topic)}; --accept-loss goes on behind them",
        )
    write_down(lake, standing.topic, standing.lost, now, is_accepted=True)


def _renew(stream: str, folder: Path, standing: Standing | None, noted: NotedTopic | None) -> None:
    """Begin a checkpoint with an id of its own: the tables have the old one's batch numbers.

    While the broker is away it goes on knowing the topic: another one may be there when it is back.
    """
    if stream != GOLD:
        checkpoint_id(folder)
    if standing:
        number = (generation(standing.topic) or 1) + standing.is_anew
        note_topic(folder, NotedTopic(generation_name(number), standing.now.id))
    elif noted:
        note_topic(folder, noted)


def _behind(stream: str, lake: Lake, standing: Standing | None) -> str | dict[str, int]:
    """Return what the stream goes on behind: the last offset of each partition that it has."""
    if stream == GOLD:
        return "silver, all of it"
    topic = standing.topic if standing else SPOOL_TOPIC
    found = {at: last for at, last in newest_offsets(lake).items() if at[0] == topic}
    for each in standing.lost if standing else []:
        if each.last is not None:
            found[topic, each.partition] = each.last
    return {f"{topic}/{part}": last for (_, part), last in sorted(found.items())}

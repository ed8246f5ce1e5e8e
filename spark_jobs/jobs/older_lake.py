"""Whether the lake has what a stream goes on with: it may be older, or its log shorter."""

from pathlib import Path

from spark_jobs.checkpoint import LAKE_OLDER, OLDER_NOTE, has_batches
from spark_jobs.checkpoint_files import Damage
from spark_jobs.gold_state import GoldFiles
from spark_jobs.jobs.gold_tables import TABLES
from spark_jobs.jobs.landing_start import newest_offsets
from spark_jobs.jobs.memory_file import MemoryFile
from spark_jobs.lake import Lake
from spark_jobs.log_files import can_go_on
from spark_jobs.noted_topic import generation
from spark_jobs.refusal import CheckpointError
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from telemetry.tables import LATE, READINGS
from telemetry.topics import SPOOL_TOPIC

MEMORY = "landing-memory"
_AND = {
    "landing": ", and reads again what Kafka still has",
    "landing_spool": ", without what that lacks: the spool has deleted it once it had landed",
    "gold": ", and is made again from its silver",
}
"""What else becomes of a stream."""
LOG_GONE = "SILVER_LOG_GONE"


def landing_is_ahead(settings: Settings, lake: Lake, stream: str) -> Damage | None:
    """Return what landing has landed and bronze does not hold; what it remembers tells.

    Its checkpoint alone would not do: an end of Kafka's may count marks that are no records.
    """
    if not has_batches(settings.checkpoint_dir / stream):
        return None
    saved = MemoryFile(settings.checkpoint_dir / MEMORY).load()
    of_spool = stream != "landing"
    landed = {
        (topic, partition): offset
        for topic, partition, offset in (saved.landed if saved else [])
        if (topic == SPOOL_TOPIC) == of_spool and (of_spool or generation(topic))
    }
    held = newest_offsets(lake) if landed else {}
    for at, offset in sorted(landed.items()):
        if offset > held.get(at, -1):
            has = f"offset {held[at]}" if at in held else "nothing"
            said = f"{at[0]}/{at[1]} was landed up to offset {offset}, and bronze has {has}"
            return Damage(LAKE_OLDER, said)
    return None


def gold_is_ahead(settings: Settings, lake: Lake) -> Damage | None:
    """Return what gold has read and silver does not hold; noted, since silver grows again."""
    files = GoldFiles(settings.checkpoint_dir / "gold")
    state = files.state()
    if state is None:
        return None
    for table, position in ((READINGS, state.readings), (LATE, state.late)):
        newest = lake.table(table).version()
        if position.version > newest + 1:
            said = f"version {position.version - 1} of {table.name} was read, it has {newest}"
            _note(files.checkpoint / OLDER_NOTE, f"{said}\n{_newest_batch(lake, state.app_id)}\n")
            return Damage(LAKE_OLDER, said)
    return None


def forget_older_lake(settings: Settings, lake: Lake) -> None:
    """Forget that the lake was found older, once the right one is back.

    That one has later batches of gold. To an older one nobody adds any while gold is refused.
    """
    files = GoldFiles(settings.checkpoint_dir / "gold")
    path = files.checkpoint / OLDER_NOTE
    if not path.exists():
        return
    _, _, newest_then = path.read_text("utf-8").strip().partition("\n")
    try:
        state = files.state()
    except HeadwaterError:
        # Whoever asks for damages next says so.
        return
    # A note of an earlier release does not say which batch was the newest.
    if newest_then and state and _newest_batch(lake, state.app_id) > int(newest_then):
        path.unlink()


def _newest_batch(lake: Lake, app_id: str) -> int:
    done = (lake.committed(table, app_id) for table in TABLES)
    return max((batch for batch in done if batch is not None), default=-1)


def gold_has_lost_its_place(settings: Settings, lake: Lake) -> Damage | None:
    """Return what gold is to read next and silver's log does not tell any more."""
    files = GoldFiles(settings.checkpoint_dir / "gold")
    state = files.state()
    if state is None:
        return None
    read = files.tables()
    for table, position in ((READINGS, state.readings), (LATE, state.late)):
        if read and str(lake.table(table).metadata().id) not in read:
            return Damage(LOG_GONE, f"{table.name} is another table than the one that it reads")
        if not can_go_on(lake.table(table), position.version):
            return Damage(
                LOG_GONE,
                f"it goes on with version {position.version} of {table.name}, which is gone from"
                " the table's log",
            )
    return None


def _note(path: Path, said: str) -> None:
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(said)
    temporary.replace(path)


def refuse_older_lake(stream: str, damage: Damage | None) -> None:
    """Raise if the lake is older than the stream, with both ways out."""
    if damage:
        raise CheckpointError(
            damage.code,
            f"the lake is older than {stream}: {damage.said}, as after a backup was put back."
            f" Either put the lake back that belongs to it, or `headwater job recover {stream}`"
            f" goes on from the lake that is there{_AND.get(stream, '')}",
        )

"""Whether the tables of gold are those that gold wrote: one may be gone, or an older copy."""

from spark_jobs.checkpoint_files import Damage
from spark_jobs.gold_state import GoldFiles, GoldState, Noted
from spark_jobs.jobs.gold_tables import TABLES
from spark_jobs.lake import Lake
from spark_jobs.refusal import CheckpointError
from telemetry.settings import Settings

GOLD_LOST = "GOLD_TABLE_LOST"


def noted_tables(lake: Lake) -> dict[str, Noted]:
    """Return each table of gold as it is now, by name."""
    handles = ((table.name, lake.table(table)) for table in TABLES)
    return {name: Noted(str(handle.metadata().id), handle.version()) for name, handle in handles}


def gold_has_lost_a_table(settings: Settings, lake: Lake) -> Damage | None:
    """Return which table of gold lacks what gold wrote, by what its state says."""
    state = GoldFiles(settings.checkpoint_dir / "gold").state()
    return lost_table(state, lake) if state else None


def lost_table(state: GoldState, lake: Lake) -> Damage | None:
    """Return which table is another one, or older; states of earlier releases name none."""
    now = noted_tables(lake) if state.tables else {}
    for name in now.keys() & state.tables.keys():
        there, noted = now[name], state.tables[name]
        if there.id != noted.id:
            return Damage(GOLD_LOST, f"{name} was made anew, as after its folder was deleted")
        if there.version < noted.version:
            said = f"{name} has version {there.version}, gold had written {noted.version}"
            return Damage(GOLD_LOST, f"{said}, as after an older copy was put back")
    return None


def refuse_lost_table(damage: Damage | None) -> None:
    """Raise if a table lacks what was written before: it would go on with what is new alone."""
    if damage:
        raise CheckpointError(
            damage.code,
            f"gold is not whole: {damage.said}. Either put the table back that was there, or"
            " `headwater job recover gold` has all of gold made again from silver",
        )

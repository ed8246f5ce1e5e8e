"""Frees what Dagster's store keeps for ever: of a run that it deletes only rows go.

A run has a database and logs of its own, files that stay, and tags. Events that sensors report
belong to no run, and results of checks outlive theirs: one of each table every few minutes.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import dagster as dg
from dagster._core.instance.utils import RUNLESS_RUN_ID
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetEventTagsTable,
    SqlEventLogStorageTable,
)
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.runs.schema import RunsTable, RunTagsTable
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from sqlalchemy import ColumnElement, Connection, Table, delete, func, select

AT_ONCE = 500
MOST_ROWS = 20_000
FILES = ("", "-wal", "-shm")
"""Endings of an SQLite database's files."""
_EVENT, _CHECK = SqlEventLogStorageTable.c, AssetCheckExecutionsTable.c


def free(instance: dg.DagsterInstance, before: datetime) -> int:
    """Delete what is left of runs that are gone, and events from before a time; count the runs.

    The newest event and result of each asset and check stay, however old they are.
    """
    storage = instance.event_log_storage
    if not isinstance(storage, SqliteEventLogStorage):
        return 0
    _free_events(storage, before.astimezone(UTC).replace(tzinfo=None))
    _free_tags(instance)
    gone = list(_gone(instance, storage))
    for run_id in gone:
        instance.compute_log_manager.delete_logs(prefix=[run_id])
        for ending in FILES:
            Path(f"{storage.path_for_shard(run_id)}{ending}").unlink(missing_ok=True)
    return len(gone)


def _gone(instance: dg.DagsterInstance, storage: SqliteEventLogStorage) -> Iterator[str]:
    """Yield the runs that have a database and are not known: one that begins is known first."""
    found = iter(storage.get_all_run_ids())
    while some := list(islice(found, AT_ONCE)):
        known = set(instance.get_run_ids(dg.RunsFilter(run_ids=some)))
        yield from (run_id for run_id in some if run_id not in known)


def _free_events(storage: SqliteEventLogStorage, before: datetime) -> None:
    is_old = (_EVENT.run_id == RUNLESS_RUN_ID) & (_EVENT.timestamp < before)
    newest = select(func.max(_EVENT.id)).group_by(_EVENT.asset_key, _EVENT.dagster_event_type)
    newest_checks = select(func.max(_CHECK.id)).group_by(_CHECK.asset_key, _CHECK.check_name)
    with storage.index_connection() as index:
        events = _some(index, _EVENT.id, is_old & _EVENT.id.not_in(newest))
        _delete(index, AssetEventTagsTable, AssetEventTagsTable.c.event_id, events)
        _delete(index, SqlEventLogStorageTable, _EVENT.id, events)
        was_held = (_CHECK.create_timestamp < before) & _CHECK.id.not_in(newest_checks)
        _delete(index, AssetCheckExecutionsTable, _CHECK.id, _some(index, _CHECK.id, was_held))
    with storage.run_connection(RUNLESS_RUN_ID) as beside:
        _delete(beside, SqlEventLogStorageTable, _EVENT.id, _some(beside, _EVENT.id, is_old))


def _free_tags(instance: dg.DagsterInstance) -> None:
    storage = instance.run_storage
    if isinstance(storage, SqliteRunStorage):
        is_left = RunTagsTable.c.run_id.not_in(select(RunsTable.c.run_id))
        with storage.connect() as runs:
            runs.execute(delete(RunTagsTable).where(is_left))


def _some(
    connection: Connection, key: ColumnElement[int], wanted: ColumnElement[bool]
) -> Sequence[int]:
    """Return keys of rows, not so many that the store would be locked for long."""
    return connection.execute(select(key).where(wanted).limit(MOST_ROWS)).scalars().all()


def _delete(
    connection: Connection, table: Table, key: ColumnElement[int], keys: Sequence[int]
) -> None:
    for start in range(0, len(keys), AT_ONCE):
        connection.execute(delete(table).where(key.in_(keys[start : start + AT_ONCE])))

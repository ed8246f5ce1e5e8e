"""Changes of several tables made at once, each committed on the version that it was made of."""

import time
from collections.abc import Callable, Iterable, Mapping

from spark_jobs.commit_info import Txn
from spark_jobs.lake import ATTEMPTS, FIRST_PAUSE_S, CommitError, Lake
from spark_jobs.table_files import Snapshot, Swap, has_transaction
from telemetry.tables import Table

Snapshots = Mapping[Table, Snapshot]
Swaps = Mapping[Table, Swap]


def update_group(
    lake: Lake,
    tables: Iterable[Table],
    change: Callable[[Snapshots], Swaps],
    txn: Txn,
    attempts: int = ATTEMPTS,
) -> dict[str, int]:
    """Commit what `change` says of each table; return the number of rows written by table.

    `change` is asked with the newest versions of the tables that do not have `txn`, and again
    with those on which another writer was faster. A process that ends between two commits leaves
    the rest to whoever makes the batch again: tables that have `txn` are left as they are.
    """
    left, written, pause = list(tables), dict[str, int](), FIRST_PAUSE_S
    for _ in range(attempts):
        newest = {table: lake.snapshot(table) for table in left}
        fresh = {
            table: at
            for table, at in newest.items()
            if not has_transaction(at.handle, txn.app_id, txn.version)
        }
        swaps = change(fresh) if fresh else {}
        done = {table: lake.swap(fresh[table], swap, txn) for table, swap in swaps.items()}
        written |= {table.name: swaps[table].rows for table, is_done in done.items() if is_done}
        left = [table for table, is_done in done.items() if not is_done]
        if not left:
            return written
        time.sleep(pause)
        pause *= 2
    raise CommitError(f"{left[0].name}: {attempts} commits lost against other writers")

"""Appends to bronze in a thread beside, while landing makes silver's rows ready."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager

import pyarrow as pa
from deltalake.transaction import AddAction

from spark_jobs.commit_info import Txn
from spark_jobs.lake import Lake
from spark_jobs.table_files import Along
from telemetry.tables import MESSAGES


class BronzeBeside:
    """Belongs to the one process that lands; nothing else of it writes to bronze."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake.for_thread()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="bronze")

    @contextmanager
    def append(
        self,
        rows: pa.Table,
        txn: Txn | None,
        info: Mapping[str, str],
        staged: Sequence[AddAction],
    ) -> Iterator[Callable[[], bool]]:
        """Append rows and files that are written already; yield what waits until they are there.

        That returns False if the transaction was committed before, and raises what went wrong. At
        the end of the context the commit is over, whatever has happened within it.
        """
        if not rows.num_rows and not staged:
            yield lambda: False
            return
        commit = self._thread.submit(self._lake.append, MESSAGES, rows, txn, info, Along(staged))
        try:
            yield commit.result
        finally:
            wait([commit])

"""The only reads and writes of the lake: delta-rs for small fast commits, Spark for the rest."""

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Self, TypeAlias

import polars as pl
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, TableNotFoundError
from deltalake.transaction import AddAction
from pyspark.sql import DataFrame, SparkSession

from edge.log_looks import seen
from spark_jobs import column_files, table_files
from spark_jobs.commit_info import Txn, properties
from spark_jobs.log_checkpoints import LogCheckpoints
from spark_jobs.log_files import hooks, is_newest, is_there
from spark_jobs.log_tail import LogTail
from spark_jobs.reading_rows import ReadingRows
from spark_jobs.row_files import PACKED, RecentFiles, RowFiles
from spark_jobs.schema import conform, delta_schema, table_properties
from spark_jobs.table_changes import bring
from spark_jobs.table_files import NOTHING_ALONG, Along, Change, Snapshot, Swap
from spark_jobs.version_checksum import Checksums
from telemetry.errors import HeadwaterError
from telemetry.tables import TABLES, Table

Frame: TypeAlias = pa.Table | pl.DataFrame
WRITER = WriterProperties(compression="ZSTD", compression_level=3, max_row_group_size=256 * 1024)
ATTEMPTS, FIRST_PAUSE_S = 8, 0.05


class CommitError(HeadwaterError):
    """A commit lost against other writers as often as it was tried."""


class Lake:
    """All tables below one root. It keeps handles open, so each thread has a lake of its own."""

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/")
        self._handles: dict[str, DeltaTable] = {}
        self._recent = RecentFiles()
        self._checksums = Checksums()
        self._tails: dict[str, LogTail] = {}
        self._checkpoints = LogCheckpoints()

    def for_thread(self) -> Self:
        """Return a lake on the same root for another thread."""
        return type(self)(self.root)

    def uri(self, table: Table) -> str:
        """Return where the table is."""
        return f"{self.root}/{table.name.replace('.', '/')}"

    def create_all(self) -> None:
        """Create every declared table that is not there yet."""
        for table in TABLES:
            self.create(table)

    def create(self, table: Table) -> None:
        """Create one table; bring one that is there to its declaration, if no row must change."""
        handle = DeltaTable.create(
            self.uri(table),
            schema=delta_schema(table),
            mode="ignore",
            partition_by=list(table.partition_by),
            name=table.name,
            description=table.description,
            configuration=table_properties(table),
        )
        bring(handle, table)

    def table(self, table: Table) -> DeltaTable:
        """Return the newest version of the table."""
        handle = self._handles.get(table.name)
        if handle is not None and not is_newest(handle):
            seen(handle.update_incremental)
            handle = handle if is_there(handle) else None
        if handle is None:
            handle = self._handles[table.name] = seen(lambda: DeltaTable(self.uri(table)))
        return handle

    def append(
        self,
        table: Table,
        frame: Frame | ReadingRows,
        txn: Txn | None,
        info: Mapping[str, str] | None = None,
        along: Along = NOTHING_ALONG,
    ) -> bool:
        """Append the rows in one commit; return False if `txn` has been committed before."""
        rows = frame.to_arrow() if isinstance(frame, pl.DataFrame) else frame
        count = rows.num_rows + sum(map(column_files.records, along.files))
        said, written = {**(info or {}), "rows": str(count)}, list[AddAction]()

        def files() -> list[AddAction]:
            if not written:
                written.extend(column_files.added(self.uri(table), table, rows))
                along.wait()
            return [*along.files, *written]

        def write(handle: DeltaTable) -> None:
            before = handle.version()
            table_files.commit(handle, table, [*files()], properties(txn, said))
            self._checksums.note(self.uri(table), table, handle, before, files())

        told = self._tail(table).append(files, txn, said)
        if told is None:
            return self._commit(table, write, txn)
        if told.is_new:
            look = partial(self.table, table)
            self._checksums.note_appended(self.uri(table), table, told.version, files(), look)
        return told.is_new

    def _tail(self, table: Table) -> LogTail:
        if table.name not in self._tails:
            make_checkpoint = partial(self._checkpoints.make, self.uri(table))
            self._tails[table.name] = LogTail(partial(self.table, table), make_checkpoint)
        return self._tails[table.name]

    def rows_of(self, table: Table, staged: Iterable[AddAction], columns: list[str]) -> pa.Table:
        """Return rows of files that are written, be they committed or not."""
        return column_files.content(self.uri(table), staged, columns)

    def replace(
        self,
        table: Table,
        frame: Frame,
        predicate: str | None,
        txn: Txn | None,
        info: Mapping[str, str] | None = None,
    ) -> bool:
        """Put the rows in place of those that the SQL predicate names (None: all), in one commit.

        Every row must fit the predicate. Return False if `txn` has been committed before.
        """
        rows = conform(table, frame.to_arrow() if isinstance(frame, pl.DataFrame) else frame)

        def write(handle: DeltaTable) -> None:
            write_deltalake(
                handle,
                rows,
                mode="overwrite",
                predicate=predicate,
                writer_properties=WRITER,
                # delta-rs itself tries again beside a packing, and leaves the packed rows there.
                commit_properties=properties(txn, info, retries=0),
                post_commithook_properties=hooks(handle),
            )

        return self._commit(table, write, txn)

    def update(
        self,
        table: Table,
        change: Callable[[pl.LazyFrame], Change | None],
        txn: Txn | None,
        info: Mapping[str, str] | None = None,
    ) -> int | None:
        """Replace what `change` says, made from the very version that it is committed on.

        Where another writer touched the same rows meanwhile, `change` is asked again. Return the
        number of rows written, None if there was no change or `txn` has been committed before.
        """
        done: list[int] = []

        def write(handle: DeltaTable) -> None:
            wanted = change(pl.scan_delta(handle))
            if wanted is not None:
                self._swap(handle, table, wanted, properties(txn, info, retries=0))
                done.append(sum(map(len, wanted.frames)))

        self._commit(table, write, txn)
        return done[0] if done else None

    def delete(self, table: Table, predicate: str) -> None:
        """Delete the rows that the SQL predicate names; whole partitions cost no rewrite."""

        def write(handle: DeltaTable) -> None:
            handle.delete(predicate, commit_properties=properties(None, None, retries=0))

        self._commit(table, write, None)

    def vacuum(self, table: Table, hours: int, *, dry_run: bool = False) -> int:
        """Delete files that no version of the last `hours` needs, strays included; count them."""
        return len(self.table(table).vacuum(hours, dry_run=dry_run, full=True))

    def snapshot(self, table: Table) -> Snapshot:
        """Return the newest version of the table, to be swapped files of."""
        return Snapshot(self.row_files(table), self.table(table))

    def row_files(self, table: Table) -> RowFiles:
        """Return the table's files, of which this lake knows those it wrote last."""
        return RowFiles(self.uri(table), table, self._recent)

    def swap(self, snapshot: Snapshot, wanted: Swap, txn: Txn) -> bool:
        """Commit a swap on the very version of the snapshot; return False if that is outdated."""
        table = snapshot.rows.table
        try:
            if actions := snapshot.actions(wanted):
                commit = properties(txn, None, retries=0)
                table_files.commit(snapshot.handle, table, actions, commit)
        except CommitFailedError:
            self._handles.pop(table.name, None)
            return False
        if table_files.crowded(snapshot.files, table, wanted.frames).height:
            self._pack(table, wanted.frames)
        return True

    def _swap(
        self, handle: DeltaTable, table: Table, wanted: Change, commit: CommitProperties
    ) -> None:
        files = table_files.listed(handle)
        actions = table_files.swap(self.row_files(table), files, wanted)
        if actions:
            table_files.commit(handle, table, actions, commit)
        if table_files.crowded(files, table, wanted.frames).height:
            self._pack(table, wanted.frames)

    def _pack(self, table: Table, grown: Iterable[pl.DataFrame]) -> None:
        """Make small files one, in a commit of its own that changes no row."""
        handle = self.table(table)
        small = table_files.crowded(table_files.listed(handle), table, grown)
        if small.is_empty():
            return
        commit = properties(None, {PACKED: str(small.height)}, retries=0)
        try:
            packed = table_files.pack(self.row_files(table), small)
            table_files.commit(handle, table, packed, commit)
        except CommitFailedError:
            # Another writer was there: the next change packs them.
            self._handles.pop(table.name, None)

    def _commit(self, table: Table, write: Callable[[DeltaTable], None], txn: Txn | None) -> bool:
        pause = FIRST_PAUSE_S
        for _ in range(ATTEMPTS):
            handle = self.table(table)
            if txn and table_files.has_transaction(handle, txn.app_id, txn.version):
                return False
            try:
                write(handle)
                return True
            except CommitFailedError as error:
                # Another writer rewrote files below this snapshot: only a new one can commit.
                self._handles.pop(table.name, None)
                lost = error
                time.sleep(pause)
                pause *= 2
        raise CommitError(f"{table.name}: {ATTEMPTS} commits lost against other writers: {lost}")

    def committed(self, table: Table, app_id: str) -> int | None:
        """Return the newest transaction version of an application, None if it has none."""
        return self.table(table).transaction_version(app_id)

    def scan(self, table: Table) -> pl.LazyFrame:
        """Return the newest version as a lazy frame; filters prune files."""
        return pl.scan_delta(self.table(table))

    def scan_at(self, table: Table, version: int) -> pl.LazyFrame:
        """Return an older version as a lazy frame."""
        return pl.scan_delta(DeltaTable(self.uri(table), version=version))

    def frame(self, spark: SparkSession, table: Table, version: int | None = None) -> DataFrame:
        """Return a version, by default the newest, as a Spark frame."""
        reader = spark.read.format("delta")
        at = {} if version is None else {"versionAsOf": version}
        return reader.options(**at).load(self.uri(table))

    def files(self, table: Table) -> pl.DataFrame:
        """Return the table's files: size, rows, age, and `partition.…`, `min.…`, `max.…`."""
        return table_files.listed(self.table(table))

    def rewrite(self, frame: DataFrame, table: Table, partitions: str, txn: Txn) -> None:
        """Put a Spark frame in place of the partitions that the SQL condition names, once."""
        once = {"txnAppId": txn.app_id, "txnVersion": str(txn.version)}
        writer = frame.write.format("delta").mode("overwrite").options(**once)
        writer.option("replaceWhere", partitions).save(self.uri(table))

    def stream(
        self, spark: SparkSession, table: Table, options: Mapping[str, int] | None = None
    ) -> DataFrame:
        """Return the table's appends as a stream; rewrites of files are passed over."""
        reader = spark.readStream.format("delta").option("skipChangeCommits", "true")
        return reader.options(**(options or {})).load(self.uri(table))

    def exists(self, table: Table) -> bool:
        """Tell whether the table was created."""
        try:
            self.table(table)
        except TableNotFoundError:
            return False
        return True

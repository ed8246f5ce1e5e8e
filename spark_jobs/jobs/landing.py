"""Landing: judges a batch of records, and commits it to bronze and silver exactly once."""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from edge.registry_files import RegistryFiles
from spark_jobs.collector import no_collection
from spark_jobs.column_files import added, from_text, records
from spark_jobs.commit_info import Txn
from spark_jobs.dedup.decision import decide, firsts, verdict_rows
from spark_jobs.jobs.bronze_beside import BronzeBeside
from spark_jobs.jobs.landing_logs import LandingLogs
from spark_jobs.jobs.landing_memory import LandingMemory
from spark_jobs.jobs.landing_progress import LandingProgress
from spark_jobs.jobs.landing_workers import Few, LandingWorkers
from spark_jobs.jobs.live_registry import LiveRegistry
from spark_jobs.jobs.older_lake import MEMORY
from spark_jobs.jobs.settled import Settled
from spark_jobs.jobs.silver_pause import SilverPause
from spark_jobs.kafka_records import Reading
from spark_jobs.lake import Lake
from spark_jobs.restatements import LATE_ROWS, Mark, Restatements, Versions
from spark_jobs.table_files import NO_ROWS, Along
from spark_jobs.transforms import routes
from spark_jobs.transforms.first_use import first_use
from spark_jobs.transforms.judgement import Judgement
from spark_jobs.transforms.marks import TOUCHED, of_rows
from spark_jobs.transforms.offsets import (
    Offsets,
    offsets_text,
    ranges,
    within,
)
from spark_jobs.transforms.routes import COORDINATES
from spark_jobs.transforms.staging import (
    CONTENT,
    STAGE_FROM,
    Staging,
    unstaged,
    with_content,
)
from telemetry.settings import Settings
from telemetry.tables import LATE, MESSAGES, Table

FEW = Few()
log = logging.getLogger(__name__)


class Again(NamedTuple):
    """How records of bronze land once more: messages that stay out, words that commits say."""

    stay_out: Callable[[Judgement, pl.DataFrame], pl.DataFrame]
    said: Mapping[str, str]


class Landing:
    """The one writer of bronze and silver; its memory belongs to one process."""

    def __init__(
        self, settings: Settings, lake: Lake, *, stage_from: int = STAGE_FROM, few: Few = FEW
    ) -> None:
        self._lake = lake
        self._staging = Staging(lake.uri(MESSAGES), stage_from)
        files = RegistryFiles(settings.registry_dir, leaves_wrong=True)
        self._registry = LiveRegistry(files, lake)
        self._registry.refresh()
        tolerance_us = round(settings.clock_tolerance_s * 1_000_000)
        self._workers = LandingWorkers(self._registry, tolerance_us, few)
        self._memory = LandingMemory(
            lake,
            settings.checkpoint_dir / MEMORY,
            remembered=settings.dedup_recent_keys,
            horizon_us=self._registry.dedup_horizon_us,
        )
        self._bronze = BronzeBeside(lake)
        self._logs = LandingLogs(settings, lake)
        self._settled = Settled(lake)
        self._silver = SilverPause(settings)
        self._marks = Restatements(lake)
        self._lock = threading.Lock()
        self._is_cut_short = False
        """Whether a batch has failed in the middle: some of its tables may have it."""
        self.progress = LandingProgress(self._memory, self._registry)

    @property
    def landed(self) -> dict[tuple[str, int], int]:
        """The newest offset in bronze of each (topic, partition)."""
        return self._memory.landed

    def warm_up(self, spark: SparkSession) -> None:
        """Start the workers, so that the first large batch does not wait for them."""
        self._workers.warm_up(spark)

    def follow(self) -> None:
        """Take up what the registry says, though no message comes."""
        with self._lock:
            self._refresh()
            self._logs.trim_if_due()

    def _refresh(self) -> None:
        self._registry.refresh()
        self._memory.remember_for(self._registry.dedup_horizon_us)

    def land(self, batch: DataFrame, txn: Txn, reading: Reading | None = None) -> None:
        """Land one micro-batch; harmless if parts of it, or all, were landed before.

        Workers read it from Kafka themselves where `reading` says what, else Spark brings it. One
        with very many messages is landed in parts, each of them whole before the next one.
        """
        with self._lock:
            self._refresh()
            is_unsure = self._is_cut_short
            rest = self._land_part(batch, txn, reading, is_unsure=is_unsure, is_first=True)
            while rest is not None:
                rest = self._land_part(batch, txn, rest, is_unsure=is_unsure, is_first=False)
            self._is_cut_short = False

    def _land_part(
        self, batch: DataFrame, txn: Txn, asked: Reading | None, *, is_unsure: bool, is_first: bool
    ) -> Reading | None:
        began = time.perf_counter()
        found, rest = self._workers.read(batch, asked, self._staging)
        judged_at = time.perf_counter()
        if found.messages.num_rows:
            with self._silver.batch() as is_changed, no_collection():
                if is_changed:
                    self._remember_anew()
                    found, rest = self._workers.read(batch, asked, self._staging)
                is_whole = is_first and rest is None
                self._take(found, txn, is_unsure=is_unsure, is_whole=is_whole)
                self._memory.save_if_due(time.time())
                self._logs.trim_if_due()
        log.info(
            "batch %d of %s: %d messages, judged in %.0f ms, committed in %.0f ms",
            txn.version,
            txn.app_id.split("/")[0],
            found.messages.num_rows,
            (judged_at - began) * 1000,
            (time.perf_counter() - judged_at) * 1000,
        )
        return rest

    def land_again(self, records: DataFrame, again: Again | None = None) -> dict[str, int]:
        """Judge records of bronze again, and land of them what silver lacks."""
        with self._lock:
            self._refresh()
            before = dict(self.progress.rows)
            found = self._workers.judge(records)
            if found.messages.num_rows:
                with self._silver.batch() as is_changed:
                    if is_changed:
                        self._remember_anew()
                        found = self._workers.judge(records)
                    self._take(found, None, is_unsure=self._is_cut_short, again=again)
                    self._memory.save(time.time())
            self._is_cut_short = False
            return {name: n - before.get(name, 0) for name, n in self.progress.rows.items()}

    def _remember_anew(self) -> None:
        """Take up what another process did; what was judged before it is to be judged again.

        The other may have fixed types of metrics, which messages contradict that use them first.
        """
        log.info("another process changed silver")
        self._memory.renew()
        self._registry.recall()

    def _take(
        self,
        found: Judgement,
        txn: Txn | None,
        *,
        is_unsure: bool,
        is_whole: bool = True,
        again: Again | None = None,
    ) -> None:
        heads = routes.heads(found)
        offsets = ranges(heads)
        info = _commit_info(txn, offsets) | (dict(again.said) if again else {})
        new = heads
        is_there = any(first <= self.landed.get(at, -1) for at, (first, _) in offsets.items())
        self._is_cut_short = True
        is_batch = txn is not None
        if not is_whole:
            # A transaction is of a whole batch; of its parts, bronze alone says which are there.
            txn = None
        if is_there or is_unsure:
            if is_batch:
                # It may have ended between its late rows and their marks.
                late = self._lake.scan(LATE).filter(within(offsets))
                self._mark_late(late.select(TOUCHED).collect(), txn)
            # A part of the batch is there: what the tables hold decides, not the transaction. The
            # registry may be another one by now, and have a message go to another table.
            txn = None
            found = self._unstaged(found)
            new = self._settled.new_records(heads.filter(pl.col("item") == 0), offsets)
            heads = self._without_settled(heads, offsets)
        if again:
            heads = heads.join(again.stay_out(found, heads), on="row", how="anti")
        messages = routes.bronze(found, routes.records(new, unstaged=bool(found.files)))
        files = [*map(from_text, found.files)]
        with self._bronze.append(messages, txn, info, files) as is_new:
            self._take_silver(found, heads, txn, info, is_new)
            self._note(MESSAGES, messages.num_rows + sum(map(records, files)), is_new=is_new())
        self._memory.note_landed({at: last for at, (_, last) in offsets.items()})
        self.progress.landed(heads)

    def _unstaged(self, found: Judgement) -> Judgement:
        """Return a batch as if its records had not been written; vacuum finds their files."""
        rows = np.arange(found.messages.num_rows)
        return unstaged(self._with_content(found, rows))

    def _with_content(self, found: Judgement, rows: np.ndarray) -> Judgement:
        if not found.files or not len(rows):
            return found
        files = [*map(from_text, found.files)]
        columns = [*COORDINATES[:3], *CONTENT]
        return with_content(found, rows, self._lake.rows_of(MESSAGES, files, columns))

    def _without_settled(self, heads: pl.DataFrame, offsets: Offsets) -> pl.DataFrame:
        settled = self._settled.messages(offsets)
        self._memory.remember(settled.keys, settled.copies)
        return heads.join(settled.items, on=settled.items.columns, how="anti")

    def _take_silver(
        self,
        found: Judgement,
        heads: pl.DataFrame,
        txn: Txn | None,
        info: Mapping[str, str],
        bronze: Callable[[], bool],
    ) -> None:
        """Land what bronze's records say; nothing is committed before `bronze` returns."""
        uses = first_use(routes.unsettled(found, heads, self._registry.types), self._registry.types)
        if not uses.fixed.is_empty():
            bronze()
            self._registry.fix(uses.fixed, txn)
        candidates = routes.candidates(found, routes.accepted(heads, uses.reasons))
        memory = self._memory
        verdicts = decide(candidates, memory.index, memory.copies.find)
        aside = verdict_rows(candidates, verdicts)
        found = self._with_content(found, aside.frame["row"].to_numpy())
        # All files are written before the first commit, which waits for bronze.
        written = [
            (table, rows, added(self._lake.uri(table), table, rows))
            for table, rows in routes.routed(found, heads, uses.reasons, aside)
            if rows.num_rows
        ]
        for table, rows, files in written:
            is_new = self._lake.append(table, NO_ROWS, txn, info, Along(files, bronze))
            self._note(table, rows.num_rows, is_new=is_new)
            if table is LATE and isinstance(rows, pa.Table):
                self._mark_late(routes.frame_of(rows.select(TOUCHED)), txn)
        memory.copies.remember(*firsts(candidates, verdicts))

    def _mark_late(self, rows: pl.DataFrame, txn: Txn | None) -> None:
        """Mark the windows of late rows."""
        if rows.is_empty():
            return
        version = self._lake.table(LATE).version()
        mark_id = f"{txn.app_id}/{txn.version}" if txn else uuid.uuid4().hex
        mark = Mark(mark_id, LATE_ROWS, datetime.now(UTC), Versions(late=version))
        self._marks.mark(of_rows(rows), mark, txn)

    def _note(self, table: Table, rows: int, *, is_new: bool) -> None:
        if is_new:
            self.progress.committed(table, rows)
        elif rows:
            log.info("%s holds this batch already", table.name)


def _commit_info(txn: Txn | None, offsets: Offsets) -> dict[str, str]:
    """Return what each commit of a batch says of it."""
    said = {"offsets": offsets_text(offsets)}
    return said | {"query": txn.app_id, "batch": str(txn.version)} if txn else said

"""Gold: advances every window by what silver has gained, and makes windows again on demand."""

import logging
import threading
import uuid
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import takewhile

import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from edge.registry_files import RegistryFiles
from spark_jobs.checkpoint import gold_damage
from spark_jobs.commit_info import Txn
from spark_jobs.gold_state import GoldFiles, GoldState, Position
from spark_jobs.jobs.gold_rebuild import Rebuild
from spark_jobs.jobs.gold_restate import Restate
from spark_jobs.jobs.gold_tables import TABLES, GoldTables
from spark_jobs.jobs.gold_worker import reduced_files
from spark_jobs.jobs.held_since import held_since, standing
from spark_jobs.jobs.live_rules import LiveRules
from spark_jobs.jobs.lost_gold import (
    gold_has_lost_a_table,
    lost_table,
    noted_tables,
    refuse_lost_table,
)
from spark_jobs.jobs.older_checkpoint import gold_is_behind
from spark_jobs.jobs.older_lake import (
    forget_older_lake,
    gold_has_lost_its_place,
    gold_is_ahead,
    refuse_older_lake,
)
from spark_jobs.lake import Lake
from spark_jobs.pins import Pins
from spark_jobs.planned_files import PlannedFiles, Unread, planned_files
from spark_jobs.refusal import refuse_damaged
from spark_jobs.restatements import MERGED, Restatements, Versions
from spark_jobs.schema import REWRITTEN_HOURS
from spark_jobs.table_files import is_append
from spark_jobs.transforms.partials import READING_COLUMNS
from spark_jobs.transforms.reduction import NOTHING, PACKED, unpacked
from spark_jobs.transforms.rules import rules, watermarks
from spark_jobs.worker_jobs import collected
from telemetry.settings import Settings
from telemetry.tables import LATE, READINGS, RESTATEMENTS, Table

NAME = "gold"
MAX_FILES = 8000
MAX_BYTES = 8 * 1024 * 1024
"""History comes in thousands of small files, live data in few large ones: a batch holds either.

So many bytes are half a million readings of history, each a window of its own, whose partials the
JVM holds several times.
"""
SOURCES = (READINGS, LATE)
log = logging.getLogger(__name__)


class Gold:
    """The one writer of gold; between two batches it makes windows again that are marked."""

    def __init__(self, lake: Lake, settings: Settings) -> None:
        self.state = GoldState(app_id="")
        self.rows: Counter[str] = Counter()
        self.readings = 0
        """With a value, that this process has merged."""
        self.newest_event: datetime | None = None
        self._lake, self._settings = lake, settings
        self._tables = GoldTables(lake)
        self._registry = RegistryFiles(settings.registry_dir)
        self._rules = LiveRules(self._registry)
        self._files = GoldFiles(settings.checkpoint_dir / NAME)
        self._marks = Restatements(lake)
        self._lock = threading.RLock()

    def prepare(self) -> None:
        """Take up the state; without one, make gold from all of silver and go on from there."""
        with self._lock:
            forget_older_lake(self._settings, self._lake)
            refuse_damaged(NAME, gold_damage(self._files.checkpoint))
            refuse_damaged(NAME, gold_is_behind(self._settings, self._lake))
            refuse_older_lake(NAME, gold_is_ahead(self._settings, self._lake))
            refuse_damaged(NAME, gold_has_lost_its_place(self._settings, self._lake))
            refuse_lost_table(gold_has_lost_a_table(self._settings, self._lake))
            self._rules = LiveRules(self._registry)
            self.state = self._files.state() or self._first_state()
            self._read_rules()
        self.restate()

    def _first_state(self) -> GoldState:
        readings, late = (self._newest(table) for table in SOURCES)
        state = GoldState(f"{NAME}/{uuid.uuid4().hex}", readings=readings, late=late)
        rebuild = self._rebuild(rules(self._registry.products().values()), state)
        # Until gold's place is known by its state, nobody else knows what it reads.
        read = {READINGS.name: readings.version - 1, LATE.name: late.version - 1}
        with Pins(self._settings).held(read):
            if stay := standing(self._lake, rebuild.held):
                log.info("windows whose readings retention has dropped stay", extra={"rows": stay})
            state = replace(rebuild.everything(), tables=noted_tables(self._lake))
            self._files.save(state)
        # All is made of silver as it is: what was marked in one before it would wait for ever.
        self._marks.clear(self._marks.of_no_version(self._silver_versions))
        return state

    def _silver_versions(self) -> Versions:
        readings, late = (self._lake.table(table).version() for table in SOURCES)
        return Versions(readings, late)

    def _rebuild(self, product_rules: pl.DataFrame, state: GoldState) -> Rebuild:
        products = self._registry.products().values()
        held = held_since(self._lake, products, datetime.now(UTC).date())
        return Rebuild(self._lake, product_rules, state, held=held)

    def _newest(self, table: Table) -> Position:
        """Return a position near the table's end from which a stream can start.

        A stream can start at a version that is there: at the newest one. If that appended, its
        rows are the stream's; if it rewrote, the stream passes over it, and its rows are taken.
        """
        handle = self._lake.table(table)
        return Position(handle.version() + (not is_append(handle.history(1)[0])))

    def _read_rules(self) -> None:
        if self._rules.renew():
            self._find_open()

    def _find_open(self) -> None:
        settled = self.state.watermarks
        self._tables.find_open(watermarks([settled], self._rules.asked), settled)

    def source(self, spark: SparkSession) -> DataFrame:
        """Return the readings and late readings that gold has not merged yet, as a stream."""
        starts = (self.state.readings, self.state.late)
        readings, late = (
            self._source(spark, table, start) for table, start in zip(SOURCES, starts, strict=True)
        )
        return readings.unionByName(late)

    def _source(self, spark: SparkSession, table: Table, start: Position) -> DataFrame:
        first = min(start.version, self._lake.table(table).version())
        options = {
            "startingVersion": first,
            "maxFilesPerTrigger": MAX_FILES,
            "maxBytesPerTrigger": MAX_BYTES,
        }
        # Workers read the files: of the stream's rows none is asked for.
        return self._lake.stream(spark, table, options).select("seq")

    def process(self, frame: DataFrame, batch_id: int) -> None:
        """Merge one batch into every table; a batch that was cut short goes on where it was."""
        with self._lock:
            if batch_id <= self.state.batch_id:
                return
            refuse_lost_table(lost_table(self.state, self._lake))
            self._read_rules()
            asked = self._rules.asked
            parts = unpacked(self._reduced(frame.sparkSession, batch_id), asked)
            marks = watermarks([self.state.watermarks, parts.highest], asked)
            txn = Txn(self.state.app_id, batch_id)
            self.rows.update(self._tables.merge(parts, asked, marks, txn))
            self.readings += int(parts.minutes["count"].sum())
            self._note_newest(parts.minutes["last_at"].max())
            self._advance(batch_id, marks)
        self.restate()

    def _reduced(self, spark: SparkSession, batch_id: int) -> pa.Table:
        """Have workers read the batch's files and reduce them."""
        files = self._planned(batch_id, spark.sparkContext.defaultParallelism)
        tasks = len(files.tasks)
        if not tasks:
            return NOTHING
        worker = partial(reduced_files, files=files, rules=self._rules.asked)
        return collected(spark, tasks, worker, PACKED)

    def _planned(self, batch_id: int, most_tasks: int) -> PlannedFiles:
        starts, untils = (self.state.readings, self.state.late), self._positions(batch_id)
        unread = [
            Unread(self._lake.uri(table), table.name, first, until)
            for table, first, until in zip(SOURCES, starts, untils, strict=True)
        ]
        return planned_files(unread, READING_COLUMNS, most_tasks)

    def _positions(self, batch_id: int) -> tuple[Position, Position]:
        """Return how far a batch reads readings and late ones."""
        positions = self._files.positions(batch_id)
        readings, late = (
            positions[str(self._lake.table(table).metadata().id)] for table in SOURCES
        )
        return readings, late

    def _note_newest(self, event_time: object) -> None:
        if isinstance(event_time, datetime):
            self.newest_event = max(event_time, self.newest_event or event_time)

    def _advance(self, batch_id: int, marks: pl.DataFrame) -> None:
        readings, late = self._positions(batch_id)
        read = replace(self.state, batch_id=batch_id, readings=readings, late=late)
        self.state = replace(read, watermarks=marks, tables=noted_tables(self._lake))
        self._files.save(self.state)

    def tidy(self) -> None:
        """Delete files of what gold rewrites that went more than an hour ago, and nobody reads."""
        pins = Pins(self._settings)
        with self._lock:
            for table in (*TABLES, RESTATEMENTS):
                if not pins.is_read(table):
                    self._lake.vacuum(table, REWRITTEN_HOURS)

    def _pass_rewrites(self) -> None:
        """Count versions of silver as read that only rewrote it: the stream passes over them."""
        self.state = replace(
            self.state,
            readings=behind_rewrites(self._lake, READINGS, self.state.readings),
            late=behind_rewrites(self._lake, LATE, self.state.late),
        )

    def restate(self) -> int:
        """Take up the marks that gold has read far enough for; count them."""
        with self._lock:
            if self._marks.marks().is_empty():
                return 0
            self._pass_rewrites()
            ready = self._ready()
            if ready.is_empty():
                return 0
            changed = ready.filter(~pl.col("reason").is_in(MERGED))
            if changed.height:
                log.info("restating gold", extra={"marks": changed.height})
                rebuild = self._rebuild(self._rules.asked, self.state)
                self.rows.update(Restate(rebuild).run(changed))
                self._find_open()
            self._marks.clear(ready)
            return ready.height

    def _ready(self) -> pl.DataFrame:
        readings, late = self.state.readings, self.state.late
        is_between = readings.is_between_versions and late.is_between_versions
        if not is_between or self._files.is_planned(self.state):
            return self._marks.marks().clear()
        return self._marks.marks().filter(
            pl.col("readings_version") < readings.version, pl.col("late_version") < late.version
        )


def behind_rewrites(lake: Lake, table: Table, position: Position) -> Position:
    """Return the position behind the rewrites that follow it."""
    handle = lake.table(table)
    unread = handle.version() - position.version + 1
    if unread < 1 or not position.is_between_versions:
        return position
    commits = reversed(handle.history(unread))
    passed = sum(1 for _ in takewhile(lambda commit: not is_append(commit), commits))
    return Position(position.version + passed)

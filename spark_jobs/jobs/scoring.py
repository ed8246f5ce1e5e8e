"""Scoring: rules that need a memory look at what silver has gained; alarms go out at once."""

import logging
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import polars as pl
from pyspark.sql import DataFrame, SparkSession

from detection.models.asking import predicts
from detection.rules.columns import COLUMNS, in_arrival, readings_of
from detection.rules.evaluator import Evaluator, Outcome
from edge.rule_files import RuleFiles
from spark_jobs.checkpoint import batches_damage, has_batches, newest_planned
from spark_jobs.commit_info import Txn
from spark_jobs.gold_state import GoldFiles, Position
from spark_jobs.jobs.older_checkpoint import scoring_is_behind
from spark_jobs.lake import Lake
from spark_jobs.log_files import can_go_on
from spark_jobs.model_marks import model_marks
from spark_jobs.planned_files import Unread, planned_files
from spark_jobs.scoring_state import ScoringFiles, ScoringState
from spark_jobs.stored_baselines import StoredBaselines
from spark_jobs.table_files import is_append
from spark_jobs.transforms.anomalies import anomalies
from telemetry.alerts import Alert
from telemetry.errors import HeadwaterError
from telemetry.rules.rule import VersionedRule
from telemetry.settings import Settings
from telemetry.tables import ANOMALIES, READINGS

NAME = "scoring"
MAX_FILES = 1000
MAX_BYTES = 8 * 1024 * 1024
"""Of the files of a batch, which is looked at in one go: about a million readings as they come."""
Now = Callable[[], int]
"""Microseconds since 1970."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
log = logging.getLogger(__name__)


def now_us() -> int:
    """Return the time in microseconds since 1970."""
    return (datetime.now(UTC) - _EPOCH) // timedelta(microseconds=1)


class AlertSink(Protocol):
    """Where alerts go; one that is told twice is the same alert."""

    def tell(self, alerts: Sequence[Alert]) -> None:
        """Have the alerts durably, or raise."""


class Scoring:
    """The one evaluator of a home's rules, with what it remembers kept beside its checkpoint.

    Alerts are told before they are remembered as told: a batch that was cut short is looked at
    again from the same memory, and says the same alerts under the same ids.
    """

    def __init__(self, lake: Lake, settings: Settings, sink: AlertSink, now: Now = now_us) -> None:
        self.state = ScoringState(app_id="")
        self.found = 0
        self.readings = 0
        """Looked at by this process."""
        self.newest_received: int | None = None
        self._lake, self._sink, self._now = lake, sink, now
        self._rules = RuleFiles(settings.registry_dir)
        self._files = ScoringFiles(settings.checkpoint_dir / NAME)
        self._models = settings.model_dir
        self._predicts = predicts(self._models)
        self._baselines = StoredBaselines(lake)
        self._evaluator = Evaluator(self._predicts, self._baselines)
        self._fingerprint: str | None = None
        self._complaint: str | None = None
        self._is_torn = True
        """Whether what is in memory is not what was told and saved."""
        self._lock = threading.RLock()

    @property
    def rules(self) -> list[VersionedRule]:
        """The rules at work."""
        return self._evaluator.rules

    def prepare(self) -> None:
        """Take up what was remembered; what is damaged, or has no checkpoint, begins anew."""
        with self._lock:
            kept = self._recalled()
            if kept and not self._has_place(kept.readings):
                log.error("rules forget what they have learnt: silver does not have their place")
                self._evaluator = Evaluator(self._predicts, self._baselines)
                kept = None
            if kept and (said := _not_gone_on_from(self._files.checkpoint, kept.batch_id)):
                log.error("scoring plans batches anew behind what it has seen: %s", said)
                _forget_batches(self._files.checkpoint)
            if kept is None:
                shutil.rmtree(self._files.checkpoint, ignore_errors=True)
                kept = ScoringState(_app_id(), readings=self._newest())
            elif not has_batches(self._files.checkpoint):
                # Batches are counted from 0 again, behind what was read.
                kept = replace(kept, app_id=_app_id(), batch_id=-1)
            elif older := scoring_is_behind(self._files.checkpoint, kept.app_id, self._lake):
                # What it tells again has the ids that it had: the table leaves it out.
                log.warning("scoring goes on under another name: %s", older.said)
                kept = replace(kept, app_id=_app_id())
            self.state = kept
            self._is_torn = False
            self.look_after()

    def _has_place(self, position: Position) -> bool:
        """Tell whether silver is the table that was looked at, and its log has what is next."""
        handle = self._lake.table(READINGS)
        seen = GoldFiles(self._files.checkpoint).tables() if self._is_whole() else frozenset()
        is_same = not seen or str(handle.metadata().id) in seen
        return is_same and can_go_on(handle, position.version)

    def _is_whole(self) -> bool:
        return batches_damage(self._files.checkpoint) is None

    def _recalled(self) -> ScoringState | None:
        """Let the rules remember what was saved, and return what that was of."""
        self._fingerprint = None
        self._evaluator = Evaluator(self._predicts, self._baselines)
        try:
            kept = self._files.read()
            if kept is not None:
                self._evaluator.load(kept.whole)
                for changes in kept.changes:
                    self._evaluator.apply(changes)
                return kept.state
        except HeadwaterError as error:
            log.error("rules forget what they have learnt: %s", error)
            self._evaluator = Evaluator(self._predicts, self._baselines)
            return None
        if has_batches(self._files.checkpoint):
            log.error("rules forget what they have learnt: the checkpoint has lost its memory")
        return None

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Have what happens within told and remembered, or neither: then it happens again."""
        with self._lock:
            if self._is_torn:
                kept = self._recalled()
                # A start that has not saved yet may count batches anew.
                if kept is not None and kept.app_id == self.state.app_id:
                    self.state = kept
            self._is_torn = True
            yield
            self._is_torn = False

    def _newest(self) -> Position:
        handle = self._lake.table(READINGS)
        return Position(handle.version() + (not is_append(handle.history(1)[0])))

    def source(self, spark: SparkSession) -> DataFrame:
        """Return the readings that were not looked at yet, as a stream."""
        newest = self._lake.table(READINGS).version()
        first = min(self.state.readings.version, newest)
        options = {
            "startingVersion": first,
            "maxFilesPerTrigger": MAX_FILES,
            "maxBytesPerTrigger": MAX_BYTES,
        }
        # The files are read here: of the stream's rows none is asked for.
        return self._lake.stream(spark, READINGS, options).select("seq")

    def process(self, _frame: DataFrame, batch_id: int) -> None:
        """Look at one batch, whole; one that was looked at before is left out."""
        with self._whole():
            if batch_id <= self.state.batch_id:
                return
            outcomes = self._put_rules()
            outcomes += self.take(self._rows(batch_id))
            alerts = [outcome.alert for outcome in outcomes]
            self._tell(alerts, Txn(self.state.app_id, batch_id))
            self._advance(batch_id)

    def _rows(self, batch_id: int) -> pl.DataFrame:
        """Read the files that the stream has planned for a batch."""
        first, until = self.state.readings, self._until(batch_id)
        unread = Unread(self._lake.uri(READINGS), READINGS.name, first, until)
        files = planned_files([unread], COLUMNS, most_tasks=1)
        return pl.concat(files.frames(0)) if files.tasks else pl.DataFrame()

    def _until(self, batch_id: int) -> Position:
        positions = GoldFiles(self._files.checkpoint).positions(batch_id)
        return positions[str(self._lake.table(READINGS).metadata().id)]

    def take(self, rows: pl.DataFrame) -> list[Outcome]:
        """Look at rows of silver, and remember them until the next save."""
        if rows.is_empty():
            return []
        self.readings += rows.height
        self.newest_received = _micros(rows["received_at"].max())
        return self._evaluator.take(readings_of(in_arrival(rows)), self._now())

    def _advance(self, batch_id: int) -> None:
        state = replace(self.state, batch_id=batch_id, readings=self._until(batch_id))
        self._files.save(state, self._evaluator)
        self.state = state

    def save(self) -> None:
        """Keep what is remembered, with the batch that it is of."""
        self._files.save(self.state, self._evaluator)

    def look_after(self, *, heard_until: int | None = None) -> None:
        """Put changed rules to work; find who fell silent up to when all that came is looked at."""
        with self._whole():
            before = self._fingerprint
            outcomes = self._put_rules()
            if heard_until is not None:
                outcomes += self._evaluator.tick(min(heard_until, now := self._now()), now)
            alerts = [outcome.alert for outcome in outcomes]
            self._tell(alerts, None)
            if alerts or self._fingerprint != before:
                self.save()

    def lasting(self) -> list[Alert]:
        """Return the alerts of alarms that last and were told."""
        with self._lock:
            return [] if self._is_torn else self._evaluator.lasting(self._now())

    def _put_rules(self) -> list[Outcome]:
        """Put the rules to work as their files say; if one cannot be read, the last ones hold.

        A rule whose model was missing is tried again once a model file appears or changes.
        """
        try:
            fingerprint = f"{self._rules.fingerprint()}|{model_marks(self._models)}"
            if fingerprint == self._fingerprint:
                return []
            rules = self._rules.rules().values()
        except (HeadwaterError, OSError) as error:
            if self._complaint != str(error):
                log.error("the rules cannot be read, the last ones hold: %s", error)
            self._complaint = str(error)
            return []
        outcomes = self._evaluator.put(rules, self._now())
        self._fingerprint, self._complaint = fingerprint, None
        for (tenant, name), why in self._evaluator.refused.items():
            log.error("rule %s of tenant %s does not work: %s", name, tenant, why)
        return outcomes

    def _new(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Leave out what the table has: a silence that was told and not saved is told again."""
        if rows.is_empty():
            return rows
        there = self._lake.scan(ANOMALIES).filter(
            pl.col("event_date").is_in(rows["event_date"].unique().to_list()),
            pl.col("anomaly_id").is_in(rows["anomaly_id"].to_list()),
        )
        return rows.join(there.select("anomaly_id").collect(), on="anomaly_id", how="anti")

    def _tell(self, alerts: Sequence[Alert], txn: Txn | None) -> None:
        if alerts:
            self._sink.tell(alerts)
        rows = self._new(anomalies(alerts))
        if not rows.is_empty():
            self._lake.append(ANOMALIES, rows.select(ANOMALIES.column_names), txn)
        self.found += rows.height


def _not_gone_on_from(checkpoint: Path, batch_id: int) -> str | None:
    """Return why Spark's batches are none to go on from: damaged, or older than the memory."""
    if not has_batches(checkpoint):
        return None
    if damage := batches_damage(checkpoint):
        return damage.said
    planned = newest_planned(checkpoint)
    return f"batch {planned} is the newest planned, {batch_id} seen" if planned < batch_id else None


def _forget_batches(checkpoint: Path) -> None:
    """Remove Spark's files, and leave what rules remember."""
    for name in ("commits", "sources", "state", "offsets"):
        shutil.rmtree(checkpoint / name, ignore_errors=True)
    for path in checkpoint.glob("*metadata*"):
        path.unlink()


def _app_id() -> str:
    return f"{NAME}/{uuid.uuid4().hex}"


def _micros(moment: object) -> int | None:
    return (moment - _EPOCH) // timedelta(microseconds=1) if isinstance(moment, datetime) else None

"""Judge rules of the fast lane on every record as it comes, and tell alerts within milliseconds."""

import argparse
import logging
import shutil
import signal
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import orjson
from kafka.errors import KafkaError
from py4j.protocol import Py4JError  # type: ignore[import-untyped]
from pyspark.sql import SparkSession

from edge.durable_files import replace_durably
from edge.registry_files import RegistryFiles
from edge.rule_files import RuleFiles
from spark_jobs.jobs.alone import alone
from spark_jobs.jobs.fast_lane import NAME, QUERIES, FastQuery, Offsets, offsets_now
from spark_jobs.jobs.host import JVM_GONE, StreamError, cause
from spark_jobs.jobs.progress_files import Run, State, forget_progress, progress, write_progress
from spark_jobs.jobs.query import Figures
from spark_jobs.lake import Lake
from spark_jobs.session import session
from spark_jobs.transforms.fast_alarms import is_fast
from telemetry.errors import HeadwaterError
from telemetry.products import Product
from telemetry.rules.rule import VersionedRule
from telemetry.settings import Settings
from telemetry.tables import BASELINES, DEVICES

STEP_S = 0.25
LOOK_EVERY_S = 1.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
SURELY_S = 15.0
"""What came longer before the last sign of life was judged; what came later is judged again."""
CATCHES_UP_S = 30.0
"""A query that is at work for less may not have judged all from where it began."""
LONGEST_GAP_S = 600.0
"""An alarm about something older is scoring's to tell."""
log = logging.getLogger(__name__)


class Wanted(NamedTuple):
    """What is to be at work: rules in the order of their names, and what products allow."""

    rules: Sequence[VersionedRule]
    products: Sequence[Product]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take no arguments: the rules say it all."""


def run(_arguments: argparse.Namespace, settings: Settings, lake: Lake) -> dict[str, object]:
    """Run until SIGTERM, or until no rule of the fast lane is on."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    for table in (DEVICES, BASELINES):
        lake.create(table)
    with alone(settings, NAME):
        shutil.rmtree(settings.checkpoint_dir / NAME / QUERIES, ignore_errors=True)
        lane = FastLane(settings, session(settings, "headwater-fast"))
        try:
            while not stopping.wait(STEP_S) and lane.step(time.time()):
                pass
        except JVM_GONE as error:
            raise StreamError("the JVM of the fast lane is gone; it starts in a new one") from error
        finally:
            lane.stop()
    return {NAME: "stopped"}


def _query(settings: Settings, wanted: Wanted) -> FastQuery:
    return FastQuery(settings, wanted.rules, wanted.products)


class FastLane:
    """Keeps the wanted rules at work: a changed one by a second query, then the first one ends.

    What a query broadcasts is renewed likewise, so that nothing waits while devices and baselines
    are read again.
    """

    def __init__(
        self,
        settings: Settings,
        spark: SparkSession,
        query: Callable[[Settings, Wanted], FastQuery] = _query,
        where: Callable[[Settings, float | None], Offsets] = offsets_now,
    ) -> None:
        self._settings = settings
        self._spark = spark
        self._query, self._where = query, where
        self._rules = RuleFiles(settings.registry_dir)
        self._seen_file = settings.checkpoint_dir / NAME / "seen.json"
        self._at_work: FastQuery | None = None
        self._next: FastQuery | None = None
        self._known: Wanted | None = None
        """What could be read last; it holds while the registry is away."""
        self._wanted: Wanted | None = None
        """What the newest query was begun with."""
        self._looked_at = 0.0
        self._begun_at = self._live_at = 0.0
        self._start_at = 0.0
        self._failures = 0
        self._error: str | None = None
        self._complaint: str | None = None

    def step(self, now: float) -> bool:
        """Take up what has changed; return False once there is nothing to do."""
        if now - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = now
            if not self._look(now):
                return False
        self._take_up(now)
        return True

    def _look(self, now: float) -> bool:
        self._read_again()
        wanted = self._known
        if wanted is not None and not wanted.rules:
            return False
        is_due = wanted != self._wanted or self._is_old(now)
        if wanted is not None and is_due and now >= self._start_at:
            self._begin(wanted, now)
        self._report(now)
        return True

    def _read_again(self) -> None:
        try:
            self._known, self._complaint = self._read(), None
        except (HeadwaterError, OSError) as error:
            if self._complaint != str(error):
                log.error("rules cannot be read, the last ones hold: %s", error)
            self._complaint = str(error)

    def _read(self) -> Wanted:
        kept = sorted(self._rules.rules().items())
        products = sorted(RegistryFiles(self._settings.registry_dir).products().items())
        return Wanted([rule for _, rule in kept if is_fast(rule)], [one for _, one in products])

    def _is_old(self, now: float) -> bool:
        """Tell whether what the query at work has broadcast is to be renewed."""
        at_work = self._at_work is not None and self._next is None
        return at_work and now - self._begun_at >= self._settings.fast_renew_s

    def _begin(self, wanted: Wanted, now: float) -> None:
        """Start a query for what is wanted; the one at work goes on until it is live."""
        query = self._query(self._settings, wanted)
        try:
            offsets = self._offsets(now)
            if self._at_work is not None:
                # What only renews, or is changed already, would take its time beside this one.
                self._drop_next()
            query.start(self._spark, offsets)
        except JVM_GONE:
            raise
        except (Py4JError, KafkaError, HeadwaterError, OSError) as error:
            self._failed(error, now)
            return
        self._drop_next()
        self._wanted, self._next, self._begun_at = wanted, query, now
        log.info("begins with %s", ", ".join(kept.rule.name for kept in wanted.rules))

    def _offsets(self, now: float) -> Offsets:
        """Return where to begin so that no record is left out; some are judged twice."""
        if self._at_work is not None:
            if now - self._live_at < CATCHES_UP_S:
                return self._at_work.offsets
            return self._where(self._settings, None)
        if self._next is not None:
            return self._next.offsets
        return self._where(self._settings, self._since(now))

    def _since(self, now: float) -> float | None:
        """Return from when on records were perhaps not judged; None where nothing is known."""
        try:
            seen = float(orjson.loads(self._seen_file.read_bytes())["at"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return max(seen - SURELY_S, now - LONGEST_GAP_S)

    def _take_up(self, now: float) -> None:
        if self._next is not None and (error := self._next.error) is not None:
            self._drop_next()
            self._failed(error, now)
        if self._at_work is not None and (error := self._at_work.error) is not None:
            self._end_all()
            self._failed(error, now)
        if self._next is not None and self._next.is_live(self._spark, now):
            before, self._at_work, self._next = self._at_work, self._next, None
            self._failures, self._error, self._live_at = 0, None, now
            log.info("is at work")
            if before is not None:
                before.stop()

    def _failed(self, error: BaseException, now: float) -> None:
        """Begin anew after a pause that grows."""
        self._failures += 1
        self._wanted, self._error = None, cause(error)
        pause = min(FIRST_PAUSE_S * 2 ** min(self._failures - 1, 9), LONGEST_PAUSE_S)
        self._start_at = now + pause
        log.error("failed, tries again in %.0f s: %s", pause, error)

    def _report(self, now: float) -> None:
        """Say how it is; nobody waits for it to be idle, and its offsets are known to nobody."""
        is_at_work = self._at_work is not None
        state: State = "running" if is_at_work else "degraded" if self._failures else "starting"
        said = progress(NAME, Run(state, error=self._error), Figures(), now)
        said |= {"lag_messages": None, "idle": True}
        try:
            if is_at_work:
                replace_durably(self._seen_file, orjson.dumps({"at": now}))
            write_progress(self._settings.progress_dir, said)
        except OSError as error:
            log.warning("the progress is not written: %s", error)

    def _drop_next(self) -> None:
        if self._next is not None:
            self._next.stop()
            self._next = None

    def _end_all(self) -> None:
        self._drop_next()
        if self._at_work is not None:
            self._at_work.stop()
            self._at_work = None

    def stop(self) -> None:
        """End what runs; `status` does not show it any more."""
        try:
            self._end_all()
        except JVM_GONE as error:
            log.warning("is cut off: %s", error)
        forget_progress(self._settings.progress_dir, NAME)

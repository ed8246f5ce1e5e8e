"""Host the streaming queries: landing, gold (windows), alerts and, once a rule is on, scoring."""

import argparse
import logging
import signal
import threading
import time
from contextlib import ExitStack

from pyspark.errors import StreamingQueryException
from pyspark.sql import SparkSession

from edge.outboxes import stack_mode
from spark_jobs.jobs.alerts_query import AlertsQuery
from spark_jobs.jobs.gold_query import GoldQuery
from spark_jobs.jobs.host import JVM_GONE, Hosted, StreamError, cause
from spark_jobs.jobs.landing_queries import KAFKA, SPOOL, SpoolFirst, landing_queries
from spark_jobs.jobs.progress_files import Run, State, forget_progress, progress, write_progress
from spark_jobs.jobs.query import Query
from spark_jobs.jobs.scoring_query import ScoringQuery, is_wanted
from spark_jobs.lake import Lake
from spark_jobs.refusal import InUseError, RefusalError
from spark_jobs.session import session
from telemetry.errors import HeadwaterError, WrongUseError
from telemetry.settings import Settings

LANDING, GOLD, SCORING, ALERTS = "landing", "gold", "scoring", "alerts"
QUERIES = (LANDING, GOLD, SCORING, ALERTS)
STEP_S = 1.0
STOP_WITHIN_S = 7.0
log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare which queries run, and how."""
    parser.add_argument(
        "--queries",
        default=",".join(QUERIES),
        help="some of landing, gold, scoring, alerts; scoring starts once a rule is on",
    )
    parser.add_argument(
        "--trigger",
        choices=("always", "available-now"),
        default="always",
        help="always on, or take up what is there and end",
    )


def run(arguments: argparse.Namespace, settings: Settings, lake: Lake) -> dict[str, object]:
    """Run until SIGTERM, or until all that is there has been taken up."""
    names = [name.strip() for name in arguments.queries.split(",")]
    if unknown := set(names) - set(QUERIES):
        raise WrongUseError(f"no query is named {', '.join(sorted(unknown))}: {', '.join(QUERIES)}")
    queries = _queries(settings, names)
    with ExitStack() as owned:
        for query in queries:
            owned.callback(query.close)
        own(queries)
        spark = session(settings, "headwater-streams")
        if arguments.trigger == "available-now":
            return _take_up(spark, settings, queries)
        return _host(spark, settings, queries, waits_for_rules=SCORING in names)


def _queries(settings: Settings, names: list[str]) -> list[Query]:
    queries: list[Query] = []
    if LANDING in names:
        queries += landing_queries(settings)
    if GOLD in names:
        queries.append(GoldQuery(settings))
    if SCORING in names and is_wanted(settings):
        queries.append(ScoringQuery(settings))
    if ALERTS in names and stack_mode(settings) == "full":
        queries.append(AlertsQuery(settings))
    return queries


def own(queries: list[Query]) -> None:
    """Take the locks of all queries that have one; raise if another process has all of them.

    What a job holds for a while does not keep the other queries from running.
    """
    refusals: list[InUseError] = []
    for query in queries:
        try:
            query.own()
        except InUseError as refusal:
            refusals.append(refusal)
    # Any number of processes may follow alerts.
    if refusals and len(refusals) == sum(query.name != ALERTS for query in queries):
        raise refusals[0]


def _take_up(spark: SparkSession, settings: Settings, queries: list[Query]) -> dict[str, object]:
    """Run each query over what is there, one after the other, and return their figures.

    One that is refused does not keep the others from running.
    """
    result: dict[str, object] = {}
    refusals: list[RefusalError] = []
    for query in queries:
        try:
            result[query.name] = _take_up_one(spark, settings, query)
        except RefusalError as refusal:
            refusals.append(refusal)
    if refusals:
        raise refusals[0]
    return result


def _take_up_one(spark: SparkSession, settings: Settings, query: Query) -> dict[str, object]:
    began = time.monotonic()
    _report(settings, query, "running")
    try:
        query.own()
        query.start(spark, "available-now").awaitTermination()
    except RefusalError as refusal:
        log.error("%s is refused: %s", query.name, refusal)
        _report(settings, query, "failed", str(refusal))
        raise
    except (StreamingQueryException, HeadwaterError) as error:
        _report(settings, query, "failed", cause(error))
        raise StreamError(f"{query.name} failed: {cause(error)}") from error
    figures = _report(settings, query, "stopped")
    figures["duration_s"] = round(time.monotonic() - began, 3)
    return figures


def _report(
    settings: Settings, query: Query, state: State, error: str | None = None
) -> dict[str, object]:
    said = progress(query.name, Run(state, error=error), query.figures(), time.time())
    write_progress(settings.progress_dir, said)
    return said


def _host(
    spark: SparkSession, settings: Settings, queries: list[Query], *, waits_for_rules: bool
) -> dict[str, object]:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    names = [query.name for query in queries]
    if KAFKA in names and SPOOL in names:
        queries = _spool_first(settings, {query.name: query for query in queries})
    hosted = [Hosted(query, spark, settings.progress_dir) for query in queries]
    late = ExitStack()
    try:
        while True:
            if waits_for_rules and SCORING not in names and is_wanted(settings):
                names.append(SCORING)
                query = ScoringQuery(settings)
                late.callback(query.close)
                hosted.append(Hosted(query, spark, settings.progress_dir))
            for one in hosted:
                one.step(time.monotonic())
            if stopping.wait(STEP_S) or _all_refused(hosted):
                break
    except JVM_GONE as error:
        raise StreamError("the JVM of the streams is gone; they start in a new one") from error
    finally:
        until = time.monotonic() + STOP_WITHIN_S
        for one in hosted:
            one.stop(max(0.0, until - time.monotonic()))
        late.close()
    for refusal in (one.refusal for one in hosted if one.refusal):
        raise refusal
    return {name: "stopped" for name in names}


def _all_refused(hosted: list[Hosted]) -> bool:
    """Tell whether there is nothing left to run, so that whoever started this must hear of it."""
    return all(one.refusal for one in hosted)


def _spool_first(settings: Settings, queries: dict[str, Query]) -> list[Query]:
    spool = queries.pop(SPOOL)
    queries[KAFKA] = SpoolFirst(queries[KAFKA], lambda spark: _drain(spark, settings, spool))
    return list(queries.values())


def _drain(spark: SparkSession, settings: Settings, spool: Query) -> None:
    """Land what the light path left behind, before Kafka goes on."""
    if any((settings.spool_dir / "segments").glob("*.parquet")):
        log.info("the spool is landed first")
        _take_up(spark, settings, [spool])
    forget_progress(settings.progress_dir, spool.name)

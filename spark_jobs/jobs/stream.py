"""Host the streaming queries: landing (records to bronze and silver) and gold (windows)."""

import argparse
import logging
import signal
import threading
import time
from contextlib import ExitStack

from pyspark.errors import StreamingQueryException
from pyspark.sql import SparkSession

from spark_jobs.jobs.alone import alone
from spark_jobs.jobs.gold_query import GoldQuery
from spark_jobs.jobs.host import JVM_GONE, Hosted, StreamError, cause
from spark_jobs.jobs.landing_queries import KAFKA, SPOOL, landing_queries
from spark_jobs.jobs.progress_files import Run, State, forget_progress, progress, write_progress
from spark_jobs.jobs.query import Query
from spark_jobs.lake import Lake
from spark_jobs.session import session
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

LANDING, GOLD = "landing", "gold"
STEP_S = 1.0
STOP_WITHIN_S = 7.0
log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare which queries run, and how."""
    parser.add_argument("--queries", default=f"{LANDING},{GOLD}", help="landing, gold, or both")
    parser.add_argument(
        "--trigger",
        choices=("always", "available-now"),
        default="always",
        help="always on, or take up what is there and end",
    )


def run(arguments: argparse.Namespace, settings: Settings, lake: Lake) -> dict[str, object]:
    """Run until SIGTERM, or until all that is there has been taken up."""
    names = [name.strip() for name in arguments.queries.split(",")]
    if unknown := set(names) - {LANDING, GOLD}:
        raise HeadwaterError(f"no query is named {', '.join(sorted(unknown))}: landing, gold")
    with ExitStack() as owned:
        for name in names:
            owned.enter_context(alone(settings, name))
        queries = _queries(settings, names)
        spark = session(settings, "headwater-streams")
        if arguments.trigger == "available-now":
            return _take_up(spark, settings, queries)
        return _host(spark, settings, queries)


def _queries(settings: Settings, names: list[str]) -> list[Query]:
    queries: list[Query] = []
    if LANDING in names:
        queries += landing_queries(settings)
    if GOLD in names:
        queries.append(GoldQuery(settings))
    return queries


def _take_up(spark: SparkSession, settings: Settings, queries: list[Query]) -> dict[str, object]:
    """Run each query over what is there, one after the other, and return their figures."""
    result: dict[str, object] = {}
    for query in queries:
        began = time.monotonic()
        _report(settings, query, "running")
        try:
            query.start(spark, "available-now").awaitTermination()
        except StreamingQueryException as error:
            _report(settings, query, "failed", cause(error))
            raise StreamError(f"{query.name} failed: {cause(error)}") from error
        figures = _report(settings, query, "stopped")
        figures["duration_s"] = round(time.monotonic() - began, 3)
        result[query.name] = figures
    return result


def _report(
    settings: Settings, query: Query, state: State, error: str | None = None
) -> dict[str, object]:
    said = progress(query.name, Run(state, error=error), query.figures(), time.time())
    write_progress(settings.progress_dir, said)
    return said


def _host(spark: SparkSession, settings: Settings, queries: list[Query]) -> dict[str, object]:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    names = [query.name for query in queries]
    if KAFKA in names and SPOOL in names:
        _drain(spark, settings, queries[names.index(SPOOL)])
        queries = [query for query in queries if query.name != SPOOL]
    hosted = [Hosted(query, spark, settings.progress_dir) for query in queries]
    try:
        while not stopping.wait(STEP_S):
            for one in hosted:
                one.step(time.monotonic())
    except JVM_GONE as error:
        raise StreamError("the JVM of the streams is gone; they start in a new one") from error
    finally:
        until = time.monotonic() + STOP_WITHIN_S
        for one in hosted:
            one.stop(max(0.0, until - time.monotonic()))
    return {name: "stopped" for name in names}


def _drain(spark: SparkSession, settings: Settings, spool: Query) -> None:
    """Land what the light path left behind, before Kafka goes on."""
    if any((settings.spool_dir / "segments").glob("*.parquet")):
        log.info("the spool is landed first")
        _take_up(spark, settings, [spool])
    forget_progress(settings.progress_dir, spool.name)

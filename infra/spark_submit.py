"""How a Spark application of ours is submitted: its command and the configuration file it reads."""

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from infra.environment import PROJECT
from infra.fetch.paths import spark_jars
from infra.stack import write_whole
from telemetry.class_archive import class_archive_flags
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

LOG4J = """\
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
appender.out.type = Console
appender.out.name = out
appender.out.target = SYSTEM_ERR
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSS} %p %c{1} %m%n%ex
logger.native.name = org.apache.hadoop.util.NativeCodeLoader
logger.native.level = error
logger.consumer.name = org.apache.kafka.clients.consumer
logger.consumer.level = error
"""
LATE_C2 = (
    "-XX:Tier4InvocationThreshold=50000 -XX:Tier4MinInvocationThreshold=6000"
    " -XX:Tier4CompileThreshold=150000 -XX:Tier4BackEdgeThreshold=400000"
)
"""The optimising compiler takes what is ten times as hot as by default: a small job ends before
most of its work pays off, a large one does not notice (docs/benchmarks.md)."""
JVM_FLAGS = (
    "-XX:+UseSerialGC -XX:ReservedCodeCacheSize=128m -XX:MinHeapFreeRatio=10"
    f" -XX:MaxHeapFreeRatio=30 -XX:+ExitOnOutOfMemoryError {LATE_C2}"
)


def spark_submit_command(
    settings: Settings,
    job: str,
    arguments: Sequence[str] = (),
    *,
    heap_mb: int | None = None,
    threads: int | None = None,
) -> list[str]:
    """Return the command that runs a job of `spark_jobs`; writes the configuration it names.

    `threads` are those of a job whose tasks wait more than they work, instead of one a core.
    """
    heap = heap_mb or settings.job_heap_mb
    command = [str(spark_submit()), "--properties-file", str(write_spark_defaults(settings))]
    command += ["--driver-memory", f"{heap}m"]
    if threads is not None:
        command += ["--master", f"local[{threads}]"]
    return [*command, str(PROJECT / "spark_jobs" / "main.py"), job, *arguments]


def spark_submit() -> Path:
    """Return the `spark-submit` of the installed pyspark."""
    spec = find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise HeadwaterError("the Python package pyspark is missing: run `make install`")
    return Path(spec.origin).parent / "bin" / "spark-submit"


def write_spark_defaults(settings: Settings) -> Path:
    """Write what Spark must know before its JVM starts; the session adds the rest."""
    run = settings.home / "run"
    write_whole(run / "log4j2.properties", LOG4J)
    jars = sorted(str(jar) for jar in spark_jars(settings))
    options = {
        "spark.master": f"local[{settings.spark_cores}]",
        "spark.jars": ",".join(jars),
        # From the class path itself they come out of the archive of classes as Spark's own do.
        "spark.driver.extraClassPath": os.pathsep.join(jars),
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraJavaOptions": (
            f"{JVM_FLAGS} -Dlog4j2.configurationFile={(run / 'log4j2.properties').as_uri()}"
            f" -Dderby.system.home={run} {' '.join(class_archive_flags('spark'))}"
        ),
        "spark.local.dir": str(run / "spark"),
        "spark.sql.warehouse.dir": str(run / "warehouse"),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "WARN",
    }
    path = run / "spark-defaults.conf"
    write_whole(path, "".join(f"{name} {value}\n" for name, value in options.items()))
    return path

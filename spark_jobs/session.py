"""The only Spark session: built here, with what Delta, Kafka and two cores want."""

import os
import sys
from pathlib import Path

from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

from telemetry.class_archive import class_archive_flags
from telemetry.settings import Settings

PROJECT = Path(__file__).resolve().parent.parent
JAVA_OPTIONS = ("-XX:+UseSerialGC", "-Dlog4j2.formatMsgNoLookups=true")
SUBMITTED = "PYSPARK_GATEWAY_PORT"
"""The variable by which `spark-submit` says where its JVM listens."""
WORKER_KEEPS_BYTES = 256 * 1024 * 1024
"""Of freed memory, for its next batch. A worker uses less than that at once."""
MAPPED_FROM_BYTES = 32 * 1024 * 1024
"""The most that glibc takes."""
OPTIONS = {
    # What a batch has freed goes back to the kernel by default, and comes as new pages for the next
    # one: to have them cleared took a tenth of a worker's time. Arrow's own allocator gives back so
    # as well, so it asks glibc, as all else does.
    "spark.executorEnv.MALLOC_TRIM_THRESHOLD_": str(WORKER_KEEPS_BYTES),
    "spark.executorEnv.MALLOC_MMAP_THRESHOLD_": str(MAPPED_FROM_BYTES),
    "spark.executorEnv.ARROW_DEFAULT_MEMORY_POOL": "system",
    # Spark says so to the workers of frames alone, and keeps workers of other words apart: those of
    # jobs without a frame would be two more.
    "spark.executorEnv.SPARK_SIMPLIFIED_TRACEBACK": "1",
    # Where in our code each column was made: four calls and two failing imports for each.
    "spark.python.sql.dataFrameDebugging.enabled": "false",
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "20000",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.files.openCostInBytes": "65536",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # As the lake's own writer has them: one group of rows a file would be read by one thread,
    # whole. Pages are small enough that a metric of a device has its own, so readers that know
    # an index of pages pass over the others.
    "spark.hadoop.parquet.block.row.count.limit": str(256 * 1024),
    "spark.hadoop.parquet.page.row.count.limit": "4096",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
    "spark.sql.streaming.stopTimeout": "15s",
    # Checkpoints are on this machine's disk. The usual manager, by Hadoop's FileContext, starts
    # programs such as `stat` for each of a batch's two files: 70 ms a batch, by this one 15.
    "spark.sql.streaming.checkpointFileManagerClass": (
        "org.apache.spark.sql.execution.streaming.checkpointing"
        ".FileSystemBasedCheckpointFileManager"
    ),
    # Workers hand over a few megabytes: larger results would take a detour over a socket.
    "spark.task.maxDirectResultSize": "16m",
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.databricks.delta.autoCompact.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "WARN",
}
LOCAL_OPTIONS = {
    # Found where the driver's own modules are; other machines get these with their first task.
    "spark.python.daemon.module": "spark_jobs.worker_daemon",
}


def session(settings: Settings, app: str) -> SparkSession:
    """Return the session; what `spark-submit` was told wins over what is said here."""
    # Workers take their Python from here alone; another one would miss our packages.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    submitted = _submitted()
    builder = SparkSession.Builder().appName(app)
    options = _options(settings)
    if submitted.get("spark.master", options["spark.master"]).startswith("local"):
        options |= LOCAL_OPTIONS
    for name, value in options.items():
        if not submitted.contains(name):
            builder = builder.config(name, value)
    return builder.getOrCreate()


def _submitted() -> SparkConf:
    """Return what is configured already; `spark-submit` has told its JVM alone, so ask that one."""
    if SUBMITTED in os.environ:
        SparkContext._ensure_initialized()
    return SparkConf()


def _options(settings: Settings) -> dict[str, str]:
    jars = [str(jar) for jar in sorted(settings.spark_jar_dir.glob("*.jar"))]
    return OPTIONS | {
        "spark.master": f"local[{settings.spark_cores}]",
        "spark.driver.memory": f"{settings.stream_heap_mb}m",
        "spark.driver.extraJavaOptions": " ".join((*JAVA_OPTIONS, *class_archive_flags("spark"))),
        "spark.jars": ",".join(jars),
        "spark.driver.extraClassPath": os.pathsep.join(jars),
        "spark.executorEnv.PYTHONPATH": str(PROJECT),
        "spark.sql.warehouse.dir": str(settings.home / "run" / "warehouse"),
    }

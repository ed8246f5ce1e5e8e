"""Flink's SQL as a peer: started in its own environment, watched from outside."""

import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from benchmarks.backlog import metric_types
from benchmarks.marks import Mark, mark
from infra.fetch.paths import flink_jars
from infra.flink import FLINK
from infra.java import java_for_spark
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from telemetry.topics import TELEMETRY

JVM = "-Xmx1g -XX:+UseSerialGC"
_NO_COORDINATOR = (KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_NOT_AVAILABLE)
_LOOK_S = 0.1


def prepare() -> str | None:
    """Fetch Flink and its jars; return why there are none, or None."""
    command = [str(Path(sys.executable).with_name("headwater")), "fetch", FLINK.name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stderr.strip().splitlines()
    return (said[-1] if said else "it cannot be fetched") if done.returncode else None


def land(settings: Settings, metrics: int, warm_rows: int) -> tuple[Mark, Mark]:
    """Run the job to its end; return the marks after the warm-up and at the end."""
    settings.home.mkdir(parents=True, exist_ok=True)
    log = settings.home / "flink.log"
    # A group of this run alone: another's offsets would be taken for progress.
    group = f"flink-{uuid.uuid4()}"
    script = Path(__file__).with_name("flink_job.py")
    with log.open("wb") as said:
        job = subprocess.Popen(
            [FLINK.python(settings), script, _given(settings, metrics, group)],
            env=_environment(settings),
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=said,
        )
        try:
            return _watched(job, settings, group, warm_rows)
        except ChildProcessError as error:
            raise HeadwaterError(f"Flink failed: {log.read_text('utf-8')[-2000:]}") from error
        finally:
            job.communicate()


def _given(settings: Settings, metrics: int, group: str) -> str:
    given = {
        "metrics": metric_types(metrics),
        "topic": TELEMETRY.name,
        "kafka": settings.kafka_bootstrap,
        "group": group,
        "written": str(_written(settings)),
        "path": str(settings.home / "lake" / "plain"),
    }
    return json.dumps(given)


def _environment(settings: Settings) -> dict[str, str]:
    jars = ":".join(str(jar) for jar in flink_jars(settings))
    own = {"JAVA_HOME": str(java_for_spark(settings).home), "JVM_ARGS": JVM}
    return {**os.environ, **own, "HADOOP_CLASSPATH": jars, "FLINK_LOG_DIR": str(settings.home)}


def _watched(
    job: "subprocess.Popen[bytes]", settings: Settings, group: str, warm_rows: int
) -> tuple[Mark, Mark]:
    consumer = Consumer({"bootstrap.servers": settings.kafka_bootstrap, "group.id": group})
    names = consumer.list_topics(TELEMETRY.name, timeout=30).topics[TELEMETRY.name].partitions
    partitions = [TopicPartition(TELEMETRY.name, number) for number in names]
    total = sum(consumer.get_watermark_offsets(each, timeout=30)[1] for each in partitions)
    warm = None
    while not _written(settings).exists():
        if job.poll() is not None:
            raise ChildProcessError
        if warm is None and (rows := _committed(consumer, partitions)) >= warm_rows:
            warm = mark(rows)
        time.sleep(_LOOK_S)
    end = mark(total)
    consumer.close()
    return warm or end, end


def _written(settings: Settings) -> Path:
    return settings.home / "flink.written"


def _committed(consumer: Consumer, partitions: list[TopicPartition]) -> int:
    """Return how many offsets the job has committed by its newest checkpoint.

    A broker that has just begun may still look for the group's coordinator: nothing is there then.
    """
    try:
        found = consumer.committed(partitions, timeout=30)
    except KafkaException as error:
        if error.args[0].code() in _NO_COORDINATOR:
            return 0
        raise
    return sum(max(0, each.offset) for each in found)

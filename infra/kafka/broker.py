"""The broker as a service: its configuration, storage and command."""

import subprocess
from pathlib import Path

from infra.fetch.paths import kafka_home
from infra.java import java_for_spark
from infra.stack import write_whole
from infra.supervision.service import Service
from telemetry.class_archive import class_archive_flags
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

NODE_ID = 1
CLUSTER_ID = "aGVhZHdhdGVyLWxvY2FsMQ"
"""Sixteen bytes in base64; one is as good as another, since no broker leaves its home."""
JVM_FLAGS = (
    "-Xms96m",
    "-XX:+UseSerialGC",
    "-XX:ReservedCodeCacheSize=48m",
    "-XX:MaxMetaspaceSize=96m",
    "-XX:MaxDirectMemorySize=96m",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
)
LOG4J = """\
<Configuration status="WARN">
  <Appenders>
    <Console name="out"><PatternLayout pattern="%d{ISO8601} %p %c{1} %m%n"/></Console>
  </Appenders>
  <Loggers>
    <Root level="INFO"><AppenderRef ref="out"/></Root>
    <Logger name="org.apache.kafka.common.config" level="WARN"/>
    <Logger name="kafka.server.KafkaConfig" level="WARN"/>
  </Loggers>
</Configuration>
"""


def kafka_service(settings: Settings) -> Service:
    """Return the broker as a service."""
    port, controller = settings.port("kafka"), settings.port("kafka_controller")
    return Service(
        name="kafka",
        command=lambda: _command(settings),
        budget_mb=512,
        ports=(port, controller),
        url=f"127.0.0.1:{port}",
        part="kafka",
        complaint=lambda: _complaint(settings),
        before_start=lambda: prepare(settings),
        when_ready=lambda: _create_topics(settings),
        stop_wait_s=30,
    )


def prepare(settings: Settings) -> None:
    """Write the configuration, and format the storage if that was not done."""
    write_whole(_etc(settings), server_properties(settings))
    write_whole(_log4j(settings), LOG4J)
    kafka_home(settings)
    if (settings.home / "kafka" / "data" / "meta.properties").exists():
        return
    command = [*_java(settings, 128), "kafka.tools.StorageTool", "format"]
    command += ["--cluster-id", CLUSTER_ID, "--config", str(_etc(settings))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).rpartition("\n")[2]
        raise HeadwaterError(f"Kafka's storage in {settings.home / 'kafka'} is not usable: {said}")


def _complaint(settings: Settings) -> str | None:
    # The client takes a quarter of a second to import: only who asks the broker pays.
    from infra.kafka.topics import broker_complaint

    return broker_complaint(settings.kafka_bootstrap)


def _create_topics(settings: Settings) -> str | None:
    from infra.kafka.topics import Replicas, create_topics

    replicas = Replicas(settings.kafka_replication, settings.kafka_min_insync)
    return create_topics(settings.kafka_bootstrap, replicas)


def server_properties(settings: Settings) -> str:
    """Return the broker's configuration: everything once, since there is one broker."""
    port, controller = settings.port("kafka"), settings.port("kafka_controller")
    properties = {
        "process.roles": "broker,controller",
        "node.id": NODE_ID,
        "controller.quorum.voters": f"{NODE_ID}@127.0.0.1:{controller}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": settings.home / "kafka" / "data",
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "log.cleaner.threads": 1,
        "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
        "log.segment.bytes": 128 * 1024 * 1024,
        "group.initial.rebalance.delay.ms": 0,
    }
    return "".join(f"{name}={value}\n" for name, value in properties.items())


def _command(settings: Settings) -> tuple[str, ...]:
    return (*_java(settings, settings.kafka_heap_mb), "kafka.Kafka", str(_etc(settings)))


def _java(settings: Settings, heap_mb: int) -> tuple[str, ...]:
    log4j = f"-Dlog4j2.configurationFile={_log4j(settings)}"
    flags = (f"-Xmx{heap_mb}m", *JVM_FLAGS, *class_archive_flags("kafka"), log4j)
    jars = f"{settings.kafka_dir / 'libs'}/*"
    return (str(java_for_spark(settings).executable), *flags, "-cp", jars)


def _etc(settings: Settings) -> Path:
    return settings.home / "kafka" / "server.properties"


def _log4j(settings: Settings) -> Path:
    return settings.home / "kafka" / "log4j2.xml"

"""Trino as a service: one node over the lake, read-only."""

import json
import shutil
from pathlib import Path

from infra.fetch.paths import trino_home
from infra.java import java_for_trino
from infra.probes import http_json
from infra.stack import write_whole
from infra.supervision.service import Service
from infra.trino.registration import lake_of, note_lake, register_tables, registrar, served_lake
from infra.trino.rules import GROUPS, access
from telemetry.class_archive import class_archive_flags
from telemetry.settings import Settings

JVM_FLAGS = (
    "-Xms160m",
    "-XX:+UseSerialGC",
    "-XX:MinHeapFreeRatio=15",
    "-XX:MaxHeapFreeRatio=40",
    "-XX:ReservedCodeCacheSize=160m",
    "-XX:PerMethodRecompilationCutoff=10000",
    "-XX:PerBytecodeRecompilationCutoff=10000",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-OmitStackTraceInFastThrow",
    "-XX:+UnlockDiagnosticVMOptions",
    "-Djdk.attach.allowAttachSelf=true",
    "-Dfile.encoding=UTF-8",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
)
HEADROOM_MB = 192
ONE_NODE = {
    # Pages are freed when the next ones are asked for, without a request of their own for it.
    "exchange.acknowledge-pages": "false",
    "http-server.compression.enabled": "false",
    # One node holds the side of a join that is built once, whether it is sent whole or in parts;
    # whole, the other side is not sent at all. The limit means what a cluster's links bear.
    "join-max-broadcast-table-size": "10GB",
    "distributed-sort": "false",
    # Every task that is remembered is looked at again and again; no answer needs it any more.
    "task.info.max-age": "1m",
}
"""What coordinator and worker need not say to one another where both are one process.

Each stage of a query is some ten HTTP requests of Trino to itself.
"""


def trino_service(settings: Settings, *, waits_for_tables: bool) -> Service:
    """Return Trino as a service; with `waits_for_tables` ready once it knows every table."""
    port = settings.port("trino")
    return Service(
        name="trino",
        command=lambda: _command(settings),
        budget_mb=1331,
        nice=settings.query_nice,
        ports=(port,),
        url=f"http://127.0.0.1:{port}",
        login="any user, no password; catalog lake",
        part="trino",
        folder=settings.home / "trino",
        complaint=lambda: server_complaint(settings),
        before_start=lambda: write_configuration(settings),
        when_ready=lambda: register_tables(settings, all_declared=waits_for_tables),
    )


def server_complaint(settings: Settings) -> str | None:
    """Say why Trino takes no queries; None if it does."""
    url = f"http://127.0.0.1:{settings.port('trino')}/v1/info"
    try:
        answer = http_json(url)
    except OSError:
        return f"no answer at {url}"
    is_up = isinstance(answer, dict) and answer.get("starting") is False
    return None if is_up else "starting"


def write_configuration(settings: Settings) -> None:
    """Write Trino's configuration into {home}/trino/etc."""
    _forget_other_lake(settings)
    etc = settings.home / "trino" / "etc"
    write_whole(etc / "config.properties", _lines(_server(settings)))
    write_whole(etc / "access-control.properties", _lines(_access(etc)))
    rules = json.dumps(access(registrar(settings)), indent=1)
    write_whole(etc / "rules.json", rules, mode=0o600)
    # Trino looks for the first of these in etc/ of its working folder, which is the home's trino/.
    write_whole(etc / "resource-groups.properties", _lines(_groups(etc)))
    write_whole(etc / "resource-groups.json", json.dumps(GROUPS, indent=1))
    write_whole(etc / "log.properties", "io.trino=WARN\nio.airlift=WARN\nBootstrap=WARN\n")
    write_whole(etc / "catalog" / "lake.properties", _lines(_catalog(settings)))


def _forget_other_lake(settings: Settings) -> None:
    """Forget where tables were if they are elsewhere now: all are registered again.

    A home is moved or copied, or is given another lake: of a copy Trino would read the first one.
    """
    if served_lake(settings) != lake_of(settings):
        shutil.rmtree(settings.home / "trino" / "metastore", ignore_errors=True)
    note_lake(settings)


def _server(settings: Settings) -> dict[str, object]:
    port = settings.port("trino")
    query_mb = max(64, (settings.trino_heap_mb - HEADROOM_MB) // 2)
    return {
        "coordinator": "true",
        "node-scheduler.include-coordinator": "true",
        "http-server.http.port": port,
        "http-server.log.enabled": "false",
        "discovery.uri": f"http://127.0.0.1:{port}",
        "node.internal-address": "127.0.0.1",
        "catalog.management": "static",
        "memory.heap-headroom-per-node": f"{HEADROOM_MB}MB",
        "query.max-memory-per-node": f"{query_mb}MB",
        "query.max-memory": f"{query_mb}MB",
        "query.max-history": 40,
        "query.min-expire-age": "5m",
        "task.concurrency": 2,
        "task.max-worker-threads": 4,
        **ONE_NODE,
    }


def _access(etc: Path) -> dict[str, object]:
    return {"access-control.name": "file", "security.config-file": etc / "rules.json"}


def _groups(etc: Path) -> dict[str, object]:
    file = etc / "resource-groups.json"
    return {
        "resource-groups.configuration-manager": "file",
        "resource-groups.config-file": file,
    }


def _catalog(settings: Settings) -> dict[str, object]:
    """Return the catalog over the lake; the vector API is not in the Java that comes with us."""
    return {
        "connector.name": "delta_lake",
        "hive.metastore": "file",
        "hive.metastore.catalog.dir": f"local://{settings.home / 'trino' / 'metastore'}",
        "fs.native-local.enabled": "true",
        "local.location": "/",
        "delta.register-table-procedure.enabled": "true",
        "delta.metadata.cache-max-retained-size": "32MB",
        "delta.max-split-size": "32MB",
        "parquet.max-read-block-size": "4MB",
        "parquet.experimental.vectorized-decoding.enabled": "false",
    }


def _command(settings: Settings) -> tuple[str, ...]:
    """Return the server's command, without its launcher: one process, one class path."""
    trino_home(settings)
    home, etc = settings.home / "trino", settings.home / "trino" / "etc"
    properties = {
        "node.environment": "headwater",
        "node.id": "headwater",
        "node.data-dir": home / "data",
        "node.bind-ip": "127.0.0.1",
        "config": etc / "config.properties",
        "log.levels-file": etc / "log.properties",
        "catalog.config-dir": etc / "catalog",
        "access-control.config-files": etc / "access-control.properties",
        "plugin.dir": settings.trino_dir / "plugin",
    }
    flags = (f"-Xmx{settings.trino_heap_mb}m", *JVM_FLAGS, *class_archive_flags("trino"))
    java = (str(java_for_trino().executable), *flags)
    named = tuple(f"-D{name}={value}" for name, value in properties.items())
    server = ("-cp", f"{settings.trino_dir / 'lib'}/*", "io.trino.server.TrinoServer")
    return (*java, *named, *server)


def _lines(properties: dict[str, object]) -> str:
    return "".join(f"{name}={value}\n" for name, value in properties.items())

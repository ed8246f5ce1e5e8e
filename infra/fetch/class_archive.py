"""Makes archives of our servers' classes: one run of each over an empty home, its classes kept.

Half of the CPU of a JVM's start goes into reading and checking its classes, some 20,000 of Spark's.
From an archive they are mapped: each start of Spark, a job's too, costs a third less.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from infra.environment import child_environment
from infra.java import java_for_spark, java_for_trino
from infra.kafka.broker import kafka_service
from infra.probes import free_port_base
from infra.spark_submit import spark_submit, spark_submit_command
from infra.supervision.service import Service
from infra.trino.server import trino_service
from telemetry.class_archive import class_archive
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

Run = Callable[[Settings, Path], str]
"""Runs a server over an empty home, has its JVM write the archive, and returns what was said."""
TIMEOUT_S = 300
POLL_S = 0.2
C1 = "-XX:TieredStopAtLevel=1"
"""Code that runs for seconds is not worth the better compiler."""
_TAKE_UP = ["--queries", "gold", "--trigger", "available-now"]


def make_class_archive(
    server: str,
    settings: Settings,
    say: Callable[[str], None],
    archive: Path | None = None,
    run: Run | None = None,
) -> None:
    """Make a server's archive unless it is there for these jars and this Java.

    Without it all works, only slower: what hinders it is said, and no more.
    """
    archive = archive or class_archive(server)
    made_for = archive.with_suffix(".for")
    try:
        now = _fingerprint(settings, server)
        if archive.exists() and made_for.exists() and made_for.read_text() == now:
            return
        say(f"Archiving the classes of {server}, once: its starts cost a third less then")
        archive.parent.mkdir(parents=True, exist_ok=True)
        archive.unlink(missing_ok=True)
        _make(archive, settings, run or ARCHIVED[server])
        made_for.write_text(now)
    except (HeadwaterError, OSError, subprocess.SubprocessError) as error:
        say(f"the classes of {server} are not archived ({error}); it starts without")


def _make(archive: Path, settings: Settings, run: Run) -> None:
    with tempfile.TemporaryDirectory(prefix="headwater-") as folder:
        made = Path(folder) / archive.name
        own = {"home": Path(folder) / "home", "port_base": free_port_base()}
        said = run(settings.model_copy(update=own), made)
        if not made.exists():
            raise HeadwaterError("; ".join(said.strip().splitlines()[-1:]) or "nothing was said")
        shutil.copyfile(made, archive.with_suffix(".new"))
    archive.with_suffix(".new").replace(archive)


def _fingerprint(settings: Settings, server: str) -> str:
    """Return what an archive is bound to: the Java, and each jar's place, size and time."""
    java = java_for_trino() if server == "trino" else java_for_spark(settings)
    home = java.home.resolve()
    digest = hashlib.sha256(str(home).encode())
    if (home / "release").exists():
        digest.update((home / "release").read_bytes())
    for folder in _jar_folders(settings, server):
        for jar in sorted(folder.glob("*.jar")):
            stat = jar.stat()
            digest.update(f"{jar} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _jar_folders(settings: Settings, server: str) -> tuple[Path, ...]:
    if server == "kafka":
        return (settings.kafka_dir / "libs",)
    if server == "trino":
        return (settings.trino_dir / "lib",)
    return spark_submit().parents[1] / "jars", settings.spark_jar_dir


def _run_spark(settings: Settings, made: Path) -> str:
    """Take up nothing; return what was said."""
    environment = os.environ | child_environment(settings)
    environment["SPARK_SUBMIT_OPTS"] = " ".join(_keeping(made))
    command = spark_submit_command(settings, "stream", _TAKE_UP)
    done = subprocess.run(
        command, env=environment, capture_output=True, timeout=TIMEOUT_S, check=False
    )
    return done.stderr.decode(errors="replace")


def _run_kafka(settings: Settings, made: Path) -> str:
    return _run_service(kafka_service(settings), settings, _keeping(made))


def _run_trino(settings: Settings, made: Path) -> str:
    service = trino_service(settings, waits_for_tables=False)
    return _run_service(service, settings, (C1, f"-XX:AOTCacheOutput={made}"))


def _run_service(service: Service, settings: Settings, keeping: tuple[str, ...]) -> str:
    """Run a service until it answers; return what was said."""
    service.before_start()
    java, *words = service.command()
    folder = service.folder or settings.home
    with (settings.home / "said.log").open("w+") as log:
        command = [java, *keeping, *words]
        with subprocess.Popen(command, cwd=folder, stdout=log, stderr=log) as server:
            give_up = time.monotonic() + TIMEOUT_S
            while service.complaint() and server.poll() is None and time.monotonic() < give_up:
                time.sleep(POLL_S)
            server.terminate()
        log.seek(0)
        return log.read()


def _keeping(made: Path) -> tuple[str, str]:
    return C1, f"-XX:ArchiveClassesAtExit={made}"


ARCHIVED = {"spark": _run_spark, "kafka": _run_kafka, "trino": _run_trino}
"""The servers whose classes are kept, and how each is run for it."""

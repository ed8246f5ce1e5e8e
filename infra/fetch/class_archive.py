"""Makes the archive of Spark's classes: one run of ours over an empty home, its classes kept.

A Spark application spends half of the CPU of its start on reading and checking some 20,000
classes. From the archive they are mapped: each start, a job's too, costs a third less.
"""

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from infra.environment import child_environment
from infra.java import java_for_spark
from infra.spark_submit import spark_submit, spark_submit_command
from telemetry.class_archive import class_archive
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

TIMEOUT_S = 300
_TAKE_UP = ["--queries", "gold", "--trigger", "available-now"]


def make_class_archive(settings: Settings, say: Callable[[str], None]) -> None:
    """Make the archive of this environment unless it is there for these jars and this Java.

    Without it all works, only slower: what hinders it is said, and no more.
    """
    archive = class_archive()
    made_for = archive.with_suffix(".for")
    try:
        now = _fingerprint(settings)
        if archive.exists() and made_for.exists() and made_for.read_text() == now:
            return
        say("Archiving Spark's classes, once: each start of Spark is a third cheaper then")
        archive.parent.mkdir(parents=True, exist_ok=True)
        archive.unlink(missing_ok=True)
        _dump(settings, archive)
        made_for.write_text(now)
    except (HeadwaterError, OSError, subprocess.SubprocessError) as error:
        say(f"Spark's classes are not archived ({error}); it starts without")


def _fingerprint(settings: Settings) -> str:
    """Return what an archive is bound to: the Java, and each jar's place, size and time."""
    digest = hashlib.sha256(str(java_for_spark(settings).home.resolve()).encode())
    release = java_for_spark(settings).home / "release"
    digest.update(release.read_bytes() if release.exists() else b"")
    own = spark_submit().parents[1] / "jars"
    for jar in [*sorted(own.glob("*.jar")), *sorted(settings.spark_jar_dir.glob("*.jar"))]:
        stat = jar.stat()
        digest.update(f"{jar} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _dump(settings: Settings, archive: Path) -> None:
    """Run the streams over nothing, and keep the classes that this took."""
    with tempfile.TemporaryDirectory() as folder:
        empty = settings.model_copy(update={"home": Path(folder)})
        made = Path(folder) / archive.name
        environment = os.environ | child_environment(empty)
        environment |= {"SPARK_SUBMIT_OPTS": f"-XX:TieredStopAtLevel=1 -XX:ArchiveClassesAtExit={made}"}
        command = spark_submit_command(empty, "stream", _TAKE_UP)
        done = subprocess.run(
            command, env=environment, capture_output=True, timeout=TIMEOUT_S, check=False
        )
        if not made.exists():
            last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise HeadwaterError("; ".join(last) or f"exit code {done.returncode}")
        beside = archive.with_suffix(".new")
        beside.write_bytes(made.read_bytes())
        beside.replace(archive)

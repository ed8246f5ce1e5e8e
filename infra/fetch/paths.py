"""Where fetched jars and servers are, or what to do when they are not there."""

from pathlib import Path

from infra.fetch.lock import locked
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings


def spark_jars(settings: Settings) -> list[Path]:
    """Return the jars that Spark needs beside its own."""
    return _jars("spark", settings.spark_jar_dir)


def flink_jars(settings: Settings) -> list[Path]:
    """Return the jars that Flink needs beside its own."""
    return _jars("flink", settings.flink_jar_dir)


def questdb_jar(settings: Settings) -> Path:
    """Return the jar that QuestDB is."""
    (jar,) = _jars("questdb", settings.questdb_jar_dir)
    return jar


def web_libraries(settings: Settings) -> list[Path]:
    """Return what the live page draws with."""
    return _jars("web", settings.web_dir)


def kafka_home(settings: Settings) -> Path:
    """Return the broker's folder; its jars are in libs/."""
    _jars("kafka", settings.kafka_dir / "libs")
    return settings.kafka_dir


def trino_home(settings: Settings) -> Path:
    """Return Trino's unpacked folder."""
    if not trino_marker(settings).exists():
        raise _missing("trino", settings.trino_dir)
    return settings.trino_dir


def trino_marker(settings: Settings) -> Path:
    """Return the file that is there once Trino is unpacked whole; it names what was unpacked."""
    return settings.trino_dir / ".unpacked"


def _jars(part: str, folder: Path) -> list[Path]:
    jars = [folder / artifact.file_name for artifact in locked(part)]
    for jar in jars:
        if not jar.exists():
            raise _missing(part, jar)
    return jars


def _missing(part: str, path: Path) -> HeadwaterError:
    return HeadwaterError(f"{path} is missing: run `headwater fetch {part}`")

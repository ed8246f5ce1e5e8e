"""Where a server's classes lie as the JVM wants them in memory, so that each start reads no jars.

Class data sharing of application classes, JEP 350; for Trino, whose Java is newer, a cache ahead of
time, JEP 514. An archive fits one class path and one Java; another JVM starts without.
"""

import sys
from pathlib import Path

_QUIET = ("-Xlog:cds=off", "-Xlog:cds+dynamic=off", "-Xlog:class+path=off")

_SPLITS = set(" :\"'")
"""In a path, these end it for Spark's options or for the JVM."""


def class_archive(server: str) -> Path:
    """Return the archive that this environment has of a server, be it there or not."""
    return Path(sys.prefix) / "share" / "headwater" / f"{server}.jsa"


def class_archive_flags(server: str) -> tuple[str, ...]:
    """Return what tells a JVM to start from the archive; nothing where there is none."""
    archive = class_archive(server)
    if not archive.exists() or set(str(archive)) & _SPLITS:
        return ()
    if server == "trino":
        return f"-XX:AOTCache={archive}", "-Xlog:aot=off", *_QUIET
    return f"-XX:SharedArchiveFile={archive}", *_QUIET

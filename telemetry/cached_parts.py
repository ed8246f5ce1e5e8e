"""Where the cache holds what is fetched: a folder a part, named after its version."""

from pathlib import Path
from typing import TYPE_CHECKING


class CachedParts:
    """The folders of whatever knows its cache."""

    if TYPE_CHECKING:
        cache: Path

    @property
    def spark_jar_dir(self) -> Path:
        """Jars that Spark needs beside its own."""
        return self.cache / "jars" / "spark-4.2.0"

    @property
    def flink_jar_dir(self) -> Path:
        """Jars that Flink is given beside its own, where it is measured beside us."""
        return self.cache / "jars" / "flink-2.3.0"

    @property
    def questdb_jar_dir(self) -> Path:
        """QuestDB, a server in one jar, where questions are measured beside it."""
        return self.cache / "jars" / "questdb-9.3.4"

    @property
    def web_dir(self) -> Path:
        """Libraries of pages, as archives; pages are served out of them."""
        return self.cache / "web"

    @property
    def kafka_dir(self) -> Path:
        """The broker's unpacked folder; jars in libs/."""
        return self.cache / "servers" / "kafka-4.3.1"

    @property
    def trino_dir(self) -> Path:
        """Trino's unpacked folder."""
        return self.cache / "servers" / "trino-476"

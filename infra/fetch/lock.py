"""The lock of jars and servers: which files, from which coordinate, with which checksum."""

from dataclasses import dataclass
from pathlib import Path

LOCK = Path(__file__).parent.parent / "locks" / "jars.lock"


@dataclass(frozen=True, slots=True)
class Artifact:
    """One locked file: `group:artifact:version[:packaging]`, its SHA-256 and size in bytes."""

    part: str
    coordinate: str
    sha256: str
    size: int

    @property
    def file_name(self) -> str:
        """Name of the file in a Maven repository and in the cache."""
        _, artifact, version, packaging = self._fields
        return f"{artifact}-{version}.{packaging}"

    @property
    def path(self) -> str:
        """Path of the file below a Maven repository's root."""
        group, artifact, version, _ = self._fields
        return f"{group.replace('.', '/')}/{artifact}/{version}/{self.file_name}"

    @property
    def _fields(self) -> tuple[str, str, str, str]:
        group, artifact, version, *packaging = self.coordinate.split(":")
        return group, artifact, version, packaging[0] if packaging else "jar"


def locked(part: str, lock: Path = LOCK) -> tuple[Artifact, ...]:
    """Return the locked files of one part: spark, kafka or trino."""
    return tuple(artifact for artifact in read_lock(lock) if artifact.part == part)


def read_lock(lock: Path = LOCK) -> tuple[Artifact, ...]:
    """Read the whole lock, in its order."""
    lines = (line.partition("#")[0].split() for line in lock.read_text("utf-8").splitlines())
    return tuple(
        Artifact(part, coordinate, sha256, int(size))
        for part, coordinate, sha256, size in filter(None, lines)
    )


def write_lock(artifacts: list[Artifact], lock: Path = LOCK) -> None:
    """Write the lock, keeping the comments that head it."""
    head = [line for line in lock.read_text("utf-8").splitlines() if line.startswith("#")]
    rows = [f"{a.part} {a.coordinate} {a.sha256} {a.size}" for a in artifacts]
    lock.write_text("\n".join([*head, *rows]) + "\n", "utf-8")

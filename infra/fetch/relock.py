"""The lock of jars written anew from its coordinates: for maintainers."""

import hashlib
from pathlib import Path

from infra.fetch.download import FetchError, Repository
from infra.fetch.lock import LOCK, Artifact, write_lock


def relock(repository: Repository, lock: Path = LOCK) -> None:
    """Measure every coordinate of the lock again; a line may be a part and a coordinate alone."""
    lines = (line.partition("#")[0].split() for line in lock.read_text("utf-8").splitlines())
    measured = [
        _measured(part, coordinate, repository) for part, coordinate, *_ in filter(None, lines)
    ]
    write_lock(measured, lock)


def _measured(part: str, coordinate: str, repository: Repository) -> Artifact:
    unmeasured = Artifact(part, coordinate, "", 0)
    url = f"{repository.url.rstrip('/')}/{unmeasured.path}"
    sha1, sha256, size = hashlib.sha1(usedforsecurity=False), hashlib.sha256(), 0
    with repository.client.stream("GET", url) as response:
        response.raise_for_status()
        for chunk in response.iter_raw():
            sha1.update(chunk)
            sha256.update(chunk)
            size += len(chunk)
    published = repository.client.get(f"{url}.sha1").raise_for_status().text.split()[0]
    if published != sha1.hexdigest():
        raise FetchError(f"{coordinate} does not match its published checksum: fetch it again")
    return Artifact(part, coordinate, sha256.hexdigest(), size)

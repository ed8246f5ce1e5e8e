"""The parts that can be fetched, and the whole way from lock to cache."""

import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from filelock import FileLock

from infra.fetch import trino
from infra.fetch.download import FetchError, Progress, Repository, download
from infra.fetch.lock import Artifact
from telemetry.settings import Settings

PARTS = ("spark", "kafka", "trino", "web")
"""What comes as files of a Maven repository."""
PEERS = ("flink", "questdb")
"""Files of what benchmarks compare with; nothing else asks for them."""
CONNECTIONS = 8
UNPACKED_TRINO_BYTES = 950_000_000
"""Trino's folder at its widest, before plugins go."""


@dataclass(frozen=True, slots=True)
class Job:
    """One file to fetch and where it goes."""

    artifact: Artifact
    target: Path


@contextmanager
def claimed(parts: Iterable[str], settings: Settings) -> Iterator[None]:
    """Hold the parts' locks, so that another fetch waits, then finds everything there."""
    folder = settings.cache / "locks"
    with ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for part in sorted(parts):
                held.enter_context(FileLock(folder / f"{part}.lock"))
        except OSError as error:
            raise FetchError(
                f"{folder} cannot be written ({error.strerror}): "
                "set HEADWATER_CACHE to a folder of your own"
            ) from error
        yield


def missing(artifacts: Iterable[Artifact], settings: Settings) -> list[Job]:
    """List the files that the cache may lack; a download checks each again."""
    return [
        Job(artifact, target)
        for artifact in artifacts
        if (target := _target(artifact, settings)) is not None
    ]


def fetch(
    jobs: list[Job],
    repository: Repository,
    settings: Settings,
    advance: Progress,
    say: Callable[[str], None],
) -> None:
    """Download all files at once and unpack the servers; the first failure stops the rest."""
    _check_room(jobs, settings)
    stopped = threading.Event()

    def advance_unless_stopped(count: int) -> None:
        if stopped.is_set():
            raise FetchError("stopped")
        advance(count)

    def run(job: Job) -> None:
        download(job.artifact, job.target, repository, advance_unless_stopped)
        if job.artifact.part == "trino":
            say("Unpacking Trino")
            trino.unpack(job.target, job.artifact, settings)

    largest_first = sorted(jobs, key=lambda job: -job.artifact.size)
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        runs = [pool.submit(run, job) for job in largest_first]
        try:
            for done in as_completed(runs):
                done.result()
        except BaseException:
            stopped.set()
            pool.shutdown(cancel_futures=True)
            raise


def remove_unlisted(artifacts: Iterable[Artifact], settings: Settings) -> None:
    """Delete jars beside these that are not of them: class paths are whole folders."""
    listed = {_folder(artifact, settings) / artifact.file_name for artifact in artifacts}
    for folder in {jar.parent for jar in listed}:
        for jar in set(folder.glob("*.jar")) - listed:
            jar.unlink()


def repository_url(settings: Settings) -> str:
    """Return the mirror that is set, or Maven's central repository as the library jgo knows it."""
    if settings.maven:
        return settings.maven
    from jgo.constants import MAVEN_CENTRAL_URL

    return str(MAVEN_CENTRAL_URL)


def open_client() -> httpx.Client:
    """Open a client that gives up on a silent server, never on a slow one."""
    limits = httpx.Limits(max_connections=CONNECTIONS)
    # Checksums are of files as they lie on the server.
    headers = {"Accept-Encoding": "identity"}
    return httpx.Client(timeout=30, follow_redirects=True, limits=limits, headers=headers)


def _target(artifact: Artifact, settings: Settings) -> Path | None:
    if artifact.part == "trino" and trino.is_unpacked(artifact, settings):
        return None
    return _folder(artifact, settings) / artifact.file_name


def _folder(artifact: Artifact, settings: Settings) -> Path:
    folders = {
        "spark": settings.spark_jar_dir,
        "kafka": settings.kafka_dir / "libs",
        "trino": settings.cache / "downloads",
        "flink": settings.flink_jar_dir,
        "questdb": settings.questdb_jar_dir,
        "web": settings.web_dir,
    }
    return folders[artifact.part]


def _check_room(jobs: list[Job], settings: Settings) -> None:
    absent = [job.artifact for job in jobs if not job.target.exists()]
    need = sum(artifact.size for artifact in absent)
    need += UNPACKED_TRINO_BYTES * sum(job.artifact.part == "trino" for job in jobs)
    free = shutil.disk_usage(settings.cache).free
    if need > free:
        raise FetchError(
            f"{settings.cache} needs {need // 1_000_000} MB and its disk has "
            f"{free // 1_000_000} MB: free some space, or set HEADWATER_CACHE to another disk"
        )

"""One locked file over HTTP: resumed, retried, checked, and there whole or not at all."""

import errno
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from infra.fetch.lock import Artifact
from telemetry.errors import HeadwaterError

CHUNK_BYTES = 1 << 18
LONGEST_PAUSE_S = 10.0
PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}

Progress = Callable[[int], None]


class FetchError(HeadwaterError):
    """A file could not be fetched."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A Maven repository, and how stubbornly it is asked."""

    url: str
    client: httpx.Client
    tries: int = 6
    pause: Callable[[float], None] = time.sleep


def download(artifact: Artifact, target: Path, repository: Repository, advance: Progress) -> None:
    """Make `target` hold the artifact; call `advance` with each number of bytes gained or lost."""
    if is_whole(target, artifact):
        advance(artifact.size)
        return
    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _fill_checked(part, artifact, repository, advance)
        part.replace(target)
    except OSError as error:
        raise _disk_error(error, target) from error


def is_whole(target: Path, artifact: Artifact) -> bool:
    """Say whether the file is there with the locked checksum."""
    return (
        target.is_file()
        and target.stat().st_size == artifact.size
        and _sha256(target) == artifact.sha256
    )


def _fill_checked(
    part: Path, artifact: Artifact, repository: Repository, advance: Progress
) -> None:
    """Fill the part; what a broken resume spoilt is fetched once more from its first byte."""
    resumed = part.exists()
    _fill(part, artifact, repository, advance)
    if is_whole(part, artifact):
        return
    advance(-part.stat().st_size)
    part.unlink()
    if resumed:
        _fill_checked(part, artifact, repository, advance)
        return
    raise FetchError(
        f"{artifact.file_name} from {_host(repository)} is not what infra/locks/jars.lock names: "
        "a proxy or mirror alters it; set HEADWATER_MAVEN to another mirror, or unset it"
    )


def _fill(part: Path, artifact: Artifact, repository: Repository, advance: Progress) -> None:
    """Append until the part has its locked size; a try that brought bytes does not count."""
    advance(_size(part))
    failures = 0
    while (size := _size(part)) < artifact.size:
        try:
            _append(part, artifact, repository, advance)
        except httpx.HTTPError as error:
            failures = 1 if _size(part) > size else failures + 1
            if failures >= repository.tries or not _is_passing(error):
                raise _http_error(error, artifact, repository) from error
            repository.pause(min(0.5 * 2.0 ** (failures - 1), LONGEST_PAUSE_S))


def _append(part: Path, artifact: Artifact, repository: Repository, advance: Progress) -> None:
    have = _size(part)
    headers = {"Range": f"bytes={have}-"} if have else {}
    url = f"{repository.url.rstrip('/')}/{artifact.path}"
    with repository.client.stream("GET", url, headers=headers) as response:
        response.raise_for_status()
        if have and response.status_code != HTTPStatus.PARTIAL_CONTENT:
            advance(-have)
            have = 0
        with part.open("ab" if have else "wb") as file:
            for chunk in response.iter_raw(CHUNK_BYTES):
                file.write(chunk)
                advance(len(chunk))


def _is_passing(error: httpx.HTTPError) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        status = error.response.status_code
        return status in PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return True


def _http_error(error: httpx.HTTPError, artifact: Artifact, repository: Repository) -> FetchError:
    if isinstance(error, httpx.HTTPStatusError):
        status = error.response.status_code
        return FetchError(
            f"{_host(repository)} answers {status} for {artifact.coordinate}: "
            "set HEADWATER_MAVEN to a mirror that has it"
        )
    return FetchError(
        f"{_host(repository)} cannot be reached ({type(error).__name__}): check the network, or "
        "set HTTPS_PROXY to a proxy or HEADWATER_MAVEN to a mirror; what is there is kept, "
        "so run the same command again"
    )


def _disk_error(error: OSError, target: Path) -> FetchError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return FetchError(
            f"the disk of {target.parent} is full: free some space or set HEADWATER_CACHE to "
            "a folder on another disk; what is there is kept"
        )
    return FetchError(
        f"{error.filename or target} cannot be written ({error.strerror}): "
        "set HEADWATER_CACHE to a folder of your own"
    )


def _host(repository: Repository) -> str:
    return urlsplit(repository.url).netloc or repository.url


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""One file over HTTP: resumed, retried, checked, whole or not at all."""

import errno
import hashlib
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from infra.fetch.download import FetchError, Repository, download
from infra.fetch.lock import Artifact
from tests.infra.maven import Maven, asking, serving

CONTENT = bytes(range(256)) * 4096
JAR = Artifact("spark", "org.example:engine:1.0", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


@pytest.fixture
def maven() -> Iterator[Maven]:
    with serving(Maven({JAR.path: CONTENT})) as maven:
        yield maven


def fetched(maven: Maven, target: Path) -> int:
    """Download the jar; return the sum of what progress was told."""
    gains: list[int] = []
    with asking(maven) as repository:
        download(JAR, target, repository, gains.append)
    return sum(gains)


def test_file_arrives_whole_and_progress_adds_up(maven: Maven, tmp_path: Path) -> None:
    assert fetched(maven, tmp_path / "jars" / "engine.jar") == JAR.size
    assert [path.name for path in (tmp_path / "jars").iterdir()] == ["engine.jar"]
    assert (tmp_path / "jars" / "engine.jar").read_bytes() == CONTENT


def test_file_that_is_there_is_not_asked_for(maven: Maven, tmp_path: Path) -> None:
    (tmp_path / "engine.jar").write_bytes(CONTENT)

    assert fetched(maven, tmp_path / "engine.jar") == JAR.size
    assert maven.asked == []


def test_file_that_was_altered_is_fetched_again(maven: Maven, tmp_path: Path) -> None:
    (tmp_path / "engine.jar").write_bytes(CONTENT[::-1])

    fetched(maven, tmp_path / "engine.jar")

    assert (tmp_path / "engine.jar").read_bytes() == CONTENT


def test_cut_connection_is_resumed_where_it_broke(maven: Maven, tmp_path: Path) -> None:
    maven.cut_after, maven.cuts = 300_000, 2

    assert fetched(maven, tmp_path / "engine.jar") == JAR.size
    first, *resumed = maven.asked
    assert first is None
    assert resumed
    assert None not in resumed


def test_part_of_an_earlier_run_is_resumed(maven: Maven, tmp_path: Path) -> None:
    (tmp_path / "engine.jar.part").write_bytes(CONTENT[:1000])

    assert fetched(maven, tmp_path / "engine.jar") == JAR.size
    assert maven.asked == ["bytes=1000-"]


def test_server_without_ranges_sends_all_again(maven: Maven, tmp_path: Path) -> None:
    maven.knows_range = False
    (tmp_path / "engine.jar.part").write_bytes(CONTENT[:1000])

    assert fetched(maven, tmp_path / "engine.jar") == JAR.size
    assert (tmp_path / "engine.jar").read_bytes() == CONTENT


def test_spoilt_part_is_thrown_away_and_fetched_once_more(maven: Maven, tmp_path: Path) -> None:
    (tmp_path / "engine.jar.part").write_bytes(b"x" * 1000)

    assert fetched(maven, tmp_path / "engine.jar") == JAR.size
    assert maven.asked == ["bytes=1000-", None]


def test_part_longer_than_the_file_is_thrown_away(maven: Maven, tmp_path: Path) -> None:
    (tmp_path / "engine.jar.part").write_bytes(CONTENT + b"x")

    assert fetched(maven, tmp_path / "engine.jar") == JAR.size


def test_other_content_than_locked_is_refused(maven: Maven, tmp_path: Path) -> None:
    maven.files[JAR.path] = CONTENT[::-1]

    with pytest.raises(FetchError, match=r"jars\.lock.*HEADWATER_MAVEN"):
        fetched(maven, tmp_path / "engine.jar")

    assert list(tmp_path.iterdir()) == []


def test_busy_server_is_asked_again(maven: Maven, tmp_path: Path) -> None:
    maven.statuses = [503, 429]

    assert fetched(maven, tmp_path / "engine.jar") == JAR.size


def test_missing_file_fails_at_once(maven: Maven, tmp_path: Path) -> None:
    maven.files.clear()

    with pytest.raises(FetchError, match=r"404 for org\.example:engine:1\.0: set HEADWATER_MAVEN"):
        fetched(maven, tmp_path / "engine.jar")

    assert len(maven.asked) == 1


def test_server_that_stays_busy_is_given_up(maven: Maven, tmp_path: Path) -> None:
    maven.statuses = [503] * 3

    with pytest.raises(FetchError, match="answers 503"):
        fetched(maven, tmp_path / "engine.jar")


def test_absent_network_names_the_fix(tmp_path: Path) -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with httpx.Client(transport=httpx.MockTransport(refuse)) as client:
        pauses: list[float] = []
        repository = Repository("http://maven.example/m2", client, 4, pauses.append)
        with pytest.raises(FetchError, match=r"maven\.example cannot be reached.*HTTPS_PROXY"):
            download(JAR, tmp_path / "engine.jar", repository, lambda _: None)

    assert pauses == [0.5, 1.0, 2.0]


def test_full_disk_names_the_fix(maven: Maven, tmp_path: Path) -> None:
    def fill_disk(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with asking(maven) as repository, pytest.raises(FetchError, match=r"full.*HEADWATER_CACHE"):
        download(JAR, tmp_path / "engine.jar", repository, fill_disk)


def test_folder_that_cannot_be_made_names_the_fix(maven: Maven, tmp_path: Path) -> None:
    (tmp_path / "jars").write_text("a file")

    with pytest.raises(FetchError, match=r"cannot be written.*HEADWATER_CACHE"):
        fetched(maven, tmp_path / "jars" / "engine.jar")


def test_archive_keeps_its_packaging_in_its_name() -> None:
    archive = replace(JAR, coordinate="org.example:server:2:tar.gz")

    assert archive.path == "org/example/server/2/server-2.tar.gz"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.faults
def test_disk_that_fills_up_keeps_what_is_there(maven: Maven, small_disk: Path) -> None:
    with pytest.raises(FetchError, match="is full: free some space"):
        fetched(maven, small_disk / "engine.jar")

    assert (small_disk / "engine.jar.part").stat().st_size > 0

"""From lock to cache: jars in their folders, servers unpacked, two fetches at once."""

import hashlib
import io
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from infra.fetch.download import FetchError
from infra.fetch.lock import Artifact, read_lock
from infra.fetch.parts import PARTS, PEERS, claimed, fetch, missing, remove_unlisted, repository_url
from infra.fetch.paths import kafka_home, spark_jars, trino_home
from infra.fetch.relock import relock
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from tests.infra.maven import Maven, asking, serving


def artifact(part: str, coordinate: str, content: bytes) -> Artifact:
    return Artifact(part, coordinate, hashlib.sha256(content).hexdigest(), len(content))


def server_archive() -> bytes:
    """Make a small Trino: a plugin that stays is a hard link into one that goes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name in ("bin/launcher", "plugin/accumulo/shared.jar"):
            member = tarfile.TarInfo(f"trino-server-1/{name}")
            member.size = len(name)
            tar.addfile(member, io.BytesIO(name.encode()))
        link = tarfile.TarInfo("trino-server-1/plugin/delta-lake/shared.jar")
        link.type, link.linkname = tarfile.LNKTYPE, "trino-server-1/plugin/accumulo/shared.jar"
        tar.addfile(link)
    return buffer.getvalue()


ARCHIVE = server_archive()
ENGINE = artifact("spark", "org.example:engine:1", b"engine")
BROKER = artifact("kafka", "org.example:broker:1", b"broker")
SERVER = artifact("trino", "org.example:server:1:tar.gz", ARCHIVE)
ALL = [ENGINE, BROKER, SERVER]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(cache=tmp_path / "cache")


@pytest.fixture
def maven() -> Iterator[Maven]:
    files = {ENGINE.path: b"engine", BROKER.path: b"broker", SERVER.path: ARCHIVE}
    with serving(Maven(files)) as maven:
        yield maven


def bring(maven: Maven, settings: Settings, artifacts: list[Artifact]) -> None:
    with asking(maven) as repository, claimed(PARTS, settings):
        jobs = missing(artifacts, settings)
        fetch(jobs, repository, settings, lambda _: None, lambda _: None)


def test_jars_and_servers_come_to_their_folders(maven: Maven, settings: Settings) -> None:
    bring(maven, settings, ALL)

    assert (settings.spark_jar_dir / "engine-1.jar").read_bytes() == b"engine"
    assert (settings.kafka_dir / "libs" / "broker-1.jar").read_bytes() == b"broker"
    assert trino_home(settings) == settings.trino_dir


def test_server_is_unpacked_whole_then_pruned(maven: Maven, settings: Settings) -> None:
    bring(maven, settings, [SERVER])

    plugins = settings.trino_dir / "plugin"
    assert [plugin.name for plugin in plugins.iterdir()] == ["delta-lake"]
    assert (plugins / "delta-lake" / "shared.jar").read_bytes() == b"plugin/accumulo/shared.jar"
    assert list((settings.cache / "downloads").iterdir()) == []


def test_second_fetch_asks_for_nothing(maven: Maven, settings: Settings) -> None:
    bring(maven, settings, ALL)
    maven.asked.clear()

    bring(maven, settings, ALL)

    assert maven.asked == []


def test_server_half_unpacked_is_unpacked_anew(maven: Maven, settings: Settings) -> None:
    (settings.trino_dir.with_name("trino-476.unpacking") / "rest").mkdir(parents=True)
    (settings.trino_dir / "rest").mkdir(parents=True)

    bring(maven, settings, [SERVER])

    assert sorted(path.name for path in settings.trino_dir.parent.iterdir()) == ["trino-476"]
    assert not (settings.trino_dir / "rest").exists()


def test_two_fetches_at_once_download_each_file_once(maven: Maven, settings: Settings) -> None:
    with ThreadPoolExecutor(2) as pool:
        for run in [pool.submit(bring, maven, settings, ALL) for _ in range(2)]:
            run.result()

    assert len(maven.asked) == len(ALL)


def test_jar_that_left_the_lock_leaves_the_folder(maven: Maven, settings: Settings) -> None:
    bring(maven, settings, [ENGINE])
    (settings.spark_jar_dir / "engine-0.jar").touch()

    remove_unlisted([ENGINE], settings)

    assert [jar.name for jar in settings.spark_jar_dir.iterdir()] == ["engine-1.jar"]


def test_first_failure_is_told(maven: Maven, settings: Settings) -> None:
    absent = replace(ENGINE, coordinate="org.example:absent:1")

    with pytest.raises(FetchError, match=r"404 for org\.example:absent:1"):
        bring(maven, settings, [absent, BROKER])


def test_disk_too_small_is_told_before_anything_is_fetched(
    maven: Maven, settings: Settings
) -> None:
    with pytest.raises(FetchError, match=r"needs \d+ MB and its disk has .* HEADWATER_CACHE"):
        bring(maven, settings, [replace(ENGINE, size=1 << 60)])

    assert maven.asked == []


def test_what_was_not_fetched_names_the_command(settings: Settings) -> None:
    with pytest.raises(HeadwaterError, match="headwater fetch spark"):
        spark_jars(settings)
    with pytest.raises(HeadwaterError, match="headwater fetch kafka"):
        kafka_home(settings)
    with pytest.raises(HeadwaterError, match="headwater fetch trino"):
        trino_home(settings)


def test_mirror_that_is_set_is_asked(tmp_path: Path) -> None:
    mirror = Settings(cache=tmp_path, maven="http://mirror.example/maven2")

    assert repository_url(mirror) == "http://mirror.example/maven2"


def test_jars_of_spark_and_kafka_are_locked_by_name_and_checksum() -> None:
    artifacts = read_lock()

    assert {artifact.part for artifact in artifacts} == {*PARTS, *PEERS}
    assert len({(artifact.part, artifact.file_name) for artifact in artifacts}) == len(artifacts)
    assert all(len(artifact.sha256) == 64 and artifact.size for artifact in artifacts)


def test_relock_measures_what_a_line_leaves_out(maven: Maven, tmp_path: Path) -> None:
    lock = tmp_path / "jars.lock"
    lock.write_text("# reasons stay\nspark org.example:engine:1\n", "utf-8")
    published = hashlib.sha1(b"engine", usedforsecurity=False).hexdigest()
    maven.files[f"{ENGINE.path}.sha1"] = published.encode()

    with asking(maven) as repository:
        relock(repository, lock)

    assert read_lock(lock) == (ENGINE,)
    assert lock.read_text("utf-8").startswith("# reasons stay\n")

"""Archives of classes: made once for what they are bound to, and never in the way."""

import os
from pathlib import Path

import pytest

from infra.fetch.class_archive import make_class_archive
from telemetry.settings import Settings
from tests.infra.caches import with_spark_jars


class Server:
    """Stands for a server whose JVM keeps its classes, or does not."""

    def __init__(self) -> None:
        self.runs = 0
        self.works = True

    def __call__(self, settings: Settings, made: Path) -> str:
        assert not settings.home.exists()
        self.runs += 1
        if self.works:
            made.write_text(f"run {self.runs}")
        return "starting\nno memory left"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return with_spark_jars(tmp_path)


def test_archive_is_made_once_and_again_for_other_jars(tmp_path: Path, settings: Settings) -> None:
    archive, server, said = tmp_path / "share" / "spark.jsa", Server(), list[str]()
    for _ in range(2):
        make_class_archive("spark", settings, said.append, archive, server)
    assert (server.runs, archive.read_text(), len(said)) == (1, "run 1", 1)
    os.utime(next(settings.spark_jar_dir.iterdir()), (1, 1))
    make_class_archive("spark", settings, said.append, archive, server)
    assert (server.runs, archive.read_text()) == (2, "run 2")


def test_server_that_keeps_nothing_is_told_and_tried_again(
    tmp_path: Path, settings: Settings
) -> None:
    archive, server, said = tmp_path / "share" / "spark.jsa", Server(), list[str]()
    server.works = False
    make_class_archive("spark", settings, said.append, archive, server)
    assert "no memory left" in said[-1]
    assert "starts without" in said[-1]
    assert not archive.exists()
    server.works = True
    make_class_archive("spark", settings, said.append, archive, server)
    assert archive.read_text() == "run 2"


def test_no_java_is_no_hindrance(tmp_path: Path, settings: Settings) -> None:
    lame = settings.model_copy(update={"java_home": tmp_path})
    said: list[str] = []
    make_class_archive("spark", lame, said.append, tmp_path / "spark.jsa", Server())
    assert "does not run as Java" in said[-1]

"""The command that submits a Spark application."""

import os
from pathlib import Path

import pytest

from infra import spark_submit
from infra.batch_job import job_command
from infra.environment import child_environment, setting_variables
from infra.fetch.lock import locked
from infra.gentle_stop import command
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from tests.infra.caches import with_spark_jars


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return with_spark_jars(tmp_path, job_heap_mb=300)


def test_command_names_the_job_its_heap_and_its_configuration(settings: Settings) -> None:
    words = spark_submit.spark_submit_command(settings, "dedup", ["--all"])
    assert words[-3].endswith("spark_jobs/main.py")
    assert words[-2:] == ["dedup", "--all"]
    assert words[words.index("--driver-memory") + 1] == "300m"
    assert Path(words[0]).exists()
    assert Path(words[words.index("--properties-file") + 1]).exists()


def test_a_batch_job_leaves_the_cores_to_the_streams_first(settings: Settings) -> None:
    plain = spark_submit.spark_submit_command(settings, "dedup", ["--all"])
    nice = str(settings.job_nice)
    assert job_command(settings, "dedup", ["--all"]) == ["nice", "-n", nice, *plain]


def test_configuration_lists_the_locked_jars(settings: Settings) -> None:
    text = spark_submit.write_spark_defaults(settings).read_text()
    options = dict(line.split(" ", 1) for line in text.splitlines())
    jars = options["spark.jars"].split(",")
    assert [Path(jar).name for jar in jars] == sorted(a.file_name for a in locked("spark"))
    assert options["spark.driver.extraClassPath"].split(os.pathsep) == jars
    assert options["spark.master"] == "local[2]"
    assert (settings.home / "run" / "log4j2.properties").exists()


def test_missing_jar_says_how_to_fetch_it(settings: Settings) -> None:
    next(settings.spark_jar_dir.iterdir()).unlink()
    with pytest.raises(HeadwaterError, match="headwater fetch spark"):
        spark_submit.spark_submit_command(settings, "dedup")


def test_children_are_told_the_places_and_what_was_changed(tmp_path: Path) -> None:
    told = setting_variables(Settings(home=tmp_path, trino_heap_mb=900, debug=True))
    assert told["HEADWATER_HOME"] == str(tmp_path)
    assert told["HEADWATER_TRINO_HEAP_MB"] == "900"
    assert told["HEADWATER_PORT_BASE"]
    assert "HEADWATER_DEBUG" not in told
    assert "HEADWATER_KAFKA_HEAP_MB" not in told


def test_told_settings_are_the_same_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path, port_base=20000, streams="scheduled", gold_trigger_s=2.5)
    for name, value in setting_variables(settings).items():
        monkeypatch.setenv(name, value)
    assert Settings() == settings


def test_children_find_our_packages_and_our_python(settings: Settings) -> None:
    environment = child_environment(settings)
    assert (Path(environment["PYTHONPATH"].split(":")[0]) / "telemetry").is_dir()
    assert Path(environment["PYSPARK_PYTHON"]).exists()
    assert Path(environment["JAVA_HOME"], "bin", "java").exists()


def test_gentle_stop_runs_the_application() -> None:
    assert command(["spark-submit", "x"])[1:] == ["-m", "infra.gentle_stop", "spark-submit", "x"]

"""Spark's Python processes take pyspark from where it is installed."""

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyspark
from pyspark.sql import SparkSession

from infra.environment import PROJECT
from spark_jobs.unzipped import prefer_installed
from spark_jobs.worker_jobs import collected

INSTALLED = Path(pyspark.__file__).parent
ARCHIVES = sorted(map(str, (INSTALLED / "python" / "lib").glob("*.zip")))
MAIN = """
import runpy, sys
sys.argv = ["main.py", "stream", "--help"]
try:
    runpy.run_path({main!r}, run_name="__main__")
except SystemExit:
    import pyspark, py4j
    print(pyspark.__file__, py4j.__file__)
"""


def test_the_archives_of_the_installed_one_are_left_out() -> None:
    paths = ["", *ARCHIVES, "/elsewhere/python/lib/pyspark.zip", *sys.path]
    prefer_installed(paths)
    assert len(ARCHIVES) == 2
    assert paths == ["", "/elsewhere/python/lib/pyspark.zip", *sys.path]


def test_archives_stay_where_nothing_is_installed(tmp_path: Path) -> None:
    paths = [*ARCHIVES, str(tmp_path)]
    prefer_installed(paths)
    assert paths == [*ARCHIVES, str(tmp_path)]


def test_workers_have_it_from_there(spark: SparkSession) -> None:
    schema = pa.schema([("file", pa.string())])

    def file(_: object) -> list[pa.RecordBatch]:
        import pyspark.worker

        return [pa.RecordBatch.from_pydict({"file": [pyspark.worker.__file__]}, schema)]

    found = collected(spark, 1, lambda numbers: iter(file(numbers)), schema)
    assert found.to_pydict() == {"file": [str(INSTALLED / "worker.py")]}


def test_a_job_has_it_from_there() -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*ARCHIVES, str(PROJECT)])}
    program = MAIN.format(main=str(PROJECT / "spark_jobs" / "main.py"))
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    modules = done.stdout.split()[-2:]
    assert modules[0] == str(INSTALLED / "__init__.py")
    assert "zip" not in modules[1]

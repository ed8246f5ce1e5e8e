"""The session beside a real `spark-submit`: what that was told holds."""

import os
import resource
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from infra.environment import child_environment
from infra.spark_submit import spark_submit, write_spark_defaults
from spark_jobs.worker_jobs import collected
from telemetry.class_archive import class_archive
from telemetry.settings import Settings

TOLD = {
    "spark.master": "local[1]",
    "spark.sql.shuffle.partitions": "7",
    "spark.driver.host": "localhost",
}
KEPT = {"spark.sql.session.timeZone": "UTC", "spark.app.name": "probe"}
PROBE = """
import json, sys
from pathlib import Path
from spark_jobs.session import session
from telemetry.settings import Settings
told = dict(session(Settings(), "probe").sparkContext.getConf().getAll())
Path(sys.argv[1]).write_text(json.dumps(told))
"""


def test_what_spark_submit_was_told_wins_over_the_defaults(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    script, out = tmp_path / "probe.py", tmp_path / "told.json"
    script.write_text(PROBE)
    words = [str(spark_submit()), "--properties-file", str(write_spark_defaults(settings))]
    for name, value in TOLD.items():
        words += ["--conf", f"{name}={value}"]
    environment = child_environment(settings)
    if class_archive("spark").exists():
        # So told, a JVM does not start without the archive, as it does otherwise.
        environment["SPARK_SUBMIT_OPTS"] = "-Xshare:on"
    command = [*words, str(script), str(out)]
    subprocess.run(command, env=os.environ | environment, cwd=tmp_path, timeout=120, check=True)
    told = orjson.loads(out.read_bytes())
    assert {name: told[name] for name in TOLD | KEPT} == TOLD | KEPT


BLOCK = 20 * 1024 * 1024


def new_pages(numbers: Iterable[int]) -> Iterator[pa.RecordBatch]:
    """Yield the fewest pages that a worker is given for what it has used and freed before.

    The heap may grow by a block now and then, where what is left lies in pieces.
    """
    found = []
    for _ in numbers:
        turns = []
        for _ in range(8):
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            blocks = [b"x" * BLOCK for _ in range(2)]
            columns = [pa.array(np.ones(BLOCK // 8)).cast(pa.int64()) for _ in range(2)]
            del blocks, columns
            turns.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
        found.append(min(turns))
    yield pa.record_batch([pa.array(found, pa.int64())], ["pages"])


@pytest.mark.spark
def test_workers_keep_the_memory_of_a_batch_for_the_next_one(spark: SparkSession) -> None:
    pages = collected(spark, 1, new_pages, pa.schema([("pages", pa.int64())]))["pages"]
    assert pages.to_pylist()[0] < 4 * BLOCK / resource.getpagesize() / 100


@pytest.mark.spark
def test_files_of_spark_are_cut_into_groups_and_have_an_index_of_pages(
    spark: SparkSession, tmp_path: Path
) -> None:
    rows = 300_000
    spark.range(0, rows, 1, 1).write.parquet(str(tmp_path / "rows"))
    (file,) = (tmp_path / "rows").glob("*.parquet")
    written = pq.read_metadata(file)
    groups = [written.row_group(number) for number in range(written.num_row_groups)]
    assert [group.num_rows for group in groups] == [256 * 1024, rows - 256 * 1024]
    assert all(group.column(0).has_offset_index for group in groups)

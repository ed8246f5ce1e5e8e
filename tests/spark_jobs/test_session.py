"""The session beside a real `spark-submit`: what that was told holds."""

import os
import subprocess
from pathlib import Path

import orjson
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from infra.environment import child_environment
from infra.spark_submit import spark_submit, write_spark_defaults
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

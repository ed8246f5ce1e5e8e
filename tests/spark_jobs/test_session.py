"""The session beside a real `spark-submit`: what that was told holds."""

import subprocess
from pathlib import Path

import orjson

from infra.environment import PROJECT, child_environment
from infra.spark_submit import spark_submit
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
    jars = sorted(str(jar) for jar in settings.spark_jar_dir.glob("*.jar"))
    script, out = tmp_path / "probe.py", tmp_path / "told.json"
    script.write_text(PROBE)
    words = [str(spark_submit()), "--jars", ",".join(jars)]
    for name, value in TOLD.items():
        words += ["--conf", f"{name}={value}"]
    environment = child_environment(settings) | {"PYTHONPATH": str(PROJECT)}
    subprocess.run(
        [*words, str(script), str(out)], env=environment, cwd=tmp_path, timeout=120, check=True
    )
    told = orjson.loads(out.read_bytes())
    assert {name: told[name] for name in TOLD | KEPT} == TOLD | KEPT

"""The streams under `spark-submit` with executors of their own, each a process apart."""

import subprocess
import sys
from pathlib import Path

import pytest

from infra.environment import child_environment
from infra.spark_submit import spark_submit_command
from telemetry.settings import Settings
from tests.end_to_end.stack import Stack, free_port_base

EXECUTORS = "local-cluster[2,1,768]"
"""Two executors of one core and 768 MiB, started by Spark's own standalone master and workers."""

pytestmark = [pytest.mark.stack, pytest.mark.long, pytest.mark.timeout(900)]


def test_executors_apart_keep_every_promise(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "home", free_port_base())
    stack.run("up", "--only", "kafka")
    try:
        ledger = str(tmp_path / "ledger.ndjson")
        sizes = ["--devices", "50", "--rate", "1000", "--for", "20s"]
        stack.run("simulate", "mixed", *sizes, "--ledger", ledger, "--quiet")
        verdict = [sys.executable, "-m", "infra.cli", "verify", ledger, "--timeout", "600"]
        with subprocess.Popen(verdict, env=stack.environment, stdout=subprocess.PIPE) as waiting:
            _take_up(stack, tmp_path / "streams.log")
            told, _ = waiting.communicate(timeout=300)
        assert waiting.returncode == 0, told.decode()
    finally:
        stack.run("down", check=False)


def _take_up(stack: Stack, log: Path) -> None:
    settings = Settings(home=stack.home, port_base=stack.port_base)
    command = spark_submit_command(settings, "stream", ["--trigger", "available-now"])
    told = {"spark.master": EXECUTORS, "spark.executor.memory": "768m"}
    words = [f"--conf={name}={value}" for name, value in told.items()]
    with log.open("w") as out:
        subprocess.run(
            [command[0], *command[1:3], *words, *command[3:]],
            env=child_environment(settings),
            stdout=out,
            stderr=out,
            timeout=600,
            check=True,
        )

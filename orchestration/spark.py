"""Starts `spark-submit` through Pipes; what the job reports comes back."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, cast

import dagster as dg

from orchestration import one_at_a_time
from telemetry.settings import Settings

Context: TypeAlias = dg.AssetExecutionContext | dg.AssetCheckExecutionContext
Told: TypeAlias = Mapping[str, object]
POOL = "spark"
STREAM = "stream"
CHECKOUT = Path(__file__).parents[1]
TERMINATION_TIMEOUT_S = 120.0
"""A job that is told to stop finishes its commit first."""
LOCK_WAIT_S = 900.0
RETRY = dg.RetryPolicy(max_retries=2, delay=20, backoff=dg.Backoff.EXPONENTIAL)


@dataclass(frozen=True, slots=True)
class SparkSubmit:
    """Runs one job of `spark_jobs` at a time."""

    pipes: dg.PipesSubprocessClient
    program: Sequence[str]
    lock: Path
    environment: dict[str, str]
    nice: int = 0
    """Niceness of batch jobs; the streams' micro-batches wait for nobody."""
    data_docs: str = ""
    """Where the pages that the quality job writes are served; empty: nowhere."""

    def run(self, context: Context, job: str, *arguments: str) -> Told:
        """Run a job to its end and return what it reports; raise if it failed."""
        nice = 0 if job == STREAM else self.nice
        program = ["nice", "-n", str(nice), *self.program, job, *arguments]
        command = one_at_a_time.command(self.lock, LOCK_WAIT_S, program)
        invocation = self.pipes.run(
            context=context.op_execution_context,
            command=command,
            env=self.environment,
            cwd=str(CHECKOUT),
        )
        reported = invocation.get_custom_messages()
        return cast(Told, reported[-1]) if reported else {}


def spark_submit(settings: Settings) -> SparkSubmit:
    """Return how jobs are started on this machine."""
    return SparkSubmit(
        pipes=dg.PipesSubprocessClient(termination_timeout_seconds=TERMINATION_TIMEOUT_S),
        program=_program(settings),
        lock=settings.home / "run" / "spark-job.lock",
        environment=_environment(settings),
        nice=settings.job_nice,
    )


def _program(settings: Settings) -> list[str]:
    return [
        str(Path(sys.executable).parent / "spark-submit"),
        "--properties-file",
        str(settings.home / "run" / "spark-defaults.conf"),
        "--driver-memory",
        f"{settings.job_heap_mb}m",
        str(CHECKOUT / "spark_jobs" / "main.py"),
    ]


def _environment(settings: Settings) -> dict[str, str]:
    java = {"JAVA_HOME": str(settings.java_home)} if settings.java_home else {}
    return {
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "PYTHONPATH": str(CHECKOUT),
        "GX_ANALYTICS_ENABLED": "false",
        **java,
    }

"""Entry of `spark-submit`: runs one job, and prints its result as one line of JSON."""

import argparse
import importlib
import json
import logging
import sys
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, cast

import dagster_pipes

from spark_jobs.idle_time import take_idle_time_only
from spark_jobs.unzipped import prefer_installed
from telemetry.errors import HeadwaterError, WrongUseError
from telemetry.settings import Settings

if TYPE_CHECKING:  # It imports pyspark.
    from spark_jobs.lake import Lake

JOBS = (
    "stream",
    "fast",
    "backfill",
    "dedup",
    "conservation",
    "compact",
    "vacuum",
    "retention",
    "summaries",
    "baselines",
    "quality",
    "delays",
    "alerts",
    "rebuild-gold",
    "replay",
    "recover",
)
IDLE_TIME_JOBS = ("compact",)
WRONG_USE = 2
"""Exit code of wrong words, as argparse has it."""
Result = dict[str, object]


class Job(Protocol):
    """A module of `spark_jobs.jobs`: its arguments, and its work.

    `tables` in a result maps a table's name to what is said of it alone.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the job's own arguments."""

    def run(self, arguments: argparse.Namespace, settings: Settings, lake: "Lake") -> Result:
        """Do the work and return its figures."""


def main(argv: Sequence[str]) -> int:
    """Run the job that the arguments name; return 0, 1 if it failed, or 2 if they are wrong."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for chatty in ("py4j", "kafka"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    name, rest = _job_name(argv)
    prefer_installed()
    job = cast(Job, importlib.import_module(f"spark_jobs.jobs.{name.replace('-', '_')}"))
    parser = argparse.ArgumentParser(
        prog=f"headwater job {name}",
        description=job.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    job.add_arguments(parser)
    settings = Settings()
    if name in IDLE_TIME_JOBS and settings.job_nice:
        take_idle_time_only()
    try:
        result = _run(job, parser.parse_args(rest), settings)
    except HeadwaterError as error:
        if settings.debug:
            traceback.print_exc()
        sys.stderr.write(f"error: {error}\n")
        return WRONG_USE if isinstance(error, WrongUseError) else 1
    sys.stdout.write(json.dumps(result, default=str) + "\n")
    return 0 if result.get("ok", True) else 1


def _job_name(argv: Sequence[str]) -> tuple[str, Sequence[str]]:
    parser = argparse.ArgumentParser(prog="main.py", description=__doc__)
    parser.add_argument("job", choices=JOBS)
    return parser.parse_args(argv[:1]).job, argv[1:]


def _run(job: Job, arguments: argparse.Namespace, settings: Settings) -> Result:
    from spark_jobs.lake import Lake

    lake = Lake(settings.lake_root)
    lake.create_all()
    # Outside Dagster, opening pipes warns on every run.
    loader = dagster_pipes.PipesEnvVarParamsLoader()  # type: ignore[no-untyped-call]
    if not loader.is_dagster_pipes_process():
        return job.run(arguments, settings, lake)
    with dagster_pipes.open_dagster_pipes() as pipes:
        result = job.run(arguments, settings, lake)
        pipes.report_custom_message(json.loads(json.dumps(result, default=str)))
    return result


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

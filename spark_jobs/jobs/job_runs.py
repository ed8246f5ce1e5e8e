"""What every batch job does around its work: dates, tries, and a row in ops.job_runs."""

import argparse
import json
import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

import polars as pl
from deltalake.exceptions import CommitFailedError
from py4j.protocol import Py4JError  # type: ignore[import-untyped]
from pyspark.errors import PySparkException

from spark_jobs.lake import Lake
from telemetry.errors import HeadwaterError, WrongUseError
from telemetry.tables import JOB_RUNS

Result = dict[str, object]
Made = TypeVar("Made")
NARROWING = ("first", "last", "every")
"""Arguments by which a run leaves out some of what is due."""
TRIES = 3
PAUSE_S = 2.0


class LostError(HeadwaterError):
    """A job lost against other writers as often as it tries."""


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Days:
    """UTC dates from `first` to `last`, both inclusive."""

    first: date
    last: date

    def where(self, column: str) -> str:
        """Return the SQL that a date column lies within."""
        return f"{column} >= date'{self.first}' and {column} <= date'{self.last}'"

    def holds(self, day: date) -> bool:
        """Tell whether a day lies within."""
        return self.first <= day <= self.last

    def each(self) -> set[date]:
        """Return the dates themselves."""
        count = (self.last - self.first).days + 1
        return {self.first + timedelta(days=n) for n in range(count)}


def utc_date(text: str) -> date:
    """Return a date as a person writes it: 2026-11-20."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no UTC date: 2026-11-20") from None


def add_dates(parser: argparse.ArgumentParser) -> None:
    """Declare `--from` and `--to`, UTC dates that are both inclusive."""
    parser.add_argument("--from", dest="first", type=utc_date, metavar="DATE")
    parser.add_argument("--to", dest="last", type=utc_date, metavar="DATE")


def asked_days(arguments: argparse.Namespace) -> Days | None:
    """Return the dates asked for: one alone is a single day; None if there is none."""
    first, last = arguments.first or arguments.last, arguments.last or arguments.first
    if first is None or last is None:
        return None
    if first > last:
        raise WrongUseError(f"--from {first} is after --to {last}")
    return Days(first, last)


def recorded(
    lake: Lake, job: str, arguments: argparse.Namespace, work: Callable[[datetime], Result]
) -> Result:
    """Do the work of a job, which is told when it started, and record how it went."""
    started_at = datetime.now(UTC)
    row: dict[str, object] = {
        "run_id": uuid.uuid4().hex,
        "job": job,
        "started_at": started_at,
        "arguments": json.dumps(vars(arguments), default=str),
        "success": False,
    }
    try:
        result = work(started_at)
        row |= {"success": True, "result": json.dumps(result, default=str)}
    except Exception as error:
        row["error"] = str(error).partition("\n")[0]
        raise
    finally:
        row |= {"ended_at": datetime.now(UTC), "started_date": started_at.date()}
        schema = lake.scan(JOB_RUNS).collect_schema()
        lake.append(JOB_RUNS, pl.DataFrame([row], schema=schema), None)
    return result


def last_success(lake: Lake, job: str) -> datetime | None:
    """Return when the newest run of all that was due had started, of those that ended well."""
    runs = lake.scan(JOB_RUNS).filter((pl.col("job") == job) & pl.col("success"))
    told = runs.select("started_at", "arguments").collect()
    return max((at for at, said in told.iter_rows() if _is_of_all(said)), default=None)


def _is_of_all(said: str) -> bool:
    arguments = json.loads(said)
    return all(arguments.get(name) is None for name in NARROWING)


def tried(work: Callable[[], Made], what: str, *, pause_s: float = PAUSE_S) -> Made:
    """Do the work on a table, at most three times, each on the table as it is then.

    Again only where another writer changed the same files meanwhile.
    """
    for attempt in range(1, TRIES + 1):
        try:
            return work()
        except (PySparkException, Py4JError, CommitFailedError) as error:
            if not is_conflict(error):
                raise
            lost = error
        log.warning(
            "%s: another writer was faster (try %d of %d); its version is opened anew",
            what,
            attempt,
            TRIES,
        )
        if attempt < TRIES:
            time.sleep(pause_s * attempt)
    raise LostError(
        f"{what}: other writers were faster {TRIES} times: run the job again, or name closed days"
    ) from lost


def is_conflict(error: Exception) -> bool:
    """Tell whether another writer changed the same files; some of Delta's errors come as Java's."""
    if isinstance(error, PySparkException):
        return "DELTA_CONCURRENT" in f"{error.getCondition()} {error}".upper()
    return not isinstance(error, Py4JError) or "DELTA_CONCURRENT" in str(error)


def yesterday(now: datetime) -> date:
    """Return the newest closed UTC date."""
    return now.date() - timedelta(days=1)

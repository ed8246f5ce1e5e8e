"""Jobs that rewrite tables while the streams append to them."""

from collections.abc import Iterable, Mapping

from infra.batch_job import run_job
from infra.drills.ground import Ground
from telemetry.tables import MESSAGES, READINGS

JOBS = ("compact", "dedup", "compact")
APPENDED = (MESSAGES.name, READINGS.name)
"""Tables that the streams append to all the while."""


def race(ground: Ground) -> list[str]:
    """Run the jobs one after another under traffic; each must end well."""
    complaints, figures = [], []
    for job in JOBS:
        done = run_job(ground.settings, job, (), ground.say)
        figures.append(done.figures)
        if done.code:
            complaints.append(f"job {job}: {done.complaint}")
    return complaints or met(figures)


def met(figures: Iterable[Mapping[str, object]]) -> list[str]:
    """Hold that a job rewrote files of a table that the streams appended to meanwhile."""
    tables = [told for each in figures if isinstance(told := each.get("tables"), dict)]
    if any(name in told for told in tables for name in APPENDED):
        return []
    return ["nothing raced: no table that grows had files to rewrite; hold the drill again"]

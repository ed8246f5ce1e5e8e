"""Jobs that rewrite tables while the streams append to them."""

from infra.batch_job import run_job
from infra.drills.ground import Ground

JOBS = ("compact", "dedup", "compact")


def race(ground: Ground) -> list[str]:
    """Run the jobs one after another under traffic; each must end well."""
    complaints = []
    for job in JOBS:
        done = run_job(ground.settings, job, (), ground.say)
        if done.code:
            complaints.append(f"job {job}: {done.complaint}")
    return complaints

"""A job that loses against another writer tries again, in whichever form Delta says so."""

import pytest
from deltalake.exceptions import CommitFailedError
from py4j.protocol import Py4JError  # type: ignore[import-untyped]

from spark_jobs.jobs.job_runs import LostError, tried

AS_JAVA_SAYS = Py4JError(
    "io.delta.exceptions.ConcurrentDeleteReadException:"
    " [DELTA_CONCURRENT_DELETE_READ.WITH_PARTITION_HINT] Transaction conflict detected"
)


@pytest.mark.parametrize("error", [AS_JAVA_SAYS, CommitFailedError("deleted")], ids=["java", "rs"])
def test_lost_commit_is_tried_again_on_the_table_as_it_is_then(error: Exception) -> None:
    errors = [error, error]

    def work() -> str:
        if errors:
            raise errors.pop()
        return "done"

    assert tried(work, "compact", pause_s=0) == "done"


def test_job_that_always_loses_says_so() -> None:
    def work() -> None:
        raise AS_JAVA_SAYS

    with pytest.raises(LostError, match="compact"):
        tried(work, "compact", pause_s=0)


def test_other_failures_of_java_are_not_tried_again() -> None:
    tries: list[int] = []

    def work() -> None:
        tries.append(1)
        raise Py4JError("java.lang.OutOfMemoryError")

    with pytest.raises(Py4JError, match="OutOfMemory"):
        tried(work, "compact", pause_s=0)
    assert tries == [1]

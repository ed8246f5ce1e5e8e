"""Which files a run may not have seen."""

from datetime import UTC, datetime

import polars as pl

from spark_jobs.jobs.changed_files import OVERLAP, written_since

SINCE = datetime(2026, 11, 27, 12, tzinfo=UTC)


def test_files_written_since_a_run_or_shortly_before_are_not_seen() -> None:
    at = [SINCE - OVERLAP, SINCE - OVERLAP / 2, SINCE, SINCE + OVERLAP]
    files = pl.DataFrame({"modification_time": [int(each.timestamp() * 1000) for each in at]})
    found = files.select(new=written_since(SINCE))
    assert found["new"].to_list() == [False, True, True, True]
    assert files.filter(written_since(None)).equals(files)

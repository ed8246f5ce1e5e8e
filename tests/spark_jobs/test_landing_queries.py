"""Sources of landing: their lag, and the identity of a checkpoint."""

from pathlib import Path

from spark_jobs.jobs.landing_queries import checkpoint_id, spool_lag
from tests.spark_jobs.landing_fleet import NOW, Fleet, write_segment


def test_lag_of_the_spool_counts_records_behind_the_landed(tmp_path: Path) -> None:
    (tmp_path / "partitions").mkdir()
    (tmp_path / "partitions" / "00000").touch()
    write_segment(tmp_path, list(Fleet(6).batch(7, NOW)), 10, NOW)
    assert spool_lag(tmp_path, {("spool", 0): 11}) == 5
    assert spool_lag(tmp_path, {("spool", 0): 20}) == 0


def test_lost_checkpoint_begins_with_another_id(tmp_path: Path) -> None:
    first = checkpoint_id(tmp_path / "landing")
    assert checkpoint_id(tmp_path / "landing") == first
    (tmp_path / "landing").rename(tmp_path / "lost")
    assert checkpoint_id(tmp_path / "landing") != first

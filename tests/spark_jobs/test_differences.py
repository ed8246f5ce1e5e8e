"""Rows differ by what they say, not by the order in which they say it."""

from spark_jobs.lake import Lake
from spark_jobs.transforms.differences import different
from telemetry.tables import READINGS
from tests.spark_jobs.test_column_files import rows

BOTH = [("hall", "a"), ("line", "3")]
OTHERS = [BOTH, BOTH[::-1], [("hall", "b"), ("line", "3")], BOTH[:1], None]


def test_labels_have_no_order(lake: Lake) -> None:
    lake.create(READINGS)
    for offset, tags in enumerate([BOTH, *OTHERS]):
        lake.append(READINGS, rows(1, tags=tags, offset=offset), None)
    before, *after = lake.scan(READINGS).sort("offset").collect().iter_slices(1)
    found = [different(READINGS, before, each, leave_out=["offset"]) for each in after]
    assert [rows.height for rows in found] == [0, 0, 1, 1, 1]

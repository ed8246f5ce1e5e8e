"""What a worker does for gold: read the files of its task, and reduce them to partials."""

from collections.abc import Iterable, Iterator

import polars as pl
import pyarrow as pa

from spark_jobs.planned_files import PlannedFiles
from spark_jobs.transforms.reduction import reduced


def reduced_files(
    numbers: Iterable[int], files: PlannedFiles, rules: pl.DataFrame
) -> Iterator[pa.RecordBatch]:
    """Yield the packed partials of the tasks that have these numbers."""
    return reduced(files.rows_of(numbers), rules)

"""A series is found in files of every form that landing and compaction leave."""

import io
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from services.query.pieces import Pieces, Series
from services.query.rows import READING_COLUMNS
from spark_jobs.column_files import stored_schema
from spark_jobs.reading_rows import Block
from spark_jobs.shared_chunks import of_block, write
from telemetry.tables import READINGS
from tests.spark_jobs.reading_blocks import METRICS, messages, values

STORED = stored_schema(READINGS)
WHOLE = Block(messages().drop_columns(["event_date", "retention_class"]), values())
STORE = fs.LocalFileSystem()


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """Return a file whose row groups share column chunks."""
    sink = io.BytesIO()
    write(sink, [of_block(WHOLE)], STORED, ["device_full", "metric", "event_time", "offset"])
    path = tmp_path / "shared.parquet"
    path.write_bytes(sink.getvalue())
    return path


@pytest.mark.parametrize("form", ["shared", "one group", "small groups", "without statistics"])
def test_rows_are_those_of_a_plain_filter(shared: Path, tmp_path: Path, form: str) -> None:
    rows = pl.read_parquet(shared)
    path = shared
    if form != "shared":
        path = tmp_path / "ordinary.parquet"
        mixed = rows.sample(fraction=1.0, shuffle=True, seed=1).to_arrow()
        size = 97 if form == "small groups" else 1 << 20
        pq.write_table(
            mixed, path, row_group_size=size, write_statistics=form != "without statistics"
        )
    pieces = Pieces(1 << 24)
    devices = rows["device_full"].unique().sort().to_list()
    for device in (*devices[:3], "nobody"):
        for metric in METRICS.names:
            where = (("tenant", rows["tenant"][0]), ("device_full", device), ("metric", metric))
            found = pieces.read(STORE, str(path), Series(where), READING_COLUMNS)
            expected = rows.filter(device_full=device, metric=metric).select(READING_COLUMNS)
            key = ["event_time_us", "seq"]
            as_frame = pl.from_arrow(found.cast(pa.schema(found.schema)))
            assert isinstance(as_frame, pl.DataFrame)
            assert as_frame.sort(key).equals(expected.sort(key))
            assert len(expected) > 0 or device == "nobody"

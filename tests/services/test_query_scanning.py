"""Large files are read in batches of a bounded size, each row in one of them."""

from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.query.listing import TableFiles
from services.query.scanning import BATCH_ROWS, batches, read
from telemetry.tables import READINGS

ROWS = 260_000


def test_each_row_is_in_one_batch_and_no_batch_is_large(tmp_path: Path) -> None:
    files = TableFiles(str(tmp_path), READINGS)
    folder = tmp_path / "silver" / "readings"
    folder.mkdir(parents=True)
    for number in range(2):
        seqs = pa.array(range(number * ROWS, (number + 1) * ROWS))
        pq.write_table(
            pa.table({"seq": seqs, "boot": pa.nulls(ROWS)}), folder / f"{number}.parquet"
        )

    found = list(batches(files, ["0.parquet", "1.parquet"], ["seq"]))

    assert max(map(len, found)) <= BATCH_ROWS
    assert pl.concat(found)["seq"].to_list() == list(range(2 * ROWS))


def test_only_row_groups_that_may_hold_a_name_are_decoded(tmp_path: Path) -> None:
    files = TableFiles(str(tmp_path), READINGS)
    folder = tmp_path / "silver" / "readings"
    folder.mkdir(parents=True)
    devices = [f"d{number}" for number in range(4) for _ in range(5)]
    rows = pa.table({"device_full": devices, "seq": range(20)})
    pq.write_table(rows, folder / "0.parquet", row_group_size=5)
    pq.write_table(rows.select(["device_full"]), folder / "1.parquet", row_group_size=5)
    damaged = bytearray((folder / "0.parquet").read_bytes())
    first = pq.read_metadata(folder / "0.parquet").row_group(0).column(0)
    start = first.dictionary_page_offset
    damaged[start : start + first.total_compressed_size] = b"\xff" * first.total_compressed_size
    (folder / "0.parquet").write_bytes(damaged)

    found = read(
        files,
        ["0.parquet", "1.parquet"],
        ["seq"],
        pl.col("seq").is_null() | (pl.col("seq") > 11),
        {"device_full": ["d2", "d3"]},
    )

    # A file from before the column has nulls there.
    assert found["seq"].to_list() == [*range(12, 20), *[None] * 10]
    with pytest.raises(OSError, match=r"."):
        read(files, ["0.parquet"], ["seq"], pl.lit(value=True), {"device_full": ["d0"]})

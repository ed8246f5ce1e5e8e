"""Large files are read in batches of a bounded size, each row in one of them."""

from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from services.query.listing import TableFiles
from services.query.scanning import BATCH_ROWS, batches
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

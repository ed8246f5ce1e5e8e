"""Files whose row groups share column chunks are rows like others to every reader."""

import io
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from spark_jobs.column_files import stored_schema
from spark_jobs.lake import Lake
from spark_jobs.reading_rows import Block, ReadingRows, metric_field
from spark_jobs.schema import REASON
from spark_jobs.shared_chunks import LARGE_BYTES, Piece, of_block, of_rows, write
from telemetry.tables import READINGS
from tests.spark_jobs.reading_blocks import COUNT, METRICS, messages, values

STORED = stored_schema(READINGS)
NO_ROW = pa.table([pa.array([], field.type) for field in STORED], schema=STORED)


def row_by_row(block: Block) -> pl.DataFrame:
    """Return what the rows of a block are."""
    rows = pa.concat_tables([rows.select(STORED.names) for rows in block.rows()])
    found = pl.from_arrow(rows.cast(STORED))
    assert isinstance(found, pl.DataFrame)
    return found.sort("seq", "metric")


def file(*pieces: Piece) -> bytes:
    sink = io.BytesIO()
    size = write(sink, pieces, STORED, ["device_full", "metric", "event_time", "offset"])
    assert size == len(sink.getvalue())
    return sink.getvalue()


WHOLE = Block(messages().drop_columns(["event_date", "retention_class"]), values())


@pytest.mark.parametrize("block", [WHOLE, WHOLE.of(["kwh"])], ids=["shared", "alone"])
@pytest.mark.parametrize("is_block", [True, False], ids=["block", "rows"])
def test_every_reader_finds_the_rows(tmp_path: Path, block: Block, is_block: bool) -> None:
    path = tmp_path / "file.parquet"
    rows = pa.concat_tables([each.select(STORED.names) for each in block.rows()])
    path.write_bytes(file(*([of_block(block)] if is_block else of_rows(rows))))
    expected = row_by_row(block)
    assert pq.read_schema(path).equals(STORED)
    assert pl.read_parquet(path).sort("seq", "metric").equals(expected)
    by_arrow = pl.from_arrow(pq.read_table(path))
    assert isinstance(by_arrow, pl.DataFrame)
    assert by_arrow.sort("seq", "metric").equals(expected)
    asked = f"select count(*), sum(value), sum(seq), max(event_time_us) from '{path}'"
    (found,) = duckdb.connect().execute(asked).fetchall()
    sums = [expected[name].sum() for name in ("value", "seq")]
    assert found == (len(expected), *sums, expected["event_time_us"].max())


def test_a_unit_that_is_called_none_is_another_than_no_unit() -> None:
    said = {"a": None, "b": "None", "c": "", "d": "kWh", "e": None}
    fields = [metric_field(name, pa.float64(), unit) for name, unit in said.items()]
    columns = pa.table([values()["kwh"]] * len(said), schema=pa.schema(fields))
    found = pl.read_parquet(io.BytesIO(file(of_block(Block(WHOLE.messages, columns)))))
    assert dict(found.select("metric", "unit").unique().iter_rows()) == said


def test_messages_columns_are_written_once() -> None:
    shared = file(of_block(WHOLE))
    groups = pq.read_metadata(io.BytesIO(shared))
    assert [groups.row_group(n).num_rows for n in range(3)] == [COUNT] * 3
    at = STORED.get_field_index("seq")
    assert len({groups.row_group(n).column(at).data_page_offset for n in range(3)}) == 1
    assert len(shared) < 2 * len(file(of_block(WHOLE.of(["kwh"]))))


def codecs(of: bytes) -> dict[str, str]:
    """Return the codec of each leaf of a file's first row group."""
    group = pq.read_metadata(io.BytesIO(of)).row_group(0)
    columns = [group.column(at) for at in range(group.num_columns)]
    return {column.path_in_schema: column.compression for column in columns}


def test_columns_of_few_bytes_are_packed_by_what_is_fast() -> None:
    (few,) = of_rows(pa.concat_tables([rows.select(STORED.names) for rows in WHOLE.rows()]))
    many = few.content.take(pa.array(np.arange(LARGE_BYTES) % 999))
    assert {*codecs(file(few)).values()} == {"SNAPPY"}
    found = codecs(file(*of_rows(many)))
    assert [found[name] for name in ("seq", "device_full", "value")] == ["ZSTD"] * 3


def test_each_column_is_packed_by_its_own_size_to_its_last_leaf() -> None:
    reasons = [{"field": "f", "rule": "r", "value": "v"}]
    rows = {
        "message": pa.array([b"x" * LARGE_BYTES, b"y"], pa.binary()),
        "headers": pa.array([[("device", b"d")], None], pa.map_(pa.string(), pa.binary())),
        "reasons": pa.array([reasons, None], pa.list_(REASON)),
    }
    sink = io.BytesIO()
    write(sink, of_rows(pa.table(rows)), pa.table(rows).schema, [])
    found = codecs(sink.getvalue())
    assert len(found) == 6
    assert found.pop("message") == "ZSTD"
    assert {*found.values()} == {"SNAPPY"}
    assert pq.read_table(io.BytesIO(sink.getvalue())).equals(pa.table(rows))


def test_names_of_headers_are_words() -> None:
    headers = [[("tenant", b"a"), ("device", b"%d" % n)] for n in range(500)]
    rows = pa.table({"headers": pa.array(headers, pa.map_(pa.string(), pa.binary()))})
    sink = io.BytesIO()
    write(sink, of_rows(rows), rows.schema, [])
    group = pq.read_metadata(io.BytesIO(sink.getvalue())).row_group(0)
    key, value = (group.column(at) for at in range(2))
    assert key.path_in_schema == "headers.key_value.key"
    assert [each.has_dictionary_page for each in (key, value)] == [True, False]


def test_columns_of_a_row_group_have_places_of_their_own() -> None:
    groups = pq.read_metadata(io.BytesIO(file(of_block(WHOLE))))
    for number in range(3):
        group = groups.row_group(number)
        columns = [group.column(at) for at in range(group.num_columns)]
        places = {column.dictionary_page_offset or column.data_page_offset for column in columns}
        assert len(places) == len(columns)


def test_polars_reads_as_from_an_object_store(tmp_path: Path) -> None:
    path, out = tmp_path / "file.parquet", tmp_path / "out.parquet"
    path.write_bytes(file(of_block(WHOLE)))
    copy = (
        "import sys, polars; polars.scan_parquet(sys.argv[1]).collect().write_parquet(sys.argv[2])"
    )
    environment = os.environ | {"POLARS_FORCE_ASYNC": "1"}
    subprocess.run([sys.executable, "-c", copy, path, out], env=environment, check=True)
    assert pl.read_parquet(out).sort("seq", "metric").equals(row_by_row(WHOLE))


def test_row_groups_say_which_metric_they_hold() -> None:
    groups = pq.read_metadata(io.BytesIO(file(of_block(WHOLE))))
    at = STORED.get_field_index("metric")
    spans = [groups.row_group(n).column(at).statistics for n in range(3)]
    assert [(span.min, span.max) for span in spans] == [(name, name) for name in METRICS.names]


@pytest.mark.spark
@pytest.mark.parametrize("vectorized", ["true", "false"])
def test_spark_reads_them_in_any_splits(
    spark: SparkSession, tmp_path: Path, vectorized: str
) -> None:
    path = tmp_path / "file.parquet"
    path.write_bytes(file(of_block(WHOLE), *of_rows(NO_ROW), of_block(WHOLE)))
    session = spark.newSession()
    session.conf.set("spark.sql.parquet.enableVectorizedReader", vectorized)
    session.conf.set("spark.sql.files.maxPartitionBytes", "2k")
    session.conf.set("spark.sql.files.openCostInBytes", "0")
    frame = session.read.parquet(str(path))
    assert frame.rdd.getNumPartitions() > 1
    found = frame.selectExpr("count(*)", "sum(value)", "sum(seq)", "count(tags)").collect()[0]
    once = row_by_row(WHOLE)
    sums = [len(once), once["value"].sum(), once["seq"].sum(), once["tags"].count()]
    assert list(found) == [2 * each for each in sums]


def test_lake_finds_all_of_blocks_with_gaps(lake: Lake) -> None:
    lake.create(READINGS)
    few, many = np.arange(COUNT) < 4, np.arange(COUNT) % 2 == 0
    blocks = (
        Block(messages(), values()),
        Block(messages(), values(kwh=few)),
        Block(messages(2 * COUNT), values(2 * COUNT, open=np.arange(2 * COUNT) % 2 == 0)),
        Block(messages(20, day=22), values(20)),
        Block(messages(), values(kwh=many, open=many, state=many)),
    )
    rows = next(Block(messages(3), values(3)).rows())
    written = ReadingRows(blocks, rows)
    assert lake.append(READINGS, written, None)
    found = lake.scan(READINGS).select(READINGS.column_names).collect()
    expected = pl.concat([*(_all_rows(block) for block in blocks), _all_rows_of([rows])])
    order = ["event_date", "seq", "metric"]
    assert found.sort(order).equals(expected.sort(order))
    files = lake.files(READINGS)
    assert files["num_records"].sum() == written.num_rows == len(expected)
    assert files["min.metric"].to_list() == ["kwh", "kwh"]
    assert files["max.metric"].to_list() == ["state", "state"]
    assert files["null_count.event_time"].to_list() == [0, 0]


def _all_rows(block: Block) -> pl.DataFrame:
    return _all_rows_of([*block.rows()])


def _all_rows_of(tables: list[pa.Table]) -> pl.DataFrame:
    schema = pa.schema([*STORED, ("retention_class", pa.string()), ("event_date", pa.date32())])
    names = [name for name in READINGS.column_names if name in schema.names]
    found = pl.from_arrow(
        pa.concat_tables([rows.select(schema.names).cast(schema) for rows in tables])
    )
    assert isinstance(found, pl.DataFrame)
    return found.select(names)

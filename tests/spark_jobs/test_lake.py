"""The lake's writes: idempotent, whole, in the one protocol that every engine reads."""

from datetime import UTC, datetime

import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from spark_jobs.commit_info import Txn
from spark_jobs.lake import Lake
from spark_jobs.schema import arrow_schema
from telemetry import tables
from telemetry.tables import Table

NOW = datetime(2026, 11, 21, 8, 0, 0, 123456, tzinfo=UTC)


def messages(*offsets: int) -> pa.Table:
    row = {
        "topic": "telemetry",
        "partition": 0,
        "kafka_key": b"meter.d1",
        "value": b"{}",
        "headers": {"tenant": b"default"},
        "kafka_time": NOW,
        "received_at": NOW,
        "tenant": "default",
        "product": None,
        "items": 1,
        "received_date": NOW.date(),
    }
    rows = [{**row, "offset": offset} for offset in offsets]
    return pa.Table.from_pylist(rows, schema=arrow_schema(tables.MESSAGES))


def offsets(lake: Lake) -> list[int]:
    found = lake.scan(tables.MESSAGES).select(pl.col("offset").sort()).collect()
    return found["offset"].to_list()


@pytest.fixture
def bronze(lake: Lake) -> Lake:
    lake.create(tables.MESSAGES)
    return lake


def test_same_transaction_is_committed_once(bronze: Lake) -> None:
    assert bronze.append(tables.MESSAGES, messages(1, 2), Txn("landing/a", 0))
    assert not bronze.append(tables.MESSAGES, messages(1, 2), Txn("landing/a", 0))
    assert bronze.append(tables.MESSAGES, messages(3), Txn("landing/a", 1))
    assert bronze.append(tables.MESSAGES, messages(4), Txn("landing/b", 0))
    assert offsets(bronze) == [1, 2, 3, 4]


def test_append_after_a_rewrite_by_others_opens_the_table_anew(bronze: Lake) -> None:
    bronze.append(tables.MESSAGES, messages(1, 2), Txn("landing/a", 0))
    DeltaTable(bronze.uri(tables.MESSAGES)).delete("offset = 2")
    bronze.append(tables.MESSAGES, messages(3), Txn("landing/a", 1))
    assert offsets(bronze) == [1, 3]


def test_replace_takes_the_place_of_what_the_predicate_names(bronze: Lake) -> None:
    bronze.append(tables.MESSAGES, messages(1, 2, 3), None)
    assert bronze.replace(tables.MESSAGES, messages(2, 4), "offset between 2 and 4", Txn("g", 0))
    assert not bronze.replace(tables.MESSAGES, messages(4), "offset between 2 and 4", Txn("g", 0))
    assert offsets(bronze) == [1, 2, 4]


def test_commit_carries_its_info(bronze: Lake) -> None:
    bronze.append(tables.MESSAGES, messages(1), None, {"offsets": '{"0":[1,1]}'})
    assert bronze.table(tables.MESSAGES).history(1)[0]["offsets"] == '{"0":[1,1]}'


@pytest.mark.parametrize("table", tables.TABLES, ids=lambda table: table.name)
def test_tables_are_created_as_declared(lake: Lake, table: Table) -> None:
    lake.create(table)
    lake.create(table)
    handle = lake.table(table)
    protocol, metadata = handle.protocol(), handle.metadata()
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)
    assert not protocol.reader_features
    assert not protocol.writer_features
    assert metadata.partition_columns == list(table.partition_by)
    assert metadata.configuration["delta.enableDeletionVectors"] == "false"
    assert [field.nullable for field in handle.schema().fields] == [
        not column.required for column in table.columns
    ]
    assert all(field.metadata["comment"] for field in handle.schema().fields)


@pytest.mark.spark
def test_spark_and_delta_rs_write_the_same_table(spark: SparkSession, bronze: Lake) -> None:
    bronze.append(tables.MESSAGES, messages(1), Txn("landing/a", 0))
    table = bronze.table(tables.MESSAGES)
    written = bronze.frame(spark, tables.MESSAGES)
    assert [row.kafka_time.timestamp() for row in written.collect()] == [NOW.timestamp()]

    written.selectExpr("* except (offset)", "offset + 1 as offset").write.format("delta").mode(
        "append"
    ).save(bronze.uri(tables.MESSAGES))

    assert offsets(bronze) == [1, 2]
    after = bronze.table(tables.MESSAGES).protocol()
    assert (after.min_reader_version, after.min_writer_version) == (1, 2)
    assert not after.writer_features
    assert table.schema() == bronze.table(tables.MESSAGES).schema()


@pytest.mark.spark
def test_spark_rewrites_what_delta_rs_wrote(spark: SparkSession, bronze: Lake) -> None:
    for offset in range(4):
        bronze.append(tables.MESSAGES, messages(offset), Txn("landing/a", offset))
    uri = bronze.uri(tables.MESSAGES)
    spark.sql(f"optimize delta.`{uri}` zorder by (partition, offset)")
    spark.sql(f"delete from delta.`{uri}` where offset = 2")
    bronze.append(tables.MESSAGES, messages(9), Txn("landing/a", 9))
    assert offsets(bronze) == [0, 1, 3, 9]
    assert bronze.table(tables.MESSAGES).protocol().min_writer_version == 2

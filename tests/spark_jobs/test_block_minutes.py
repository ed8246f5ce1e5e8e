"""Blocks are reduced to what their rows are reduced to, and are read from files as they are."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from spark_jobs.block_files import parts
from spark_jobs.lake import Lake
from spark_jobs.reading_rows import Block, ReadingRows
from spark_jobs.transforms import delays, windows
from spark_jobs.transforms.block_minutes import block_minutes
from spark_jobs.transforms.partials import READING_COLUMNS
from spark_jobs.transforms.reduction import reduced, reduction, unpacked
from spark_jobs.transforms.routes import frame_of
from spark_jobs.transforms.rules import rules
from telemetry.products import product_from_dict
from telemetry.tables import READINGS
from tests.spark_jobs.reading_blocks import COUNT, messages, values

PLAIN = product_from_dict({"product": "meter"})


def rows_of(block: Block) -> pl.DataFrame:
    """Return the readings of a block, as gold takes them."""
    return pl.concat([frame_of(rows.select(READING_COLUMNS)) for rows in block.rows()])


def shuffled(seed: int) -> Block:
    """Return messages out of order, some at the same time as another of their device."""
    pick = np.random.default_rng(seed)
    of_any = messages()
    at = of_any["event_time"].cast(pa.int64()).to_numpy().copy()
    at[10:300:10] = at[20:310:10]
    times = pa.array(at[pick.permutation(COUNT)]).cast(of_any["event_time"].type)
    zones = pa.array([f"z{n}" if n else None for n in pick.integers(0, 3, COUNT)])
    for name, column in {"event_time": times, "zone": zones}.items():
        place = of_any.schema.get_field_index(name)
        of_any = of_any.set_column(place, name, column)
    of_metrics = values()
    noise = pa.array(np.where(pick.random(COUNT) < 0.5, 0.1, pick.normal(20, 5, COUNT)))
    return Block(of_any, of_metrics.set_column(0, of_metrics.schema.field(0), noise))


@pytest.mark.parametrize("seed", range(5))
def test_minutes_of_a_block_are_those_of_its_rows(seed: int) -> None:
    block = shuffled(seed)
    found = block_minutes(frame_of(block.messages), block)
    expected = windows.minutes(rows_of(block))
    assert found is not None
    assert_frame_equal(found.select(expected.columns), expected, check_row_order=False)


def test_constant_metric_has_no_spread_at_all() -> None:
    constant = pa.array(np.full(COUNT, 0.1))
    block = Block(messages(), pa.table({"kwh": constant}))
    found = block_minutes(frame_of(block.messages), block)
    assert found is not None
    assert (found["m2"].unique().to_list(), found["mean"].unique().to_list()) == ([0.0], [0.1])


def test_messages_at_one_time_with_one_number_are_left_to_their_values() -> None:
    twice = pa.concat_tables([messages(), messages()])
    block = Block(twice, pa.concat_tables([values(), values()]))
    assert block_minutes(frame_of(block.messages), block) is None


@pytest.mark.parametrize("gap", [None, timedelta(seconds=90)])
def test_files_are_reduced_to_what_their_rows_are(lake: Lake, gap: timedelta | None) -> None:
    lake.create(READINGS)
    few = np.arange(COUNT) < 4
    blocks = (shuffled(1), Block(messages(), values(kwh=few)))
    lone = next(Block(messages(3), values(3)).rows())
    lake.append(READINGS, ReadingRows(blocks, lone), None)
    of_products = rules([replace(PLAIN, session_gap=gap)])
    files = [f"{lake.uri(READINGS)}/{path}" for path in lake.files(READINGS)["path"]]

    asked = pa.record_batch([pa.array(files)], ["file"])
    found = unpacked(pa.Table.from_batches([*reduced([asked], of_products, parts)]), of_products)

    written = [rows_of(block) for block in blocks] + [frame_of(lone.select(READING_COLUMNS))]
    expected = [reduction(rows, delays.messages(rows), of_products) for rows in written]
    for kind in ("minutes", "sessions", "highest"):
        whole = pl.concat([getattr(one, kind) for one in expected])
        assert_frame_equal(_merged(getattr(found, kind)), _merged(whole), check_row_order=False)
    messages_once = pl.concat(written).unique(delays.MESSAGE)
    assert found.delays["buckets"].sum() == messages_once.height


def _merged(partials: pl.DataFrame) -> pl.DataFrame:
    """Put partials of one window together, whichever part of the file they came from."""
    if "m2" not in partials.columns:
        return partials.group_by("tenant", "product").agg(pl.col("highest").max())
    counted = (
        partials.group_by("device_full", "metric", "zone", "window_start")
        if ("zone" in partials.columns)
        else partials.group_by("device_full", "metric")
    )
    return counted.agg(
        pl.col("count", "sum").sum(),
        pl.col("min").min(),
        pl.col("max").max(),
        pl.col("first_at").min(),
        pl.col("last_at").max(),
    )


def test_columns_of_partitions_come_from_the_path(lake: Lake) -> None:
    lake.create(READINGS)
    lake.append(READINGS, ReadingRows((Block(messages(), values()),), _no_row()), None)
    (path,) = lake.files(READINGS)["path"]
    (block,) = parts(f"{lake.uri(READINGS)}/{path}", ["seq", "retention_class", "value"])
    assert isinstance(block, Block)
    assert block.messages["retention_class"].unique().to_pylist() == ["default"]
    assert block.messages.column_names == ["seq", "retention_class"]
    assert block.columns.column_names == ["kwh", "open", "state"]
    assert block.num_rows == 3 * COUNT


def _no_row() -> pa.Table:
    return next(Block(messages(3), values(3)).rows()).slice(0, 0)

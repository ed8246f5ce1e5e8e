"""Rows that are put together by message are the same rows, and most of them are in blocks."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from spark_jobs.reading_rows import ReadingRows
from spark_jobs.regrouping import MESSAGE, as_words, regrouped
from spark_jobs.schema import arrow_schema
from telemetry.tables import READINGS

Reading = tuple[str, float | str | bool | None, str | None, str]
Tags = dict[str, str | None] | None
Sent = tuple[str, str | None, Tags, list[Reading]]
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
READING = st.tuples(
    st.sampled_from(["hum", "mode", "on", "temp"]),
    st.sampled_from([1.5, -0.0, float("nan"), "warm", True, False, None]),
    st.sampled_from(["degC", "%", None]),
    st.sampled_from(["ok", "ok", "ok", "sentinel"]),
)
TWO: list[Reading] = [("hum", 1.0, "%", "ok"), ("temp", 2.0, "degC", "ok")]
SENT = st.tuples(
    st.sampled_from(["a.one", "a.two", "b.one"]),
    st.sampled_from(["north", None]),
    st.sampled_from([None, {}, {"line": "1"}, {"line": None, "shift": "2"}]),
    st.lists(READING, max_size=4),
)


def row(offset: int, sent: Sent, reading: Reading) -> dict[str, object]:
    """Return a row of silver as Python has it."""
    device, zone, tags, _ = sent
    metric, value, unit, quality = reading
    said: dict[str, object] = dict.fromkeys(READINGS.column_names)
    said |= {"tenant": "default", "device_full": device, "device": device[2:], "product": device[0]}
    said |= {"boot": "b", "seq": offset, "topic": "telemetry", "partition": 0, "offset": offset}
    said |= {"item": 0, "metric": metric, "unit": unit, "quality": quality, "zone": zone}
    at = NOON + timedelta(seconds=offset)
    said |= {"event_time": at, "received_at": at, "kafka_time": at, "event_date": at.date()}
    said |= {"event_time_us": int(at.timestamp() * 1e6), "retention_class": "default"}
    said |= {"clock": "ok", "tags": None if tags is None else [*tags.items()]}
    names = {float: "value", str: "value_text", bool: "value_bool", type(None): "value"}
    return said | {names[type(value)]: value}


def table(sent: Sequence[Sent]) -> pa.Table:
    """Return the rows of messages, in the order in which Spark sorts them."""
    rows = [
        row(offset, message, reading)
        for offset, message in enumerate(sent)
        for reading in sorted(message[3], key=itemgetter(0))
    ]
    return pa.Table.from_pylist(rows, schema=arrow_schema(READINGS))


def as_rows(found: ReadingRows) -> pl.DataFrame:
    """Return all readings again, in one order."""
    schema = arrow_schema(READINGS)
    blocks = [each for block in found.blocks for each in block.rows()]
    whole = pa.concat_tables(
        [each.select(schema.names).cast(schema) for each in [*blocks, found.rows]]
    )
    return ordered(whole)


def ordered(rows: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(rows)
    assert isinstance(frame, pl.DataFrame)
    told = frame.with_columns(tags=pl.Series([str(each) for each in rows["tags"].to_pylist()]))
    text = pl.concat_str([pl.col(name).cast(pl.String).fill_null("") for name in told.columns])
    return told.sort(text)


@given(st.lists(SENT, max_size=12), st.integers(1, 3))
def test_the_same_readings_come_back(sent: list[Sent], fewest: int) -> None:
    rows = table(sent)
    found = regrouped(as_words(rows), fewest)

    assert_frame_equal(as_rows(found), ordered(rows))
    for block in found.blocks:
        assert block.messages.num_rows >= fewest
        assert not any(column.null_count for column in block.columns.columns)


def test_messages_with_the_same_metrics_are_one_block_and_what_is_unlike_is_left() -> None:
    sentinel: list[Reading] = [("hum", None, "%", "sentinel"), TWO[1]]
    sent: list[Sent] = [("a.one", "north", None, TWO)] * 3 + [("b.one", None, None, sentinel)]

    found = regrouped(as_words(table(sent)), 2)

    (block,) = found.blocks
    assert block.columns.to_pydict() == {"hum": [1.0] * 3, "temp": [2.0] * 3}
    assert [metric.unit for metric in block.metrics()] == ["%", "degC"]
    assert block.messages["offset"].to_pylist() == [0, 1, 2]
    assert found.rows["metric"].to_pylist() == ["hum", "temp"]


@pytest.mark.parametrize("changed", ["zone", "tags", "event_time"])
def test_rows_of_one_message_that_disagree_stand_for_themselves(changed: str) -> None:
    rows = table([("a.one", "north", {"line": "1"}, TWO)] * 3).to_pylist()
    rows[3][changed] = {"zone": "south", "tags": [("line", "2")], "event_time": NOON}[changed]

    found = regrouped(as_words(pa.Table.from_pylist(rows, schema=arrow_schema(READINGS))), 1)

    assert [block.messages["offset"].to_pylist() for block in found.blocks] == [[0, 2]]
    assert found.rows.select(MESSAGE).num_rows == 2

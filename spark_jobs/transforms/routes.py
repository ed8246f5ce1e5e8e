"""Judged messages to the rows of bronze and silver, in columns."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from spark_jobs.dedup.decision import Candidates, Verdicts
from spark_jobs.dedup.names import BootNames
from spark_jobs.dedup.recent import Copies
from spark_jobs.reading_rows import OF_READING, ReadingRows
from spark_jobs.reading_rows import Block as ReadingBlock
from spark_jobs.schema import REASON, TIMESTAMP, arrow_schema, without_words
from spark_jobs.transforms.first_use import Types, unknown
from spark_jobs.transforms.judgement import MESSAGES as JUDGED
from spark_jobs.transforms.judgement import READINGS as OF_PLACE
from spark_jobs.transforms.judgement import Block, Judgement, bodies
from spark_jobs.transforms.senders import combined
from spark_jobs.transforms.some_rows import some_of
from telemetry.tables import CONFLICTS, DUPLICATES, LATE, MESSAGES, READINGS, REJECTED, Table

SILVER = (REJECTED, DUPLICATES, CONFLICTS, LATE, READINGS)
"""In the order of their commits: a batch that is in readings is landed whole."""
Rows = np.ndarray
"""Numbers of rows of the judged messages."""
COORDINATES = ("topic", "partition", "offset", "item")
_BOOT = ("tenant", "device_full", "boot")
_SEEN = ("topic", "partition", "offset", "item", "kafka_time", "tenant", "product")
_DECIDED = ("received_at", "event_time", "is_late", "schema_version", "is_staged")
_FIRST = ("first_topic", "first_partition", "first_offset", "first_item")
_TIME = pl.Datetime("us", "UTC")


def heads(found: Judgement) -> pl.DataFrame:
    """Return of each message what decisions need, with its `row` and whether it is accepted."""
    messages = found.messages
    is_accepted = pc.equal(pc.list_value_length(messages["reasons"]), 0)
    shown = messages.select([*_SEEN, *_DECIDED]).append_column("is_accepted", is_accepted)
    return frame_of(shown).with_row_index("row")


def frame_of(table: pa.Table) -> pl.DataFrame:
    """Return an Arrow table as a frame, words as texts."""
    schema = pa.schema([(field.name, without_words(field.type)) for field in table.schema])
    frame = pl.from_arrow(table.cast(schema))
    assert isinstance(frame, pl.DataFrame)
    return frame


def accepted(heads: pl.DataFrame, against: pl.DataFrame) -> Rows:
    """Return the rows of messages that broke no rule, nor what first use has fixed."""
    return np.sort(_rows(heads)[_is_accepted(heads, against)])


def _rows(heads: pl.DataFrame) -> Rows:
    return heads["row"].to_numpy()


def _is_accepted(heads: pl.DataFrame, against: pl.DataFrame) -> np.ndarray:
    # A filter of a frame is a query of its own, which costs more than all that is done here.
    kept = heads["is_accepted"].to_numpy()
    return kept & ~np.isin(_rows(heads), _rows(against)) if against.height else kept


def candidates(found: Judgement, rows: Rows) -> Candidates:
    """Return messages that broke no rule, by their rows."""
    times = ("kafka_time", "event_time")
    messages = found.messages.select([*_BOOT, *COORDINATES, *times, "seq", "digest"])
    some = some_of(messages, rows).combine_chunks()
    words = [some[name].combine_chunks() for name in _BOOT]
    codes, firsts = combined(words)
    names = (word.take(pa.array(firsts)).dictionary_decode() for word in words)
    return Candidates(
        rows=rows,
        boots=BootNames.of(*(pl.Series(values=each) for each in names)),
        boot=codes,
        seq=some["seq"].to_numpy(),
        time=some["kafka_time"].cast(pa.int64()).to_numpy(),
        event=some["event_time"].cast(pa.int64()).to_numpy(),
        copies=_copies(some),
    )


def _copies(messages: pa.Table) -> Copies:
    topic = messages["topic"].combine_chunks()
    columns = (messages[name].to_numpy() for name in (*COORDINATES[1:], "digest"))
    return Copies(topic.dictionary.to_pylist(), topic.indices.to_numpy(), *columns)


def with_readings(found: Judgement, rows: Rows) -> pl.DataFrame:
    """Return some messages as a frame with their `row`, and their readings as a list."""
    is_wanted = np.zeros(found.messages.num_rows, dtype=bool)
    is_wanted[rows] = True
    readings = frame_of(_row_by_row(found, is_wanted))
    names = [name for name in readings.columns if name != "place"]
    lists = readings.group_by("place", maintain_order=True).agg(readings=pl.struct(names))
    messages = frame_of(some_of(found.messages, rows)).with_columns(
        row=pl.Series(rows, dtype=pl.UInt32)
    )
    joined = messages.join(
        lists.with_columns(pl.col("place").cast(pl.UInt32)),
        left_on="row",
        right_on="place",
        how="left",
    )
    return joined.with_columns(pl.col("readings").fill_null([]))


def records(heads: pl.DataFrame, *, unstaged: bool) -> Rows:
    """Return the rows of the first messages of records, or of those that are in no file yet."""
    is_first = heads["item"].to_numpy() == 0
    if unstaged:
        is_first &= ~heads["is_staged"].to_numpy()
    found: Rows = _rows(heads)[is_first]
    return found


def bronze(found: Judgement, rows: Rows) -> pa.Table:
    """Return a row a record, for the rows of first messages."""
    records = some_of(found.messages, rows)
    dated = records.append_column("received_date", records["received_at"].cast(pa.date32()))
    return dated.select(MESSAGES.column_names)


def unsettled(found: Judgement, heads: pl.DataFrame, known: Types) -> pl.DataFrame:
    """Return messages without schema that use a metric whose type is not known yet.

    None of these is in a block: columns are only judged where all types are known.
    """
    if not found.readings.num_rows:
        return _no_message()
    of_open = heads.filter("is_accepted", pl.col("schema_version").is_null())
    is_open = np.zeros(found.messages.num_rows, dtype=bool)
    is_open[of_open["row"].to_numpy()] = True
    used = found.readings.filter(pa.array(is_open[_places(found.readings)]))
    uses = frame_of(used.select(["place", "metric"])).with_columns(pl.col("place").cast(pl.UInt32))
    of_message = of_open.select("row", "tenant", "product")
    named = uses.join(of_message, left_on="place", right_on="row", how="inner")
    return with_readings(found, unknown(named, known)["place"].unique().sort().to_numpy())


@lru_cache
def _no_message() -> pl.DataFrame:
    nothing = Judgement(JUDGED.empty_table(), OF_PLACE.empty_table())
    return with_readings(nothing, np.zeros(0, dtype=np.int64))


def routed(
    found: Judgement, heads: pl.DataFrame, against: pl.DataFrame, verdicts: Verdicts
) -> Iterator[tuple[Table, pa.Table | ReadingRows]]:
    """Yield the rows of each table of silver that gains some from the messages of `heads`.

    They come in the order of commits. `against` has reasons of messages against what first use
    has fixed.
    """
    rows, kept = _rows(heads), _is_accepted(heads, against)
    broken = rows[~heads["is_accepted"].to_numpy()]
    if len(broken) or against.height:
        yield REJECTED, _rejected(found, broken, against)
    if verdicts.frame.height:
        kept = kept & ~np.isin(rows, _rows(verdicts.frame))
        for table, kind in ((DUPLICATES, "duplicate"), (CONFLICTS, "conflict")):
            beside = verdicts.frame.filter(pl.col("kind") == kind)
            if beside.height:
                yield table, _beside(found, beside, table)
    is_late = heads["is_late"].to_numpy()
    for table, route, first in (
        (LATE, late, kept & is_late),
        (READINGS, readings, kept & ~is_late),
    ):
        if first.any():
            is_kept = np.zeros(found.messages.num_rows, dtype=bool)
            is_kept[rows[first]] = True
            yield table, route(found, is_kept)


def _rejected(found: Judgement, rows: Rows, against: pl.DataFrame) -> pa.Table:
    first = _aside(found, rows)
    if against.is_empty():
        return first.select(REJECTED.column_names)
    second = _aside(found, against["row"].to_numpy())
    at = first.schema.get_field_index("reasons")
    reasons = pa.chunked_array([against["reasons"].to_arrow().cast(pa.list_(REASON))])
    both = [first, second.set_column(at, first.schema.field(at), reasons)]
    return pa.concat_tables(both).select(REJECTED.column_names)


def _beside(found: Judgement, verdicts: pl.DataFrame, table: Table) -> pa.Table:
    rows = _aside(found, verdicts["row"].to_numpy())
    for name in _FIRST:
        field = arrow_schema(table).field(name)
        rows = rows.append_column(field, verdicts[name].to_arrow().cast(field.type))
    return rows.select(table.column_names)


def _aside(found: Judgement, rows: Rows) -> pa.Table:
    messages = _with_bodies(some_of(found.messages, rows))
    dated = messages.append_column("received_date", messages["received_at"].cast(pa.date32()))
    return dated.append_column("replayed_at", pa.nulls(len(rows), TIMESTAMP))


def _with_bodies(messages: pa.Table) -> pa.Table:
    whole = bodies(messages["message"], messages["value"])
    return messages.set_column(messages.schema.get_field_index("message"), "message", whole)


def readings(found: Judgement, is_kept: np.ndarray) -> ReadingRows:
    """Return the readings of the messages that are kept."""
    messages = found.messages.drop_columns(["value", "kafka_key", "headers"])
    messages = messages.append_column("event_time_us", messages["event_time"].cast(pa.int64()))
    messages = messages.append_column("event_date", messages["event_time"].cast(pa.date32()))
    shared = messages.select([name for name in READINGS.column_names if name not in OF_READING])
    blocks = [_kept(shared, block, is_kept) for block in found.blocks]
    rows = _exploded(shared, found.readings, is_kept).select(READINGS.column_names)
    return ReadingRows(tuple(block for block in blocks if block.num_rows), rows)


def _kept(messages: pa.Table, block: Block, is_kept: np.ndarray) -> ReadingBlock:
    count = block.columns.num_rows
    whole = ReadingBlock(messages.slice(block.first, count), block.columns)
    return whole.only(is_kept[block.first : block.first + count])


def _row_by_row(found: Judgement, is_kept: np.ndarray) -> pa.Table:
    """Return the readings of the messages that are kept, with their places."""
    rows = [found.readings]
    if not is_kept.all():
        rows = [found.readings.filter(pa.array(is_kept[_places(found.readings)]))]
    for block in found.blocks:
        of_block = is_kept[block.first : block.first + block.columns.num_rows]
        rows += _rows_of_block(block, np.flatnonzero(of_block)) if of_block.any() else ()
    return pa.concat_tables(rows).unify_dictionaries()


def _rows_of_block(block: Block, kept: Rows) -> Iterator[pa.Table]:
    places = pa.table({"place": pa.array(kept + block.first, pa.int32())})
    for rows in ReadingBlock(places, block.columns.take(pa.array(kept))).rows():
        yield rows.select(OF_PLACE.names).cast(OF_PLACE)


def late(found: Judgement, is_kept: np.ndarray) -> pa.Table:
    """Return a row a reading of late messages, with the message's bytes."""
    rows = np.flatnonzero(is_kept)
    some = only(found, rows)
    messages = _with_bodies(some.messages).drop_columns(["value", "kafka_key", "headers"])
    at = messages.schema.get_field_index("reasons")
    messages = messages.set_column(at, messages.schema.field(at), _late_by(messages))
    messages = messages.append_column("replayed_at", pa.nulls(len(rows), TIMESTAMP))
    messages = messages.append_column("event_time_us", messages["event_time"].cast(pa.int64()))
    messages = messages.append_column("event_date", messages["event_time"].cast(pa.date32()))
    exploded = _exploded(messages, some.readings, np.ones(len(rows), dtype=bool))
    return exploded.select(LATE.column_names)


def _late_by(messages: pa.Table) -> pa.Array:
    times = pl.DataFrame(
        [pl.Series(name, messages[name], _TIME) for name in ("received_at", "event_time")]
    )
    delay = (pl.col("received_at") - pl.col("event_time")).dt.total_microseconds() / 1e6
    reason = pl.struct(
        field=pl.lit("ts"), rule=pl.lit("late"), value=pl.format("{} s late", delay.round(3))
    )
    reasons = times.select(reasons=pl.concat_list(reason))
    return reasons["reasons"].to_arrow().cast(pa.list_(REASON))


def only(found: Judgement, rows: Rows) -> Judgement:
    """Return some messages by themselves, with their readings."""
    moved = np.full(found.messages.num_rows, -1, dtype=np.int32)
    moved[rows] = np.arange(len(rows), dtype=np.int32)
    readings = _row_by_row(found, moved >= 0)
    places = pa.array(moved[_places(readings)])
    return Judgement(some_of(found.messages, rows), readings.set_column(0, "place", places))


def _exploded(messages: pa.Table, of_messages: pa.Table, is_kept: np.ndarray) -> pa.Table:
    if not is_kept.all():
        of_messages = of_messages.filter(pa.array(is_kept[_places(of_messages)]))
    rows = some_of(messages, _places(of_messages))
    for name in of_messages.column_names[1:]:
        rows = rows.append_column(name, of_messages[name])
    return rows


def _places(readings: pa.Table) -> np.ndarray:
    places: np.ndarray = readings["place"].to_numpy()
    return places

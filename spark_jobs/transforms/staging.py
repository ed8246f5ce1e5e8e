"""Records of bronze that workers write themselves: their bytes never pass through the driver."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from spark_jobs.transforms import routes
from spark_jobs.transforms.judgement import MESSAGES, Judgement, bodies

STAGE_FROM = 10_000
"""Records of a task; fewer are not worth a file, and go with what was judged of them."""
STAGE_AT = 50_000
CONTENT = ("kafka_key", "value", "headers")
_RECORD = ("topic", "partition", "offset")
Write = Callable[[pa.Table], list[str]]
"""Writes rows of bronze; returns what adds their files, as JSON."""


class Staging(NamedTuple):
    """Where bronze is, and how many records of a task are worth a file of their own."""

    uri: str
    fewest: int = STAGE_FROM


def staged(parts: Iterable[Judgement], write: Write, fewest: int) -> Iterator[Judgement]:
    """Yield what was judged by a task, its records written where they are many."""
    waiting: list[Judgement] = []
    rows = 0
    for part in parts:
        waiting.append(part)
        rows += part.messages.num_rows
        if rows >= STAGE_AT:
            yield from _staged(waiting, write)
            waiting, rows = [], 0
    yield from _staged(waiting, write) if waiting and rows >= fewest else waiting


def _staged(parts: list[Judgement], write: Write) -> Iterator[Judgement]:
    records = pa.concat_tables([_firsts(part.messages) for part in parts])
    files = write(routes.bronze(Judgement(records, parts[0].readings), np.arange(len(records))))
    for part in parts:
        yield part._replace(messages=_without_content(part), files=tuple(files))
        files = []


def _firsts(messages: pa.Table) -> pa.Table:
    is_first = messages["item"].to_numpy() == 0
    return messages if is_first.all() else messages.filter(pa.array(is_first))


def _without_content(part: Judgement) -> pa.Table:
    """Return the messages, with the bytes of those alone that may land beside silver's readings."""
    messages = part.messages
    count = messages.num_rows
    whole = bodies(messages["message"], messages["value"])
    if part.blocks:
        # Taken, since a condition's result has room for the bytes that it leaves out.
        is_dropped = ~messages["is_late"].to_numpy()
        whole = whole.take(pa.array(np.arange(count), mask=is_dropped))
    changed = {"message": whole, "is_staged": pa.array(np.ones(count, dtype=bool))}
    changed |= {name: pa.nulls(count, MESSAGES.field(name).type) for name in CONTENT}
    columns = [changed.get(name, messages[name]) for name in MESSAGES.names]
    return pa.table(columns, schema=MESSAGES)


def with_content(found: Judgement, rows: routes.Rows, records: pa.Table) -> Judgement:
    """Return messages with what their records hold, for those of the rows that are staged.

    `records` are the rows of the staged files.
    """
    asked = routes.frame_of(found.messages.select([*_RECORD, "is_staged"])).with_row_index("row")
    wanted = asked.filter("is_staged", pl.col("row").is_in(rows.tolist()))
    content = routes.frame_of(records.select(_RECORD)).with_row_index("at")
    held = wanted.join(content, on=_RECORD, how="inner")
    messages = found.messages
    places = np.arange(messages.num_rows)
    places[held["row"].to_numpy()] = messages.num_rows + held["at"].to_numpy().astype(np.int64)
    for name in CONTENT:
        field = MESSAGES.field(name)
        both = [*messages[name].chunks, *records[name].cast(field.type).chunks]
        column = pa.chunked_array(both, field.type).take(pa.array(places))
        messages = messages.set_column(messages.schema.get_field_index(name), field, column)
    return found._replace(messages=messages)


def unstaged(found: Judgement) -> Judgement:
    """Return it as if nothing had been staged; its messages have their content again."""
    at = MESSAGES.get_field_index("is_staged")
    none = pa.array(np.zeros(found.messages.num_rows, dtype=bool))
    messages = found.messages.set_column(at, MESSAGES.field(at), none)
    return found._replace(messages=messages, files=())

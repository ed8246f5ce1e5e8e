"""Answers as JSON, CSV and Arrow: the same points, the same declaration."""

import io
from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.csv as pc

from services.query.answering import Answer
from services.query.covering import Lookup
from services.query.planning import Span
from services.query.times import texts_of, time_text

Format = Literal["json", "csv", "arrow"]
MEDIA: Mapping[Format, str] = {
    "json": "application/json",
    "csv": "text/csv",
    "arrow": "application/vnd.apache.arrow.stream",
}
DECLARATION = "Headwater-Answer"
"""Header that says of a CSV answer what JSON says beside its points."""


class Body(NamedTuple):
    """An encoded answer."""

    content: bytes
    media_type: str
    headers: Mapping[str, str]
    seen: tuple[Lookup, ...] = ()
    """The files that it was made of."""


def encoded(answer: Answer, form: Format) -> Body:
    """Encode an answer."""
    said = declaration(answer)
    if form == "json":
        rows = zip(texts_of(answer.points.times), _plain(answer), strict=True)
        points = [{"time": time, "value": value} for time, value in rows]
        return Body(orjson.dumps(said | {"points": points}), MEDIA[form], {})
    return table_body(_table(answer), said, form)


def table_body(table: pa.Table, said: Mapping[str, object], form: Format) -> Body:
    """Encode a table: CSV with its declaration in a header, Arrow with it in the schema."""
    text = orjson.dumps(said)
    sink = io.BytesIO()
    if form == "csv":
        pc.write_csv(_with_texts(table), sink)
        return Body(sink.getvalue(), f"{MEDIA[form]}; charset=utf-8", {DECLARATION: _ascii(text)})
    told = table.replace_schema_metadata({"headwater": text})
    with pa.ipc.new_stream(sink, told.schema) as writer:
        writer.write_table(told)
    return Body(sink.getvalue(), MEDIA[form], {})


def _ascii(text: bytes) -> str:
    return text.decode().encode("ascii", "backslashreplace").decode()


def declaration(answer: Answer) -> dict[str, object]:
    """Return what an answer says of itself."""
    asked = answer.question
    return {
        "tenant": asked.tenant,
        "device_id": asked.device_full,
        "metric": asked.metric,
        "start": time_text(asked.start_us),
        "end": time_text(asked.end_us),
        "type": answer.kind,
        "resolution": answer.resolution,
        "method": answer.method,
        "bucket_s": None if answer.bucket_us is None else answer.bucket_us / 1e6,
        "points_in": answer.points_in,
        "points_out": len(answer.points.times),
        "tiers": spans_said(answer.spans),
        "truncated": answer.truncated,
        "complete_until": None
        if answer.complete_until_us is None
        else time_text(answer.complete_until_us),
    }


def spans_said(spans: tuple[Span, ...]) -> list[dict[str, str]]:
    """Return the spans as JSON has them."""
    return [
        {
            "tier": span.tier.name,
            "table": span.tier.table,
            "start": time_text(span.start_us),
            "end": time_text(span.end_us),
        }
        for span in spans
    ]


def _plain(answer: Answer) -> list[object]:
    """Return values as JSON knows them; NaN is no value."""
    values = answer.points.values
    if values.dtype != np.float64:
        return values.tolist()  # type: ignore[no-any-return]
    if answer.method == "count":
        return [None if value != value else int(value) for value in values.tolist()]
    return [None if value != value else value for value in values.tolist()]


def _table(answer: Answer) -> pa.Table:
    kind = _kind(answer)
    times = pa.array(answer.points.times).cast(pa.timestamp("us", tz="UTC"))
    return pa.table({"time": times, "value": pa.array(_plain(answer), kind)})


def _kind(answer: Answer) -> pa.DataType:
    if answer.method == "count":
        return pa.int64()
    return {"text": pa.string(), "boolean": pa.bool_()}.get(answer.kind, pa.float64())


def _with_texts(table: pa.Table) -> pa.Table:
    """Return a table whose times are texts as in JSON."""
    for place, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            times = table.column(place).cast(pa.int64()).to_numpy()
            table = table.set_column(place, field.name, pa.array(texts_of(times), pa.string()))
    return table

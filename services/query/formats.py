"""Answers as JSON, CSV and Arrow: the same points, the same declaration."""

import io
import json
import math
from collections.abc import Mapping
from hashlib import blake2b
from typing import Literal, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

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


def body_of(content: bytes, media_type: str, headers: Mapping[str, str] | None = None) -> Body:
    """Return content as a body, with the tag by which callers ask whether it is still so."""
    told = dict(headers or {})
    tag = blake2b(content, digest_size=16)
    tag.update(repr(sorted(told.items())).encode())
    told |= {
        "ETag": f'"{tag.hexdigest()}"',
        "Cache-Control": "private, no-cache",
        "Vary": "Accept, Authorization",
    }
    return Body(content, media_type, told)


def encoded(answer: Answer, form: Format) -> Body:
    """Encode an answer."""
    said = declaration(answer)
    if form == "json":
        rows = zip(texts_of(answer.points.times), _plain(answer), strict=True)
        points = [{"time": time, "value": value} for time, value in rows]
        return body_of(orjson.dumps(said | {"points": points}), MEDIA[form])
    return table_body(_table(answer), said, form)


def table_body(table: pa.Table, said: Mapping[str, object], form: Format) -> Body:
    """Encode a table: CSV with its declaration in a header, Arrow with it in the schema."""
    shown = _with_nulls(table)
    sink = io.BytesIO()
    if form == "csv":
        pyarrow.csv.write_csv(_with_texts(shown), sink)
        # A header is ASCII: other letters stand there as JSON escapes them.
        told = {DECLARATION: json.dumps(said, separators=(",", ":"))}
        return body_of(sink.getvalue(), f"{MEDIA[form]}; charset=utf-8", told)
    declared = shown.replace_schema_metadata({"headwater": orjson.dumps(said)})
    with pa.ipc.new_stream(sink, declared.schema) as writer:
        writer.write_table(declared)
    return body_of(sink.getvalue(), MEDIA[form])


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
    """Return values as JSON knows them; NaN is no value, nor is infinity."""
    values = answer.points.values
    if values.dtype != np.float64:
        return values.tolist()  # type: ignore[no-any-return]
    whole = int if _is_whole(answer) else float
    return [whole(value) if math.isfinite(value) else None for value in values.tolist()]


def _is_whole(answer: Answer) -> bool:
    """Say whether values are counts: those on a line between two of them are not."""
    return answer.method == "count" and answer.question.fill != "linear"


def _table(answer: Answer) -> pa.Table:
    kind = _kind(answer)
    times = pa.array(answer.points.times).cast(pa.timestamp("us", tz="UTC"))
    return pa.table({"time": times, "value": pa.array(_plain(answer), kind)})


def _kind(answer: Answer) -> pa.DataType:
    if answer.method == "count":
        return pa.int64() if _is_whole(answer) else pa.float64()
    return {"text": pa.string(), "boolean": pa.bool_()}.get(answer.kind, pa.float64())


def _with_nulls(table: pa.Table) -> pa.Table:
    """Return a table with nulls for numbers that JSON cannot say: NaN and infinity."""
    for place, field in enumerate(table.schema):
        if pa.types.is_floating(field.type):
            column = table.column(place)
            known = pc.if_else(pc.is_finite(column), column, pa.scalar(None, field.type))
            table = table.set_column(place, field.name, known)
    return table


def _with_texts(table: pa.Table) -> pa.Table:
    """Return a table whose times are texts as in JSON."""
    for place, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            times = table.column(place).cast(pa.int64()).to_numpy()
            table = table.set_column(place, field.name, pa.array(texts_of(times), pa.string()))
    return table

"""The bytes of a message are found again in its record, whatever form that has."""

import cbor2
import numpy as np
import polars as pl
import pyarrow as pa

from edge.outbox import OutRecord
from spark_jobs.jobs.record_bytes import RECORD, bytes_at, contents
from spark_jobs.lake import Lake
from spark_jobs.transforms import routes
from spark_jobs.transforms.judged import judged
from spark_jobs.transforms.judgement import as_one, bodies
from telemetry.encodings import CBOR, decode_message, encode_compact
from telemetry.records import record_headers
from telemetry.tables import MESSAGES
from tests.spark_jobs.landing_fleet import NOW, TOLERANCE
from tests.spark_jobs.test_judged import BODY, REGISTRY, batches, out

IN_CBOR = record_headers("meter.d1", received_at=NOW, protocol="mqtt", content_type=CBOR)
SAID = {"seq": 7, "metrics": {"kwh": 1.5}}
ROWS = [(NOW, {"kwh": 1.5}), (NOW + 5, {"kwh": 2.5})]


def records() -> list[OutRecord]:
    """Return records in every form, and one that is none."""
    compact = encode_compact(ROWS, {"kwh": 1}, boot="b", seq=1)
    in_cbor = [cbor2.dumps(SAID), cbor2.dumps([SAID, SAID | {"seq": 8}]), compact]
    return [
        out(BODY),
        out(b"[%b, {}]" % BODY),
        *(OutRecord(b"meter.d1", value, IN_CBOR) for value in in_cbor),
        out(b"\xff"),
    ]


def test_bytes_of_each_message_are_those_that_were_judged(lake: Lake) -> None:
    found = as_one(judged(batches(records(), 100), REGISTRY, tolerance_us=TOLERANCE))
    messages = found.messages
    firsts = np.flatnonzero(messages["item"].to_numpy() == 0)
    lake.create(MESSAGES)
    lake.append(MESSAGES, routes.bronze(found, firsts), None)

    places = routes.frame_of(messages.select([*RECORD, "item"]))
    held = contents(lake, places.select(RECORD).unique())

    whole = messages["value"].take(pa.array(np.maximum.accumulate(_first_rows(firsts, places))))
    expected = bodies(messages["message"], whole).to_pylist()
    assert len(expected) == 9
    assert [bytes_at(held, row[:3], row[3]) for row in places.iter_rows()] == expected


def _first_rows(firsts: np.ndarray, places: pl.DataFrame) -> np.ndarray:
    rows = np.zeros(len(places), dtype=np.int64)
    rows[firsts] = firsts
    return rows


def test_message_that_is_gone_has_no_bytes(lake: Lake) -> None:
    lake.create(MESSAGES)
    place = ("spool", 3, 7)
    nothing = contents(lake, pl.DataFrame([place], routes_schema(), orient="row"))
    assert bytes_at(nothing, place, 0) is None


def routes_schema() -> dict[str, pl.DataType]:
    return {"topic": pl.String(), "partition": pl.Int32(), "offset": pl.Int64()}


def test_message_is_decoded_again_from_its_own_bytes() -> None:
    for raw in (cbor2.dumps(SAID), b'{"seq":7,"metrics":{"kwh":1.5}}'):
        message = decode_message(raw).message
        assert message is not None
        assert (message.seq, message.metrics) == (7, {"kwh": 1.5})

"""First use fixes the types of metrics that no schema knows."""

import cbor2
import polars as pl
import pyarrow as pa

from edge.outbox import OutRecord
from edge.spool_partition import segments_frame
from spark_jobs.transforms.first_use import MOST_METRICS, FirstUse, Types, first_use
from spark_jobs.transforms.fleet import Fleet
from spark_jobs.transforms.judged import judged
from spark_jobs.transforms.judgement import packed, unpacked
from spark_jobs.transforms.routes import heads, unsettled
from telemetry.encodings import CBOR
from telemetry.products import DEFAULT_PRODUCT
from tests.spark_jobs.landing_fleet import DEVICES, METER, NOW, TOLERANCE

PLAIN = ("default", "default")


def used(*metrics: bytes, known: Types | None = None, most: int = MOST_METRICS) -> FirstUse:
    """Judge one message of `plain` for each JSON of metrics."""
    records = [
        OutRecord(b"plain", b'{"seq": %d, "metrics": %b}' % (seq, metric), [])
        for seq, metric in enumerate(metrics)
    ]
    registry = Fleet.of([METER, DEFAULT_PRODUCT], DEVICES, known)
    return of_records(records, registry, known or {}, most)


def of_records(
    records: list[OutRecord], registry: Fleet, known: Types, most: int = MOST_METRICS
) -> FirstUse:
    batches = segments_frame(records, 0, 0, NOW).to_batches()
    packs = map(packed, judged(batches, registry, tolerance_us=TOLERANCE))
    found = unpacked(pa.Table.from_batches(packs))
    return first_use(unsettled(found, heads(found), known), known, most)


def fixed(use: FirstUse) -> dict[str, tuple[str, int]]:
    rows = use.fixed.select("metric", "type", "offset").iter_rows()
    return {metric: (type_, offset) for metric, type_, offset in rows}


def reasons(use: FirstUse) -> dict[int, list[tuple[str, str, str]]]:
    return {
        row: [(each["field"], each["rule"], each["value"]) for each in found]
        for row, found in use.reasons.iter_rows()
    }


def test_first_message_fixes_the_types() -> None:
    use = used(b'{"a": 1}', b'{"a": 2.5, "b": "x"}', b'{"c": true}')
    assert fixed(use) == {"a": ("double", 0), "b": ("string", 1), "c": ("bool", 2)}
    assert reasons(use) == {}


def test_contradiction_is_rejected_and_fixes_nothing() -> None:
    use = used(b'{"a": 1}', b'{"a": "x", "b": "y"}', b'{"b": 2, "a": 3}')
    assert fixed(use) == {"a": ("double", 0), "b": ("double", 2)}
    assert reasons(use) == {1: [("a", "type", '"x"')]}


def test_contradiction_in_cbor_is_told_as_in_json() -> None:
    said = {"seq": 1, "metrics": {"a": "x"}}
    headers = [("content_type", CBOR.encode())]
    records = [
        OutRecord(b"plain", b'{"seq": 0, "metrics": {"a": 1}}', []),
        OutRecord(b"plain", cbor2.dumps(said), headers),
        OutRecord(b"plain", cbor2.dumps([said | {"seq": 2}]), headers),
    ]
    use = of_records(records, Fleet.of([METER, DEFAULT_PRODUCT], DEVICES), {})
    assert reasons(use) == {row: [("a", "type", '"x"')] for row in (1, 2)}


def test_names_that_are_made_up_for_ever_are_refused_in_the_end() -> None:
    known = {PLAIN: {"a": "double", "b": "double"}}
    metrics = (b'{"c": 1}', b'{"c": 2, "d": 3}', b'{"e": 4, "a": 1}', b'{"a": 5, "c": 6}')

    use = used(*metrics, known=known, most=4)

    assert fixed(use) == {"c": ("double", 0), "d": ("double", 1)}
    assert reasons(use) == {2: [("e", "too_many_metrics", "4 are known")]}


def test_known_types_hold_and_cost_nothing() -> None:
    known = {PLAIN: {"a": "double"}}
    assert fixed(used(b'{"a": 1}', known=known)) == {}
    use = used(b'{"a": 1, "b": "x"}', b'{"b": 7}', known=known)
    assert fixed(use) == {"b": ("string", 0)}
    assert reasons(use) == {1: [("b", "type", "7")]}


def test_products_with_a_schema_have_no_first_use() -> None:
    record = OutRecord(b"meter.d1", b'{"metrics": {"kwh": 1}}', [])
    use = of_records([record], Fleet.of([METER], DEVICES), {})
    assert use.fixed.is_empty()
    assert isinstance(use.reasons, pl.DataFrame)

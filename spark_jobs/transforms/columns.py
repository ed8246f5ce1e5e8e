"""The judgement of many messages at once, in columns: only of those that break no rule.

What `telemetry.judge` says of a message is the definition; here is the same for messages that
are plain JSON of a known device and fit its product. All others are left to it.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spark_jobs.reading_rows import VALUES, metric_field
from spark_jobs.reading_rows import repeated as word
from spark_jobs.schema import REASON, TIMESTAMP
from spark_jobs.transforms.fleet import Fleet
from spark_jobs.transforms.groups import Group, groups, of_senders, only
from spark_jobs.transforms.judgement import READINGS, TAGS, Block, Judgement
from spark_jobs.transforms.senders import Senders
from spark_jobs.transforms.shapes import Fit, fits
from spark_jobs.transforms.words import Places, mask_of, repeated, words
from telemetry.message import Message, Place, message_key

_CLOCKS = ("ok", "ahead", "missing")
_UNTIMED = Message(None, None, None, {}, None, None, None, None)
_TIMED = _UNTIMED._replace(ts=0)


class Times(NamedTuple):
    """When messages happened, in microseconds, and what their clock was: a place in `_CLOCKS`."""

    event: Places
    clock: Places
    delay: Places


def accepted(
    batch: pa.RecordBatch, known: Senders, fleet: Fleet, *, tolerance_us: int, fewest: int
) -> Iterator[tuple[Places, Judgement]]:
    """Yield messages that break no rule, with the rows of their records, judged.

    They lack the columns of the record. Products with fewer messages than `fewest` are left out.
    """
    for group in groups(batch, known, fleet, fewest):
        yield from _judged(batch, group, fleet, tolerance_us)


def _judged(
    batch: pa.RecordBatch, whole: Group, fleet: Fleet, tolerance_us: int
) -> Iterator[tuple[Places, Judgement]]:
    times = _times(whole, tolerance_us)
    young = _within(times.delay, whole.product.max_age_us)
    for fit in fits(whole.product, whole.metrics):
        kept = fit.accepted & young
        group = only(whole, kept)
        if group is None:
            continue
        of_kept = Times(*(column[kept] for column in times))
        sentinels = {name: mask[kept] for name, mask in fit.sentinels.items()}
        messages = _messages(batch, group, of_kept, fit.version, fleet)
        yield group.rows, Judgement(messages, *_readings(group, fit._replace(sentinels=sentinels)))


def _within(delay: Places, limit_us: int | None) -> np.ndarray:
    return np.ones(len(delay), dtype=bool) if limit_us is None else delay <= limit_us


def _times(group: Group, tolerance_us: int) -> Times:
    received_at = group.senders.received_at[group.rows]
    is_missing = mask_of(group.device_time.is_null())
    said = group.device_time.cast(pa.int64()).fill_null(0).to_numpy()
    said = np.where(is_missing, received_at, said)
    event = np.minimum(said, received_at + tolerance_us)
    clock = np.where(is_missing, 2, np.where(said > event, 1, 0))
    return Times(event, clock, received_at - event)


def _messages(
    batch: pa.RecordBatch, group: Group, times: Times, version: int | None, fleet: Fleet
) -> pa.Table:
    count, product, columns = len(group.rows), group.product, group.columns
    known = group.senders
    boot, seq = _keys(batch, group)
    lateness = product.lateness_us
    versions, codes = _versions(group, times, fleet)
    zone, customer, firmware = (
        fleet.said(name, versions).dictionary_encode().take(codes)
        for name in ("zone", "customer", "firmware")
    )
    lat, lng = (
        _first_said(columns[name], fleet.said(name, versions).take(codes))
        for name in ("lat", "lng")
    )
    found = {
        "item": repeated(0, pa.int32(), count),
        "items": repeated(1, pa.int32(), count),
        "message": pa.nulls(count, pa.binary()),
        "tenant": of_senders(group, known.words.tenant),
        "device_full": of_senders(group, known.words.device_full),
        "device": of_senders(group, known.words.device),
        "product": word(product.key, count),
        "boot": boot,
        "seq": seq,
        "device_time": group.device_time,
        "event_time": pa.array(times.event).cast(TIMESTAMP),
        "received_at": pa.array(group.senders.received_at[group.rows]).cast(TIMESTAMP),
        "clock": words(_CLOCKS, times.clock),
        "is_late": pa.array(~_within(times.delay, lateness)),
        "schema_version": repeated(version, pa.int32(), count),
        "zone": zone,
        "customer": customer,
        "lat": lat,
        "lng": lng,
        "firmware": firmware,
        "retention_class": word(product.retention_class, count),
        "tags": _tags(columns.get("tags"), count),
        "reasons": _no_reasons(count),
    }
    return pa.table(found)


def _versions(group: Group, times: Times, fleet: Fleet) -> tuple[Places, pa.Array]:
    """Return versions of devices, and which of them each message is of."""
    first, codes = group.senders.first, group.senders.codes[group.rows]
    of_message = first[codes]
    versions = fleet.at(of_message, times.event)
    if np.array_equal(versions, of_message):
        # What a batch's senders are is looked up once for each of them.
        return np.maximum(first, 0), pa.array(codes)
    found, codes = np.unique(versions, return_inverse=True)
    return found, pa.array(codes.ravel())


def _first_said(said: pa.Array, known: pa.Array) -> pa.Array:
    return known if said.null_count == len(said) else pc.coalesce(said, known)


def _no_reasons(count: int) -> pa.Array:
    none = pa.array(np.zeros(count + 1, dtype=np.int32))
    return pa.ListArray.from_arrays(none, pa.array([], REASON))


def _keys(batch: pa.RecordBatch, group: Group) -> tuple[pa.Array, pa.Array]:
    """Return boot and seq: of most messages what they say, of the others as it is defined."""
    boot, seq = group.columns["boot"].fill_null(""), group.columns["seq"]
    if seq.null_count:
        lacking = seq.is_null()
        keys = _other_keys(batch, group, np.flatnonzero(mask_of(lacking)))
        boots, seqs = zip(*keys, strict=True)
        boot = pc.replace_with_mask(boot, lacking, pa.array(boots, pa.string()))
        seq = pc.replace_with_mask(seq, lacking, pa.array(seqs, pa.int64()))
    return boot.dictionary_encode(), seq


def _other_keys(batch: pa.RecordBatch, group: Group, places: Places) -> list[tuple[str, int]]:
    """Return the keys of messages that are not numbered."""
    rows = pa.array(group.rows[places])
    names = ("topic", "partition", "offset", "value")
    columns = (batch.column(name).take(rows).to_pylist() for name in names)
    is_timed = mask_of(group.device_time.is_valid())[places].tolist()
    return [
        message_key(_TIMED if timed else _UNTIMED, raw, Place(topic, partition, offset, 0, 1))
        for timed, topic, partition, offset, raw in zip(is_timed, *columns, strict=True)
    ]


def _tags(tags: pa.Array | None, count: int) -> pa.Array:
    if tags is None:
        return pa.nulls(count, TAGS)
    fields = tags.flatten()
    present = np.stack([mask_of(field.is_valid()) for field in fields], axis=1)
    order = np.arange(present.size).reshape(present.shape[::-1]).T[present]
    names = pa.array([field.name for field in tags.type], pa.string())
    keys = names.take(pa.array(np.broadcast_to(np.arange(len(names)), present.shape)[present]))
    items = pa.concat_arrays(fields).take(pa.array(order))
    ends = np.cumsum(present.sum(axis=1))
    starts = pa.array(np.concatenate(([0], ends)), pa.int32())
    found = pa.MapArray.from_arrays(starts, keys, items)
    return pc.if_else(tags.is_valid(), found, pa.scalar(None, TAGS))


def _readings(group: Group, fit: Fit) -> tuple[pa.Table, tuple[Block, ...]]:
    """Return sentinels as rows, and a block of all other readings."""
    rows, fields, columns = [READINGS.empty_table()], [], []
    for name, said in group.metrics.items():
        unit, is_sentinel = fit.units.get(name), fit.sentinels.get(name)
        values = said
        if is_sentinel is not None and is_sentinel.any():
            rows.append(_sentinels(name, unit, np.flatnonzero(is_sentinel)))
            values = pc.if_else(pa.array(is_sentinel), pa.scalar(None, said.type), said)
        if values.null_count < len(values):
            fields.append(metric_field(name, said.type, unit))
            columns.append(values)
    blocks = (Block(0, pa.table(columns, schema=pa.schema(fields))),) if fields else ()
    return pa.concat_tables(rows), blocks


def _sentinels(name: str, unit: str | None, places: Places) -> pa.Table:
    count = len(places)
    nulls = [pa.nulls(count, type_) for type_ in VALUES.values()]
    said = [word(name, count), *nulls, word(unit, count), word("sentinel", count)]
    return pa.table([pa.array(places, pa.int32()), *said], schema=READINGS)

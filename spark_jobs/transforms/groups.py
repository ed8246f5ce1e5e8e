"""Messages of one product among a batch's records, parsed into columns."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spark_jobs.transforms.fleet import NOBODY, Fleet
from spark_jobs.transforms.line_checks import METRICS
from spark_jobs.transforms.lines import (
    Parsed,
    alike,
    beginnings,
    braced,
    parsed,
    plain,
    read_all,
)
from spark_jobs.transforms.senders import Senders, combined
from spark_jobs.transforms.shapes import KNOWN, TAGS, is_exact, shape, spread
from spark_jobs.transforms.some_rows import some
from spark_jobs.transforms.time_texts import device_times
from spark_jobs.transforms.words import Places, mask_of
from telemetry.message import PLACE_BOOT
from telemetry.products import Product

_WHOLE_ZERO = re.compile(rb"-0(?![\d.eE])")
_NEGATIVE_ZERO = np.float64(-0.0).view(np.int64)


class Group(NamedTuple):
    """Messages of one product, in columns, with their rows in the batch."""

    rows: Places
    product: Product
    senders: Senders
    columns: Mapping[str, pa.Array]
    metrics: Mapping[str, pa.Array]
    device_time: pa.Array


class _Lines(NamedTuple):
    """Lines of some rows that begin alike."""

    rows: Places
    lines: pa.BinaryArray


def groups(batch: pa.RecordBatch, known: Senders, fleet: Fleet, fewest: int) -> Iterator[Group]:
    """Yield the messages of each product that has the fewest; those that do not parse are left.

    So are those that begin unlike most, where these are fewer.
    """
    values = batch.column("value")
    begin = beginnings(values)
    for rows, product in _of_products(known, braced(values), fleet, fewest):
        usual, *others = (_plain(values, of_kind) for of_kind in alike(begin, rows))
        kinds = [usual, *(kind for kind in others if len(kind.rows) >= fewest)]
        said = [kind for kind in kinds if len(kind.rows)]
        group = _group(values, said, product, known, fleet) if said else None
        if group is not None:
            yield group


def _of_products(
    known: Senders, may_be: np.ndarray, fleet: Fleet, fewest: int
) -> Iterator[tuple[Places, Product]]:
    codes, firsts = combined([known.tenant, known.product])
    codes[~known.is_json | (known.first == NOBODY)] = -1
    of_record = np.where(may_be, codes[known.codes], -1)
    for code, first in enumerate(firsts.tolist()):
        product = fleet.product(known.tenant[first].as_py(), known.product[first].as_py())
        rows = np.flatnonzero(of_record == code)
        if len(rows) >= fewest and product is not None:
            yield rows, product


def _plain(values: pa.BinaryArray, rows: Places) -> _Lines:
    lines = values if len(rows) == len(values) else some(values, rows)
    fits = plain(lines)
    return _Lines(rows, lines) if fits.all() else _Lines(rows[fits], lines.filter(pa.array(fits)))


def _group(
    values: pa.BinaryArray, kinds: list[_Lines], product: Product, known: Senders, fleet: Fleet
) -> Group | None:
    fixed = fleet.first_use.get((product.tenant, product.key), {})
    form = shape(product, fixed, [kind.lines for kind in kinds])
    if form is None:
        return None
    found = [
        _parsed(kind.lines, usual, form.whole)
        for kind, usual in zip(kinds, form.usual, strict=True)
    ]
    tables = [each.columns for each in found if len(each.places)]
    if not tables:
        return None
    table = pa.concat_tables(tables)
    named = [name for name in table.column_names if name in KNOWN or name == TAGS]
    columns = {name: _whole(table[name]) for name in named}
    metrics = _whole(table[METRICS])
    said = [field.name for field in metrics.type]
    times, is_time = device_times(columns["ts"])
    rows = [kind.rows[each.places] for kind, each in zip(kinds, found, strict=True)]
    group = Group(
        np.concatenate(rows),
        product,
        known,
        columns,
        dict(zip(said, metrics.flatten(), strict=True)),
        times,
    )
    others = [_whole(table[name]) for name in table.column_names if name not in (*named, METRICS)]
    kept = [is_time, _is_formal(group), ~_has_whole_zero(group, values), *map(is_exact, others)]
    return only(group, np.logical_and.reduce(kept))


def _parsed(lines: pa.BinaryArray, usual: pa.Schema, whole: pa.Schema) -> Parsed:
    found = None if usual == whole else read_all(lines, usual)[0]
    if found is None:
        return parsed(lines, whole)
    return Parsed(spread(found, whole), np.arange(len(lines)))


def _has_whole_zero(group: Group, values: pa.BinaryArray) -> np.ndarray:
    """Tell which messages say `-0`: a whole number, so 0, but columns read -0.0 of it."""
    numbers = [group.columns[name] for name in ("lat", "lng")]
    numbers += [column for column in group.metrics.values() if column.type == pa.float64()]
    found = np.zeros(len(group.rows), dtype=bool)
    for column in numbers:
        if column.null_count < len(column):
            found |= column.fill_null(0).to_numpy().view(np.int64) == _NEGATIVE_ZERO
    for place in np.flatnonzero(found):
        line = values[int(group.rows[place])].as_py()
        found[place] = _WHOLE_ZERO.search(line) is not None
    return found


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def only(group: Group, kept: np.ndarray) -> Group | None:
    """Return some of the messages, None if there is none."""
    if kept.all():
        return group
    mask = pa.array(kept)
    rows = group.rows[kept]
    if not len(rows):
        return None
    return group._replace(
        rows=rows,
        columns={name: column.filter(mask) for name, column in group.columns.items()},
        metrics={name: column.filter(mask) for name, column in group.metrics.items()},
        device_time=group.device_time.filter(mask),
    )


def _is_formal(group: Group) -> np.ndarray:
    """Tell which messages have the form of one, and name nobody but their sender."""
    columns = group.columns
    lat, lng = columns["lat"], columns["lng"]
    rules = [
        pc.equal(columns["v"], 1).fill_null(True),
        pc.greater_equal(columns["seq"], 0).fill_null(True),
        pc.invert(pc.starts_with(columns["boot"], PLACE_BOOT)).fill_null(True),
    ]
    if lat.null_count < len(lat) or lng.null_count < len(lng):
        rules += [
            pc.equal(lat.is_valid(), lng.is_valid()),
            pc.less_equal(pc.abs(lat), 90).fill_null(True),
            pc.less_equal(pc.abs(lng), 180).fill_null(True),
        ]
    for name in ("device", "device_id"):
        if columns[name].null_count < len(columns[name]):
            rules.append(_names_sender(columns[name], group))
    kept: np.ndarray = np.logical_and.reduce([mask_of(rule) for rule in rules])
    return kept


def _names_sender(said: pa.Array, group: Group) -> pa.Array:
    names = (group.senders.words.device_full, group.senders.words.device)
    same = [pc.equal(said, of_senders(group, name).cast(pa.string())) for name in names]
    return pc.or_(*same).fill_null(True)


def of_senders(group: Group, said: pa.DictionaryArray) -> pa.DictionaryArray:
    """Return for each message the word of its sender, given those of all senders."""
    return said.take(pa.array(group.senders.codes[group.rows]))

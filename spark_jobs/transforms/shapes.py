"""The columns that a product's messages have, and its rules over them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from spark_jobs.transforms.line_checks import METRICS
from telemetry.products import Metric, Product, SchemaVersion
from telemetry.schema_check import value_type

TAGS = "tags"
SAMPLES = 16
_MOST_METRICS = 1000
_MOST_TAGS = 32
_EXACT = 2.0**53
"""Whole numbers below it are exact as doubles."""
_TYPES = {"double": pa.float64(), "int": pa.float64(), "string": pa.string(), "bool": pa.bool_()}
_OF_ALL = (
    pa.field("v", pa.int64()),
    pa.field("ts", pa.string()),
    pa.field("boot", pa.string()),
    pa.field("seq", pa.int64()),
    pa.field("lat", pa.float64()),
    pa.field("lng", pa.float64()),
    pa.field("device", pa.string()),
    pa.field("device_id", pa.string()),
)
KNOWN = frozenset(field.name for field in _OF_ALL)
_MOST_OTHERS = 32


class Shape(NamedTuple):
    """The columns that a product's messages may have, and those that most of each kind have.

    A column that no line fills costs as much as one that all do.
    """

    whole: pa.Schema
    usual: tuple[pa.Schema, ...]


class Fit(NamedTuple):
    """Which messages a schema's version takes, and which of their values are sentinels."""

    version: int | None
    accepted: np.ndarray
    units: Mapping[str, str | None]
    sentinels: Mapping[str, np.ndarray]


def shape(product: Product, fixed: Mapping[str, str], kinds: Iterable[pa.Array]) -> Shape | None:
    """Return the columns to parse a product's messages into; None where columns cannot say it.

    Tags, metrics of a product without schema, and fields that a message has beside its own, are
    those that a few lines of each kind have. So is all that is usual of a kind.
    """
    of_kinds = [_samples(lines) for lines in kinds]
    samples = [sample for found in of_kinds for sample in found]
    types = _declared(product) if product.versions else _said(samples, fixed)
    if not types or len(types) > _MOST_METRICS:
        return None
    names = [name for name in _keys(samples, TAGS) if name][:_MOST_TAGS]
    tags = [pa.field(TAGS, _struct(dict.fromkeys(sorted(names), pa.string())))] if names else []
    others = [*_others(samples)]
    whole = pa.schema([*_OF_ALL, *others, pa.field(METRICS, _struct(types)), *tags])
    return Shape(whole, tuple(_usual(found, whole) for found in of_kinds))


def _usual(samples: Iterable[dict[str, object]], whole: pa.Schema) -> pa.Schema:
    """Return the columns that some of the samples fill, all of them where none says a metric."""
    types = {field.name: field.type for field in whole.field(METRICS).type}
    said = {name: types[name] for name in _keys(samples, METRICS) if name in types}
    if not said:
        return whole
    named = {name for sample in samples for name in sample}
    fields = [field for field in whole if field.name in named]
    at = [field.name for field in fields].index(METRICS)
    fields[at] = pa.field(METRICS, _struct(said))
    return pa.schema(fields)


def _others(samples: Iterable[dict[str, object]]) -> Iterator[pa.Field]:
    """Yield fields that mean nothing here: a line that has them would else be judged by itself."""
    found: dict[str, set[pa.DataType | None]] = {}
    for sample in samples:
        for name, value in sample.items():
            if name and name not in KNOWN and name not in (METRICS, TAGS):
                found.setdefault(name, set()).add(_TYPES.get(value_type(value) or ""))
    for name, types in list(found.items())[:_MOST_OTHERS]:
        type_, *more = types
        if type_ is not None and not more:
            yield pa.field(name, type_)


def _struct(types: Mapping[str, pa.DataType]) -> pa.StructType:
    return pa.struct([*types.items()])


def spread(columns: pa.Table, whole: pa.Schema) -> pa.Table:
    """Return the columns of a whole shape, given the usual ones."""
    usual = columns[METRICS].combine_chunks()
    metrics = dict(zip(usual.type.names, usual.flatten(), strict=True))
    found = {name: columns[name] for name in columns.column_names}
    found[METRICS] = pa.StructArray.from_arrays(
        _filled(metrics, whole.field(METRICS).type, len(usual)),
        fields=[*whole.field(METRICS).type],
    )
    return pa.table(_filled(found, whole, len(usual)), schema=whole)


def _filled(said: Mapping[str, pa.Array], fields: Iterable[pa.Field], count: int) -> list[pa.Array]:
    """Return the columns of all fields, nulls where nothing is said."""
    return [said[each.name] if each.name in said else pa.nulls(count, each.type) for each in fields]


def _samples(lines: pa.Array) -> list[dict[str, object]]:
    step = max(1, len(lines) // SAMPLES)
    found = []
    for line in lines.take(pa.array(range(0, len(lines), step))).to_pylist():
        try:
            found.append(orjson.loads(line))
        except orjson.JSONDecodeError:
            continue
    return [each for each in found if isinstance(each, dict)]


def _keys(samples: Iterable[dict[str, object]], field: str) -> list[str]:
    held = (sample.get(field) for sample in samples)
    return list(dict.fromkeys(key for each in held if isinstance(each, dict) for key in each))


def _said(samples: list[dict[str, object]], fixed: Mapping[str, str]) -> dict[str, pa.DataType]:
    return {name: _TYPES[fixed[name]] for name in _keys(samples, METRICS) if name in fixed}


def _declared(product: Product) -> dict[str, pa.DataType] | None:
    types: dict[str, pa.DataType] = {}
    for version in product.versions:
        for name, metric in version.metrics.items():
            type_ = _TYPES[metric.type]
            if types.setdefault(name, type_) != type_ or (metric.values and type_ == pa.bool_()):
                return None
    return types


def fits(product: Product, metrics: Mapping[str, pa.Array]) -> Iterable[Fit]:
    """Yield for each version, the newest first, which messages it takes that no newer one does."""
    present = {name: _mask(column.is_valid()) for name, column in metrics.items()}
    exact = {name: is_exact(column) for name, column in metrics.items()}
    said = np.logical_or.reduce([*present.values()])
    left = np.logical_and.reduce([said, *exact.values()])
    if not product.versions:
        yield Fit(None, left, {}, {})
    for version in product.newest_first:
        found = _fit(version, metrics, present, left)
        left = left & ~found.accepted
        yield found


def _fit(
    version: SchemaVersion,
    metrics: Mapping[str, pa.Array],
    present: Mapping[str, np.ndarray],
    left: np.ndarray,
) -> Fit:
    accepted, sentinels = left.copy(), {}
    for name, column in metrics.items():
        metric = version.metrics.get(name)
        if metric is None:
            accepted &= ~present[name]
            continue
        keeps, is_sentinel = _holds(metric, column)
        accepted &= present[name] if metric.required else True
        if keeps is not None:
            accepted &= keeps | ~present[name]
        if is_sentinel is not None:
            sentinels[name] = is_sentinel & present[name]
    units = {name: metric.unit for name, metric in version.metrics.items()}
    return Fit(version.version, accepted, units, sentinels)


def _holds(metric: Metric, column: pa.Array) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return where values keep the metric's rules, None for everywhere, and where sentinels are."""
    if metric.type == "bool":
        return None, None
    if metric.type == "string":
        return _holds_text(metric, column)
    numbers = column.fill_null(0).to_numpy()
    said = [each for each in metric.sentinels if isinstance(each, int | float)]
    wanted = [float(each) for each in said if abs(each) < _EXACT]
    is_sentinel = np.isin(numbers, wanted) if wanted else None
    rules = [numbers >= _limit(metric.min)] if metric.min is not None else []
    rules += [numbers <= _limit(metric.max)] if metric.max is not None else []
    rules += [numbers == np.trunc(numbers)] if metric.type == "int" else []
    keeps = np.logical_and.reduce(rules) if rules else None
    if keeps is not None and is_sentinel is not None:
        keeps = keeps | is_sentinel
    return keeps, is_sentinel


def _limit(said: float) -> float:
    return float(max(-_EXACT, min(_EXACT, said)))


def _holds_text(metric: Metric, column: pa.Array) -> tuple[np.ndarray | None, np.ndarray | None]:
    sentinels = [each for each in metric.sentinels if isinstance(each, str)]
    is_sentinel = _is_in(column, sentinels) if sentinels else None
    words = [each for each in metric.values if isinstance(each, str)]
    keeps = _is_in(column, [*words, *sentinels]) if metric.values else None
    return keeps, is_sentinel


def _is_in(column: pa.Array, words: list[str]) -> np.ndarray:
    return _mask(pc.is_in(column, value_set=pa.array(words, pa.string())))


def is_exact(column: pa.Array) -> np.ndarray:
    """Tell which values are texts, truth values, or numbers of which every reader says the same."""
    if column.type != pa.float64():
        return np.ones(len(column), dtype=bool)
    # NaN and infinity are not exact either.
    found: np.ndarray = np.abs(column.fill_null(0).to_numpy()) < _EXACT
    return found


def _mask(flags: pa.Array) -> np.ndarray:
    found: np.ndarray = flags.to_numpy(zero_copy_only=False)
    return found

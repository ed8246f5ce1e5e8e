"""Fingerprints of readings: alike for a message's bytes and for its rows, so that both compare.

A reading's hash is of metric, kind and value; a message's fingerprint is the sum of its readings'.
"""

from collections.abc import Iterable

import polars as pl

from simulator.scoring.bodies import Fields, Sentinels

NUMBER, TEXT, TRUTH, SENTINEL, OTHER = range(5)
_LARGEST_INT = 10**300
_VALUES = pl.Schema(
    {
        "kind": pl.UInt8,
        "value": pl.Float64,
        "value_text": pl.String,
        "value_bool": pl.Boolean,
    }
)
_READINGS = pl.Schema([("row", pl.UInt32()), ("metric", pl.String()), *_VALUES.items()])
_COMMON = 64
"""From so many messages on, a frame for each metric is cheaper than a row for each reading."""

_ONE_TYPE: dict[type, tuple[int, str, pl.DataType]] = {
    float: (NUMBER, "value", pl.Float64()),
    str: (TEXT, "value_text", pl.String()),
    bool: (TRUTH, "value_bool", pl.Boolean()),
}
_Shape = tuple[str, tuple[str, ...]]


class Collected:
    """Collects messages by product and metrics, so that each metric is one column."""

    def __init__(self) -> None:
        self._shapes: dict[_Shape, list[tuple[object, ...]]] = {}

    def add(self, row: int, product: str, fields: Fields | None) -> None:
        """Take the metrics of message number `row`."""
        metrics = fields.get("metrics") if fields else None
        if isinstance(metrics, dict) and metrics:
            shape = (product, tuple(metrics))
            self._shapes.setdefault(shape, []).append((row, *metrics.values()))

    def fingerprints(self, sentinels: dict[str, Sentinels]) -> pl.DataFrame:
        """Return number, fingerprint and count of readings of every message."""
        common = {shape: rows for shape, rows in self._shapes.items() if len(rows) >= _COMMON}
        parts = [
            _of_shape(metrics, rows, sentinels.get(product, {}))
            for (product, metrics), rows in common.items()
        ]
        rare = (
            (row, metric, *_parts(value, sentinels.get(product, {}).get(metric, frozenset())))
            for (product, metrics), rows in self._shapes.items()
            if (product, metrics) not in common
            for row, *values in rows
            for metric, value in zip(metrics, values, strict=True)
        )
        return pl.concat([*parts, _one_by_one(rare)])


def _one_by_one(readings: Iterable[tuple[object, ...]]) -> pl.DataFrame:
    """Hash readings of messages that share their metrics with few: a row each, not a column."""
    frame = pl.DataFrame(list(readings), schema=_READINGS, orient="row")
    return (
        frame.group_by("row", maintain_order=True)
        .agg(fingerprint().sum(), pl.len().cast(pl.UInt32).alias("readings"))
        .select("row", "fingerprint", "readings")
    )


def _of_shape(
    metrics: tuple[str, ...], rows: list[tuple[object, ...]], sentinels: Sentinels
) -> pl.DataFrame:
    numbers, *columns = zip(*rows, strict=True)
    total = pl.zeros(len(rows), dtype=pl.UInt64, eager=True)
    for metric, column in zip(metrics, columns, strict=True):
        values = _values(column, sentinels.get(metric, frozenset()))
        total += values.select(_hash(pl.lit(metric)).alias("hash"))["hash"]
    return pl.DataFrame(
        {
            "row": pl.Series(numbers, dtype=pl.UInt32),
            "fingerprint": total,
            "readings": pl.repeat(len(metrics), len(rows), dtype=pl.UInt32, eager=True),
        }
    )


def _values(column: tuple[object, ...], sentinels: frozenset[object]) -> pl.DataFrame:
    types = set(map(type, column))
    found = _ONE_TYPE.get(next(iter(types))) if len(types) == 1 else None
    if found is None or any(type(sentinel) is str for sentinel in sentinels):
        parts = [_parts(value, sentinels) for value in column]
        return pl.DataFrame(parts, schema=_VALUES, orient="row")
    kind, name, dtype = found
    columns = {name: pl.Series(column, dtype=dtype)}
    nothing = [pl.lit(None, dtype=_VALUES[other]).alias(other) for other in _VALUES]
    values = pl.DataFrame(columns).with_columns(
        pl.lit(kind, dtype=pl.UInt8).alias("kind"),
        *(none for none in nothing if none.meta.output_name() not in (name, "kind")),
    )
    return values if kind != NUMBER or not sentinels else _with_sentinels(values, sentinels)


def _with_sentinels(values: pl.DataFrame, sentinels: frozenset[object]) -> pl.DataFrame:
    numbers = [float(sentinel) for sentinel in sentinels if isinstance(sentinel, int | float)]
    is_sentinel = pl.col("value").is_in(numbers)
    return values.with_columns(
        pl.when(is_sentinel).then(pl.lit(SENTINEL, dtype=pl.UInt8)).otherwise("kind").alias("kind"),
        pl.when(~is_sentinel).then("value").alias("value"),
    )


def _parts(
    value: object, sentinels: frozenset[object]
) -> tuple[int, float | None, str | None, bool | None]:
    if isinstance(value, bool):
        return TRUTH, None, None, value
    if not isinstance(value, int | float | str):
        return OTHER, None, None, None
    if value in sentinels:
        return SENTINEL, None, None, None
    if isinstance(value, str):
        return TEXT, None, value, None
    if abs(value) < _LARGEST_INT:
        return NUMBER, float(value), None, None
    return (NUMBER, value, None, None) if isinstance(value, float) else (OTHER, None, None, None)


def kind_of_row() -> pl.Expr:
    """Return what kind of value a row of silver holds."""
    return (
        pl.when(pl.col("quality") == "sentinel")
        .then(SENTINEL)
        .when(pl.col("value").is_not_null())
        .then(NUMBER)
        .when(pl.col("value_text").is_not_null())
        .then(TEXT)
        .when(pl.col("value_bool").is_not_null())
        .then(TRUTH)
        .otherwise(OTHER)
        .cast(pl.UInt8)
        .alias("kind")
    )


def fingerprint() -> pl.Expr:
    """Return the hash of a row of silver."""
    return _hash(pl.col("metric")).alias("fingerprint")


def _hash(metric: pl.Expr) -> pl.Expr:
    return (
        metric.hash(1)
        + pl.col("kind").hash(2) * 3
        + pl.col("value").fill_null(0.0).hash(3) * 5
        + pl.col("value_text").fill_null("").hash(4) * 7
        + pl.col("value_bool").fill_null(value=False).hash(5) * 11
    )

"""Readings in a form in which a message and its rows in the lake can be compared."""

from collections.abc import Iterable

import polars as pl

from simulator.scoring.bodies import Fields, Sentinels

NUMBER, TEXT, TRUTH, SENTINEL, OTHER = range(5)
SCHEMA = pl.Schema(
    {
        "row": pl.UInt32,
        "metric": pl.String,
        "kind": pl.UInt8,
        "value": pl.Float64,
        "value_text": pl.String,
        "value_bool": pl.Boolean,
    }
)


class Collected:
    """Collects the readings of many messages, column by column."""

    def __init__(self) -> None:
        self._columns: tuple[list[object], ...] = tuple([] for _ in SCHEMA)

    def add(self, row: int, fields: Fields | None, sentinels: Sentinels) -> None:
        """Take the metrics of message number `row`."""
        metrics = fields.get("metrics") if fields else None
        if not isinstance(metrics, dict):
            return
        rows, names, kinds, numbers, texts, truths = self._columns
        for name, value in metrics.items():
            kind, number, text, truth = _parts(value, sentinels.get(name))
            rows.append(row)
            names.append(name)
            kinds.append(kind)
            numbers.append(number)
            texts.append(text)
            truths.append(truth)

    def frame(self) -> pl.DataFrame:
        """Return all readings."""
        columns = dict(zip(SCHEMA, self._columns, strict=True))
        return pl.DataFrame(columns, schema=SCHEMA)


def _parts(
    value: object, sentinels: Iterable[object] | None
) -> tuple[int, float | None, str | None, bool | None]:
    if type(value) is float:
        if sentinels and value in sentinels:
            return SENTINEL, None, None, None
        return NUMBER, value, None, None
    if isinstance(value, bool):
        return TRUTH, None, None, value
    if isinstance(value, int | str) and sentinels and value in sentinels:
        return SENTINEL, None, None, None
    if isinstance(value, str):
        return TEXT, None, value, None
    if isinstance(value, int) and abs(value) < 10**300:
        return NUMBER, float(value), None, None
    return OTHER, None, None, None


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
    """Return a hash of metric and value; those of a message add up to the message's."""
    return (
        pl.col("metric").hash(1)
        + pl.col("kind").hash(2) * 3
        + pl.col("value").fill_null(0.0).hash(3) * 5
        + pl.col("value_text").fill_null("").hash(4) * 7
        + pl.col("value_bool").fill_null(False).hash(5) * 11
    ).alias("fingerprint")

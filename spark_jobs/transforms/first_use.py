"""Types of metrics of products without a schema: the first message to use a metric fixes them."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import polars as pl

from telemetry.encodings import decode_message
from telemetry.message import MOST_REASONS, shown

Types = Mapping[tuple[str, str], Mapping[str, str]]
"""(tenant, product) → metric → double, string or bool"""
MOST_METRICS = 100_000
"""Of a product without schema: a device that makes up names for ever would fill every memory."""
ORDER = ("kafka_time", "topic", "partition", "offset", "item")
"""The order in which the first message wins."""
_CAME = pl.col("kafka_time").cum_max().over("topic", "partition", order_by=["offset", "item"])
"""The broker's clock may have been set back: in a partition the first by offset is the first."""
_TYPE = (
    pl.when(pl.col("value_bool").is_not_null())
    .then(pl.lit("bool"))
    .when(pl.col("value_text").is_not_null())
    .then(pl.lit("string"))
    .otherwise(pl.lit("double"))
)


class FirstUse(NamedTuple):
    """What a batch fixed: rows of `ops.first_use`, and reasons by row of messages against it."""

    fixed: pl.DataFrame
    reasons: pl.DataFrame


def first_use(judged: pl.DataFrame, known: Types, most: int = MOST_METRICS) -> FirstUse:
    """Fix the types that a batch brings; `judged` has a column `row`.

    A message that contradicts a type, known or fixed before it, fixes none; nor does one whose
    product would have more than `most` metrics then.
    """
    if judged.is_empty():
        return _no_use(tuple(judged.schema.items()))
    return _fixed(judged, known, most)


@lru_cache
def _no_use(schema: tuple[tuple[str, pl.DataType], ...]) -> FirstUse:
    """Return what no message fixes, which is asked of most batches."""
    return _fixed(pl.DataFrame(schema=dict(schema)), {}, MOST_METRICS)


def _fixed(judged: pl.DataFrame, known: Types, most: int) -> FirstUse:
    uses = _uses(judged, known)
    fixed: list[dict[str, object]] = []
    reasons: list[dict[str, object]] = []
    here: dict[tuple[str, str], dict[str, str]] = {}
    for message in uses.partition_by("row", maintain_order=True):
        used = message.to_dicts()
        row, *product = message.row(0)[:3]
        before = known.get((product[0], product[1]), {})
        added = here.setdefault((product[0], product[1]), {})
        types = [added.get(use["metric"]) or before.get(use["metric"]) for use in used]
        typed = [*zip(used, types, strict=True)]
        against = [use for use, type_ in typed if type_ not in (None, use["type"])]
        new = [use for use, type_ in typed if type_ is None]
        if against:
            reasons.append({"row": row, "reasons": _broken(against)})
        elif new and len(before) + len(added) + len(new) > most:
            reasons.append({"row": row, "reasons": _too_many(new, most)})
        else:
            added |= {use["metric"]: use["type"] for use in new}
            fixed += new
    return FirstUse(
        pl.DataFrame(fixed, uses.schema), pl.DataFrame(reasons, _reasons_schema(judged))
    )


def _broken(against: list[dict[str, Any]]) -> list[dict[str, str]]:
    message = decode_message(against[0]["message"]).message
    metrics = message.metrics if message else {}
    return [
        {"field": use["metric"], "rule": "type", "value": shown(metrics.get(use["metric"]))}
        for use in against
    ]


def _too_many(new: list[dict[str, Any]], most: int) -> list[dict[str, str]]:
    return [
        {"field": use["metric"], "rule": "too_many_metrics", "value": f"{most:,} are known"}
        for use in new[:MOST_REASONS]
    ]


def unknown(uses: pl.DataFrame, known: Types) -> pl.DataFrame:
    """Return the rows whose metric has no type yet, at a cost that follows the rows alone."""
    key = ["tenant", "product", "metric"]
    asked = uses.select(key).unique()
    is_new = [
        metric not in known.get((tenant, product), {})
        for tenant, product, metric in asked.iter_rows()
    ]
    return uses.join(asked.filter(pl.Series(is_new, dtype=pl.Boolean)), on=key, how="semi")


def _uses(judged: pl.DataFrame, known: Types) -> pl.DataFrame:
    """Return the uses of metrics by messages that use one whose type is not known yet."""
    is_open = pl.col("schema_version").is_null() & (pl.col("readings").list.len() > 0)
    message = pl.coalesce("message", "value").alias("message")
    of_open = judged.filter(is_open).select("row", "tenant", "product", *ORDER, message, "readings")
    uses = of_open.explode("readings").unnest("readings")
    new = unknown(uses, known).select("row").unique()
    return (
        uses.join(new, on="row", how="semi")
        .with_columns(came=_CAME)
        .sort("came", *ORDER[1:], maintain_order=True)
        .with_columns(type=_TYPE)
        .select("row", "tenant", "product", "metric", "type", *ORDER[1:], "message")
    )


def _reasons_schema(judged: pl.DataFrame) -> dict[str, pl.DataType]:
    return {"row": judged.schema["row"], "reasons": judged.schema["reasons"]}

"""Types of metrics of products without a schema: the first message to use a metric fixes them."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import polars as pl

from telemetry.encodings import decode_message
from telemetry.message import shown

Types = Mapping[tuple[str, str], Mapping[str, str]]
"""(tenant, product) → metric → double, string or bool"""
ORDER = ("kafka_time", "topic", "partition", "offset", "item")
"""The order in which the first message wins."""
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


def first_use(judged: pl.DataFrame, known: Types) -> FirstUse:
    """Fix the types that a batch brings; `judged` has a column `row`.

    A message that contradicts a type, known or fixed before it, fixes none.
    """
    if judged.is_empty():
        return _no_use(tuple(judged.schema.items()))
    return _fixed(judged, known)


@lru_cache
def _no_use(schema: tuple[tuple[str, pl.DataType], ...]) -> FirstUse:
    """Return what no message fixes, which is asked of most batches."""
    return _fixed(pl.DataFrame(schema=dict(schema)), {})


def _fixed(judged: pl.DataFrame, known: Types) -> FirstUse:
    uses = _uses(judged, known)
    types = {
        (tenant, product, metric): type_
        for (tenant, product), metrics in known.items()
        for metric, type_ in metrics.items()
    }
    fixed: list[dict[str, object]] = []
    reasons: list[dict[str, object]] = []
    for message in uses.partition_by("row", maintain_order=True):
        used = {(u["tenant"], u["product"], u["metric"]): u for u in message.to_dicts()}
        against = [use for key, use in used.items() if types.get(key, use["type"]) != use["type"]]
        if against:
            reasons.append({"row": against[0]["row"], "reasons": _broken(against)})
            continue
        new = {key: use for key, use in used.items() if key not in types}
        types |= {key: use["type"] for key, use in new.items()}
        fixed += new.values()
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


def _uses(judged: pl.DataFrame, known: Types) -> pl.DataFrame:
    """Return the uses of metrics by messages that use one whose type is not known yet."""
    is_open = pl.col("schema_version").is_null() & (pl.col("readings").list.len() > 0)
    message = pl.coalesce("message", "value").alias("message")
    of_open = judged.filter(is_open).select("row", "tenant", "product", *ORDER, message, "readings")
    uses = of_open.explode("readings").unnest("readings")
    settled = pl.DataFrame(
        [(*key, metric) for key, metrics in known.items() for metric in metrics],
        {"tenant": pl.String, "product": pl.String, "metric": pl.String},
        orient="row",
    )
    new = uses.join(settled, on=settled.columns, how="anti").select("row").unique()
    return (
        uses.join(new, on="row", how="semi")
        .sort(ORDER, maintain_order=True)
        .with_columns(type=_TYPE)
        .select("row", "tenant", "product", "metric", "type", *ORDER[1:], "message")
    )


def _reasons_schema(judged: pl.DataFrame) -> dict[str, pl.DataType]:
    return {"row": judged.schema["row"], "reasons": judged.schema["reasons"]}

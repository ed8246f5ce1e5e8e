"""Products whose readings are of several retention classes: each window of theirs is of one.

A product may change its class in the middle of a window. A window belongs to the class of those of
its readings that are kept longest, whichever came first.
"""

from collections.abc import Sequence

import polars as pl

from telemetry.products import retention_span

CLASS = "retention_class"
PRODUCT = ["tenant", "product"]
_UNKNOWN = -1


def several(rows: pl.DataFrame) -> pl.DataFrame:
    """Return tenant, product and class of the products that have more than one in some rows."""
    found = rows.select(*PRODUCT, CLASS).unique()
    return found.filter(pl.len().over(PRODUCT) > 1)


def of_longest(rows: pl.DataFrame, key: Sequence[str], of: pl.DataFrame) -> pl.DataFrame:
    """Give rows that share a key, which has no class, the class that is kept longest of theirs.

    `of` are products with several classes, as `several` returns them; other rows stay as they are.
    """
    if of.is_empty():
        return rows
    products = of.select(PRODUCT).unique()
    mine = rows.join(products, on=PRODUCT, how="semi")
    others = rows.join(products, on=PRODUCT, how="anti")
    longest = pl.col(CLASS).sort_by(_rank(of[CLASS].unique().to_list())).last().over(key)
    return pl.concat([others, mine.with_columns(longest)])


def _rank(classes: Sequence[str]) -> pl.Expr:
    spans = {name: retention_span(name) for name in classes}
    bounded = sorted((span, name) for name, span in spans.items() if span is not None)
    for_ever = sorted(name for name, span in spans.items() if span is None)
    order = [*(name for _, name in bounded), *for_ever]
    ranks = {name: rank for rank, name in enumerate(order)}
    return pl.col(CLASS).replace_strict(ranks, default=_UNKNOWN, return_dtype=pl.Int64)

"""What products ask of gold, as one frame: lateness, session gap, sliding windows."""

from collections.abc import Iterable

import polars as pl

from telemetry.products import Product

_SCHEMA = {
    "tenant": pl.String(),
    "product": pl.String(),
    "lateness": pl.Duration("us"),
    "gap": pl.Duration("us"),
    "width": pl.Duration("us"),
    "every": pl.Duration("us"),
}
WATERMARKS = {
    "tenant": pl.String(),
    "product": pl.String(),
    "highest": pl.Datetime("us", "UTC"),
    "watermark": pl.Datetime("us", "UTC"),
}
"""The highest `received_at` landed by product, and that less its lateness (null: unbounded)."""
_PRODUCT = ["tenant", "product"]


def rules(products: Iterable[Product]) -> pl.DataFrame:
    """Return one row a product; null lateness is unbounded, other nulls are not asked for."""
    rows = [
        (
            product.tenant,
            product.key,
            product.lateness,
            product.session_gap,
            product.sliding and product.sliding.width,
            product.sliding and product.sliding.every,
        )
        for product in products
    ]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def watermarks(highest: Iterable[pl.DataFrame], product_rules: pl.DataFrame) -> pl.DataFrame:
    """Return the watermark of each product from the highest `received_at` of several parts."""
    columns = [*_PRODUCT, "highest"]
    together = pl.concat([part.select(columns) for part in highest]).group_by(_PRODUCT)
    newest = together.agg(pl.col("highest").max()).sort(_PRODUCT)
    known = newest.join(product_rules, on=_PRODUCT, how="left")
    return known.select(*columns, (pl.col("highest") - pl.col("lateness")).alias("watermark"))

"""Frames of latest values: reduced from files, the later put in the place of the earlier."""

from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from services.query.listing import TableFiles
from services.query.scanning import batches

KEY = ["tenant", "device_full", "metric"]
DEVICE = ["tenant", "device_full"]
REDUCED_ROWS = 256 * 1024
SCHEMA = {
    "tenant": pl.String(),
    "device_full": pl.String(),
    "metric": pl.String(),
    "product": pl.String(),
    "at": pl.Datetime("us", "UTC"),
    "seq": pl.Int64(),
    "number": pl.Float64(),
    "text": pl.String(),
    "truth": pl.Boolean(),
}
"""A series' latest value."""
PLACED = SCHEMA | {"lat": pl.Float64(), "lng": pl.Float64()}
"""The same with where the device was."""
PLACES = {name: PLACED[name] for name in (*DEVICE, "lat", "lng", "at")}
"""Where each device was last; `at` null: as registered."""


def of_zone(name: str) -> pl.Expr:
    """Choose the rows of a zone; '': of devices that stand in none, as gold names that."""
    return pl.col("zone").fill_null("") == name


def newest_rows(files: TableFiles, paths: Sequence[str], names: Mapping[str, str]) -> pl.DataFrame:
    """Return each series' latest value in some files, reduced as they are read.

    `names`: columns of SCHEMA or PLACED, each with its name in the table.
    """
    has_value = pl.any_horizontal(pl.col("number", "text", "truth").is_not_null())
    columns = [pl.col(old).cast(PLACED[new]).alias(new) for new, old in names.items()]
    parts = (
        batch.select(columns).filter(has_value)
        for batch in batches(files, paths, list(names.values()))
    )
    return reduced(map(later, parts), names)


def reduced(parts: Iterable[pl.DataFrame], names: Iterable[str] = PLACED) -> pl.DataFrame:
    """Return each series' latest row in all parts, so many in memory at a time."""
    kept = pl.DataFrame(schema={name: PLACED[name] for name in names})
    waiting, count = [kept], 0
    for part in parts:
        waiting.append(part)
        count += len(part)
        if count > len(kept) + REDUCED_ROWS:
            kept = later(*waiting)
            waiting, count = [kept], 0
    return later(*waiting)


def later(*parts: pl.DataFrame) -> pl.DataFrame:
    """Return the latest row of each series."""
    together = pl.concat(parts)
    return together.sort("at", "seq").unique(KEY, keep="last", maintain_order=False)


def taken_over(rows: pl.DataFrame, fresh: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Put newer rows in the place of older ones; return all, and those that are other ones now.

    What stays is not sorted again.
    """
    before = rows.join(fresh, on=KEY, how="semi")
    newer = later(before, fresh)
    changed = newer.join(before, on=[*KEY, "at", "seq"], how="anti")
    return pl.concat([rows.join(newer, on=KEY, how="anti"), newer]), changed


def places_of(rows: pl.DataFrame) -> pl.DataFrame:
    """Return where devices were last, of rows that say it."""
    said = rows.filter(pl.col("lat").is_not_null(), pl.col("lng").is_not_null())
    return newest_places(said.select(*PLACES))


def newest_places(*parts: pl.DataFrame) -> pl.DataFrame:
    """Return the newest place of each device; a registered one is older than any."""
    together = pl.concat(parts).sort("at", nulls_last=False, maintain_order=True)
    return together.unique(DEVICE, keep="last", maintain_order=False)


def encoded(rows: pl.DataFrame) -> pl.DataFrame:
    """Add each row as JSON: an answer puts them in a row, and does not make them each time."""
    time = pl.col("at").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
    head = pl.struct(
        pl.col("device_full").alias("device_id"),
        "product",
        "zone",
        "metric",
        time.str.replace(r"\.000000Z$", "Z").alias("time"),
    ).struct.json_encode()
    value = pl.coalesce(
        _json(pl.when(pl.col("number").is_finite()).then("number")),
        _json(pl.col("text")),
        _json(pl.col("truth")),
        pl.lit("null"),
    )
    whole = pl.concat_str(head.str.strip_suffix("}"), pl.lit(',"value":'), value, pl.lit("}"))
    return rows.with_columns(json=whole)


def _json(value: pl.Expr) -> pl.Expr:
    whole = pl.struct(value.alias("v")).struct.json_encode()
    inner = whole.str.strip_prefix('{"v":').str.strip_suffix("}")
    return pl.when(value.is_not_null()).then(inner)

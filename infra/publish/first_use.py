"""Types of metrics that the stream has fixed for products without a schema."""

from pathlib import Path

from deltalake import DeltaTable

from telemetry.tables import FIRST_USE

Types = dict[tuple[str, str], dict[str, str]]


def fixed_types(lake_root: str) -> Types:
    """Return (tenant, product) → metric → type, as far as the lake has them."""
    schema, name = FIRST_USE.name.split(".")
    path = Path(lake_root) / schema / name
    if not DeltaTable.is_deltatable(str(path)):
        return {}
    types: Types = {}
    for row in DeltaTable(path).to_pyarrow_table().to_pylist():
        types.setdefault((row["tenant"], row["product"]), {})[row["metric"]] = row["type"]
    return types

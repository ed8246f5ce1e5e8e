"""From a table's asset to the dashboards that show it and the pages that say how good it is."""

from collections.abc import Mapping

import dagster as dg

from orchestration import checks
from orchestration.checks import Link
from orchestration.tables import table_name
from telemetry.settings import Settings
from telemetry.tables import BY_NAME, Table

DASHBOARDS: Mapping[str, tuple[str, ...]] = {
    "bronze.messages": ("fleet-now",),
    "silver.rejected": ("fleet-now", "map", "quality"),
    "silver.late": ("fleet-now",),
    "silver.duplicates": ("fleet-now", "quality"),
    "silver.conflicts": ("fleet-now", "quality"),
    "gold.device_five_minutes": ("trends",),
    "gold.device_day": ("fleet-now", "map"),
    "gold.zone_minute": ("fleet-now",),
    "gold.zone_five_minutes": ("trends",),
    "gold.zone_hour": ("trends",),
    "gold.alerts": ("alerts", "map"),
    "dim.devices": ("fleet-now", "map", "trends", "quality", "alerts"),
    "ops.duplicates": ("quality",),
    "ops.conservation": ("quality",),
    "ops.quality": ("quality",),
}
"""Slugs of the dashboards that read a table."""


def data_docs(settings: Settings) -> str:
    """Return where the pages of results are served; empty where nobody serves them."""
    if settings.superset == "off":
        return ""
    return f"http://127.0.0.1:{settings.port('superset')}/data-docs/"


def linked(spec: dg.AssetSpec, settings: Settings) -> dg.AssetSpec:
    """Return a table's asset with its links; any other asset as it is."""
    table = BY_NAME.get(table_name(spec.key))
    return spec if table is None else spec.merge_attributes(metadata=_links(table, settings))


def _links(table: Table, settings: Settings) -> dict[str, Link]:
    pages = str(settings.home / "dataquality" / "pages" / "overview.html")
    docs = checks.pages_link(data_docs(settings), table.name, pages)
    return {**_dashboards(table, settings), "data docs": docs}


def _dashboards(table: Table, settings: Settings) -> dict[str, Link]:
    if settings.superset == "off":
        return {}
    root = f"http://127.0.0.1:{settings.port('superset')}/superset/dashboard"
    return {
        f"dashboard {slug}": dg.MetadataValue.url(f"{root}/{slug}/")
        for slug in DASHBOARDS.get(table.name, ())
    }

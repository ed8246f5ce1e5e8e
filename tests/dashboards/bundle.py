"""The bundle of dashboards as it lies in git."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from infra.superset.service import BUNDLE


@dataclass(frozen=True, slots=True)
class Panel:
    """A chart of the bundle: its name, and the query that a browser would send."""

    file: Path
    chart: dict[str, Any]

    @property
    def name(self) -> str:
        """Its title."""
        return str(self.chart["slice_name"])

    @property
    def query_context(self) -> dict[str, Any]:
        """What Superset is asked, without the number of the dataset."""
        context: dict[str, Any] = json.loads(self.chart["query_context"])
        return context


def read(kind: str) -> dict[Path, dict[str, Any]]:
    """Return the files of databases, datasets, charts or dashboards."""
    files = sorted((BUNDLE / kind).rglob("*.yaml"))
    return {file: yaml.safe_load(file.read_text("utf-8")) for file in files}


def panels() -> list[Panel]:
    """Return all charts."""
    return [Panel(file, chart) for file, chart in read("charts").items()]


def charts_of(dashboard: dict[str, Any]) -> list[list[str]]:
    """Return the charts of a dashboard by their uuid, those of a column together."""
    position = dashboard["position"]
    columns = [item for item in position.values() if _kind(item) == "COLUMN"]
    inside = [[position[name]["meta"]["uuid"] for name in item["children"]] for item in columns]
    rows = [item for item in position.values() if _kind(item) == "ROW"]
    alone = [[position[name]["meta"]["uuid"]] for item in rows for name in item["children"]
             if _kind(position[name]) == "CHART"]  # fmt: skip
    return inside + alone


def _kind(item: object) -> str:
    return str(item.get("type")) if isinstance(item, dict) else ""

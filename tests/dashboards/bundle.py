"""The bundle of dashboards as it lies in git."""

import json
from collections.abc import Iterator
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


def charts_of(dashboard: dict[str, Any]) -> list[str]:
    """Return the charts of a dashboard by their uuid, in its order."""
    items = [item for item in dashboard["position"].values() if isinstance(item, dict)]
    return [item["meta"]["uuid"] for item in items if item.get("type") == "CHART"]


def targets(dashboard: dict[str, Any], *, must_choose: bool = False) -> Iterator[dict[str, Any]]:
    """Yield what the filters of a dashboard offer: all, or those that must have a choice."""
    for found in dashboard["metadata"].get("native_filter_configuration", []):
        if found["controlValues"]["enableEmptyFilter"] or not must_choose:  # "a value is required"
            yield from found["targets"]

"""Make Superset hold what the bundle says, where its own import leaves something undone."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from superset.connectors.sqla.models import SqlaTable
from superset.extensions import db
from superset.models.core import Database
from superset.models.dashboard import Dashboard
from superset.models.slice import Slice

MODELS = {"databases": Database, "datasets": SqlaTable, "charts": Slice, "dashboards": Dashboard}


def not_imported(bundle: Path) -> list[str]:
    """Return the files whose thing is not there, by its uuid: the import only logs it."""
    return [
        str(file.relative_to(bundle))
        for kind, model in MODELS.items()
        for there in [{str(uuid) for (uuid,) in db.session.query(model.uuid)}]
        for file, found in _files(bundle, kind)
        if found["uuid"] not in there
    ]


def take_off_what_is_gone(bundle: Path) -> None:
    """Take charts off a dashboard that no longer shows them: Superset would add them at its end."""
    for _, found in _files(bundle, "dashboards"):
        board = db.session.query(Dashboard).filter_by(uuid=found["uuid"]).one()
        items = [item for item in found["position"].values() if isinstance(item, dict)]
        shown = {item["meta"]["uuid"] for item in items if item.get("type") == "CHART"}
        board.slices = [chart for chart in board.slices if str(chart.uuid) in shown]
    db.session.commit()


def name_datasets(bundle: Path) -> None:
    """Write each dataset's number into its charts' saved queries: in git there is none."""
    charts = {found["uuid"] for _, found in _files(bundle, "charts")}
    for chart in db.session.query(Slice):
        if str(chart.uuid) in charts and chart.query_context:
            context = json.loads(chart.query_context)
            context["datasource"]["id"] = chart.datasource_id
            chart.query_context = json.dumps(context)
    db.session.commit()


def _files(bundle: Path, kind: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    for file in sorted((bundle / kind).rglob("*.yaml")):
        yield file, yaml.safe_load(file.read_text("utf-8"))

"""Whether all of the bundle is in Superset: its import only logs what it leaves out."""

from pathlib import Path

import yaml
from superset.connectors.sqla.models import SqlaTable
from superset.extensions import db
from superset.models.core import Database
from superset.models.dashboard import Dashboard
from superset.models.slice import Slice

MODELS = {"databases": Database, "datasets": SqlaTable, "charts": Slice, "dashboards": Dashboard}


def not_imported(bundle: Path) -> list[str]:
    """Return the files whose thing is not there, by its uuid."""
    return [
        str(file.relative_to(bundle))
        for kind, model in MODELS.items()
        for there in [{str(uuid) for (uuid,) in db.session.query(model.uuid)}]
        for file in sorted((bundle / kind).rglob("*.yaml"))
        if yaml.safe_load(file.read_text("utf-8"))["uuid"] not in there
    ]

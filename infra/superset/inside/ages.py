"""How old what a panel shows is: one small answer for all panels of a page, and who shows it.

A panel of its own for each age would ask and draw as much as what it stands below.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, abort, jsonify, send_file
from flask_login import current_user
from jinja2 import ChoiceLoader, FileSystemLoader

from infra.superset.inside.data_age import ALERTS, COLUMNS, DATASET, SOURCE, age, kept_alerts
from infra.superset.inside.home import told

HERE = Path(__file__).parent

ages = Blueprint("ages", __name__)


@ages.get("/ages")  # type: ignore[untyped-decorator] # it is not in this environment
def answer() -> Response:
    """Answer the age of each source, and the source of each chart."""
    if not current_user.is_authenticated:
        abort(401)
    now = datetime.now(UTC)
    sources: dict[str, Mapping[str, float | None]] = {
        str(row["source"]): age(row, now) for row in _newest()
    }
    if ALERTS in sources:
        sources[ALERTS] = kept_alerts(Path(told()["alerts"]), sources[ALERTS], now)
    return jsonify({"sources": sources, "charts": _charts()})


@ages.get("/ages.js")  # type: ignore[untyped-decorator] # it is not in this environment
def script() -> Response:
    """Answer what writes ages into a page."""
    return send_file(HERE / "ages.js", max_age=0)


def add_script(app: Flask) -> None:
    """Have every page of Superset load the script, by the template that is there for it."""
    app.jinja_loader = ChoiceLoader([FileSystemLoader(HERE / "templates"), app.jinja_loader])


def _newest() -> list[dict[str, Any]]:
    """Ask the dataset as a chart would: by the rights of who looks, from the cache of answers."""
    from superset.commands.chart.data.get_data_command import ChartDataCommand
    from superset.common.query_context_factory import QueryContextFactory
    from superset.connectors.sqla.models import SqlaTable
    from superset.extensions import db

    (number,) = db.session.query(SqlaTable.id).filter_by(uuid=DATASET).one()
    query = {"columns": COLUMNS, "metrics": [], "row_limit": 100}
    context = QueryContextFactory().create(
        datasource={"id": number, "type": "table"}, queries=[query], form_data={}
    )
    command = ChartDataCommand(context)
    command.validate()
    found: list[dict[str, Any]] = command.run()["queries"][0]["data"]
    return found


def _charts() -> dict[int, str]:
    from superset.connectors.sqla.models import SqlaTable
    from superset.extensions import db
    from superset.models.slice import Slice

    rows = db.session.query(Slice.id, SqlaTable.extra).join(
        SqlaTable, SqlaTable.id == Slice.datasource_id
    )
    named = {chart: json.loads(extra or "{}").get(SOURCE) for chart, extra in rows}
    return {chart: source for chart, source in named.items() if source}

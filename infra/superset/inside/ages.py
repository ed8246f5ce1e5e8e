"""How old what a panel shows is: one small answer for all panels of a page, and who shows it.

A panel of its own for each age would ask and draw as much as what it stands below.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, jsonify, send_file
from jinja2 import ChoiceLoader, FileSystemLoader

from infra.superset.inside.answering_again import asker, kept, look_at_rights
from infra.superset.inside.data_age import ALERTS, COLUMNS, DATASET, SOURCE, age, kept_alerts
from infra.superset.inside.home import told

HERE = Path(__file__).parent

ASKED = b"ages"

ages = Blueprint("ages", __name__)


@ages.get("/ages")  # type: ignore[untyped-decorator] # it is not in this environment
def answer() -> Response:
    """Answer the age of each source, and the source of each chart."""
    who = asker()
    if who is None:
        return Response(status=HTTPStatus.UNAUTHORIZED)
    now = datetime.now(UTC)
    rows, charts = _known(who)
    sources: dict[str, Mapping[str, float | None]] = {
        str(row["source"]): age(row, now) for row in rows
    }
    if ALERTS in sources:
        sources[ALERTS] = kept_alerts(Path(told()["alerts"]), sources[ALERTS], now)
    return jsonify({"sources": sources, "charts": charts})


@ages.get("/ages.js")  # type: ignore[untyped-decorator] # it is not in this environment
def script() -> Response:
    """Answer what writes ages into a page."""
    return send_file(HERE / "ages.js", max_age=0)


def add_script(app: Flask) -> None:
    """Have every page of Superset load the script, by the template that is there for it."""
    app.jinja_loader = ChoiceLoader([FileSystemLoader(HERE / "templates"), app.jinja_loader])


def _known(who: str) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Return when the newest of each source came, and the source of each chart."""
    look_at_rights()
    changes = kept.changes
    body = kept.find(who, ASKED)
    if body is None:
        query = _newest()
        body = json.dumps([query["data"], _charts()], default=_text).encode()
        kept.keep(who, ASKED, body, [query], changes)
    rows, charts = json.loads(body)
    for row in rows:
        row["newest_at"] = row["newest_at"] and datetime.fromisoformat(row["newest_at"])
    return rows, charts


def _text(moment: datetime) -> str | None:
    """Return a time as text; pandas' NaT, which alone is not itself, is none."""
    return moment.isoformat() if moment == moment else None


def _newest() -> dict[str, Any]:
    """Ask the dataset as a chart would: by the rights of who looks, from the cache of answers."""
    from superset.commands.chart.data.get_data_command import ChartDataCommand
    from superset.common.query_context_factory import QueryContextFactory
    from superset.connectors.sqla.models import SqlaTable
    from superset.extensions import db

    (number,) = db.session.query(SqlaTable.id).filter_by(uuid=DATASET).one()
    wanted = {"columns": COLUMNS, "metrics": [], "row_limit": 100}
    context = QueryContextFactory().create(
        datasource={"id": number, "type": "table"}, queries=[wanted], form_data={}
    )
    command = ChartDataCommand(context)
    command.validate()
    found: list[dict[str, Any]] = command.run()["queries"]
    return found[0]


def _charts() -> dict[int, str]:
    from superset.connectors.sqla.models import SqlaTable
    from superset.extensions import db
    from superset.models.slice import Slice

    rows = db.session.query(Slice.id, SqlaTable.extra).join(
        SqlaTable, SqlaTable.id == Slice.datasource_id
    )
    named = {chart: json.loads(extra or "{}").get(SOURCE) for chart, extra in rows}
    return {chart: source for chart, source in named.items() if source}

"""Panels that are asked for again, answered before Superset begins to work.

Who asks is found out each time, by cookie or token. What they may is remembered for a minute, and
looked up anew as soon as anything is changed here; what is changed by another process, as the
commands of Superset do, counts within seconds.
"""

import hashlib
import json
from http import HTTPStatus

from flask import Flask, Response, g, request
from flask_jwt_extended import verify_jwt_in_request
from flask_jwt_extended.exceptions import JWTExtendedException
from flask_login import current_user
from jwt.exceptions import PyJWTError
from sqlalchemy import text

from infra.superset.inside.kept_answers import KeptAnswers
from infra.superset.inside.rights import Rights

PANEL = "ChartDataRestApi.data"
READS = {"GET", "HEAD", "OPTIONS"}
LOOKS = (PANEL, "Superset.log", "DashboardFilterStateRestApi.", "ExploreFormDataRestApi.")
"""What is posted by looking, and changes nothing that is shown."""
JSON = "application/json; charset=utf-8"

kept = KeptAnswers()


def _asked(statement: str) -> list[tuple[object, ...]]:
    from superset.extensions import db

    with db.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


rights = Rights(_asked)


def answer_again(app: Flask) -> None:
    """Have the application answer panels from what it has answered before."""
    app.before_request(_again)
    app.after_request(_seen)


def look_at_rights() -> None:
    """Forget everything where another process has changed what people may."""
    if rights.have_changed():
        kept.forget()


def _again() -> Response | None:
    g.changes = kept.changes
    if request.endpoint != PANEL or request.method in READS or not request.is_json:
        return None
    look_at_rights()
    g.changes = kept.changes
    who = asker()
    if who is None:
        return None
    asked = hashlib.sha256(request.full_path.encode() + b"\0" + request.get_data()).digest()
    body = kept.find(who, asked)
    if body is None:
        g.asked = (who, asked)
        return None
    return Response(body, content_type=JSON)


def _seen(response: Response) -> Response:
    if request.method in READS:
        return response
    if not str(request.endpoint).startswith(LOOKS):
        if response.status_code < HTTPStatus.BAD_REQUEST:
            kept.forget()
    elif response.status_code == HTTPStatus.OK and response.content_type == JSON and "asked" in g:
        (who, asked), body = g.asked, response.get_data()
        kept.keep(who, asked, body, json.loads(body)["result"], g.changes)
    return response


def asker() -> str | None:
    """Return who is logged in, by cookie or by token; None for nobody."""
    if not current_user.is_authenticated and "Authorization" in request.headers:
        try:
            verify_jwt_in_request()
        except (JWTExtendedException, PyJWTError):
            return None
        return str(g.user.get_id())
    return str(current_user.get_id()) if current_user.is_authenticated else None

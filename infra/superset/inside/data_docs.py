"""The pages of Great Expectations, for whoever is logged in: Dagster's links lead here.

They stand behind a login because they show examples of rows. No script of theirs runs: all that
they need of it comes from the internet, and what devices have sent stands in them.
"""

from collections.abc import Callable
from pathlib import Path

from flask import Blueprint, Response, redirect, request, send_from_directory
from flask_login import current_user

from infra.superset.inside.home import told

OVERVIEW = "overview.html"
NOT_YET = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Data quality</title>
<p>No suite has been held yet. Dagster holds all of them within minutes of gold's first rows, and
then at half past each hour; <code>headwater job quality</code> does it now.</p></html>
"""
POLICY = {
    "default-src": "'none'",
    "style-src": ["'self'", "'unsafe-inline'"],
    "img-src": ["'self'", "data:"],
    "base-uri": "'none'",
    "form-action": "'none'",
}

data_docs = Blueprint("data_docs", __name__)


def page(name: str = OVERVIEW) -> Response:
    """Answer a page; who is not logged in is asked to first."""

    def found(folder: Path) -> Response:
        answer: Response = send_from_directory(folder, name, max_age=0)
        return answer

    return _where_there_are_pages(found)


def suite(name: str) -> Response:
    """Lead to the newest result of a suite, or to the overview while there is none."""
    return _where_there_are_pages(
        lambda folder: _to(f"/data-docs/{newest(folder, name) or OVERVIEW}")
    )


def _where_there_are_pages(found: Callable[[Path], Response]) -> Response:
    if not current_user.is_authenticated:
        return _to(f"/login/?next={request.path}")
    folder = Path(told()["data_docs"])
    return found(folder) if (folder / OVERVIEW).exists() else Response(NOT_YET, 404)


def _to(address: str) -> Response:
    answer: Response = redirect(address)
    return answer


def newest(folder: Path, name: str) -> str | None:
    """Return the page of a suite's newest result; what fails is asked again on one of its own."""
    results = folder / "validations"
    for suite_name in (f"{name} failures", name):
        pages = sorted(results.joinpath(*suite_name.split(".")).rglob("*.html"))
        if pages:
            return str(max(pages, key=lambda each: each.stat().st_mtime).relative_to(folder))
    return None


# By this name the library that writes the policy asks a view for its own.
for view in (page, suite):
    view.talisman_view_options = {  # type: ignore[attr-defined]
        "content_security_policy": POLICY,
        "content_security_policy_nonce_in": [],
    }
data_docs.add_url_rule("/data-docs/", view_func=page)
data_docs.add_url_rule("/data-docs/<path:name>", view_func=page)
data_docs.add_url_rule("/data-docs/suites/<name>", view_func=suite)

"""Superset's pages in a browser: the login, and whether a dashboard is drawn."""

from typing import Any

from tests.dashboards.browser import Page
from tests.dashboards.bundle import charts_of

LOADING = "document.querySelectorAll('.loading, [data-test=\"loading-indicator\"]').length"
DRAWN = "document.querySelectorAll('.slice_container').length"
FILLED = (
    "[...document.querySelectorAll('.slice_container')]"
    ".every(each => each.innerText.trim() || each.querySelector('canvas, svg, img'))"
)
"""While the program that draws a chart is fetched, its panel is blank: no sign says so."""
SEEN = "[...document.querySelectorAll('.slice_container img')].every(each => each.complete)"


def sign_in(page: Page, url: str, name: str, password: str) -> None:
    """Log in to Superset."""
    page.go(f"{url}/login/")
    page.wait("document.querySelector('#username')", timeout_s=60)
    page.type_into("#username", name)
    page.type_into("#password", password)
    page.run("document.querySelector('button[type=submit]').click()")
    page.wait("!location.pathname.includes('login')", timeout_s=60)


def is_drawn(board: dict[str, Any]) -> str:
    """Return the JavaScript that says whether all panels of a dashboard are drawn."""
    there = f"{DRAWN} >= {len(charts_of(board))} && {LOADING} === 0"
    return f"{there} && {FILLED} && {SEEN}"

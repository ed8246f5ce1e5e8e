"""When a dashboard counts as drawn: each panel shows something, and none is still loading."""

import pytest

from tests.dashboards.browser import Page
from tests.dashboards.bundle import charts_of, read
from tests.dashboards.superset_pages import is_drawn

pytestmark = pytest.mark.timeout(120)
BOARD = next(iter(read("dashboards").values()))
PANELS = len(charts_of(BOARD))


def panel(content: str) -> str:
    return f'<div class="slice_container">{content}</div>'


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (panel("<b>12</b>"), True),
        (panel("<div><canvas></canvas></div>"), True),
        (panel(""), False),
        (panel("<div> </div>"), False),
        (panel('<div class="loading">…</div>'), False),
        (panel('<img src="/basemap/area/0/0/9.png">'), True),
        ("", False),
    ],
    ids=["number", "chart", "blank", "its program is fetched", "loading", "picture", "not there"],
)
def test_dashboard_is_drawn_once_each_panel_shows_something(
    page: Page, last: str, expected: bool
) -> None:
    page.go("about:blank")
    body = panel("<table><tr><td>harbour</td></tr></table>") * (PANELS - 1) + last
    page.run(f"document.body.innerHTML = {body!r}")
    page.run("document.querySelectorAll('img').forEach(each => each.removeAttribute('src'))")
    assert page.run(f"!!({is_drawn(BOARD)})") is expected

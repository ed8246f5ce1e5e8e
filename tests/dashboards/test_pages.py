"""Dashboards in a real browser: every panel is drawn, none with an error, in time."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.superset.logins import read_logins
from telemetry.settings import Settings
from tests.dashboards.browser import Page, browser_path, open_page
from tests.dashboards.bundle import read
from tests.dashboards.client import logged
from tests.dashboards.lakes import FIELDS
from tests.dashboards.superset_pages import is_drawn, sign_in

pytestmark = [pytest.mark.long, pytest.mark.trino, pytest.mark.stack, pytest.mark.timeout(900)]
FIRST_S = 120.0
WARM_S = 30.0
"""Of a browser that draws maps without a graphics card, on cores that others use."""
DASHBOARDS = {board["slug"]: board for board in read("dashboards").values()}
SAID = {
    "alerts": "0",
    "fleet-now": "12",
    "map": "harbour",
    "quality": "66.7%",
    "trends": "room.harbour-0",
}
"""What the seeded lake must have each dashboard say."""
ERRORS = "[...document.querySelectorAll('.ant-alert-error, .error-boundary')].map(e=>e.innerText)"
UNSEEN = (
    "[...document.querySelectorAll('.slice_container img')]"
    ".filter(e => !e.naturalWidth || e.clientWidth < 300).map(e => e.src)"
)
"""Pictures in panels that did not come, or have no room."""
TEXT = "document.body.innerText"
AGES = "[...document.querySelectorAll('[data-test-chart-id]')].map(e => e.dataset.age ?? '')"
OLD = r"data \d+ (s|min|h|d) old"


@pytest.fixture(scope="module")
def page(settings: Settings, url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    browser = browser_path()
    if browser is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    with open_page(browser, tmp_path_factory.mktemp("browser")) as page:
        sign_in(page, url, "viewer", read_logins(settings)["viewer"])
        yield page


@pytest.mark.parametrize("slug", DASHBOARDS)
def test_dashboard_is_whole_in_a_browser(
    slug: str, page: Page, url: str, settings: Settings, tmp_path: Path
) -> None:
    address = f"{url}/superset/dashboard/{slug}/"
    page.go(address)
    page.wait(is_drawn(DASHBOARDS[slug]), timeout_s=FIRST_S)
    page.wait(f"{TEXT}.includes({SAID[slug]!r})", timeout_s=WARM_S)
    assert page.run(ERRORS) == []
    page.wait(f"{UNSEEN}.length === 0", timeout_s=WARM_S)
    page.wait(f"{AGES}.every(age => /^{OLD}$/.test(age))", timeout_s=WARM_S)
    began = time.monotonic()
    page.go(address)
    page.wait(is_drawn(DASHBOARDS[slug]), timeout_s=FIRST_S)
    took = time.monotonic() - began
    page.picture(tmp_path / f"{slug}.png")
    assert took < WARM_S
    assert ("log", "mount_dashboard") in logged(settings)


def test_what_a_device_has_written_is_shown_as_text(page: Page, url: str) -> None:
    page.go(f"{url}/superset/dashboard/quality/")
    page.wait(is_drawn(DASHBOARDS["quality"]), timeout_s=FIRST_S)
    page.wait(f"{TEXT}.includes('humid')", timeout_s=WARM_S)
    spans = "[...document.querySelectorAll('.slice_container span')]"
    assert page.run(f"{spans}.filter(e => getComputedStyle(e).position === 'fixed').length") == 0
    assert f">humid</{FIELDS[1].rpartition('/')[2]}" in page.run(TEXT)


def test_a_suite_leads_to_its_newest_result(page: Page, url: str, settings: Settings) -> None:
    pages = settings.home / "dataquality" / "pages"
    result = pages / "validations" / "silver" / "readings failures" / "run" / "rows.html"
    result.parent.mkdir(parents=True)
    result.write_text("<p>a key is there twice<script>document.body.innerText=''</script>", "utf-8")
    page.go(f"{url}/data-docs/suites/silver.readings")
    page.wait(f"{TEXT}.includes('No suite has been held yet')", timeout_s=FIRST_S)
    (pages / "overview.html").write_text("<p>all suites", "utf-8")
    page.go(f"{url}/data-docs/suites/silver.readings")
    page.wait(f"{TEXT}.includes('a key is there twice')", timeout_s=FIRST_S)
    page.go(f"{url}/data-docs/suites/gold.zone_minute")
    page.wait(f"{TEXT}.includes('all suites')", timeout_s=FIRST_S)

"""Seconds until a dashboard is drawn whole in a browser that has seen it before.

`make bench BENCH=dashboards OUT=build/dashboards.json`

The whole stack with Superset; a mixed fleet has sent for a while and stands still, so that what is
timed is looking, not landing. Each dashboard is opened in turn in a Chromium without a window, once
that does not count and then as often as asked.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.report import Figures, parser, report
from infra.superset.logins import read_logins
from telemetry.settings import Settings
from tests.dashboards.browser import Page, browser_path, open_page
from tests.dashboards.bundle import read
from tests.dashboards.superset_pages import is_drawn, sign_in
from tests.end_to_end.stack import Stack, free_port_base

LIMIT_S = 3.0
PATIENCE_S = 120.0
FLEET = ("--devices", "100", "--rate", "400", "--seed", "1")


def run(times: int, fleet_s: int) -> Figures:
    """Start a stack, let a fleet send, and open every dashboard."""
    browser = browser_path()
    if browser is None:
        raise SystemExit("no Chromium is installed (Debian: apt-get install chromium)")
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder) / "home", free_port_base(), superset="on")
        stack.run("up", "--timeout", "800", timeout_s=900)
        try:
            stack.run("simulate", "mixed", *FLEET, "--for", f"{fleet_s}s", timeout_s=fleet_s + 60)
            with open_page(browser, Path(folder) / "browser") as page:
                return _timed(page, stack, times)
        finally:
            stack.run("down", check=False)


def _timed(page: Page, stack: Stack, times: int) -> Figures:
    settings = Settings(home=stack.home, port_base=stack.port_base)
    url = f"http://127.0.0.1:{settings.port('superset')}"
    sign_in(page, url, "viewer", read_logins(settings)["viewer"])
    load = os.getloadavg()[0]
    figures = {f"{slug}_s": [*_opened(page, url, slug, times)] for slug in _boards()}
    medians = {name: statistics.median(took) for name, took in figures.items()}
    return {
        **{name: [round(one, 2) for one in took] for name, took in figures.items()},
        "slowest_median_s": max(medians.values()),
        "slowest_of_limit": max(medians.values()) / LIMIT_S,
        "load": load,
    }


def _boards() -> list[str]:
    return sorted(str(board["slug"]) for board in read("dashboards").values())


def _opened(page: Page, url: str, slug: str, times: int) -> Iterator[float]:
    """Open a dashboard once more than asked; yield what the later times took."""
    board = next(board for board in read("dashboards").values() if board["slug"] == slug)
    for number in range(times + 1):
        page.go("about:blank")
        began = time.monotonic()
        page.go(f"{url}/superset/dashboard/{slug}/")
        page.wait(is_drawn(board), timeout_s=PATIENCE_S)
        if number:
            yield time.monotonic() - began


def main() -> None:
    """Parse, run, report."""
    options = parser(__doc__ or "")
    options.add_argument("--times", type=int, default=5, help="each dashboard, warm")
    options.add_argument("--fleet", type=int, default=90, help="seconds that a fleet has sent")
    given = options.parse_args()
    report("dashboards", run(given.times, given.fleet), given.out)


if __name__ == "__main__":
    main()

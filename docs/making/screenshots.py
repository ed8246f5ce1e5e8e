"""`make screenshots`: pictures of a running stack, which the site of docs/ then shows."""

import base64
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from docs.making.pictures import FOLDER
from infra.probes import page_complaint
from infra.superset.logins import read_logins
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from tests.dashboards.browser import Page, browser_path, open_page
from tests.dashboards.bundle import read
from tests.dashboards.superset_pages import is_drawn, sign_in

WIDTH, TALL, HIGH = 1500, 2200, 900
PATIENCE_S = 120.0
STILL_S = 4.0
"""For what still moves into its place when it is there."""
EPILOG = """\b
What must be running:
  the full stack, by `make demo` or by `headwater up` and something that sends, for some ten
  minutes. Superset shows the dashboards, Dagster its lineage and a table, the query service
  the live page; Data Docs are there after the first `headwater job quality`.
  HEADWATER_HOME and HEADWATER_PORT_BASE lead to it, as they lead `headwater status`.
  Chromium must be installed.
\b
Examples:
  make screenshots docs-site                                     the site with all pictures
  .venv/bin/python -m docs.making.screenshots live fleet-now     these two again
"""


@dataclass(frozen=True, slots=True)
class Shot:
    """A page, and how its picture is taken."""

    service: str
    """Whose it is; without one it is a file of the home."""
    path: str
    is_ready: str
    """JavaScript that is true once the page is drawn."""
    ends_with: str = "body"
    """Selector of the elements of which the lowest ends the picture."""
    height: int = HIGH


SHOTS = {
    board["slug"]: Shot(
        "superset",
        f"superset/dashboard/{board['slug']}/",
        is_drawn(board),
        ".slice_container",
        TALL,
    )
    for board in read("dashboards").values()
} | {
    "live": Shot("query", "live", "document.querySelector('.card canvas')", "#map", TALL),
    "lineage": Shot("dagster", "asset-groups", "document.body.innerText.includes('silver')"),
    "table": Shot(
        "dagster", "assets/silver/readings", "document.body.innerText.includes('Description')"
    ),
    "data-docs": Shot("", "dataquality/pages/overview.html", "document.readyState === 'complete'"),
}


@click.command(epilog=EPILOG)
@click.argument("names", nargs=-1, type=click.Choice(sorted(SHOTS)))
@click.option("--out", type=click.Path(path_type=Path), default=FOLDER, show_default=True)
def screenshots(names: Sequence[str], out: Path) -> None:
    """Take pictures of the pages of a running stack: all of them, or those that are named."""
    settings, browser = Settings(), browser_path()
    if browser is None:
        raise HeadwaterError("no Chromium is installed: apt-get install chromium (Debian)")
    missing = dict[str, str]()
    out.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        open_page(browser, Path(folder)) as page,
    ):
        for name in names or SHOTS:
            try:
                take(page, SHOTS[name], settings, out / f"{name}.png")
                click.echo(out / f"{name}.png")
            except (HeadwaterError, TimeoutError) as error:
                missing[name] = " ".join(str(error).split())[:300]
    for name, why in missing.items():
        click.echo(f"{name} is not taken: {why}", err=True)
    if missing:
        raise click.ClickException("--help says what must be running")


def take(page: Page, shot: Shot, settings: Settings, file: Path) -> None:
    """Open a page, wait until it is drawn, and keep its picture; raise if it cannot be had."""
    page.tell("Emulation.setDeviceMetricsOverride", width=WIDTH, height=shot.height,
              deviceScaleFactor=1, mobile=False)  # fmt: skip
    page.go(address(shot, settings, lambda url: _signed_in(page, url, settings)))
    page.wait(shot.is_ready, timeout_s=PATIENCE_S)
    time.sleep(STILL_S)
    ends = f"[...document.querySelectorAll({shot.ends_with!r})]"
    end = page.run(f"Math.max(...{ends}.map(each => each.getBoundingClientRect().bottom))")
    height = min(shot.height, int(end) + 16)
    clip = {"x": 0, "y": 0, "width": WIDTH, "height": height, "scale": 1}
    picture = page.tell("Page.captureScreenshot", format="png", clip=clip)
    file.write_bytes(base64.b64decode(picture["data"]))


def address(shot: Shot, settings: Settings, sign_in_at: Callable[[str], None]) -> str:
    """Return where a page is, for somebody who may see it; raise if it is not there."""
    if not shot.service:
        file = settings.home / shot.path
        if not file.exists():
            raise HeadwaterError(f"{file} is not there")
        return file.absolute().as_uri()
    url = f"http://127.0.0.1:{settings.port(shot.service)}"
    if why := page_complaint(f"{url}/health" if shot.service != "dagster" else url):
        raise HeadwaterError(f"{why}: {shot.service} must be running")
    if shot.service == "superset":
        sign_in_at(url)
    if shot.service == "query":
        return f"{url}/{shot.path}#key={_key(settings)}"
    return f"{url}/{shot.path}"


def _signed_in(page: Page, url: str, settings: Settings) -> None:
    page.go(f"{url}/superset/welcome/")
    page.wait("document.readyState === 'complete'", timeout_s=PATIENCE_S)
    if page.run("location.pathname.includes('login')"):
        sign_in(page, url, "viewer", read_logins(settings)["viewer"])


def _key(settings: Settings) -> str:
    """Return a key for the query service: the registry's, or the light stack's own."""
    keys = (settings.registry_admin_key_file, settings.query_key_file)
    found = next((file for file in keys if file.exists()), None)
    if found is None:
        raise HeadwaterError(f"neither {keys[0]} nor {keys[1]} is there")
    return found.read_text("utf-8").strip()


if __name__ == "__main__":
    screenshots()

"""Superset on a seeded lake, started once for all that looks at it."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from infra.probes import port_complaint
from infra.superset.environment import is_wanted, superset_python
from infra.superset.logins import read_logins
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from tests.dashboards.browser import Page, browser_path, open_page
from tests.dashboards.client import Client, log_in
from tests.dashboards.lakes import seed
from tests.end_to_end.stack import Stack, free_port_base


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    if not is_wanted(Settings()):
        pytest.skip("HEADWATER_SUPERSET is off, or there is no Python 3.11 or 3.12 for Superset")
    home = tmp_path_factory.mktemp("superset")
    stack = Stack(home, free_port_base(), superset="on")
    settings = Settings(home=home, port_base=stack.port_base)
    try:
        superset_python(settings)
    except HeadwaterError:
        pytest.skip("Superset is not fetched: headwater fetch superset")
    seed(home / "lake", datetime.now(UTC))
    try:
        told = stack.run("up", "--only", "trino,superset", "--timeout", "800", timeout_s=820)
        assert read_logins(settings)["admin"] in told.err
        again = stack.run("up", "--only", "trino,superset")
        assert read_logins(settings)["admin"] not in again.out + again.err
        yield settings
    finally:
        stack.run("down", check=False)
    assert [name for name in ("trino", "superset") if not port_complaint(settings.port(name))] == []


@pytest.fixture(scope="session")
def url(settings: Settings) -> str:
    return f"http://127.0.0.1:{settings.port('superset')}"


@pytest.fixture(scope="session")
def viewer(settings: Settings, url: str) -> Iterator[Client]:
    with log_in(url, "viewer", read_logins(settings)["viewer"]) as client:
        yield client


@pytest.fixture(scope="session")
def datasets(viewer: Client) -> dict[str, int]:
    return viewer.datasets()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Open an empty page in a browser."""
    browser = browser_path()
    if browser is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    with open_page(browser, tmp_path_factory.mktemp("browser")) as page:
        yield page

"""Every page that is made from the code, by the name of its file."""

from pathlib import Path
from typing import Any

from docs.making.api import api_page
from docs.making.commands import commands_page
from docs.making.settings import settings_page
from gateway.http.app import http_app
from services.alerts.app import application as alerts
from services.query.app import application as queries
from services.registry.app import application as registry

FOLDER = Path(__file__).parents[1] / "reference"


def pages() -> dict[str, str]:
    """Return the text of every page."""
    # An application that is only asked what it answers needs nothing to answer from.
    nothing: Any = None
    return {
        "settings.md": settings_page(),
        "commands.md": commands_page(),
        "api-query.md": api_page(queries(nothing).openapi(), port="query"),
        "api-registry.md": api_page(registry(nothing).openapi(), port="registry"),
        "api-alerts.md": api_page(alerts(nothing).openapi(), port="alerts"),
        "api-gateway.md": api_page(http_app(nothing).openapi(), port="gateway_http"),
    }

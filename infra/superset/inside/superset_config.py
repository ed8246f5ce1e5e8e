"""Superset's configuration; what differs between stacks is read from its folder."""

from typing import Any

from flask import Flask
from sqlalchemy.engine import URL, make_url
from superset.config import THEME_DARK, THEME_DEFAULT

from infra.superset.inside.ages import add_script, ages
from infra.superset.inside.answering_again import answer_again
from infra.superset.inside.basemap import basemap
from infra.superset.inside.data_docs import data_docs
from infra.superset.inside.home import folder, told
from infra.superset.inside.visits import Visits

_TOLD = told()

SECRET_KEY = _TOLD["secret_key"]
SQLALCHEMY_DATABASE_URI = _TOLD["database"]
BLUEPRINTS = [basemap, ages, data_docs]
FAVICONS: list[dict[str, str]] = []
APP_NAME = "Headwater"


def FLASK_APP_MUTATOR(app: Flask) -> None:
    """Add to the application what no setting of its own adds."""
    add_script(app)
    answer_again(app)


def at_once(theme: dict[str, Any]) -> dict[str, Any]:
    """Return a theme of which nothing glides into its place: that costs a page a second of CPU."""
    token = {**theme["token"], "motion": False, "brandAppName": APP_NAME}
    return {**theme, "token": token, "echartsOptionsOverrides": {"animation": False}}


THEME_DEFAULT, THEME_DARK = at_once(THEME_DEFAULT), at_once(THEME_DARK)


def DB_CONNECTION_MUTATOR(
    url: URL, options: dict[str, Any], *_: object
) -> tuple[URL, dict[str, Any]]:
    """Lead the bundle's connection to this stack's Trino, whose port is its own."""
    ours = make_url(_TOLD["trino"])
    if (url.drivername, url.username) != (ours.drivername, ours.username):
        return url, options
    return url.set(host=ours.host, port=ours.port), options


# The lake is read through Trino, and no table of Superset's own is offered beside it.
PREVENT_UNSAFE_DB_CONNECTIONS = True
SQLLAB_TIMEOUT = 60
SUPERSET_WEBSERVER_TIMEOUT = 60
ROW_LIMIT = 10_000
SQL_MAX_ROW = 10_000

# Panels take what the cache has; a refresh asks anew only for what has expired, so that a hundred
# viewers cost one query. How long an answer lives stands in each chart.
DASHBOARD_AUTO_REFRESH_MODE = "fetch"
_CACHE = {"CACHE_DEFAULT_TIMEOUT": 60, "CACHE_THRESHOLD": 2000}
DATA_CACHE_CONFIG = {
    "CACHE_TYPE": "infra.superset.inside.single_flight.SingleFlightCache",
    "CACHE_DIR": str(folder() / "cache" / "answers"),
    **_CACHE,
}
CACHE_CONFIG = {
    "CACHE_TYPE": "FileSystemCache",
    "CACHE_DIR": str(folder() / "cache" / "objects"),
    **_CACHE,
}

FEATURE_FLAGS = {
    "ALERT_REPORTS": False,
    "DASHBOARD_RBAC": False,
    "DRILL_BY": True,
    "DRILL_TO_DETAIL": True,
    "ENABLE_TEMPLATE_PROCESSING": False,
    "THUMBNAILS": False,
}
EVENT_LOGGER = Visits()
# Superset's own lets pages load a pixel that counts them, tiles and fonts from hosts of others.
TALISMAN_CONFIG = {
    "content_security_policy": {
        "base-uri": ["'self'"],
        "default-src": ["'self'"],
        "img-src": ["'self'", "blob:", "data:"],
        "worker-src": ["'self'", "blob:"],
        "connect-src": ["'self'"],
        "object-src": "'none'",
        "style-src": ["'self'", "'unsafe-inline'"],
        "font-src": ["'self'"],
        "script-src": ["'self'", "'strict-dynamic'"],
    },
    "content_security_policy_nonce_in": ["script-src"],
    "force_https": False,
    "session_cookie_secure": False,
}
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
LOG_LEVEL = "WARNING"

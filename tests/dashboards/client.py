"""Superset over HTTP, as a browser or a script of its users speaks to it."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from telemetry.settings import Settings
from tests.dashboards.bundle import Panel

PATIENCE_S = 120


@dataclass(frozen=True, slots=True)
class Client:
    """Somebody who is logged in."""

    http: httpx.Client

    def get(self, path: str) -> Any:
        """Return the JSON that a path answers; raise where it refuses."""
        return self.http.get(path).raise_for_status().json()

    def datasets(self) -> dict[str, int]:
        """Return the number of each dataset by its uuid."""
        columns = "q=(columns:!(id,uuid),page_size:100)"
        return {found["uuid"]: found["id"] for found in self.get(f"dataset/?{columns}")["result"]}

    def ask(self, panel: Panel, number: int, *, force: bool = False) -> httpx.Response:
        """Send a panel's query."""
        context = {**panel.query_context, "datasource": {"id": number, "type": "table"}}
        return self.http.post("chart/data", json={**context, "force": force})


@contextmanager
def log_in(url: str, name: str, password: str) -> Iterator[Client]:
    """Yield a client with the token that Superset gives to a user."""
    with httpx.Client(base_url=f"{url}/api/v1/", timeout=PATIENCE_S) as http:
        login = {"username": name, "password": password, "provider": "db"}
        answer = http.post("security/login", json=login).raise_for_status().json()
        http.headers["Authorization"] = f"Bearer {answer['access_token']}"
        token = http.get("security/csrf_token/").raise_for_status().json()
        http.headers["X-CSRFToken"] = token["result"]
        yield Client(http)


def logged(settings: Settings) -> set[tuple[str, str]]:
    """Return which actions and events Superset has written down."""
    with closing(sqlite3.connect(settings.home / "superset" / "superset.db")) as database:
        rows = database.execute("select action, json from logs").fetchall()
    return {(action, json.loads(said or "{}").get("event_name", "")) for action, said in rows}

"""The alerts service over HTTP, in process: a desk, keys, and requests as somebody."""

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient, Response

from services.alerts.app import application
from services.alerts.served import Service
from services.callers import digest
from services.directory import Directory
from telemetry.changes import ALL_TENANTS, ApiKeyBody, Change, ChangeKey, Role
from tests.services import postgresql
from tests.services.alert_parts import HOUR, NOON, Desk

FILE = """
receivers:
  hub: {kind: webhook, url: "http://127.0.0.1/hub"}
  mail: {kind: webhook, url: "http://127.0.0.1/mail"}
people:
  ann: {receivers: {mail: info}}
  eve: {receivers: {mail: info}, tenants: [other]}
route: {to: [hub, ann], group_by: [rule]}
"""
POSTED = {"rule": "door", "severity": "critical", "text": "door is open", "device": "room.r1"}


class Tested:
    """A desk, and requests as somebody."""

    __test__ = False

    def __init__(self, folder: Path, url: str | None = None) -> None:
        self.desk = Desk(folder, FILE, url=url)
        self.directory = Directory()
        self.app = application(Service(self.desk.engine, self.directory))
        self._edition = 0
        self.admin = self.key("admin", ALL_TENANTS)

    def key(self, role: Role, tenant: str = "default") -> str:
        self._edition += 1
        name = f"{self._edition:012x}"
        body = ApiKeyBody(digest(f"hw_{name}.secret"), role, "", NOON + 99 * HOUR)
        change = Change(ChangeKey("api_key", tenant, name), self._edition, NOON, body)
        self.directory.apply(change)
        return f"hw_{name}.secret"

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        **query: str,
    ) -> Response:
        sent = {"Authorization": f"Bearer {key or self.admin}", **(headers or {})}
        return asyncio.run(self._answer(method, path, body, sent, query))

    async def _answer(
        self,
        method: str,
        path: str,
        body: object,
        headers: Mapping[str, str],
        query: Mapping[str, str],
    ) -> Response:
        transport = ASGITransport(self.app)
        async with AsyncClient(transport=transport, base_url="http://alerts") as client:
            return await client.request(method, path, json=body, headers=headers, params=query)

    def json(self, method: str, path: str, body: object = None, **asked: Any) -> Any:
        answer = self.ask(method, path, body, **asked)
        assert answer.is_success, answer.text
        return answer.json()

    def post(self, key: str, **changes: object) -> Response:
        headers = {"Idempotency-Key": key}
        return self.ask("POST", "/v1/alerts", {**POSTED, **changes}, headers=headers)


def over_database(request: pytest.FixtureRequest, folder: Path) -> Iterator[Tested]:
    """Yield the service over the database that a fixture's parameter names."""
    url = None
    if request.param == "postgresql":
        url = postgresql.fresh_database(request.getfixturevalue("postgresql_socket"))
    found = Tested(folder, url)
    yield found
    found.desk.database.dispose()

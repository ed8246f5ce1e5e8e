"""A query service of a test's own: in process, over a lake that the test made."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from httpx import ASGITransport, AsyncClient, Response

from edge.key_file import key_ring
from services.callers import digest
from services.query.app import application
from services.query.pieces import MOST_RAW_ROWS
from services.query.start import AT_ONCE, open_service, warm_up, with_local_key
from telemetry.changes import ApiKeyBody, Body, Change, ChangeKey, Kind, Role
from telemetry.settings import Settings

NOW = datetime(2026, 6, 1, tzinfo=UTC)


class TestedQueries:
    """The parts together, and questions as somebody."""

    __test__ = False

    def __init__(
        self,
        home: Path,
        *,
        most_raw_rows: int = MOST_RAW_ROWS,
        at_once: int = AT_ONCE,
        **settings: Any,
    ) -> None:
        self.settings = Settings(home=home, **settings)
        self.now = NOW
        self.ring = key_ring(self.settings.registry_key_file)
        self.service = open_service(
            self.settings, lambda: self.now, most_raw_rows=most_raw_rows, at_once=at_once
        )
        with_local_key(self.service, self.settings)
        warm_up(self.service)
        self.app = application(self.service)
        self.local_key = self.settings.query_key_file.read_text().strip()
        self._edition = 0

    def tell(self, kind: Kind, tenant: str, name: str, body: Body | None) -> None:
        """Tell the service of a change in the registry."""
        self._edition += 1
        key = ChangeKey(kind, tenant, name)
        self.service.directory.apply(Change(key, self._edition, NOW, body))

    def key(self, tenant: str, role: Role = "viewer", lives: timedelta = timedelta(days=1)) -> str:
        """Have an API key of a tenant."""
        self._edition += 1
        name = f"{self._edition:012x}"
        text = f"hw_{name}.secret"
        self.tell("api_key", tenant, name, ApiKeyBody(digest(text), role, "", NOW + lives))
        return text

    def ask(
        self,
        path: str,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        **query: Any,
    ) -> Response:
        """Send a question; `key` '' sends none."""
        sent = dict(headers or {})
        if key != "":
            sent["Authorization"] = f"Bearer {key or self.local_key}"
        return asyncio.run(self._answer(path, query, sent))

    async def _answer(
        self, path: str, query: Mapping[str, object], headers: Mapping[str, str]
    ) -> Response:
        transport = ASGITransport(self.app)
        async with AsyncClient(transport=transport, base_url="http://query") as client:
            given = {name: str(value) for name, value in query.items() if value is not None}
            return await client.get(path, params=given or None, headers=headers)

    def json(self, path: str, **query: Any) -> dict[str, Any]:
        """Return the answer to a question that must have one."""
        answer = self.ask(path, **query)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

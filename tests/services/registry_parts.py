"""A registry of a test's own: in process, over SQLite or PostgreSQL, with a clock to turn."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
from httpx import ASGITransport, AsyncClient, Response

from services.registry.app import application
from services.registry.database import open_database
from services.registry.files import Files
from services.registry.follower import Follower, Sink
from services.registry.keys import Issue, first_admin, issue
from services.registry.served import Registry
from services.registry.start import first_tenant
from services.registry.store import Store
from telemetry.changes import Change, ChangeRecord, Role, decode_change
from telemetry.sealing import KeyRing

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)
RING = KeyRing("k1", {"k1": b"k" * 32})
Json = dict[str, object]


@dataclass(slots=True)
class Clock:
    """A clock that a test turns."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now

    def turn(self, span: timedelta) -> None:
        """Let time pass."""
        self.now += span


@dataclass(slots=True)
class Topic:
    """A sink that keeps records as Kafka would, and can be away."""

    name: str = "kafka"
    records: list[ChangeRecord] = field(default_factory=list)
    is_away: bool = False

    def has_lost_all(self) -> bool:
        """Say whether the topic is empty."""
        return not self.records

    def edition(self) -> int:
        """Return the edition of the last record."""
        return self.changes()[-1].edition if self.records else 0

    def take(self, records: Sequence[ChangeRecord]) -> None:
        """Keep the records, or fail halfway as a broker may."""
        if self.is_away:
            self.records += records[: len(records) // 2]
            raise OSError("away")
        self.records += records

    def changes(self) -> list[Change]:
        """Return the records as changes."""
        found = [decode_change(*record) for record in self.records]
        return [change for change in found if change]

    def held(self) -> dict[bytes, Change]:
        """Return the newest change of every key, as compaction leaves it; gone keys are out."""
        newest = {change.key.encoded(): change for change in self.changes()}
        return {key: change for key, change in newest.items() if change.body is not None}


class TestedRegistry:
    """The parts together, and requests as somebody."""

    __test__ = False

    def __init__(self, home: Path, url: str) -> None:
        self.home, self.clock, self.topic = home, Clock(), Topic()
        self.engine = open_database(url)
        self.store = Store(self.engine)
        first_tenant(self.store, NOW)
        key_file = home / "registry" / "admin.key"
        first_admin(self.store, key_file, NOW)
        self.admin = key_file.read_text().strip()
        self.started_again()

    def started_again(self) -> None:
        """Begin as a process does that finds database and files as another one left them."""
        self.files = Files(self.home / "registry", self.store, self.clock)
        sinks: list[Sink] = [self.files, self.topic]
        self.follower = Follower(self.store, sinks, self.files)
        parts = Registry(self.store, RING, self.clock, self.follower.wake, timedelta(days=90))
        self.app = application(parts)

    def key(self, role: Role, tenant: str = "default") -> str:
        """Make an API key."""
        with self.store.writing("test", self.clock()) as writing:
            return issue(writing, Issue(tenant, role))[1]

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Send a request with a JSON body, or bytes as they are."""
        sent = {"Content-Type": "application/json"} if body is not None else {}
        sent |= {"Authorization": f"Bearer {key or self.admin}", **(headers or {})}
        content = body if isinstance(body, bytes | None) else orjson.dumps(body)
        return asyncio.run(self._answer(method, path, content, sent))

    async def _answer(
        self, method: str, path: str, content: bytes | None, headers: Mapping[str, str]
    ) -> Response:
        transport = ASGITransport(self.app)
        async with AsyncClient(transport=transport, base_url="http://registry") as client:
            return await client.request(method, path, content=content, headers=headers)

    def done(self, method: str, path: str, body: object = None) -> Json:
        """Send a request as the admin; it must be done."""
        answer = self.ask(method, path, body)
        assert answer.is_success, answer.text
        found: Json = answer.json()
        return found

    def meter(self, *devices: str) -> None:
        """Declare product meter and enrol devices."""
        metrics = {"kwh": {"type": "double", "unit": "kWh"}}
        self.done("PUT", "/v1/products/meter", {"versions": [{"version": 1, "metrics": metrics}]})
        for device in devices:
            self.done("PUT", f"/v1/devices/{device}", {})

    def edition(self) -> int:
        """Return how many changes were committed."""
        with self.store.reading() as reading:
            return reading.edition()

    def close(self) -> None:
        """Let go of the database."""
        self.engine.dispose()

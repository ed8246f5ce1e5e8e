"""The account told to whoever proves it: as records of Kafka, or as files of the light stack."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from edge.outboxes import stack_mode
from gateway.account import Account, PageFiles, instance_of
from gateway.ingest import Ingest
from gateway.outlet import Outlet
from telemetry.accounts import PAGES, Page
from telemetry.settings import Settings
from telemetry.topics import GATEWAY_PAGES

LOOK_S = 0.005


class Teller:
    """Tells the pages of one process; `outlets` may hold records on disks of their own."""

    def __init__(
        self, ingest: Ingest, outlets: Sequence[Outlet], files: PageFiles | None = None
    ) -> None:
        self._ingest = ingest
        self._outlets = outlets
        self._files = files

    async def tick(self) -> None:
        """Tell what is due."""
        await self._tell(self._ingest.account.due(_now(), self._spooled()))

    async def close(self, within_s: float) -> None:
        """Wait until all that was taken is decided, and tell the rest."""
        give_up = time.monotonic() + within_s
        while sum(outlet.poll() for outlet in self._outlets) and time.monotonic() < give_up:
            await asyncio.sleep(LOOK_S)
        await self._tell(self._ingest.account.last(_now(), self._spooled()))

    def _spooled(self) -> Counter[bytes]:
        found: Counter[bytes] = Counter()
        for outlet in self._outlets:
            found.update(getattr(outlet, "spooled", {}))
        return found

    async def _tell(self, pages: Sequence[Page]) -> None:
        for page in pages:
            if self._files is not None:
                await asyncio.to_thread(self._files.tell, page)
            else:
                self._ingest.tell(GATEWAY_PAGES.name, page.instance.encode(), page.encoded())


def open_account(folder: Path) -> Account:
    """Return the account of the gateway that keeps a folder."""
    return Account(instance_of(folder))


def open_teller(
    settings: Settings, folder: Path, ingest: Ingest, outlets: Sequence[Outlet]
) -> Teller:
    """Return who tells the account in this kind of stack."""
    is_light = stack_mode(settings) == "light"
    files = PageFiles(folder / PAGES) if is_light else None
    return Teller(ingest, outlets, files)


def _now() -> int:
    return time.time_ns() // 1000

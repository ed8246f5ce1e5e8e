"""A body that takes long: whoever is revoked while it comes is heard no more."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import httpx
import pytest

from telemetry.changes import DeviceBody
from telemetry.devices import Device
from tests.gateway.entrances import EDITIONS, MESSAGE, House, enrol, house, signed
from tests.gateway.http.test_app import answers

SECRET = b"secret"
PATH = "/devices/pk.d1/telemetry"


def sent_slowly(one: House, meanwhile: Callable[[], None]) -> httpx.Response:
    """Send a message in two pieces, and do something between them."""
    client_id, username, password = signed("pk.d1", SECRET, timestamp=f"{time.time() * 1000:.0f}")
    basic = base64.b64encode(f"{username}:{password}".encode()).decode()
    headers = {"Authorization": f"Basic {basic}", "X-Client-Id": client_id}

    async def pieces() -> AsyncIterator[bytes]:
        yield MESSAGE[:9]
        await asyncio.sleep(0.05)
        meanwhile()
        yield MESSAGE[9:]

    return answers(one, lambda client: client.post(PATH, content=pieces(), headers=headers))


def revoked(one: House) -> None:
    one.directory.apply(EDITIONS.change("credential", "pk.d1/s1", None))


def disabled(one: House) -> None:
    body = DeviceBody(Device("pk.d1"), is_disabled=True)
    one.directory.apply(EDITIONS.change("device", "pk.d1", body))


def another(one: House) -> None:
    enrol(one.directory, "pk.d2", SECRET)


@pytest.mark.parametrize(("change", "status"), [(revoked, 401), (disabled, 401), (another, 202)])
def test_sender_that_is_revoked_while_its_body_comes_is_refused(
    change: Callable[[House], None], status: int
) -> None:
    one = house()
    enrol(one.directory, "pk.d1", SECRET)

    answer = sent_slowly(one, lambda: change(one))

    assert answer.status_code == status
    assert len(one.outlet.taken) == (status == 202)


def test_credential_that_ends_while_a_body_comes_is_over() -> None:
    one = house()
    until = datetime.fromtimestamp(time.time() + 0.5, UTC)
    enrol(one.directory, "pk.d1", SECRET, until=until)

    answer = sent_slowly(one, lambda: time.sleep(0.6))

    assert answer.status_code == 401
    assert one.outlet.taken == []

"""The gateway's process: what must not go on as if all were well."""

import asyncio
import gc
import socket

import pytest

from gateway.http.listener import HttpListener
from gateway.main import until_stopped
from telemetry.settings import Settings
from tests.end_to_end.stack import free_port_base
from tests.gateway.entrances import house


async def lasting() -> None:
    await asyncio.sleep(60)


async def failing() -> None:
    await asyncio.sleep(0)
    raise OSError("no time is kept")


def test_gateway_ends_with_the_work_that_it_cannot_do_without() -> None:
    async def play() -> None:
        working = [asyncio.create_task(lasting()), asyncio.create_task(failing())]
        try:
            await asyncio.wait_for(until_stopped(asyncio.Event(), working), 5)
        finally:
            working[0].cancel()

    with pytest.raises(OSError, match="no time is kept"):
        asyncio.run(play())


def test_gateway_that_is_told_to_stop_stops() -> None:
    async def play() -> bool:
        stopped, working = asyncio.Event(), [asyncio.create_task(lasting())]
        asyncio.get_running_loop().call_soon(stopped.set)
        await asyncio.wait_for(until_stopped(stopped, working), 5)
        return working[0].cancel()

    assert asyncio.run(play())


# The library leaves a socket open that it cannot bind.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_port_of_http_that_is_taken_is_told_at_once() -> None:
    settings = Settings(port_base=free_port_base())
    with socket.create_server(("127.0.0.1", settings.port("gateway_http"))):

        async def open_listener() -> None:
            HttpListener(house().entrance, settings)

        with pytest.raises(OSError, match="in use"):
            asyncio.run(open_listener())
    gc.collect()

"""The listeners on real ports, over an outlet in memory, on a thread of their own."""

import asyncio
import ssl
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import TypeVar

import uvloop

from gateway.coap.listener import listen_coap
from gateway.coap.site import tuning
from gateway.http.listener import HttpListener
from gateway.mqtt.connecting import Desk, MqttOptions
from gateway.mqtt.listener import MqttListener
from gateway.mqtt.sessions import Sessions
from gateway.polling import Poller
from telemetry.settings import Settings
from tests.end_to_end.stack import free_port_base
from tests.gateway.entrances import House

T = TypeVar("T")
ACK_TIMEOUT_S = 10.0
"""What a test was told it has acknowledged by then, however long the machine stalls."""


@dataclass
class Served:
    """A gateway that listens."""

    house: House
    secure: ssl.SSLContext | None = None
    options: MqttOptions = field(default_factory=MqttOptions)
    settings: Settings = field(default_factory=lambda: Settings(port_base=free_port_base()))
    loop: asyncio.AbstractEventLoop = field(default_factory=uvloop.new_event_loop)
    mqtt: MqttListener = field(init=False)

    def __post_init__(self) -> None:
        ready = threading.Event()
        self._stopped = asyncio.Event()
        self._thread = threading.Thread(
            target=self.loop.run_until_complete, args=[self._serve(ready)], daemon=True
        )
        self._thread.start()
        assert ready.wait(20)

    async def _serve(self, ready: threading.Event) -> None:
        entrance, outlet = self.house.entrance, self.house.outlet
        poller = Poller([outlet])
        entrance.ingest.polled_by(poller.wake)
        poller.ingest = entrance.ingest
        desk = Desk(entrance, Sessions(entrance.counters), self.options)
        self.mqtt = MqttListener(desk)
        poller.after = self.mqtt.flush
        await self.mqtt.listen("127.0.0.1", self.port("mqtt"))
        if self.secure:
            await self.mqtt.listen("127.0.0.1", self.port("mqtts"), self.secure)
        coap = await listen_coap(entrance, "127.0.0.1", self.port("coap"), tuning(ACK_TIMEOUT_S, 2))
        http = HttpListener(entrance, self.settings)
        while not await self._answers():
            await asyncio.sleep(0.02)
        ready.set()
        await self._stopped.wait()
        await self.mqtt.close()
        await http.close()
        await coap.shutdown()

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port("http"))
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True

    def port(self, protocol: str) -> int:
        return self.settings.port(f"gateway_{protocol}")

    def do(self, work: Coroutine[None, None, T]) -> T:
        """Do something on the gateway's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(20)
        self.loop.close()

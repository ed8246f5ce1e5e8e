"""Devices over MQTT 5: a connection for each, opened before or with its first record."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import NamedTuple

from edge.device_outbox import Connections, Posting, Settled
from edge.loopback import source_of
from edge.mqtt_device import KEEP_ALIVE_S, MqttDevice

MOST_AT_ONCE = 200
"""Connections that are opened, and wait to be let in, at the same time."""


class Login(NamedTuple):
    """What a device shows to be let in."""

    client_id: str
    username: str
    password: str


LoginOf = Callable[[str], Login]
"""Called with a device's full name before each CONNECT, since signatures and tokens age."""


class MqttSender:
    """All devices of an outbox."""

    def __init__(
        self,
        settled: Settled,
        address: tuple[str, int],
        login: LoginOf,
        *,
        at_once: int = MOST_AT_ONCE,
    ) -> None:
        self.settled = settled
        self.host, self.port = address
        self.login = login
        self.loop = asyncio.get_event_loop()
        self.at_once = asyncio.Semaphore(at_once)
        self.is_closed = False
        self.connections = Connections()
        self.has_connections = True
        self._devices: dict[str, MqttDevice] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._pinging = self.loop.call_later(KEEP_ALIVE_S, self._ping)

    def open(self, names: Sequence[str]) -> None:
        """Connect devices that have nothing to send yet."""
        for name in names:
            self._device(name)

    def send(self, posting: Posting) -> None:
        """Send a record as its device."""
        self._device(posting.device_full).send(posting)

    def _device(self, name: str) -> MqttDevice:
        device = self._devices.get(name)
        if device is None:
            source = source_of(self.host, len(self._devices))
            device = self._devices[name] = MqttDevice(self, name, source)
            self._start(device.connect())
        return device

    def entered(self) -> None:
        """Count a device that is in."""
        self.connections.open += 1

    def refused(self, why: str) -> None:
        """Count a device that is not let in."""
        self.connections.refusals[why] += 1

    def lost(self, comes_back: Coroutine[None, None, None]) -> None:
        """Have a device come back that was in."""
        self.connections.open -= 1
        self.connections.lost += 1
        self._start(comes_back)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _ping(self) -> None:
        for device in self._devices.values():
            device.ping()
        self._pinging = self.loop.call_later(KEEP_ALIVE_S, self._ping)

    async def close(self) -> None:
        """Say goodbye."""
        self.is_closed = True
        self._pinging.cancel()
        for device in self._devices.values():
            device.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.sleep(0)

"""The HTTP listener on asyncio: HTTP/1.1 and HTTP/2, TLS where a certificate is configured."""

import asyncio
import ssl
import sys
from typing import cast

from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config, Sockets

from gateway.entrance import Entrance
from gateway.http.app import http_app
from gateway.http.connections import Connection, Framing
from gateway.http.logins import Certified
from gateway.probes import probe
from gateway.secure import server_context, shown_certificate
from telemetry.settings import Settings

GRACE_S = 5.0
HANDSHAKE_S = 10.0
PROTOCOLS = ("h2", "http/1.1")


class HttpListener:
    """Serves until closed."""

    def __init__(self, entrance: Entrance, settings: Settings) -> None:
        self._config = _config(settings)
        self._context = WorkerContext(None)
        self._connections: set[asyncio.Task[None]] = set()
        self._directory = entrance.directory
        self._secure = server_context(settings, self._directory, speaks=PROTOCOLS)
        self._framing = Framing(http_app(entrance), entrance.counters)
        self._app = ASGIWrapper(self._framing)  # type: ignore[arg-type]
        self._stopped = asyncio.Event()
        # Here, so that whoever opens the listener hears of a port that is taken.
        sockets = self._config.create_sockets()
        self._serving = asyncio.create_task(self._serve(sockets))

    async def _serve(self, sockets: Sockets) -> None:
        config, secure = self._config, self._secure
        servers = [
            await asyncio.start_server(
                self._connected,
                sock=sock,
                backlog=config.backlog,
                ssl=secure,
                ssl_handshake_timeout=config.ssl_handshake_timeout if secure else None,
            )
            for sock in (*sockets.secure_sockets, *sockets.insecure_sockets)
        ]
        await self._stopped.wait()
        for server in servers:
            server.close()
        await self._context.terminated.set()
        if self._connections:
            await asyncio.wait(self._connections, timeout=GRACE_S)
        for task in self._connections:
            task.cancel()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        app, loop = self._app, asyncio.get_running_loop()
        probe(writer.get_extra_info("socket"))
        secured = cast("ssl.SSLObject | None", writer.get_extra_info("ssl_object"))
        certificate = secured and shown_certificate(secured, self._directory)
        if certificate:
            app = ASGIWrapper(Certified(self._framing, certificate))  # type: ignore[arg-type]
        await Connection(app, loop, self._config, self._context, {}, reader, writer)

    async def close(self) -> None:
        """Finish what is under way, and stop."""
        self._stopped.set()
        await self._serving


def _config(settings: Settings) -> Config:
    config = Config()
    config.bind = [f"{settings.gateway_host}:{settings.port('gateway_http')}"]
    config.accesslog = config.errorlog = None
    config.include_server_header = False
    config.keep_alive_timeout = 75
    # By HTTP/2 the library ends a connection at such a number with its requests unanswered.
    config.keep_alive_max_requests = sys.maxsize
    # Who answers without reading its queue to the end would hold up what fills it for good.
    config.max_app_queue_size = 0
    config.ssl_handshake_timeout = HANDSHAKE_S
    if settings.gateway_certificate is not None:
        # That there are such files makes its ports secure; the context is ours.
        config.certfile = str(settings.gateway_certificate)
        config.keyfile = str(settings.gateway_certificate_key or settings.gateway_certificate)
    return config

"""The HTTP listener on asyncio: HTTP/1.1 and HTTP/2, TLS where a certificate is configured."""

import asyncio
import ssl

from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config

from gateway.entrance import Entrance
from gateway.http.app import http_app
from gateway.http.connections import Connection, Framing
from telemetry.settings import Settings

GRACE_S = 5.0


class HttpListener:
    """Serves until closed."""

    def __init__(self, entrance: Entrance, settings: Settings) -> None:
        self._config = _config(settings)
        self._context = WorkerContext(None)
        self._connections: set[asyncio.Task[None]] = set()
        self._app = ASGIWrapper(Framing(http_app(entrance), entrance.counters))  # type: ignore[arg-type]
        self._stopped = asyncio.Event()
        self._serving = asyncio.create_task(self._serve())

    async def _serve(self) -> None:
        config = self._config
        secure = config.create_ssl_context() if config.ssl_enabled else None
        sockets = config.create_sockets()
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
        loop = asyncio.get_running_loop()
        await Connection(self._app, loop, self._config, self._context, {}, reader, writer)

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
    config.alpn_protocols = ["h2", "http/1.1"]
    if settings.gateway_certificate is not None:
        config.certfile = str(settings.gateway_certificate)
        config.keyfile = str(settings.gateway_certificate_key or settings.gateway_certificate)
        config.verify_mode = ssl.VerifyMode.CERT_NONE
    return config

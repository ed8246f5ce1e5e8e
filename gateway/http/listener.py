"""The HTTP listener on asyncio: HTTP/1.1 and HTTP/2, TLS where a certificate is configured."""

import asyncio
import ssl

from hypercorn.asyncio import serve
from hypercorn.config import Config

from gateway.entrance import Entrance
from gateway.http.app import http_app
from telemetry.settings import Settings


class HttpListener:
    """Serves until closed."""

    def __init__(self, entrance: Entrance, settings: Settings) -> None:
        self._stopped = asyncio.Event()
        config = Config()
        config.bind = [f"{settings.gateway_host}:{settings.port('gateway_http')}"]
        config.accesslog = config.errorlog = None
        config.include_server_header = False
        config.keep_alive_timeout = 75
        config.graceful_timeout = 5
        config.alpn_protocols = ["h2", "http/1.1"]
        if settings.gateway_certificate is not None:
            config.certfile = str(settings.gateway_certificate)
            config.keyfile = str(settings.gateway_certificate_key or settings.gateway_certificate)
            config.verify_mode = ssl.VerifyMode.CERT_NONE
        app = http_app(entrance)
        self._serving = asyncio.create_task(
            serve(app, config, shutdown_trigger=self._stopped.wait)  # type: ignore[arg-type]
        )

    async def close(self) -> None:
        """Finish what is under way, and stop."""
        self._stopped.set()
        await self._serving

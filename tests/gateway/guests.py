"""Devices that have come in by each protocol, and notice when they are sent away."""

import asyncio
import ssl
import threading
import time
from collections.abc import Callable
from typing import Protocol

import httpx
from aiocoap import Context, Message, error
from aiocoap.numbers.codes import Code
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.gateway.entrances import MESSAGE, Signed, signed

WITHIN_S = 20.0


Secure = ssl.SSLContext | None
"""What a device shows by TLS, None: it comes without."""


def token(text: str) -> Signed:
    """Return a token as what a device shows."""
    return Signed("", "any", text)


BY_CERTIFICATE = Signed("", "", "")


def signed_now(device_full: str, secret: bytes) -> Signed:
    """Return what a device shows at this moment."""
    return signed(device_full, secret, timestamp=str(round(time.time() * 1000)))


class Guest(Protocol):
    """A device that is in."""

    def waits(self) -> None:
        """Return once it was sent away; fail if that takes too long."""

    def close(self) -> None:
        """Go, if it is still there."""


class MqttGuest:
    """Paho with a session; sent away by a DISCONNECT."""

    def __init__(self, port: int, device_full: str, shown: Signed, secure: Secure = None) -> None:
        self._in, self._gone = threading.Event(), threading.Event()
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            shown.client_id,
            protocol=paho.MQTTv5,
            reconnect_on_failure=False,
        )
        if shown.username:
            self._client.username_pw_set(shown.username, shown.password)
        if secure:
            self._client.tls_set_context(secure)
        self._client.on_connect = lambda *_given: self._in.set()
        self._client.on_disconnect = lambda *_given: self._gone.set()
        self._client.connect("localhost" if secure else "127.0.0.1", port)
        self._client.loop_start()
        assert self._in.wait(WITHIN_S)
        self._client.publish("devices/" + device_full + "/telemetry", MESSAGE, 1).wait_for_publish(
            5
        )
        assert self._client.is_connected()

    def waits(self) -> None:
        assert self._gone.wait(WITHIN_S), "still connected"

    def close(self) -> None:
        self._client.loop_stop()


class HttpGuest:
    """Posts with one login; sent away by a 401."""

    def __init__(self, port: int, device_full: str, shown: Signed, secure: Secure = None) -> None:
        host = "https://localhost" if secure else "http://127.0.0.1"
        self._url = f"{host}:{port}/devices/{device_full}/telemetry"
        self._client = httpx.Client(verify=secure or True, trust_env=False)
        if shown.client_id:
            self._client.auth = httpx.BasicAuth(shown.username, shown.password)
            self._client.headers["X-Client-Id"] = shown.client_id
        elif shown.password:
            self._client.headers["Authorization"] = f"Bearer {shown.password}"
        assert self._posts() == httpx.codes.ACCEPTED

    def _posts(self) -> int:
        return self._client.post(self._url, content=MESSAGE).status_code

    def waits(self) -> None:
        give_up = time.monotonic() + WITHIN_S
        while self._posts() != httpx.codes.UNAUTHORIZED:
            assert time.monotonic() < give_up, "still let in"
            time.sleep(0.05)

    def close(self) -> None:
        self._client.close()


class CoapGuest:
    """Observes its commands on a thread; sent away by a notification of 4.01."""

    def __init__(self, port: int, device_full: str, shown: Signed, secure: Secure = None) -> None:
        assert secure is None, "there is no DTLS"
        self._request = Message(
            code=Code.GET, uri=f"coap://127.0.0.1:{port}/devices/{device_full}/commands", observe=0
        )
        pairs = zip("cup", shown, strict=True) if shown.client_id else [("token", shown.password)]
        self._request.opt.uri_query = tuple(f"{name}={value}" for name, value in pairs)
        self._in, self._gone = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._observe()), daemon=True)
        self._thread.start()
        assert self._in.wait(WITHIN_S)

    async def _observe(self) -> None:
        context = await Context.create_client_context(transports=["simple6"])
        try:
            asked = context.request(self._request)
            assert (await asked.response).code == Code.CONTENT
            self._in.set()
            async for notification in asked.observation:
                if notification.code == Code.UNAUTHORIZED:
                    self._gone.set()
        except error.ObservationCancelled:
            self._gone.set()
        finally:
            await context.shutdown()
            await asyncio.sleep(0)

    def waits(self) -> None:
        assert self._gone.wait(WITHIN_S), "still observes"

    def close(self) -> None:
        self._thread.join(5)


GUESTS: dict[str, Callable[..., Guest]] = {
    "mqtt": MqttGuest,
    "http": HttpGuest,
    "coap": CoapGuest,
}

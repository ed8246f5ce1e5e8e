"""The outbox that the running stack reads from."""

import json
import socket
import time
from typing import Literal

from edge.device_outbox import DeviceOutbox, Sender, Settled
from edge.kafka import KafkaOutbox
from edge.local_key import local_key
from edge.open_files import allow_all_open_files
from edge.outbox import Outbox, OutboxError
from telemetry.local_tokens import local_token
from telemetry.settings import Settings

Via = Literal["mqtt", "http", "coap"]
GATEWAY_WITHIN_S = 10.0
"""How long a gateway that is being restarted is waited for."""
ASK_AGAIN_S = 0.25


def open_outbox(settings: Settings) -> Outbox:
    """Open Kafka or the spool, by the mode that `headwater up` wrote down."""
    if stack_mode(settings) == "light":
        # It brings pyarrow, which costs whoever has Kafka half a second and 40 MiB for nothing.
        from edge.spool import SpoolOutbox

        return SpoolOutbox(settings.spool_dir)
    return KafkaOutbox(settings.kafka_bootstrap)


def stack_mode(settings: Settings) -> str:
    """Return `full` or `light`; raise if no stack was ever started in this home."""
    try:
        mode = json.loads((settings.home / "stack.json").read_bytes()).get("mode")
    except FileNotFoundError as error:
        if settings.kafka:
            return "full"
        raise OutboxError(
            f"no stack was started in {settings.home}: run `headwater up` (or `up --light`) first"
        ) from error
    except (ValueError, AttributeError) as error:
        raise OutboxError(
            f"{settings.home / 'stack.json'} cannot be read: run `headwater up` again"
        ) from error
    if mode not in ("full", "light"):
        raise OutboxError(f"{settings.home / 'stack.json'} names the mode {mode!r}: run `up` again")
    return str(mode)


def open_device_outbox(settings: Settings, via: Via) -> DeviceOutbox:
    """Open the way that devices take: the gateway, as each record's own device."""
    allow_all_open_files()
    host = reachable(settings.gateway_host)
    await_gateway(host, settings.port("gateway_http"))
    key, port = local_key(settings.gateway_dir), settings.port(f"gateway_{via}")

    def token(device_full: str) -> str:
        return local_token(key, device_full, now=time.time())

    def sender(settled: Settled) -> Sender:
        if via == "mqtt":
            from edge.mqtt_sender import Login, MqttSender

            return MqttSender(settled, (host, port), lambda name: Login(name, name, token(name)))
        if via == "http":
            from edge.http_sender import HttpSender

            scheme = "https" if settings.gateway_certificate else "http"
            return HttpSender(settled, f"{scheme}://{in_url(host)}:{port}", token)
        from edge.coap_sender import CoapSender

        return CoapSender(settled, in_url(host), port, token)

    return DeviceOutbox(sender)


def await_gateway(host: str, port: int, within_s: float = GATEWAY_WITHIN_S) -> None:
    """Wait until a gateway listens; it opens its port of HTTP with all others, CoAP's too."""
    until = time.monotonic() + within_s
    while True:
        try:
            socket.create_connection((host, port), timeout=within_s).close()
        except OSError as error:
            if time.monotonic() > until:
                where = f"{in_url(host)}:{port}"
                raise OutboxError(
                    f"no gateway answers at {where}: start the stack with `headwater up`"
                ) from error
            time.sleep(min(ASK_AGAIN_S, within_s))
        else:
            return


def reachable(host: str) -> str:
    """Return an address to connect to, for one to listen at."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104


def in_url(host: str) -> str:
    """Return an address as a URL has it: of IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host

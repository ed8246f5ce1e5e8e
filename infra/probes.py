"""Whether a server answers."""

import json
import socket
import urllib.error
import urllib.request

from telemetry.errors import HeadwaterError
from telemetry.settings import PORT_NAMES

TIMEOUT_S = 2.0


def http_json(url: str, body: dict[str, object] | None = None) -> object:
    """Return the JSON that a server of this machine answers; raise OSError if it does not."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data, headers)  # noqa: S310 - our own http URLs
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            return json.load(answer)
    except ValueError as error:
        raise OSError(f"{url} does not answer with JSON") from error


def http_complaint(url: str) -> str | None:
    """Say why a server does not answer; None if it does."""
    try:
        http_json(url)
    except (OSError, urllib.error.URLError):
        return f"no answer at {url}"
    return None


def page_complaint(url: str) -> str | None:
    """Say why a server does not answer with a page; None if it does."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S):  # noqa: S310 - our own http URLs
            return None
    except (OSError, urllib.error.URLError):
        return f"no answer at {url}"


def port_complaint(port: int, host: str = "127.0.0.1") -> str | None:
    """Say that nobody listens on a port of this machine; None if somebody does."""
    try:
        socket.create_connection((host, port), timeout=TIMEOUT_S).close()
    except OSError:
        return f"nobody listens on port {port}"
    return None


def free_port_base() -> int:
    """Return a base from which the ports of a stack are free, below those that clients get."""
    for base in range(20000, 32000, 50):
        if all(_is_free(base + step) for step in range(len(PORT_NAMES))):
            return base
    raise HeadwaterError("no free range of ports between 20000 and 32000: see what listens there")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0

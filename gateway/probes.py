"""TCP's own questions to the other end: whoever is gone without a word is known after a while."""

import socket

PROBES = {
    "TCP_KEEPIDLE": 300,
    "TCP_KEEPINTVL": 60,
    "TCP_KEEPCNT": 5,
    "TCP_USER_TIMEOUT": 600_000,
}
"""A client that is gone without a word is known after 10 minutes; devices on slow radio sleep."""


def probe(sock: socket.socket) -> None:
    """Have the system ask a silent client whether it is there: it may have no keep-alive."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in PROBES.items():
        # Not every system has each of them.
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

"""Whether a broker can be reached at all, asked before a client tries for seconds."""

import socket

from kafka.errors import KafkaConnectionError

REACH_S = 2.0


def reach(bootstrap: str) -> None:
    """Raise if no server listens: the client would try for seconds and leave its sockets open."""
    for server in bootstrap.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=REACH_S).close()
        except (OSError, ValueError):
            continue
        return
    raise KafkaConnectionError(f"nobody listens at {bootstrap}")

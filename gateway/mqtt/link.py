"""What the incoming half of a connection belongs to."""

from collections.abc import Callable
from typing import NamedTuple

from gateway.entrance import Entrance
from gateway.mqtt.session import Session
from gateway.mqtt.sessions import Sessions
from gateway.mqtt.wire import Sink

Close = Callable[[int, str], None]


class Link(NamedTuple):
    """What an uplink belongs to."""

    session: Session
    sessions: Sessions
    entrance: Entrance
    sink: Sink
    version: int
    receive_maximum: int
    wants_reasons: bool
    close: Close
    most_routes: int
    largest: int
    """Most bytes of a packet that the client takes."""

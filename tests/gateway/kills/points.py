"""Five points between a message's sending and its acknowledgement, each seen from outside."""

from collections.abc import Callable
from enum import StrEnum

from tests.gateway.kills.devices import Device
from tests.gateway.kills.relays import Packet, Relay, Trap

PRODUCE = 0


class Point(StrEnum):
    """Where the gateway is killed."""

    BEFORE_AUTHENTICATION = "before authentication"
    PARSED = "parsed"
    PRODUCED = "produced"
    KAFKA_ACKNOWLEDGED = "acknowledged by Kafka, not to the device"
    AFTER = "acknowledged to the device"


HELD_BY_KAFKA = (Point.PRODUCED, Point.KAFKA_ACKNOWLEDGED, Point.AFTER)
"""Where the topic holds a message of those that were on their way."""


def set_trap(
    point: Point, device: Device, *, front: Relay, back: Relay, kill: Callable[[], None]
) -> Trap:
    """Have the gateway killed at a point; `front` is before it, `back` between it and Kafka."""
    match point:
        case Point.BEFORE_AUTHENTICATION:
            front.trap = trap = Trap(device.is_first_packet, False, kill)
        case Point.PARSED:
            back.trap = trap = Trap(is_produce, False, kill)
        case Point.PRODUCED:
            back.trap = trap = Trap(AnswersToProduce().fits, False, kill)
        case Point.KAFKA_ACKNOWLEDGED:
            front.trap = trap = Trap(device.is_acknowledgement, False, kill)
        case Point.AFTER:
            front.trap = trap = Trap(device.is_acknowledgement, True, kill)
    return trap


def is_produce(packet: Packet) -> bool:
    """Say whether a frame is a request to append records."""
    return not packet.is_down and int.from_bytes(packet.data[4:6]) == PRODUCE


class AnswersToProduce:
    """Knows which answers are to requests that append records, by their correlation ids."""

    def __init__(self) -> None:
        self._asked: set[tuple[int, bytes]] = set()

    def fits(self, packet: Packet) -> bool:
        """Say whether a frame is such an answer."""
        if packet.is_down:
            return (packet.connection, packet.data[4:8]) in self._asked
        if is_produce(packet):
            self._asked.add((packet.connection, packet.data[8:12]))
        return False

"""A stream of bytes cut into MQTT packets: first byte and body."""

from edge.mqtt.wire import LONGEST, PACKET_TOO_LARGE, MqttError, malformed, minimal, variable

Frame = tuple[int, bytes]


class Framer:
    """Holds the bytes of a packet that is not whole yet."""

    __slots__ = ("_maximum", "rest")

    def __init__(self, maximum: int = LONGEST) -> None:
        """Refuse packets of more than `maximum` bytes."""
        self.rest = b""
        """The packet that is begun; whoever cuts for itself takes it and puts it back."""
        self._maximum = maximum

    def feed(self, data: bytes) -> list[Frame]:
        """Take what came in and return the packets that are whole now."""
        if self.rest:
            data = self.rest + data
        frames: list[Frame] = []
        position = 0
        while (found := self.body_at(data, position)) is not None:
            start, stop = found
            frames.append((data[position], data[start:stop]))
            position = stop
        self.rest = data[position:]
        return frames

    def body_at(self, data: bytes, position: int) -> tuple[int, int] | None:
        """Return where the body of the packet at `position` starts and stops; None: it goes on."""
        size = len(data)
        if size - position < 2:
            return None
        length = data[position + 1]
        start = position + 2
        if length > 0x7F:
            found = _long_length(data, position, size)
            if found is None:
                return None
            length, start = found
        stop = start + length
        if stop - position > self._maximum:
            raise MqttError(PACKET_TOO_LARGE, f"a packet has at most {self._maximum} bytes here")
        return None if stop > size else (start, stop)


def _long_length(data: bytes, position: int, size: int) -> tuple[int, int] | None:
    """Return (length, where the body starts); None while the length is not whole."""
    value = shift = 0
    for offset in range(1, 5):
        if position + offset >= size:
            return None
        byte = data[position + offset]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return minimal(value, byte, shift), position + offset + 1
        shift += 7
    malformed("a length of more than four bytes")


def frame(head: int, body: bytes) -> bytes:
    """Return a packet's bytes."""
    return bytes((head,)) + variable(len(body)) + body

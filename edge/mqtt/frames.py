"""A stream of bytes cut into MQTT packets: first byte and body."""

from edge.mqtt.wire import LONGEST, PACKET_TOO_LARGE, MqttError, malformed, variable

Frame = tuple[int, bytes]


class Framer:
    """Holds the bytes of a packet that is not whole yet."""

    __slots__ = ("_maximum", "_rest")

    def __init__(self, maximum: int = LONGEST) -> None:
        """Refuse packets of more than `maximum` bytes."""
        self._rest = b""
        self._maximum = maximum

    @property
    def is_empty(self) -> bool:
        """Whether no packet is begun."""
        return not self._rest

    def feed(self, data: bytes) -> list[Frame]:
        """Take what came in and return the packets that are whole now."""
        if self._rest:
            data = self._rest + data
        frames: list[Frame] = []
        position, size = 0, len(data)
        while size - position >= 2:
            length = data[position + 1]
            start = position + 2
            if length > 0x7F:
                found = _long_length(data, position, size)
                if found is None:
                    break
                length, start = found
            stop = start + length
            if stop - position > self._maximum:
                raise MqttError(
                    PACKET_TOO_LARGE, f"a packet has at most {self._maximum} bytes here"
                )
            if stop > size:
                break
            frames.append((data[position], data[start:stop]))
            position = stop
        self._rest = data[position:] if position < size else b""
        return frames


def _long_length(data: bytes, position: int, size: int) -> tuple[int, int] | None:
    """Return (length, where the body starts); None while the length is not whole."""
    value = shift = 0
    for offset in range(1, 5):
        if position + offset >= size:
            return None
        byte = data[position + offset]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position + offset + 1
        shift += 7
    malformed("a length of more than four bytes")


def frame(head: int, body: bytes) -> bytes:
    """Return a packet's bytes."""
    return bytes((head,)) + variable(len(body)) + body

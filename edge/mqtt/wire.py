"""MQTT's data types: whole numbers, lengths, texts and binaries, read with every check."""

from typing import NoReturn

V311 = 4
V5 = 5
LONGEST = 268_435_455
"""Bytes behind the fixed header, at most."""


class MqttError(Exception):
    """The other side broke the protocol; `code` is MQTT 5's reason code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


MALFORMED = 0x81
PROTOCOL_ERROR = 0x82
TOPIC_FILTER_INVALID = 0x8F
TOPIC_NAME_INVALID = 0x90
TOPIC_ALIAS_INVALID = 0x94
PACKET_TOO_LARGE = 0x95


def malformed(reason: str) -> NoReturn:
    """Raise for bytes that no MQTT packet has."""
    raise MqttError(MALFORMED, reason)


class Reader:
    """Reads one packet's body from its start to its end."""

    __slots__ = ("_body", "_end", "_position")

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._position = 0
        self._end = len(body)

    @property
    def left(self) -> int:
        """Bytes that are not read yet."""
        return self._end - self._position

    def raw(self, length: int) -> bytes:
        """Read so many bytes."""
        start = self._position
        stop = start + length
        if stop > self._end:
            malformed("a packet ends before its fields do")
        self._position = stop
        return self._body[start:stop]

    def byte(self) -> int:
        """Read one byte."""
        return self.raw(1)[0]

    def number(self, length: int) -> int:
        """Read a big-endian number of so many bytes."""
        return int.from_bytes(self.raw(length))

    def binary(self) -> bytes:
        """Read bytes with their length in front."""
        return self.raw(self.number(2))

    def text(self) -> str:
        """Read a text with its length in front."""
        return read_text(self.binary())

    def variable(self) -> int:
        """Read a number of one to four bytes, seven bits each."""
        value = shift = 0
        for _ in range(4):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return minimal(value, byte, shift)
            shift += 7
        malformed("a length of more than four bytes")

    def rest(self) -> bytes:
        """Read all that is left."""
        return self.raw(self.left)

    def finish(self) -> None:
        """Raise if bytes are left over."""
        if self.left:
            malformed(f"{self.left} bytes behind a packet's last field")


def minimal(value: int, last: int, shift: int) -> int:
    """Return a number of one to four bytes, or raise where its last byte adds nothing."""
    if shift and not last:
        malformed(f"{value} is written with more bytes than it needs")
    return value


def read_text(raw: bytes) -> str:
    """Decode a UTF-8 text; one with U+0000 or a surrogate is malformed."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        malformed("a text is not UTF-8")
    if "\0" in text:
        malformed("a text holds U+0000")
    return text


def variable(value: int) -> bytes:
    """Return a number as one to four bytes."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def binary(value: bytes) -> bytes:
    """Return bytes with their length in front."""
    return len(value).to_bytes(2) + value


def text(value: str) -> bytes:
    """Return a text with its length in front."""
    return binary(value.encode())

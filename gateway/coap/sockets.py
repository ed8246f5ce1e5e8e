"""Sockets below CoAP, on one address or on all, and what becomes of bytes that are no message."""

import asyncio
import logging
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress

from aiocoap import Message
from aiocoap.error import UnparsableMessage
from aiocoap.interfaces import EndpointAddress, MessageManager
from aiocoap.message import Direction
from aiocoap.numbers.codes import Code
from aiocoap.transports.simplesocketserver import MessageInterfaceSimpleServer
from aiocoap.transports.udp6 import MessageInterfaceUDP6, UDP6EndpointAddress

ANY = ("", "0.0.0.0", "::")  # noqa: S104
LONGEST_TOKEN = 8
LONGEST = {6: 3, 7: 2, 12: 2, 14: 4, 17: 2, 23: 3, 27: 3, 28: 4, 60: 4}
"""Bytes of options that are numbers (RFC 7252, 5.10; 7641, 2; 7959, 2.1 and 4).

Of a content format aiocoap keeps each number that it was ever told, however long that is.
"""
_CON, _NON, _ACK, _RST = range(4)
_RESET, _ANSWER = 0x70, 0x60
_PAYLOAD = 0xFF


def read(data: bytes, remote: EndpointAddress) -> Message | bytes:
    """Return a message, or the answer to what is none (RFC 7252, 3 and 4.2): often no bytes."""
    if len(data) < 4 or data[0] >> 6 != 1:
        return b""
    kind, code, length = data[0] >> 4 & 3, data[1], data[0] & 0x0F
    reset = struct.pack("!B1xH", _RESET, *struct.unpack("!H", data[2:4])) if kind == _CON else b""
    if length > LONGEST_TOKEN or len(data) < 4 + length or not _fits(kind, code, len(data)):
        return reset
    is_asked = kind == _CON and code < 0x20
    strange = _strange(data, 4 + length)
    if strange and is_asked:
        return _bad_option(data, length, f"option {strange} is too long")
    if strange is not None:
        return reset
    try:
        return Message.decode(data, remote)
    except UnparsableMessage:
        return reset
    except UnicodeDecodeError:
        return _bad_option(data, length, "an option is not UTF-8") if is_asked else reset


def _fits(kind: int, code: int, size: int) -> bool:
    """Say whether a message of this kind may have such a code (RFC 7252, 4.1 and table 1)."""
    if code == 0:
        return kind != _NON and size == 4
    if code < 0x20:
        return kind in (_CON, _NON)
    return 0x40 <= code < 0xC0 and kind != _RST


def _strange(data: bytes, position: int) -> int | None:
    """Return which option is longer than it may be, 0 for a payload of no bytes, None for none."""
    for number, length in _options(data, position):
        if length > LONGEST.get(number, length) or not (number or length):
            return number
    return None


def _options(data: bytes, position: int) -> Iterator[tuple[int, int]]:
    """Yield number and length of each option, then of the payload as number 0, up to a break."""
    number = 0
    with suppress(IndexError):
        while data[position] != _PAYLOAD:
            delta, length = data[position] >> 4, data[position] & 15
            delta, position = _extended(data, delta, position + 1)
            length, position = _extended(data, length, position)
            number += delta
            yield number, length
            position += length
        yield 0, len(data) - position - 1


def _extended(data: bytes, nibble: int, position: int) -> tuple[int, int]:
    """Return a delta or length that stands in its nibble, or in one or two bytes."""
    if nibble < 13:
        return nibble, position
    if nibble == 13:
        return data[position] + 13, position + 1
    return (data[position] << 8 | data[position + 1]) + 269, position + 2


def _bad_option(data: bytes, length: int, why: str) -> bytes:
    head = struct.pack("!BB", _ANSWER | length, Code.BAD_OPTION)
    return head + data[2 : 4 + length] + bytes((_PAYLOAD,)) + why.encode()


class OneAddress(MessageInterfaceSimpleServer):  # type: ignore[misc]
    """A socket on one address."""

    def _received_datagram(self, address: EndpointAddress, datagram: bytes) -> None:
        found = read(datagram, address)
        if isinstance(found, Message):
            self._mman.dispatch_message(found)
        elif found:
            self.send_bytes(found, address)

    def send_bytes(self, data: bytes, remote: EndpointAddress) -> None:
        """Send a message that is encoded already."""
        remote.send(data)


class AllAddresses(MessageInterfaceUDP6):  # type: ignore[misc]
    """A socket on all addresses, which answers from the one that was asked."""

    def datagram_msg_received(
        self,
        data: bytes,
        ancdata: list[tuple[int, int, bytes]],
        flags: int,
        address: tuple[str, int, int, int],
    ) -> None:
        """Take a datagram and the address that it came to."""
        asked = [each for each in ancdata if each[:2] == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO)]
        remote = UDP6EndpointAddress(address, self, pktinfo=asked[0][2] if asked else None)
        found = read(data, remote)
        if isinstance(found, Message):
            found.direction = Direction.INCOMING
            self._ctx.dispatch_message(found)
        elif found:
            self.send_bytes(found, remote)

    def send_bytes(self, data: bytes, remote: UDP6EndpointAddress) -> None:
        """Send a message that is encoded already, from the address that was asked."""
        level, kind, info = socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, remote.pktinfo
        asked = [] if info is None else [(level, kind, info)]
        self.transport.sendmsg(data, asked, 0, remote.sockaddr)


async def open_socket(host: str, port: int, messages: MessageManager) -> OneAddress | AllAddresses:
    """Open the port of an address, or of all: those of IPv4, or by `::` those of IPv6 too."""
    log, loop = logging.getLogger("coap-server"), asyncio.get_running_loop()
    if host not in ANY:
        one: OneAddress = await OneAddress.create_server((host, port), messages, log=log, loop=loop)
        return one
    every: AllAddresses = await AllAddresses.create_server_transport_endpoint(
        messages, log=log, loop=loop, bind=(host or "::", port), multicast=[]
    )
    return every

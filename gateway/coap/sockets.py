"""Sockets below CoAP, on one address or on all, and what becomes of bytes that are no message."""

import asyncio
import logging
import socket
import struct

from aiocoap import Message
from aiocoap.error import UnparsableMessage
from aiocoap.interfaces import EndpointAddress, MessageManager
from aiocoap.message import Direction
from aiocoap.numbers.codes import Code
from aiocoap.transports.simplesocketserver import MessageInterfaceSimpleServer
from aiocoap.transports.udp6 import MessageInterfaceUDP6, UDP6EndpointAddress

ANY = ("", "0.0.0.0", "::")  # noqa: S104
LONGEST_TOKEN = 8
_CON, _RESET, _ACK = 0, 0x70, 0x60
_NOT_UTF8 = b"\xffan option is not UTF-8"


def read(data: bytes, remote: EndpointAddress) -> Message | bytes:
    """Return a message, or the answer to what is none (RFC 7252, 3 and 4.2): often no bytes."""
    if len(data) < 4 or data[0] >> 6 != 1:
        return b""
    is_confirmable, code = data[0] >> 4 & 3 == _CON, data[1]
    reset = struct.pack("!B1xH", _RESET, *struct.unpack("!H", data[2:4])) if is_confirmable else b""
    length = data[0] & 0x0F
    if length > LONGEST_TOKEN or len(data) < 4 + length:
        return reset
    try:
        return Message.decode(data, remote)
    except UnparsableMessage:
        return reset
    except UnicodeDecodeError:
        if not is_confirmable or not 0 < code < 0x20:
            return reset
        head = struct.pack("!BB", _ACK | length, Code.BAD_OPTION)
        return head + data[2 : 4 + length] + _NOT_UTF8


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

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

from gateway.coap.options import PAYLOAD, FormatError, OptionError, sifted

ANY = ("", "0.0.0.0", "::")  # noqa: S104
LONGEST_TOKEN = 8
_CON, _NON, _ACK, _RST = range(4)
_RESET, _ANSWER = 0x70, 0x60


def read(data: bytes, remote: EndpointAddress) -> Message | bytes:
    """Return a message, or the answer to what is none (RFC 7252, 3 and 4.2): often no bytes."""
    if len(data) < 4 or data[0] >> 6 != 1:
        return b""
    kind, code, length = data[0] >> 4 & 3, data[1], data[0] & 0x0F
    reset = struct.pack("!B1xH", _RESET, *struct.unpack("!H", data[2:4])) if kind == _CON else b""
    if length > LONGEST_TOKEN or len(data) < 4 + length or not _fits(kind, code, len(data)):
        return reset
    is_asked = kind == _CON and code < 0x20
    try:
        return Message.decode(sifted(data, 4 + length), remote)
    except (FormatError, UnparsableMessage):
        return reset
    except OptionError as error:
        return _refusal(data, length, error.code, str(error)) if is_asked else reset
    except UnicodeDecodeError:
        if not is_asked:
            return reset
        return _refusal(data, length, Code.BAD_OPTION, "an option is not UTF-8")


def _fits(kind: int, code: int, size: int) -> bool:
    """Say whether a message of this kind may have such a code (RFC 7252, 4.1 and table 1)."""
    if code == 0:
        return kind != _NON and size == 4
    if code < 0x20:
        return kind in (_CON, _NON)
    return 0x40 <= code < 0xC0 and kind != _RST


def _refusal(data: bytes, length: int, code: Code, why: str) -> bytes:
    head = struct.pack("!BB", _ANSWER | length, code)
    return head + data[2 : 4 + length] + bytes((PAYLOAD,)) + why.encode()


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

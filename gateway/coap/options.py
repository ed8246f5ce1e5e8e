"""Options of a request: which are let go, and which must be understood (RFC 7252, 5.4).

One whose length is not in its range, and one more of a kind of which there is only one, are as if
nobody knew them: a critical one is refused, any other let go. They are looked at as bytes, since
aiocoap keeps each number of an option that it has ever read, and there are four thousand million.
"""

from collections.abc import Iterator
from typing import NamedTuple

from aiocoap import Message, resource
from aiocoap.numbers.codes import Code
from aiocoap.numbers.optionnumbers import OptionNumber
from aiocoap.pipe import Pipe

TOKEN_OPTION = 2088
"""Where Alibaba's clients put their token."""
LENGTHS = {
    OptionNumber.URI_HOST: (1, 255),
    OptionNumber.OBSERVE: (0, 3),
    OptionNumber.URI_PORT: (0, 2),
    OptionNumber.URI_PATH: (0, 255),
    OptionNumber.CONTENT_FORMAT: (0, 2),
    OptionNumber.URI_QUERY: (0, 255),
    OptionNumber.ACCEPT: (0, 2),
    OptionNumber.BLOCK2: (0, 3),
    OptionNumber.BLOCK1: (0, 3),
    OptionNumber.PROXY_URI: (1, 1034),
    OptionNumber.PROXY_SCHEME: (1, 255),
    OptionNumber.SIZE1: (0, 4),
    OptionNumber.NO_RESPONSE: (0, 1),
    OptionNumber.REQUEST_TAG: (0, 8),
    TOKEN_OPTION: (0, 65_535),
}
"""Bytes, least and most, of the options that have a meaning here."""
REPEATED = {OptionNumber.URI_PATH, OptionNumber.URI_QUERY, OptionNumber.REQUEST_TAG}
OF_PROXIES = {OptionNumber.PROXY_URI, OptionNumber.PROXY_SCHEME}
MOST_OPTIONS = 256
"""Of a datagram: a path of 256 letters has fewer, and one datagram may hold 65,000."""
PAYLOAD = 0xFF


class FormatError(Exception):
    """Bytes that are no options: one that breaks off, or a payload without a byte."""


class OptionError(Exception):
    """A request must be refused with `code` for its options."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code


class _Option(NamedTuple):
    number: int
    value: bytes


def sifted(data: bytes, start: int) -> bytes:
    """Return a datagram with those of its options, which begin at `start`, that mean something."""
    found, end = _options(data, start)
    kept = list(_kept(found))
    return data if len(kept) == len(found) else data[:start] + _packed(kept) + data[end:]


def _options(data: bytes, position: int) -> tuple[list[_Option], int]:
    """Return the options, and where they end."""
    found: list[_Option] = []
    number, size = 0, len(data)
    while position < size and data[position] != PAYLOAD:
        if len(found) == MOST_OPTIONS:
            raise OptionError(Code.BAD_REQUEST, f"more than {MOST_OPTIONS} options")
        head = data[position]
        delta, position = _extended(data, head >> 4, position + 1)
        length, position = _extended(data, head & 15, position)
        number += delta
        if position + length > size:
            raise FormatError
        found.append(_Option(number, data[position : position + length]))
        position += length
    if position == size - 1:
        raise FormatError
    return found, position


def _extended(data: bytes, nibble: int, position: int) -> tuple[int, int]:
    """Return a delta or length that stands in its nibble, or in one or two bytes behind it."""
    more = max(nibble - 12, 0)
    if more == 3 or position + more > len(data):
        raise FormatError
    value = int.from_bytes(data[position : position + more])
    return (nibble, 13 + value, 269 + value)[more], position + more


def _kept(found: list[_Option]) -> Iterator[_Option]:
    seen: set[int] = set()
    for option in found:
        fault = _fault(option, seen)
        seen.add(option.number)
        if not fault:
            yield option
        elif option.number & 1:
            raise OptionError(Code.BAD_OPTION, f"critical option {option.number} {fault}")


def _fault(option: _Option, seen: set[int]) -> str:
    """Say what is wrong with an option behind others; nothing is often."""
    number, size = option.number, len(option.value)
    if number not in LENGTHS:
        return "is not known"
    least, most = LENGTHS[number]
    if not least <= size <= most:
        return f"has {size} bytes: {least} to {most} are allowed"
    return "comes again" if number in seen and number not in REPEATED else ""


def _packed(options: list[_Option]) -> bytes:
    out, before = bytearray(), 0
    for number, value in options:
        delta, distance = _nibble(number - before)
        length, size = _nibble(len(value))
        out += bytes((delta << 4 | length,)) + distance + size + value
        before = number
    return bytes(out)


def _nibble(value: int) -> tuple[int, bytes]:
    if value < 13:
        return value, b""
    return (13, (value - 13).to_bytes(1)) if value < 269 else (14, (value - 269).to_bytes(2))


def strange(request: Message) -> Message | None:
    """Return the answer to a request that no resource can serve; None if one may."""
    numbers = {option.number for option in request.opt.option_list()}
    if numbers & OF_PROXIES:
        return Message(code=Code.PROXYING_NOT_SUPPORTED)
    blocks = (request.opt.block1, request.opt.block2)
    if any(block is not None and block.is_bert for block in blocks):
        # RFC 7959, 2.2: size exponent 7 is reserved over datagrams.
        return Message(code=Code.BAD_REQUEST, payload=b"no block has size exponent 7")
    return None


class CheckedSite(resource.Site):  # type: ignore[misc]
    """All resources, behind that look at the request."""

    async def render_to_pipe(self, request: Pipe) -> None:
        """Serve a request, or refuse it."""
        answer = strange(request.request)
        if answer is None:
            await super().render_to_pipe(request)
        else:
            request.add_response(answer, is_last=True)

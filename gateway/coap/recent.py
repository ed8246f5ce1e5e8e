"""Requests that came before: by sender, number and what they say, for a time and within a bound.

A number alone is not enough: a device that starts again may begin at the same one, and behind a NAT
another device may come by the same port. Told what it did not ask, its message would be lost.

aiocoap keeps each for 247 s with its answer and all of the request, however many there are: a
thousand a second become half a gigabyte, and whoever sends them need not even be let in.

What goes out beside that: notifications in one order for all observations, since a renewed one must
not begin at 0 again (RFC 7641, 4.4), and messages whose sender wants to know that they were heard.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

from aiocoap import Message
from aiocoap.interfaces import EndpointAddress
from aiocoap.messagemanager import MessageManager
from aiocoap.numbers.types import ACK, CON, RST
from aiocoap.tokenmanager import TokenManager

MOST_RECENT = 50_000
"""A thousand a second for as long as a request is sent again (RFC 7252: 45 s)."""
ORDERS_A_S = 1_000
"""RFC 7641 allows fewer than 2^23 in 256 s."""
ORDERS = 1 << 24


@dataclass(slots=True)
class _Recent:
    until: float
    mark: bytes
    """Tells the request from another one under its number."""
    token: bytes
    answer: bytes = b""
    """Empty while there is none, or where the request asked for no acknowledgement."""


@dataclass(frozen=True, slots=True)
class _Watched:
    """Whom to call when a message is reset, as aiocoap asks, and when it is acknowledged."""

    reset: Callable[[], None]
    heard: Callable[[], None]

    def __call__(self) -> None:
        """Tell of a reset."""
        self.reset()


class Messages(MessageManager):  # type: ignore[misc]
    """aiocoap's layer of messages, with a memory of its own for what came before."""

    def __init__(
        self,
        tokens: TokenManager,
        *,
        kept_s: float,
        most: int = MOST_RECENT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(tokens)
        self._kept_s = kept_s
        self._most = most
        self._clock = clock
        self._recent: OrderedDict[tuple[EndpointAddress, int], _Recent] = OrderedDict()
        self._order = 0

    def __len__(self) -> int:
        return len(self._recent)

    def _deduplicate_message(self, message: Message) -> bool:
        """Say whether a request came before, and if it did send its answer again."""
        now, key = self._clock(), (message.remote, message.mid)
        while self._recent and next(iter(self._recent.values())).until <= now:
            self._recent.popitem(last=False)
        known, mark = self._recent.get(key), _mark(message)
        if known is None or known.mark != mark:
            self._recent[key] = _Recent(now + self._kept_s, mark, message.token)
            self._recent.move_to_end(key)
            if len(self._recent) > self._most:
                self._recent.popitem(last=False)
            return False
        if known.answer and message.mtype is CON:
            remote = message.remote.as_response_address()
            self.message_interface.send_bytes(known.answer, remote)
        return True

    def _store_response_for_duplicates(self, message: Message) -> None:
        """Keep an acknowledgement as bytes; a number of our own is no request's."""
        is_answer = message.mtype in (ACK, RST)
        known = self._recent.get((message.remote, message.mid)) if is_answer else None
        # What another request under this number was still owed is not the answer to this one.
        if known is not None and message.token in (b"", known.token):
            known.answer = message.encode()

    def send_message(self, message: Message, messageerror_monitor: Callable[[], None]) -> None:
        """Send a message; one with `heard` is acknowledged by itself, and that is called then."""
        if message.code.is_response() and message.opt.observe is not None:
            message.opt.observe = self._next_order()
        heard = getattr(message, "heard", None)
        if heard is not None:
            self._part(message)
            messageerror_monitor = _Watched(messageerror_monitor, heard)
        super().send_message(message, messageerror_monitor)

    def _next_order(self) -> int:
        self._order = max(self._order + 1, int(self._clock() * ORDERS_A_S))
        return self._order % ORDERS

    def _part(self, message: Message) -> None:
        """Have a request acknowledged now, so that its answer is a message of its own."""
        remote = message.remote
        found = self._piggyback_opportunities.pop((remote, message.token), None)
        if found is not None:
            mid, handle = found
            handle.cancel()
            self._send_empty_ack(remote, mid, reason="its answer must be acknowledged")

    def _remove_exchange(self, message: Message) -> None:
        """End the wait for an acknowledgement, and say so to whom it concerns."""
        watched, _ = self._active_exchanges.get((message.remote, message.mid), (None, None))
        super()._remove_exchange(message)
        if message.mtype is ACK and isinstance(watched, _Watched):
            watched.heard()


def _mark(message: Message) -> bytes:
    """Return what tells a request from another: its code, token, options and payload."""
    told = (bytes([message.code]), message.token, message.opt.encode())
    digest = blake2b(b"".join(len(each).to_bytes(4) + each for each in told), digest_size=16)
    digest.update(message.payload)
    return digest.digest()

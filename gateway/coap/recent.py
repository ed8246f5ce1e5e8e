"""Requests that came before: known by sender and number, for a time and within a bound.

aiocoap keeps each for 247 s with its answer and all of the request, however many there are: a
thousand a second become half a gigabyte, and whoever sends them need not even be let in.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from aiocoap import Message
from aiocoap.interfaces import EndpointAddress
from aiocoap.messagemanager import MessageManager
from aiocoap.numbers.types import ACK, CON, RST
from aiocoap.tokenmanager import TokenManager

MOST_RECENT = 50_000
"""A thousand a second for as long as a request is sent again (RFC 7252: 45 s)."""


@dataclass(slots=True)
class _Recent:
    until: float
    answer: bytes = b""
    """Empty while there is none, or where the request asked for no acknowledgement."""


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

    def __len__(self) -> int:
        return len(self._recent)

    def _deduplicate_message(self, message: Message) -> bool:
        """Say whether a request came before, and if it did send its answer again."""
        now, key = self._clock(), (message.remote, message.mid)
        while self._recent and next(iter(self._recent.values())).until <= now:
            self._recent.popitem(last=False)
        known = self._recent.get(key)
        if known is None:
            self._recent[key] = _Recent(now + self._kept_s)
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
        if known is not None:
            known.answer = message.encode()

"""Requests that come block by block: put together within bounds, before anybody is let in.

Whoever sends blocks is not known yet, and a datagram's address proves nothing. So a request has a
size that it may reach, an address so many requests that have begun, and all together a size.
"""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from aiocoap import Message
from aiocoap.blockwise import ContinueException, IncompleteException, _extract_block_key
from aiocoap.error import RenderableError
from aiocoap.numbers.codes import Code
from aiocoap.numbers.constants import TransportTuning

from gateway.coap.receipts import host, refusal
from gateway.ingest import Ingest
from gateway.outcome import Rejected

MOST_OF_ADDRESS = 64
MOST_HELD = 32 * 1024 * 1024
FORGOTTEN_AFTER_S = 93.0
"""RFC 7252's MAX_TRANSMIT_WAIT: nobody sends the next block after that."""
OVERHEAD = 4096
"""What one that has begun holds beside its payload and options."""
IDLE_S = 10.0
"""One that waits for longer may make room for another."""


@dataclass(slots=True)
class _Begun:
    first: Message
    address: str
    heard_at: float
    overhead: int
    payload: bytearray = field(default_factory=bytearray)


class Refused(RenderableError):  # type: ignore[misc]
    """A block is refused."""

    def __init__(self, message: Message) -> None:
        super().__init__()
        self._message = message

    def to_message(self) -> Message:
        """Return what the client is told."""
        return self._message


class Assemblies:
    """Stands where aiocoap has its own assembly, which has no bounds."""

    def __init__(
        self,
        ingest: Ingest,
        timers: TransportTuning,
        *,
        most_held: int = MOST_HELD,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ingest = ingest
        self._timers = timers
        self._most_held = most_held
        self._clock = clock
        self._begun: OrderedDict[Hashable, _Begun] = OrderedDict()
        self._of_address: Counter[str] = Counter()
        self.held = 0
        """Bytes of all that has begun."""

    def __len__(self) -> int:
        return len(self._begun)

    def feed_and_take(self, request: Message) -> Message:
        """Return the whole request with its last block; raise the answer to any before it."""
        block = request.opt.block1
        if block is None:
            return request
        if block.is_bert or not block.is_valid_for_payload_size(len(request.payload)):
            raise Refused(Message(code=Code.BAD_REQUEST, payload=b"a block has not its size"))
        key = _extract_block_key(request)
        if block.block_number == 0:
            self._forget(key)
            begun = self._begin(key, request)
        else:
            begun = self._next(key, block.start)
        self._append(key, begun, request.payload)
        if block.more:
            raise ContinueException(block)
        self._forget(key)
        return _whole(begun, request)

    def _begin(self, key: Hashable, request: Message) -> _Begun:
        if (request.opt.size1 or 0) > self._ingest.most_bytes:
            raise self._too_large(request.opt.size1)
        now, address = self._clock(), host(request)
        self._forget_old(now)
        overhead = OVERHEAD + sum(len(each.encode()) for each in request.opt.option_list())
        if self._of_address[address] >= MOST_OF_ADDRESS:
            self._make_room(address, now)
        while self._is_full(overhead):
            self._make_room(address, now)
        begun = self._begun[key] = _Begun(request, address, now, overhead)
        self._of_address[address] += 1
        self.held += overhead
        return begun

    def _is_full(self, more: int) -> bool:
        return self.held + more > self._most_held

    def _next(self, key: Hashable, start: int) -> _Begun:
        begun = self._begun.get(key)
        if begun is None or len(begun.payload) != start:
            raise IncompleteException
        begun.heard_at = self._clock()
        self._begun.move_to_end(key)
        return begun

    def _append(self, key: Hashable, begun: _Begun, payload: bytes) -> None:
        size = len(begun.payload) + len(payload)
        if size > self._ingest.most_bytes:
            self._forget(key)
            raise self._too_large(size)
        while self._is_full(len(payload)):
            self._make_room(begun.address, begun.heard_at)
        begun.payload += payload
        self.held += len(payload)

    def _too_large(self, size: int) -> Refused:
        answer = refusal(self._ingest.too_large(size), self._timers)
        answer.opt.size1 = self._ingest.most_bytes
        return Refused(answer)

    def _make_room(self, address: str, now: float) -> None:
        """Forget the longest idle one, of this address if it has too many, or refuse."""
        is_own = self._of_address[address] >= MOST_OF_ADDRESS
        found = self._begun.items()
        key = next((key for key, each in found if not is_own or each.address == address), None)
        if key is None or now - self._begun[key].heard_at < IDLE_S:
            raise Refused(refusal(self._ingest.counted(_crowded(is_own)), self._timers))
        self._forget(key)

    def _forget_old(self, now: float) -> None:
        while self._begun:
            key, oldest = next(iter(self._begun.items()))
            if now - oldest.heard_at < FORGOTTEN_AFTER_S:
                return
            self._forget(key)

    def _forget(self, key: Hashable) -> None:
        begun = self._begun.pop(key, None)
        if begun is None:
            return
        self.held -= len(begun.payload) + begun.overhead
        self._of_address[begun.address] -= 1
        if not self._of_address[begun.address]:
            del self._of_address[begun.address]


def _whole(begun: _Begun, last: Message) -> Message:
    """Return the first block's message with the payload of all, to be answered as the last one."""
    whole = begun.first
    whole.payload = bytes(begun.payload)
    whole.opt.block1, whole.token, whole.mid = last.opt.block1, last.token, last.mid
    if last.opt.block2 is not None:
        whole.opt.block2 = last.opt.block2
    return whole


def _crowded(is_own: bool) -> Rejected:
    if is_own:
        text = f"{MOST_OF_ADDRESS} requests of this address have begun and are not whole"
        return Rejected("rate", text, limit="address", retry_after_s=IDLE_S)
    text = "too many requests have begun and are not whole"
    return Rejected("busy", text, limit="blocks", retry_after_s=IDLE_S)

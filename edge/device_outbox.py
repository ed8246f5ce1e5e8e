"""Devices as an outbox: records go through the gateway, each from its own device, by one protocol.

What the gateway refuses is no failure of the outbox: it is counted by reason, and whoever sent the
record is told if it asked to be.
"""

import asyncio
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

import uvloop

from edge.outbox import OnAck, OutboxError, OutRecord

MOST_WAITING = 20_000
CLOSE_TIMEOUT_S = 30.0
START_TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 60.0
"""Without one more connection, while they are opened."""
ANSWER_WITHIN_S = 120.0
TIMED_OUT = "timed out"
"""The reason of a record that nobody answered; it may be durable all the same."""


@runtime_checkable
class Receipt(Protocol):
    """An acknowledgement's listener that is told of refusals and of further copies as well."""

    def __call__(self, at: int) -> None:
        """Take the time of the acknowledgement."""

    def refuse(self, reason: str) -> None:
        """Take note that the record was refused."""

    def sent_again(self) -> None:
        """Take note that the device sent the record once more, as it had no answer."""


@dataclass(slots=True, eq=False)
class Posting:
    """A record on its way."""

    record: OutRecord
    on_ack: OnAck | None
    expires_at: float = float("inf")
    """On the monotonic clock: without an answer it has timed out then."""
    refusal: str | None = None
    at: int = 0
    is_over: bool = False
    """Whether its sender was told: an answer that comes now is too late."""
    on_again: Callable[["Posting"], None] | None = None
    is_written: bool = False

    @property
    def device_full(self) -> str:
        """Who sends it."""
        return self.record.key.decode()

    def written(self) -> None:
        """Note that it goes out; from the second time on it may come to be there once more."""
        if self.is_written and self.on_again is not None:
            self.on_again(self)
        self.is_written = True


Settled = Callable[[Posting, str | None], None]
"""Called once for each posting, on the loop, with the reason of a refusal or None."""


@dataclass(slots=True)
class Connections:
    """What became of devices' connections; where there are none, all stay 0."""

    open: int = 0
    lost: int = 0
    """How often one broke that had been let in."""
    refusals: Counter[str] = field(default_factory=Counter)
    """Devices that were not let in, by reason."""


class Sender(Protocol):
    """Speaks one protocol, on the loop of the outbox's thread."""

    connections: Connections
    has_connections: bool
    """Whether devices have connections of their own, which can be opened before."""

    def open(self, names: Sequence[str]) -> None:
        """Connect devices before their first records; nothing where there are no connections."""

    def send(self, posting: Posting) -> None:
        """Send a record as its device."""

    async def close(self) -> None:
        """Say goodbye."""


Opened = Callable[[Settled], Sender]
Token = Callable[[str], str]
"""Returns a token that lets a device in, by its full name."""


class DeviceOutbox:
    """Sends by a thread of its own, and serves acknowledgements on the caller's."""

    def __init__(self, opened: Opened, *, answer_within_s: float = ANSWER_WITHIN_S) -> None:
        """Have `opened` make the sender, on the loop that it will run on."""
        self._opened = opened
        self._answer_within_s = answer_within_s
        self._loop = uvloop.new_event_loop()
        self._sender: Sender | None = None
        self._settled: deque[Posting] = deque()
        self._again: deque[Posting] = deque()
        """Records that were sent once more, each time anew."""
        self._changed = threading.Condition()
        self._waiting = 0
        self._oldest: deque[Posting] = deque()
        """Records in the order in which they time out."""
        self._failure: OutboxError | None = None
        self.refusals: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._run, daemon=True, name="devices")
        self._thread.start()
        with self._changed:
            self._changed.wait_for(lambda: self._sender or self._failure, START_TIMEOUT_S)
        self._raise_failure()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.call_soon(self._open)
        self._loop.run_forever()
        self._loop.close()

    def _open(self) -> None:
        try:
            sender = self._opened(self._settle)
        except OutboxError as error:
            self._fail(error)
            return
        with self._changed:
            self._sender = sender
            self._changed.notify_all()

    def _settle(self, posting: Posting, refusal: str | None) -> None:
        """Note what became of a record; runs on the loop's thread."""
        posting.refusal, posting.at = refusal, time.time_ns() // 1000
        self._settled.append(posting)
        with self._changed:
            self._changed.notify_all()

    def _fail(self, error: OutboxError) -> None:
        with self._changed:
            self._failure = error
            self._changed.notify_all()

    @property
    def connections(self) -> Connections:
        """What became of the devices' connections so far."""
        assert self._sender is not None
        return self._sender.connections

    def connect(
        self, names: Sequence[str], show: Callable[[int], None], is_stopped: Callable[[], bool]
    ) -> None:
        """Open the connections of devices, and return once each is let in or refused.

        `show` is told how many are; raise if for a minute there is not one more.
        """
        assert self._sender is not None
        self._loop.call_soon_threadsafe(self._sender.open, names)
        done, give_up = -1, 0.0
        while not is_stopped():
            before, found = done, self.connections
            done = found.open + found.refusals.total()
            if done > before:
                give_up = time.monotonic() + CONNECT_TIMEOUT_S
            show(done)
            if done >= len(names) or not self._sender.has_connections:
                return
            if time.monotonic() > give_up:
                raise OutboxError(
                    f"{done:,} of {len(names):,} devices are connected, and for a minute no more:"
                    " see `headwater logs gateway`"
                )
            time.sleep(0.05)

    def send(self, record: OutRecord, on_ack: OnAck | None = None) -> None:
        """Take a record; block while too many wait for their acknowledgement."""
        self._raise_failure()
        give_up = time.monotonic() + CLOSE_TIMEOUT_S * 4
        while self._waiting >= MOST_WAITING:
            self.poll(0.05)
            if time.monotonic() > give_up:
                raise OutboxError("the gateway does not acknowledge: see `headwater logs gateway`")
        self._waiting += 1
        expires_at = time.monotonic() + self._answer_within_s
        posting = Posting(record, on_ack, expires_at, on_again=self._again.append)
        self._oldest.append(posting)
        assert self._sender is not None
        self._loop.call_soon_threadsafe(self._sender.send, posting)
        if self._settled:
            self._serve()

    def poll(self, timeout_s: float = 0.0) -> int:
        """Serve acknowledgements that are there, and return how many records still wait."""
        with self._changed:
            if not self._settled and self._waiting and timeout_s:
                self._changed.wait_for(lambda: self._settled or self._failure, timeout_s)
        self._serve()
        self._raise_failure()
        return self._waiting

    def _serve(self) -> None:
        self._serve_again()
        while self._settled:
            posting = self._settled.popleft()
            self._tell(posting, posting.refusal)
        now, oldest = time.monotonic(), self._oldest
        while oldest and (oldest[0].is_over or oldest[0].expires_at <= now):
            self._tell(oldest.popleft(), TIMED_OUT)

    def _serve_again(self) -> None:
        while self._again:
            on_ack = self._again.popleft().on_ack
            if isinstance(on_ack, Receipt):
                on_ack.sent_again()

    def _tell(self, posting: Posting, refusal: str | None) -> None:
        """Tell the sender of a record what became of it, once."""
        if posting.is_over:
            return
        posting.is_over = True
        self._waiting -= 1
        if refusal is not None:
            self.refusals[refusal] += 1
            if isinstance(posting.on_ack, Receipt):
                posting.on_ack.refuse(refusal)
        elif posting.on_ack is not None:
            posting.on_ack(posting.at)

    def flush(self, timeout_s: float) -> int:
        """Wait until every record is acknowledged or refused; return how many are neither."""
        give_up = time.monotonic() + timeout_s
        while self._waiting and time.monotonic() < give_up:
            self.poll(0.1)
        return self._waiting

    def close(self) -> None:
        """Flush, say goodbye, and end the thread; raise if a record stays without an answer."""
        try:
            waiting = self.flush(CLOSE_TIMEOUT_S)
        finally:
            self._stop()
        if waiting:
            raise OutboxError(f"{waiting} records are not acknowledged by the gateway")

    def _stop(self) -> None:
        if self._sender is not None:
            goodbye = asyncio.run_coroutine_threadsafe(self._sender.close(), self._loop)
            goodbye.result(CLOSE_TIMEOUT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSE_TIMEOUT_S)
        self._serve_again()

    def _raise_failure(self) -> None:
        if self._failure:
            raise self._failure

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            self._stop()

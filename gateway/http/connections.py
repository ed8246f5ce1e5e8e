"""Connections of HTTP that keep what RFC 9110, 9112 and 9113 ask beyond what the library does.

A body is asked for (100 Continue) once the application wants it, so that who is refused by its
credential need not send it. One that is closed with a body unread hears the answer first. Where a
request's length can be read in two ways it is refused, and its connection ends.

By HTTP/2 the rest of a body that was answered already is let go, and the other requests of its
connection go on. Who takes back most of its requests is sent away.
"""

import asyncio
from contextlib import suppress
from typing import cast

import h11
import orjson
from h2.errors import ErrorCodes
from h2.events import DataReceived, StreamReset
from h2.events import Event as FrameEvent
from h2.exceptions import ProtocolError
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol import ProtocolWrapper
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.protocol.http_stream import HTTPStream
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.counters import Counters
from telemetry.records import JSON

WANTED = "headwater.wanted"
WANTED_WITHIN_S = 5.0
LINGER_S = 2.0
READ = 65_536
MOST_RESETS = 100
"""Of requests that a client takes back, beside as many as it does not."""
AMBIGUOUS = orjson.dumps(
    {"reason": "undecodable", "text": "Transfer-Encoding beside Content-Length, or in HTTP/1.0"}
)


NO_REQUEST = "these bytes are no request, or not all of one, or its length can be read in two ways"
WORDS = {
    431: "the head of a request, or of a chunk, is too large",
    501: "of transfer codings only chunked is known, once",
}
"""Why what is no request is refused, where it is not for `NO_REQUEST`."""


class Framing:
    """An application before which requests of two lengths are refused, and bodies are asked for."""

    def __init__(self, app: ASGIApp, counters: Counters) -> None:
        self._app = app
        self._counters = counters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] == "http" and _is_ambiguous(scope):
            self._counters.add("protocol_errors", protocol="http")
            await _refuse(send)
            return
        wanted = scope.get("extensions", {}).get(WANTED)
        if wanted is None:
            await self._app(scope, receive, send)
            return

        async def received() -> Message:
            wanted.set()
            return await receive()

        try:
            await self._app(scope, received, send)
        finally:
            wanted.set()


def _is_ambiguous(scope: Scope) -> bool:
    names = {name for name, _ in scope["headers"]}
    if b"transfer-encoding" not in names:
        return False
    return b"content-length" in names or scope["http_version"] == "1.0"


async def _refuse(send: Send) -> None:
    length = str(len(AMBIGUOUS)).encode()
    headers = [
        (b"content-type", JSON.encode()),
        (b"content-length", length),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": AMBIGUOUS})


class PatientH11(H11Protocol):
    """HTTP/1.1 that says 100 Continue once the application wants the body."""

    async def _create_stream(self, request: h11.Request) -> None:
        await super()._create_stream(request)
        if not self.connection.they_are_waiting_for_100_continue:
            return
        if isinstance(self.stream, HTTPStream):
            # The application has not begun yet: its task gets its first turn below.
            wanted = asyncio.Event()
            cast(dict[str, object], self.stream.scope["extensions"])[WANTED] = wanted
            async with asyncio.timeout(WANTED_WITHIN_S):
                await wanted.wait()

    async def _send_error_response(self, status_code: int) -> None:
        """Say why bytes are refused, in the form of every refusal."""
        told = {"reason": "undecodable", "text": WORDS.get(status_code, NO_REQUEST)}
        body = orjson.dumps(told)
        headers = [
            (b"content-type", JSON.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
            *self.config.response_headers("h11"),
        ]
        answer = h11.Response(status_code=status_code, headers=headers)
        for event in (answer, h11.Data(data=body), h11.EndOfMessage()):
            await self._send_h11_event(event)


class PatientH2(H2Protocol):
    """HTTP/2 that bears with bodies that come too late, and not with requests taken back."""

    _resets = 0

    async def _handle_events(self, events: list[FrameEvent]) -> None:
        for event in events:
            if isinstance(event, DataReceived) and event.stream_id not in self.streams:
                self._let_go(event)
            elif isinstance(event, StreamReset) and event.remote_reset and self._is_too_much():
                self.connection.close_connection(ErrorCodes.ENHANCE_YOUR_CALM)
                await self._flush()
                await self.send(Closed())
                return
            else:
                await super()._handle_events([event])
        await self._flush()

    def _let_go(self, event: DataReceived) -> None:
        """Have a client stop whose request was answered before its body was there (9113, 8.1)."""
        self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        with suppress(ProtocolError):
            self.connection.reset_stream(event.stream_id, ErrorCodes.NO_ERROR)

    def _is_too_much(self) -> bool:
        """Count a reset: what it takes back may go on to be worked on, unseen by any limit."""
        self._resets += 1
        return self._resets > MOST_RESETS + self.keep_alive_requests // 2


class Spoken(ProtocolWrapper):
    """Which protocol is spoken, patiently."""

    _spoken: H11Protocol | H2Protocol

    @property
    def protocol(self) -> H11Protocol | H2Protocol:
        """The protocol: a client may begin with another one than was thought."""
        return self._spoken

    @protocol.setter
    def protocol(self, made: H11Protocol | H2Protocol) -> None:
        speaks_2 = isinstance(made, H2Protocol)
        kind: type[PatientH2] | type[PatientH11] = PatientH2 if speaks_2 else PatientH11
        self._spoken = kind(
            self.app,
            self.config,
            self.context,
            self.task_group,
            self.state,
            self.ssl,
            self.client,
            self.server,
            self.send,
        )


class Connection(TCPServer):
    """A connection that lets its client read the last answer."""

    _is_ending = False
    _wrapper: ProtocolWrapper

    @property
    def protocol(self) -> ProtocolWrapper:
        """What is spoken."""
        return self._wrapper

    @protocol.setter
    def protocol(self, made: ProtocolWrapper) -> None:
        self._wrapper = Spoken(
            made.app,
            made.config,
            made.context,
            made.task_group,
            made.state,
            made.ssl,
            made.client,
            made.server,
            made.send,
            "h2" if isinstance(made.protocol, H2Protocol) else None,
        )

    async def _close(self) -> None:
        """Say that nothing more comes, and leave the end to the client for a while."""
        if self._is_ending or not self.writer.can_write_eof() or self.reader.at_eof():
            await super()._close()
            return
        self._is_ending = True
        with suppress(OSError, RuntimeError):
            self.writer.write_eof()
        self.loop.call_later(LINGER_S, self.writer.close)
        await self.idle_task.stop()

    async def _read_data(self) -> None:
        """Hand on what comes, and throw away what comes after the end."""
        while not self.reader.at_eof():
            try:
                data = await self.reader.read(READ)
            except OSError:
                break
            if not self._is_ending:
                await self.protocol.handle(RawData(data))
        await self.protocol.handle(Closed())
        # By itself the library keeps whoever has gone until its next request were too late.
        await self.idle_task.stop()

    async def protocol_send(self, event: Event) -> None:
        """Send what is said, and wait for a next request unless none can come."""
        if not (isinstance(event, Updated) and event.idle and self.reader.at_eof()):
            await super().protocol_send(event)

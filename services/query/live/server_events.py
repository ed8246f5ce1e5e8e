"""Messages as server-sent events; ends with its reader, and lets one go that takes nothing."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

import anyio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.query.live.viewing import STALLED_S, Message

MEDIA_TYPE = "text/event-stream"
RETRY = b"retry: 1000\n\n"


def event(kind: str, content: bytes, cursor: str) -> bytes:
    """Return a message as an event; a browser gives the cursor back as Last-Event-ID."""
    named = f"id: {cursor}\n" if cursor else ""
    return b"".join([named.encode(), f"event: {kind}\n".encode(), b"data: ", content, b"\n\n"])


class EventStream(Response):
    """A response that goes on as long as there are messages and somebody reads them."""

    media_type = MEDIA_TYPE

    def __init__(
        self,
        messages: AsyncGenerator[Message, None],
        at_end: Callable[[], None],
        *,
        stalled_s: float = STALLED_S,
    ) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._messages, self._at_end, self._stalled_s = messages, at_end, stalled_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head, then each message once the one before it was taken."""
        try:
            await self._stream(receive, send)
        finally:
            self._at_end()

    async def _stream(self, receive: Receive, send: Send) -> None:
        head = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        async with anyio.create_task_group() as tasks:

            async def until_gone() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                tasks.cancel_scope.cancel()

            tasks.start_soon(until_gone)
            await send(head)
            async with aclosing(self._messages) as messages:
                await _sent(messages, send, self._stalled_s)
            tasks.cancel_scope.cancel()


async def _sent(messages: AsyncIterator[Message], send: Send, stalled_s: float) -> None:
    """Send all, or up to where the reader takes no more."""
    await send({"type": "http.response.body", "body": RETRY, "more_body": True})
    async for message in messages:
        with anyio.move_on_after(stalled_s) as waiting:
            body = {"type": "http.response.body", "body": event(*message), "more_body": True}
            await send(body)
        if waiting.cancelled_caught:
            return
    await send({"type": "http.response.body", "body": b"", "more_body": False})

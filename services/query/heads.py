"""HEAD: what GET would answer, without its content."""

from collections.abc import Collection
from http import HTTPStatus

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Heads:
    """Answers HEAD as GET, and sends the head alone; of streams, which have no end, it does not."""

    def __init__(self, app: ASGIApp, streams: Collection[str] = ()) -> None:
        self._app, self._streams = app, streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand everything on."""
        if scope["type"] != "http" or scope["path"] in self._streams:
            await self._app(scope, receive, send)
            return
        if scope["method"] != "HEAD":
            await self._app(scope, receive, _allowing_head(send))
            return

        async def without_content(message: Message) -> None:
            is_content = message["type"] == "http.response.body"
            await send({**message, "body": b""} if is_content else message)

        await self._app({**scope, "method": "GET"}, receive, without_content)


def _allowing_head(send: Send) -> Send:
    """Return what names HEAD beside GET where another method is refused (RFC 9110, 10.2.1)."""

    async def sent(message: Message) -> None:
        if message.get("status") == HTTPStatus.METHOD_NOT_ALLOWED:
            headers = MutableHeaders(scope=message)
            allowed = headers.get("Allow", "")
            headers["Allow"] = allowed.replace("GET", "GET, HEAD")
        await send(message)

    return sent

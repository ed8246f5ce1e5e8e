"""HEAD: what GET would answer, without its content."""

from collections.abc import Collection

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Heads:
    """Answers HEAD as GET, and sends the head alone; of streams, which have no end, it does not."""

    def __init__(self, app: ASGIApp, streams: Collection[str] = ()) -> None:
        self._app, self._streams = app, streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand everything on."""
        is_head = scope["type"] == "http" and scope["method"] == "HEAD"
        if not is_head or scope["path"] in self._streams:
            await self._app(scope, receive, send)
            return

        async def without_content(message: Message) -> None:
            is_content = message["type"] == "http.response.body"
            await send({**message, "body": b""} if is_content else message)

        await self._app({**scope, "method": "GET"}, receive, without_content)

"""Bodies as they come: read within their own limit, and what all of them may hold together.

By HTTP/2 a connection has a hundred requests under way, and nothing bounds the connections.
"""

import asyncio
from collections import Counter
from types import TracebackType

from fastapi import Request
from starlette.requests import ClientDisconnect

from gateway.http.bodies import MOST_BODY, too_large
from gateway.identity import Identity
from gateway.outcome import Rejected

MOST_HELD = 256 * 1024 * 1024
MOST_OF_DEVICE = 64 * 1024 * 1024
"""One request may hold 40 MiB: its body as it came, and unpacked."""
AGAIN_S = 1.0
Key = tuple[str, str]


class Holding:
    """Bytes of the bodies of all requests under way, by device."""

    def __init__(self, most: int = MOST_HELD, most_of_device: int = MOST_OF_DEVICE) -> None:
        self._most = most
        self._most_of_device = most_of_device
        self._of: Counter[Key] = Counter()
        self.held = 0

    def of(self, identity: Identity) -> "Hold":
        """Return what a request of a device holds, until it is left."""
        return Hold(self, (identity.tenant, identity.device_full))

    def take(self, key: Key, size: int) -> Rejected | None:
        """Hold so many bytes more, or say why not."""
        is_own = self._of[key] + size > self._most_of_device
        if is_own or self.held + size > self._most:
            whose = "this device" if is_own else "all devices"
            text = f"requests of {whose} that are under way hold too much: send fewer at once"
            return Rejected("busy", text, limit="bodies", retry_after_s=AGAIN_S)
        self._of[key] += size
        self.held += size
        return None

    def give(self, key: Key, size: int) -> None:
        """Hold so many bytes no longer."""
        self.held -= size
        self._of[key] -= size
        if not self._of[key]:
            del self._of[key]


class Hold:
    """What one request holds."""

    def __init__(self, holding: Holding, key: Key) -> None:
        self._holding = holding
        self._key = key
        self._size = 0

    def more(self, size: int) -> Rejected | None:
        """Hold so many bytes more, or say why not."""
        refusal = self._holding.take(self._key, size)
        if refusal is None:
            self._size += size
        return refusal

    def __enter__(self) -> "Hold":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._holding.give(self._key, self._size)


async def read_body(request: Request, silent_s: float, hold: Hold) -> bytes | Rejected:
    """Read the body, at most what is allowed, for as long as there comes any of it."""
    announced = request.headers.get("content-length", "")
    text = f"a body has at most {MOST_BODY:,} bytes"
    if announced.isdigit() and int(announced) > MOST_BODY:
        return too_large(text, MOST_BODY)
    body, chunks = bytearray(), aiter(request.stream())
    while True:
        try:
            async with asyncio.timeout(silent_s):
                chunk = await anext(chunks, None)
        except TimeoutError:
            return Rejected("incomplete", f"nothing of the body came for {silent_s:g} s")
        except ClientDisconnect:
            return Rejected("incomplete", "the body ended before its length, or its last chunk")
        if chunk is None:
            return bytes(body)
        body += chunk
        if len(body) > MOST_BODY:
            return too_large(text, MOST_BODY)
        if (full := hold.more(len(chunk))) is not None:
            return full

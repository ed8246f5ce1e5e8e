"""The HTTP listener as an ASGI application, with its OpenAPI document."""

import asyncio
import time
from collections.abc import Awaitable
from functools import partial
from typing import Annotated

import orjson
from fastapi import FastAPI, Header, Path, Request, Response
from fastapi.exceptions import RequestValidationError

from gateway.batches import MOST_RECORDS, ingest_batch, ingest_unread
from gateway.channels import Channel
from gateway.entrance import Entrance
from gateway.http.beside import PACKED_SHARE, Beside
from gateway.http.bodies import (
    FORMS,
    NDJSON,
    PACKINGS,
    content_type,
    parts,
    too_large,
    unpacked,
)
from gateway.http.document import DESCRIPTION, Documented, responses, telemetry_body
from gateway.http.idempotency import LONGEST_KEY, Answer, Answers, Place, Told, Underway, digest
from gateway.http.logins import CERTIFICATE, CHALLENGE, PROTOCOL, Logins, Sender
from gateway.http.missing import answer_missing
from gateway.http.reading import Hold, Holding, read_body
from gateway.identity import Identity
from gateway.outcome import Fault, Rejected
from telemetry.records import JSON

Device = Annotated[str, Path(max_length=260, description="full name, or name within the product")]
Key = Annotated[
    str | None,
    Header(
        max_length=LONGEST_KEY,
        description="a request that comes again with this key gets the answer of the first",
    ),
]
Authorization = Annotated[str | None, Header(include_in_schema=False)]
ClientId = Annotated[
    str | None, Header(description="with Basic and a signed password: the client id it was for")
]
OTHER_BODY = Rejected("undecodable", "the idempotency key was used with another body")
SILENT_S = 60.0
"""How long a client may be silent in the middle of a body."""
REPLAYED = {"Idempotent-Replayed": "true"}
UNANSWERED: Told = (
    409,
    orjson.dumps({"reason": "busy", "text": "the request of this key ended without its answer"}),
    {"Retry-After": "1"},
)


class Posts:
    """Takes telemetry by POST."""

    def __init__(self, entrance: Entrance, silent_s: float, holding: Holding) -> None:
        self._entrance = entrance
        self._silent_s = silent_s
        self._holding = holding
        self._logins = Logins(entrance)
        self._answers = Answers()
        self._beside = Beside()

    async def telemetry(
        self,
        request: Request,
        device: Device,
        idempotency_key: Key = None,
        authorization: Authorization = None,
        x_client_id: ClientId = None,
    ) -> Response:
        """Take one message, a list, or one a line; 202 once all are durable."""
        presented = (authorization, x_client_id, _sender(request))
        identity = self._logins.identity(*presented, now=time.time())
        if isinstance(identity, Rejected):
            return self.answer(refusal_of(identity))
        if device not in (identity.device_full, identity.device):
            # Before its body is asked for, and before a key's answer of before could be given.
            refused = self._channel(identity, device, JSON)
            assert isinstance(refused, Rejected)
            return self.answer(refusal_of(refused))
        edition = self._entrance.directory.applied
        with self._holding.of(identity) as hold:
            raw = await read_body(request, self._silent_s, hold)
            if isinstance(raw, Rejected):
                return self.answer(refusal_of(self._entrance.ingest.counted(raw)))
            if edition != self._entrance.directory.applied or _is_over(identity, time.time()):
                # A body may take long, and its sender may have been revoked meanwhile.
                identity = self._logins.identity(*presented, now=time.time())
                if isinstance(identity, Rejected):
                    return self.answer(refusal_of(identity))
            body = await self._unpacked(request, raw, hold)
            if isinstance(body, Rejected):
                return self.answer(await self._unread(identity, device, raw, body))
            if idempotency_key:
                told = await self._once(request, device, identity, body, idempotency_key)
            else:
                told = await self._take(request, device, identity, body)
            return self.answer(told)

    async def _unpacked(self, request: Request, raw: bytes, hold: Hold) -> bytes | Rejected:
        packings = ",".join(request.headers.getlist("content-encoding"))
        size = PACKED_SHARE * len(raw) if packings else 0
        body = await self._beside.done(size, partial(unpacked, raw, packings))
        if isinstance(body, Rejected) or body is raw:
            return body
        return hold.more(len(body)) or body

    async def _unread(self, identity: Identity, device: str, raw: bytes, why: Rejected) -> Told:
        """Keep a body that does not unpack, and refuse it."""
        ingest = self._entrance.ingest
        if why.reason != "undecodable":
            return refusal_of(ingest.counted(why))
        channel = self._channel(identity, device, JSON)
        if isinstance(channel, Rejected):
            return refusal_of(channel)
        now = time.time_ns() // 1000
        return refusal_of(await ingest_unread(ingest, channel, raw, why, now=now))

    def _channel(self, identity: Identity, device: str, form: str) -> Channel | Rejected:
        return self._entrance.channel(
            identity, f"devices/{device}/telemetry", protocol=PROTOCOL, content_type=form
        )

    async def _once(
        self, request: Request, device: str, identity: Identity, body: bytes, key: str
    ) -> Told:
        place = (identity.tenant, identity.device_full, key)
        found = await self._beside.done(len(body), partial(digest, body))
        before = self._answers.find(place, now=time.time()) or self._answers.underway.get(place)
        if before is not None and before.digest != found:
            return refusal_of(self._entrance.ingest.counted(OTHER_BODY))
        if isinstance(before, Answer):
            return before.status, before.body, REPLAYED
        if before is not None:
            # Shielded: whoever leaves here must not take the answer away from the others.
            told = await asyncio.shield(before.told)
            return UNANSWERED if told is None else (*told[:2], told[2] | REPLAYED)
        return await self._first(place, found, self._take(request, device, identity, body))

    async def _first(self, place: Place, found: bytes, taking: Awaitable[Told]) -> Told:
        """Hold a key until its request is answered, and remember that it was accepted."""
        underway = Underway(found, asyncio.get_running_loop().create_future())
        self._answers.underway[place] = underway
        told = None
        try:
            told = await taking
            if told[0] == 202:
                self._answers.keep(place, Answer(found, told[0], told[1], time.time()))
            return told
        finally:
            del self._answers.underway[place]
            underway.told.set_result(told)

    async def _take(self, request: Request, device: str, identity: Identity, body: bytes) -> Told:
        form = content_type(request.headers.get("content-type"))
        if isinstance(form, Rejected):
            return refusal_of(self._entrance.ingest.counted(form))
        channel = self._channel(identity, device, JSON if form == NDJSON[0] else form)
        if isinstance(channel, Rejected):
            return refusal_of(channel)
        return await self._publish(channel, body, form)

    async def _publish(self, channel: Channel, body: bytes, form: str) -> Told:
        found = await self._beside.done(len(body), partial(parts, body, form))
        if not 0 < len(found) <= MOST_RECORDS:
            lines = len(found) or body.count(b"\n")
            text = f"{lines:,} lines; a request has at most {MOST_RECORDS:,}"
            return refusal_of(self._entrance.ingest.counted(too_large(text, MOST_RECORDS, "lines")))
        outcome = await ingest_batch(
            self._entrance.ingest,
            channel,
            [part.payload for part in found],
            content_type=JSON if form == NDJSON[0] else form,
            now=time.time_ns() // 1000,
        )
        if isinstance(outcome, Rejected):
            return refusal_of(outcome, [part.line for part in found] if form == NDJSON[0] else None)
        told = {"accepted": outcome, "durability": channel.identity.durability}
        return 202, orjson.dumps(told), {}

    def answer(self, answer: Told) -> Response:
        """Return an answer as a response."""
        status, body, headers = answer
        return Response(body, status, headers, media_type=JSON)


def _sender(request: Request) -> Sender:
    address = request.client.host if request.client else ""
    return Sender(address, request.url.scheme == "https", request.scope.get(CERTIFICATE))


def _is_over(identity: Identity, now: float) -> bool:
    return identity.expires_at is not None and identity.expires_at <= now


def refusal_of(rejected: Rejected, lines: list[int] | None = None) -> Told:
    """Return status, body and headers of a refusal; `lines` are the records' in the body."""
    headers: dict[str, str] = {}
    if rejected.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, round(rejected.retry_after_s + 0.5)))
    if rejected.code.http == 401:
        headers["WWW-Authenticate"] = CHALLENGE
    if rejected.code.http == 415:
        # RFC 9110, 12.5.1 and 12.5.3: what would have been taken.
        headers |= {"Accept": ", ".join(FORMS), "Accept-Encoding": ", ".join(PACKINGS)}
    text = rejected.text
    if lines and rejected.faults:
        text = f"line {_place(rejected.faults[0], lines)[0]}: {text}"
    told: dict[str, object] = {"reason": rejected.reason, "text": text}
    if rejected.limit:
        told["limit"] = rejected.limit
    if rejected.retry_after_s is not None:
        told["retry_after_s"] = round(rejected.retry_after_s, 3)
    if rejected.not_kept:
        told |= {"kept": rejected.kept, "not_kept": rejected.not_kept}
    told["faults"] = [
        dict(zip(("line", "item"), _place(fault, lines), strict=True))
        | {"field": fault.field, "rule": fault.rule, "value": fault.value}
        for fault in rejected.faults
    ]
    return rejected.code.http, orjson.dumps(told), headers


def _place(fault: Fault, lines: list[int] | None) -> tuple[int, int]:
    """Return on which line a message stands, and which one of its record it is.

    Where there are many records, a fault's item is its record's number.
    """
    if lines is None or len(lines) < 2:
        return (lines[0] if lines else 1), fault.item
    return lines[fault.item], 0


def _of_validation(error: RequestValidationError) -> Rejected:
    """Return the refusal of a request whose path or header is not as the document says."""
    first = error.errors()[0]
    name = str(first["loc"][-1])
    return Rejected(
        "undecodable", f"{name}: {first['msg']}", faults=(Fault(0, name, first["type"], ""),)
    )


def http_app(
    entrance: Entrance, *, silent_s: float = SILENT_S, holding: Holding | None = None
) -> FastAPI:
    """Return the application."""
    app = Documented(
        title="Headwater gateway",
        version="1",
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    posts = Posts(entrance, silent_s, holding or Holding())
    app.add_api_route(
        "/devices/{device}/telemetry",
        posts.telemetry,
        methods=["POST"],
        status_code=202,
        responses=responses(),
        openapi_extra=telemetry_body(),
        operation_id="post_telemetry",
        summary="Send readings of a device",
        response_class=Response,
    )

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> Response:
        return posts.answer(refusal_of(entrance.ingest.counted(_of_validation(error))))

    answer_missing(app)

    _add_probes(app, entrance)
    return app


def _add_probes(app: FastAPI, entrance: Entrance) -> None:
    @app.get("/health", summary="Whether the gateway answers", operation_id="health")
    @app.head("/health", include_in_schema=False)
    async def health() -> dict[str, str]:
        return {"state": "running"}

    @app.get("/metrics", include_in_schema=False)
    @app.head("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        text = entrance.counters.exposition()
        return Response(text, media_type="text/plain; version=0.0.4")

"""`/v1/live`: windows and latest values as they come, by server-sent events or WebSocket."""

from contextlib import aclosing, suppress
from http import HTTPStatus
from typing import Annotated

import anyio
import anyio.to_thread
from fastapi import APIRouter, Header, Query, Request, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, Field, ValidationError
from starlette.responses import Response

from services.callers import Caller
from services.problems import Problem, faults_of, problem_response
from services.query.asked import NameText, ZoneText
from services.query.live.channel import HELD, LiveWidth, Subject
from services.query.live.server_events import MEDIA_TYPE, EventStream
from services.query.live.viewing import STALLED_S, Viewer, messages
from services.query.openapi import Responses
from services.query.parameters import names_given, refuse_unknown
from services.query.served import Known, Service, admitted, known

router = APIRouter(prefix="/v1", tags=["live"])
PROTOCOL, KEY_PREFIX = "headwater.live", "bearer."
TEXT = {"type": "string"}
EVENT = {
    "type": "object",
    "properties": {
        "event": {"enum": ["latest", "places", "windows", "beat", "end"]},
        "data": TEXT | {"description": "a JSON object; `type` is the event"},
        "id": TEXT | {"description": "a cursor, to be sent as Last-Event-ID"},
    },
    "required": ["event", "data"],
}
DESCRIBED: Responses = {
    200: {"content": {MEDIA_TYPE: {"schema": EVENT}}, "description": "Events, as they come."}
}


class LiveIn(BaseModel):
    """What is watched: a device or a zone."""

    device_id: NameText | None = None
    zone: ZoneText | None = None
    metric: NameText | None = None
    width: LiveWidth = "minute"
    tenant: NameText | None = None
    history: int = Field(60, ge=0, le=HELD, description="windows of each series to begin with")
    cursor: str = Field("", max_length=64, description="go on from there; or Last-Event-ID")
    follow: bool = Field(True, description="false: send what there is, and end")


@router.get("/live", responses=DESCRIBED, response_class=Response)
async def live_events(
    who: Known,
    request: Request,
    wanted: Annotated[LiveIn, Query()],
    last_event_id: Annotated[str | None, Header(max_length=64)] = None,
) -> Response:
    """Follow a device or zone: what there is first, then what is new within a second."""
    served: Service = request.app.state.service
    text = request.headers["authorization"].partition(" ")[2]
    if last_event_id:
        wanted = wanted.model_copy(update={"cursor": last_event_id})
    viewer = await _viewer(served, who, text, wanted)
    return EventStream(messages(viewer), viewer.leave)


@router.websocket("/live")
async def live_socket(socket: WebSocket) -> None:
    """Follow likewise; the key comes in Authorization, or from a browser as a subprotocol."""
    served: Service = socket.app.state.service
    try:
        text, protocol = _key_of(socket)
        who = known(served, text)
        refuse_unknown(names_given(socket), LiveIn.model_fields)
        wanted = LiveIn.model_validate(dict(socket.query_params))
        viewer = await _viewer(served, who, text, wanted)
    except ValidationError as error:
        faults = faults_of(error.errors(), "query")
        reason = f"{faults[0].where}: {faults[0].reason}"
        problem = Problem(HTTPStatus.UNPROCESSABLE_ENTITY, reason, errors=faults)
        await socket.send_denial_response(problem_response(problem))
        return
    except Problem as problem:
        await socket.send_denial_response(problem_response(problem))
        return
    try:
        await _send_all(socket, protocol, viewer)
    finally:
        viewer.leave()


def _key_of(socket: WebSocket) -> tuple[str, str | None]:
    """Return the key, and the subprotocol to answer with, where the client named ours."""
    offered = [str(name) for name in socket.scope.get("subprotocols", [])]
    keys = [name.removeprefix(KEY_PREFIX) for name in offered if name.startswith(KEY_PREFIX)]
    header = socket.headers.get("authorization", "").partition(" ")[2]
    return header or (keys[0] if keys else ""), PROTOCOL if PROTOCOL in offered else None


async def _viewer(served: Service, who: Caller, text: str, wanted: LiveIn) -> Viewer:
    """Take a seat for a caller who may watch; what stands against it is raised."""
    if (wanted.device_id is None) == (wanted.zone is None):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "name either device_id or zone")
    with admitted(served, who, wanted.tenant) as access:
        # While the latest values are being read, that is the answer.
        await anyio.to_thread.run_sync(served.latest.state)
        served.live.seats.take(who.key_id)
    return Viewer(
        served.live,
        access,
        _subject(access.tenant, wanted),
        who.key_id,
        lambda: served.directory.caller(text, served.now()) is not None,
        wanted.cursor,
        wanted.history,
        wanted.follow,
    )


def _subject(tenant: str, wanted: LiveIn) -> Subject:
    if wanted.zone is None:
        return Subject(tenant, "device", wanted.device_id or "", wanted.width, wanted.metric)
    return Subject(tenant, "zone", wanted.zone, wanted.width, wanted.metric)


async def _send_all(socket: WebSocket, protocol: str | None, viewer: Viewer) -> None:
    """Send messages until either side ends; what the other side says is not listened to."""
    await socket.accept(protocol)
    async with anyio.create_task_group() as tasks:

        async def until_gone() -> None:
            with suppress(WebSocketDisconnect):
                while (await socket.receive())["type"] != "websocket.disconnect":
                    pass
            tasks.cancel_scope.cancel()

        tasks.start_soon(until_gone)
        with suppress(WebSocketDisconnect, TimeoutError):
            async with aclosing(messages(viewer)) as found:
                async for _, content, _ in found:
                    with anyio.fail_after(STALLED_S):
                        await socket.send_text(content.decode())
            await socket.close()
        tasks.cancel_scope.cancel()

"""What every route acts on, and for whom."""

import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.responses import Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from services.callers import Caller
from services.directory import Directory
from services.problems import Problem
from services.query.accepting import accepted
from services.query.asked import NameText
from services.query.cache import Cache
from services.query.formats import Body, Format
from services.query.latest import Latest
from services.query.limits import Limits
from services.query.listing import TableFiles
from services.query.live.serving import Live
from services.query.parameters import names_given, names_of, refuse_unknown
from services.query.reading import Lake
from services.query.watermarks import Watermarks
from services.query.zones import Zones
from telemetry.changes import ALL_TENANTS

BEARER = HTTPBearer(auto_error=False, description="An API key (hw_…), or a JWT of a known key.")
DEFAULT_TENANT = "default"


@dataclass(frozen=True, slots=True)
class Service:
    """The parts that routes act on."""

    lake: Lake
    latest: Latest
    zones: Zones
    window_tables: Mapping[str, TableFiles]
    """Every gold table of windows, by name."""
    watermarks: Watermarks
    directory: Directory
    limits: Limits
    answers: Cache[Body]
    now: Callable[[], datetime]
    warm: threading.Event
    """Set once the tables were looked up."""
    live: Live
    web_dir: Path
    """Where the libraries of pages are."""


# What decides who may ask waits for nothing: as coroutines these take no thread each.
async def service(request: Request) -> Service:
    """Return the application's service."""
    served = request.app.state.service
    assert isinstance(served, Service)
    return served


Served = Annotated[Service, Depends(service)]


def known(served: Service, text: str) -> Caller:
    """Return whose key or token a text is."""
    return served.directory.known(text, served.now())


async def known_caller(
    served: Served,
    given: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)],
) -> Caller:
    """Return whose key or token the request carries."""
    return known(served, given.credentials if given else "")


async def asking(request: Request, who: Annotated[Caller, Depends(known_caller)]) -> Caller:
    """Return the caller, if the route has every parameter that the request names."""
    if request.query_params:
        refuse_unknown(names_given(request), names_of(request.scope["route"].dependant))
    return who


Known = Annotated[Caller, Depends(asking)]


@dataclass(frozen=True, slots=True)
class Access:
    """A caller who may read one tenant."""

    service: Service
    tenant: str


@contextmanager
def admitted(served: Service, who: Caller, tenant: str | None) -> Iterator[Access]:
    """Let a caller read the tenant, within the limits."""
    wanted = tenant or (DEFAULT_TENANT if who.tenant == ALL_TENANTS else who.tenant)
    if not who.may("viewer", wanted):
        raise Problem(HTTPStatus.FORBIDDEN, f"this key is not of tenant {wanted}")
    with served.limits.passed(who.key_id, served.now().timestamp()):
        yield Access(served, wanted)


async def access(
    served: Served, who: Known, tenant: NameText | None = None
) -> AsyncIterator[Access]:
    """Let the caller of a request read the tenant, within the limits."""
    with admitted(served, who, tenant) as found:
        yield found


Viewer = Annotated[Access, Depends(access)]


def chosen_format(request: Request, form: Format | None) -> Format:
    """Return the form that `format` or the header Accept asks for; JSON where neither does."""
    return form or accepted(request.headers.get("accept", ""))


def respond(request: Request, body: Body) -> Response:
    """Return a body as a response; to a caller who has it, that it is still so."""
    headers = dict(body.headers)
    if _has(request, headers["ETag"]):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(body.content, media_type=body.media_type, headers=headers)


def _has(request: Request, tag: str) -> bool:
    """Say whether If-None-Match names a tag; a proxy that packs answers calls it a weak one."""
    named = request.headers.get("if-none-match", "").split(",")
    return not {"*", tag}.isdisjoint(each.strip().removeprefix("W/") for each in named)

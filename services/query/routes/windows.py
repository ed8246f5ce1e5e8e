"""`/v1/windows`: gold's windows as they are now, final or still open."""

from http import HTTPStatus
from typing import Annotated

import orjson
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from services.problems import Problem
from services.query import live_windows
from services.query.answering import resolution
from services.query.asked import (
    MOST_POINTS,
    USUAL_POINTS,
    NameText,
    TimeText,
    ZoneText,
    range_around,
)
from services.query.formats import MEDIA, Body, Format, body_of, spans_said, table_body
from services.query.kept_windows import Found
from services.query.live_windows import OF_DEVICES, OF_ZONES, Asked, Width
from services.query.openapi import contents
from services.query.routes.series import TierOut
from services.query.served import Access, Viewer, chosen_format, respond
from services.query.times import micros, time_text
from services.query.watermarks import Marks

router = APIRouter(prefix="/v1", tags=["windows"])
SECOND_US = 1_000_000


class WindowsIn(BaseModel):
    """Whose windows are asked for; without a range those of the last day."""

    model_config = ConfigDict(populate_by_name=True)

    width: Width
    device_id: NameText | None = None
    zone: ZoneText | None = None
    metric: NameText | None = None
    start: TimeText | None = None
    end: TimeText | None = None
    points: int = Field(USUAL_POINTS, ge=1, le=MOST_POINTS, description="most windows")
    form: Format | None = Field(None, alias="format", description="else by the header Accept")


class WindowOut(BaseModel):
    """A window of a device or zone."""

    model_config = ConfigDict(extra="allow")

    product: str
    metric: str
    window_start: str
    window_end: str
    is_final: bool
    count: int
    sum: float | None
    mean: float | None
    stddev: float | None
    min: float | None
    max: float | None
    first: float | bool | str | None
    last: float | bool | str | None


class WindowsOut(BaseModel):
    """Windows, the newest first; where those asked for have been dropped, wider ones."""

    tenant: str
    start: str
    end: str
    resolution: str
    method: str
    points_in: int
    points_out: int
    tiers: list[TierOut]
    truncated: bool
    """A part of the range has expired, or there are more: the oldest were left out."""
    complete_until: str | None
    points: list[WindowOut]


@router.get("/windows", responses={**contents(WindowsOut)})
def windows(access: Viewer, request: Request, wanted: Annotated[WindowsIn, Query()]) -> Response:
    """Return windows that begin in the range, with what they hold so far."""
    form = chosen_format(request, wanted.form)
    return respond(request, _body(access, _asked(access, wanted), wanted.points, form))


def _body(access: Access, asked: Asked, most: int, form: Format) -> Body:
    """Answer from the cache while the tables are at the same versions."""
    served = access.service
    marks = served.watermarks.now()
    versions = live_windows.versions(served.window_tables, asked)
    return served.answers.get(
        ("windows", asked, most, form, marks.edition, versions),
        lambda: _made(access, asked, most, form, marks),
        lambda body: 1024 + len(body.content),
    )


def _made(access: Access, asked: Asked, most: int, form: Format, marks: Marks) -> Body:
    found = live_windows.windows(access.service.window_tables, asked, most)
    said = _said(asked, found, marks) | {
        "points_out": len(found.rows),
        "truncated": found.lacks or len(found.rows) < found.windows,
    }
    if form != "json":
        return table_body(live_windows.named(found.rows).to_arrow(), said, form)
    return body_of(orjson.dumps(said | {"points": live_windows.points(found.rows)}), MEDIA[form])


def _asked(access: Access, wanted: WindowsIn) -> Asked:
    if (wanted.device_id is None) == (wanted.zone is None):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "name either device_id or zone")
    tables = OF_DEVICES if wanted.zone is None else OF_ZONES
    if wanted.width not in tables:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"zones have no windows {wanted.width}")
    subject = (wanted.device_id if wanted.zone is None else wanted.zone) or ""
    now_us = micros(access.service.now())
    now_us -= now_us % SECOND_US  # so that all who ask in a second ask the same
    table, within = tables[wanted.width], range_around(wanted.start, wanted.end, now_us)
    return Asked(access.tenant, wanted.width, table, subject, wanted.metric, *within)


def _said(asked: Asked, found: Found, marks: Marks) -> dict[str, object]:
    return {
        "tenant": asked.tenant,
        "start": time_text(asked.start_us),
        "end": time_text(asked.end_us),
        "resolution": resolution(found.spans),
        "method": "windows",
        "points_in": found.readings,
        "tiers": spans_said(found.spans),
        "complete_until": marks.least(asked.tenant, found.products),
    }

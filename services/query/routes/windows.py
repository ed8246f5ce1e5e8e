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
from services.query.asked import MOST_POINTS, USUAL_POINTS, NameText, TimeText, range_of
from services.query.formats import MEDIA, Body, Format, spans_said, table_body
from services.query.kept_windows import Found
from services.query.live_windows import OF_DEVICES, OF_ZONES, Asked, Width
from services.query.openapi import contents
from services.query.routes.series import TierOut
from services.query.served import Access, Viewer, chosen_format, respond
from services.query.times import micros, time_text

router = APIRouter(prefix="/v1", tags=["windows"])
DAY_US = 86_400_000_000


class WindowsIn(BaseModel):
    """Whose windows are asked for; without a range those of the last day."""

    model_config = ConfigDict(populate_by_name=True)

    width: Width
    device_id: NameText | None = None
    zone: NameText | None = None
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
    asked = _asked(access, wanted)
    form = chosen_format(request, wanted.form)
    found = live_windows.windows(access.service.window_tables, asked)
    shown = found.rows.head(wanted.points)
    said = _said(access, asked, found) | {
        "points_out": len(shown),
        "truncated": found.lacks or len(shown) < len(found.rows),
    }
    if form != "json":
        return respond(table_body(shown.to_arrow(), said, form))
    return respond(
        Body(orjson.dumps(said | {"points": live_windows.points(shown)}), MEDIA[form], {})
    )


def _asked(access: Access, wanted: WindowsIn) -> Asked:
    if (wanted.device_id is None) == (wanted.zone is None):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "name either device_id or zone")
    tables = OF_ZONES if wanted.zone else OF_DEVICES
    if wanted.width not in tables:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"zones have no windows {wanted.width}")
    now_us = micros(access.service.now())
    end = wanted.end or str(now_us + DAY_US)
    start = wanted.start or str(now_us - DAY_US)
    subject = wanted.zone or wanted.device_id or ""
    table = tables[wanted.width]
    return Asked(access.tenant, wanted.width, table, subject, wanted.metric, *range_of(start, end))


def _said(access: Access, asked: Asked, found: Found) -> dict[str, object]:
    products = found.rows["product"].unique()
    return {
        "tenant": asked.tenant,
        "start": time_text(asked.start_us),
        "end": time_text(asked.end_us),
        "resolution": resolution(found.spans),
        "method": "windows",
        "points_in": int(found.rows["count"].sum() or 0),
        "tiers": spans_said(found.spans),
        "complete_until": access.service.watermarks.least(asked.tenant, products),
    }

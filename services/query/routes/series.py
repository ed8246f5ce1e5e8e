"""`/v1/query`: one metric of one device over a range."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from services.problems import Problem
from services.query.answering import Question, answered
from services.query.asked import MOST_POINTS, USUAL_POINTS, NameText, TimeText, range_of, wrong
from services.query.formats import Body, Format, encoded
from services.query.openapi import contents
from services.query.served import Viewer, chosen_format, respond
from services.query.statistics import Agg, Fill

router = APIRouter(prefix="/v1", tags=["series"])


class SeriesIn(BaseModel):
    """What is asked of a series."""

    model_config = ConfigDict(populate_by_name=True)

    device_id: NameText
    metric: NameText
    start: TimeText
    end: TimeText
    points: int = Field(
        USUAL_POINTS, ge=1, le=MOST_POINTS, description="most points of the answer; 1 needs agg"
    )
    agg: Agg | None = Field(None, description="one value for each bucket of a round width")
    fill: Fill = Field(
        "none",
        description="null: gaps are points without a value; previous, linear: filled, with agg",
    )
    form: Format | None = Field(None, alias="format", description="else by the header Accept")


class PointOut(BaseModel):
    """A value at a time; null: a gap."""

    time: str
    value: float | bool | str | None


class TierOut(BaseModel):
    """A part of the range, and the table that it was read from; expired: that alone tells of it."""

    tier: str
    table: str
    start: str
    end: str


class SeriesOut(BaseModel):
    """Points of a series, and how they came to be."""

    tenant: str
    device_id: str
    metric: str
    start: str
    end: str
    type: str
    """number, text, boolean, or none where there are no values."""
    resolution: str
    """raw, minute, five_minutes, hour or day: the widest table that was read."""
    method: str
    """raw: all readings; minmax: each bucket's extremes; last: its last value; else the agg."""
    bucket_s: float | None
    points_in: int
    """Readings with a value that the answer stands for."""
    points_out: int
    tiers: list[TierOut]
    truncated: bool
    """Something was left out: the end of a range that was too much for one answer, which goes on
    where the last of `tiers` ends; what has expired; readings of another type than most."""
    complete_until: str | None
    """No reading that is in time will be added before it; null where nobody can say."""
    points: list[PointOut]


@router.get("/query", responses={**contents(SeriesOut)})
def query(access: Viewer, request: Request, wanted: Annotated[SeriesIn, Query()]) -> Response:
    """Return a series: without `agg` its readings, or the extremes of each bucket."""
    if wanted.fill in ("previous", "linear") and wanted.agg is None:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"fill={wanted.fill} needs agg")
    if wanted.points == 1 and wanted.agg is None:
        raise wrong("query.points", "the least and the greatest value are two points; 1 needs agg")
    asked = Question(
        access.tenant,
        wanted.device_id,
        wanted.metric,
        *range_of(wanted.start, wanted.end),
        wanted.points,
        wanted.agg,
        wanted.fill,
    )
    return respond(request, _body(access, asked, chosen_format(request, wanted.form)))


def _body(access: Viewer, asked: Question, form: Format) -> Body:
    """Answer from the cache while the files that the answer was made of are the same."""
    served = access.service
    marks = served.watermarks.now()
    final_us = marks.of(asked.tenant, asked.product)
    is_unbounded = marks.is_unbounded(asked.tenant, asked.product)

    def make() -> Body:
        answer = answered(served.lake, lambda *_: final_us, asked, is_unbounded=is_unbounded)
        return encoded(answer, form)._replace(seen=answer.seen)

    def is_current(body: Body) -> bool:
        series = asked.tenant, asked.device_full, asked.metric
        return served.lake.is_as_seen(series, body.seen)

    return served.answers.get((asked, form, final_us, is_unbounded), make, _size, is_current)


def _size(body: Body) -> int:
    seen = (256 + 128 * len(each.paths) + 32 * len(each.held) for each in body.seen)
    return 1024 + len(body.content) + sum(seen)

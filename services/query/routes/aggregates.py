"""`/v1/aggregate`: a metric of whole zones or products."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated

import orjson
import polars as pl
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from services.problems import Fault, Problem
from services.query.answering import resolution
from services.query.asked import MOST_POINTS, NameText, TimeText, ZoneText, range_of
from services.query.formats import MEDIA, Body, Format, body_of, spans_said, table_body
from services.query.kept_windows import Found
from services.query.openapi import contents
from services.query.routes.series import TierOut
from services.query.served import Access, Viewer, chosen_format, respond
from services.query.statistics import WIDTHS, width_for
from services.query.times import texts_of, time_text
from services.query.watermarks import Marks
from services.query.zones import MINUTE_US, Asked, By, ZoneAgg, merged

router = APIRouter(prefix="/v1", tags=["aggregates"])


class AggregateIn(BaseModel):
    """What is asked of zones or products."""

    model_config = ConfigDict(populate_by_name=True)

    by: By
    metric: NameText
    start: TimeText
    end: TimeText
    points: int = Field(100, ge=1, le=MOST_POINTS, description="most buckets of each group")
    agg: ZoneAgg = "mean"
    zone: ZoneText | None = None
    product: NameText | None = None
    form: Format | None = Field(None, alias="format", description="else by the header Accept")


class AggregateRow(BaseModel):
    """A bucket of a zone or product; the one that was asked for is named."""

    zone: str | None = None
    product: str | None = None
    time: str
    value: float | None
    count: int


class AggregateOut(BaseModel):
    """Buckets by group and time, and how they came to be."""

    tenant: str
    by: str
    metric: str
    start: str
    end: str
    resolution: str
    method: str
    bucket_s: float
    points_in: int
    points_out: int
    tiers: list[TierOut]
    truncated: bool
    """A part of the range has expired, there are more groups than the answer has room for, or texts
    under the metric's name were left out beside numbers."""
    complete_until: str | None
    points: list[AggregateRow]


@router.get("/aggregate", responses={**contents(AggregateOut)})
def aggregate(
    access: Viewer, request: Request, wanted: Annotated[AggregateIn, Query()]
) -> Response:
    """Return a metric by zone or product; the range is of whole minutes. Open windows count."""
    start_us, end_us = range_of(wanted.start, wanted.end)
    _whole_minutes({"start": start_us, "end": end_us})
    width = width_for(start_us, end_us, wanted.points)
    if width % MINUTE_US:
        width = next(each for each in WIDTHS if each >= MINUTE_US)
    named = (("zone", wanted.zone), ("product", wanted.product))
    where = tuple((name, value) for name, value in named if value is not None)
    asked = Asked(
        access.tenant, wanted.metric, wanted.by, start_us, end_us, width, wanted.agg, where
    )
    return respond(request, _body(access, asked, chosen_format(request, wanted.form)))


def _whole_minutes(ends: Mapping[str, int]) -> None:
    """Refuse what is no whole minute, with the minutes around it: so narrow are zones' windows."""
    faults = [
        Fault(
            where=f"query.{name}",
            reason=f"{time_text(at)} is no whole minute: take {time_text(at - at % MINUTE_US)}"
            f" or {time_text(at - at % MINUTE_US + MINUTE_US)}",
        )
        for name, at in ends.items()
        if at % MINUTE_US
    ]
    if faults:
        told = "; ".join(f"{fault.where}: {fault.reason}" for fault in faults)
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, told, errors=faults)


def _body(access: Access, asked: Asked, form: Format) -> Body:
    served = access.service
    marks = served.watermarks.now()
    key = ("aggregate", asked, form, marks.edition, served.zones.files(asked))
    return served.answers.get(
        key, lambda: _made(access, asked, form, marks), lambda body: 1024 + len(body.content)
    )


def _made(access: Access, asked: Asked, form: Format, marks: Marks) -> Body:
    found = access.service.zones.rows(asked)
    buckets = merged(found.rows, asked)
    others = int(buckets["others"].sum())
    shown = buckets.drop("others").head(MOST_POINTS)
    said = _said(asked, found, marks) | {
        "points_in": found.readings - others,
        "points_out": len(shown),
        "truncated": found.lacks or others > 0 or len(shown) < len(buckets),
    }
    if form != "json":
        return table_body(shown.to_arrow(), said, form)
    times = texts_of(shown["time"].cast(pl.Int64).to_numpy())
    points = shown.with_columns(pl.Series("time", times, pl.String())).to_dicts()
    return body_of(orjson.dumps(said | {"points": points}), MEDIA[form])


def _said(asked: Asked, found: Found, marks: Marks) -> dict[str, object]:
    return {
        "tenant": asked.tenant,
        "by": asked.by,
        "metric": asked.metric,
        "start": time_text(asked.start_us),
        "end": time_text(asked.end_us),
        "resolution": resolution(found.spans),
        "method": asked.agg,
        "bucket_s": asked.width_us / 1e6,
        "tiers": spans_said(found.spans),
        "complete_until": marks.least(asked.tenant, found.products),
    }

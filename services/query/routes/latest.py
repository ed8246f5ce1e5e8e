"""`/v1/latest` and `/v1/devices/{id}/metrics`: the newest value of each series."""

from collections.abc import Iterator
from typing import Annotated

import orjson
import polars as pl
import pyarrow as pa
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from services.query.asked import LONGEST_NAME, NameText, ZoneText
from services.query.formats import MEDIA, Body, Format, body_of, table_body
from services.query.latest import State
from services.query.latest_rows import of_zone
from services.query.openapi import contents
from services.query.served import Access, Viewer, chosen_format, respond
from services.query.watermarks import Marks

router = APIRouter(prefix="/v1", tags=["latest"])
TIERS = ("gold.device_day", "silver.readings", "silver.late")


class LatestIn(BaseModel):
    """Whose latest values are asked for."""

    model_config = ConfigDict(populate_by_name=True)

    zone: ZoneText | None = None
    product: NameText | None = None
    device_id: NameText | None = None
    metric: NameText | None = None
    limit: int | None = Field(
        None, ge=1, le=10_000_000, description="most rows, by device and metric; default all"
    )
    form: Format | None = Field(None, alias="format", description="else by the header Accept")


class LatestRow(BaseModel):
    """The latest value of a metric of a device."""

    device_id: str
    product: str
    zone: str | None
    metric: str
    time: str
    value: float | bool | str | None


class LatestOut(BaseModel):
    """The latest value of each series; parts of a tenant by device and metric."""

    tenant: str
    resolution: str
    method: str
    points_in: int
    points_out: int
    tiers: list[str]
    truncated: bool
    complete_until: str | None
    """The least of the watermarks of the products in it."""
    points: list[LatestRow]


@router.get("/latest", responses={**contents(LatestOut)})
def latest(access: Viewer, request: Request, wanted: Annotated[LatestIn, Query()]) -> Response:
    """Return the latest value of each series of a zone, a product or the whole tenant."""
    return respond(request, _body(access, wanted, chosen_format(request, wanted.form)))


@router.get("/devices/{device_id}/metrics", responses={**contents(LatestOut)})
def metrics(
    access: Viewer,
    request: Request,
    device_id: Annotated[str, Path(min_length=1, max_length=LONGEST_NAME)],
    form: Annotated[Format | None, Query(alias="format")] = None,
) -> Response:
    """Return the metrics of a device, each with its latest value."""
    wanted = LatestIn(device_id=device_id, limit=None, format=None)
    return respond(request, _body(access, wanted, chosen_format(request, form)))


def _body(access: Access, wanted: LatestIn, form: Format) -> Body:
    served = access.service
    marks = served.watermarks.now()
    state = served.latest.state()
    key = ("latest", access.tenant, state.edition, marks.edition, wanted.model_dump_json(), form)
    return served.answers.get(
        key,
        lambda: _made(access, (state, marks), wanted, form),
        lambda body: 1024 + len(body.content),
    )


def _made(access: Access, known: tuple[State, Marks], wanted: LatestIn, form: Format) -> Body:
    state, marks = known
    chosen = list(_chosen(wanted))
    is_part = wanted.limit or chosen
    rows = state.rows.filter(pl.col("tenant") == access.tenant, *chosen)
    # All of a tenant are not sorted: that would take longer than all else.
    shown = rows.sort("device_full", "metric").head(wanted.limit or len(rows)) if is_part else rows
    said = _said(access.tenant, rows, shown, marks)
    if form == "json":
        points = shown["json"].str.join(",").item() if len(shown) else ""
        head = orjson.dumps(said)[:-1]
        return body_of(b"".join([head, b',"points":[', points.encode(), b"]}"]), MEDIA[form])
    return table_body(_table(shown), said, form)


def _chosen(wanted: LatestIn) -> Iterator[pl.Expr]:
    """Yield what a row of the wanted part of a tenant is."""
    if wanted.zone is not None:
        yield of_zone(wanted.zone)
    names = {"product": wanted.product, "device_full": wanted.device_id, "metric": wanted.metric}
    yield from (pl.col(name) == value for name, value in names.items() if value is not None)


def _said(tenant: str, rows: pl.DataFrame, shown: pl.DataFrame, marks: Marks) -> dict[str, object]:
    return {
        "tenant": tenant,
        "resolution": "raw",
        "method": "latest",
        "points_in": len(rows),
        "points_out": len(shown),
        "tiers": list(TIERS),
        "truncated": len(shown) < len(rows),
        "complete_until": marks.least(tenant, shown["product"].unique()),
    }


def _table(rows: pl.DataFrame) -> pa.Table:
    return rows.select(
        pl.col("device_full").alias("device_id"),
        "product",
        "zone",
        "metric",
        pl.col("at").alias("time"),
        *("number", "text", "truth"),
    ).to_arrow()

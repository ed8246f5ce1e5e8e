"""`/v1/devices` and `/v1/zones`: what there is to look at, where it is, and how old it is."""

from typing import Annotated

import orjson
import polars as pl
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from services.query import places
from services.query.asked import MOST_POINTS, NameText
from services.query.formats import MEDIA, Body, Format, body_of, table_body
from services.query.openapi import contents
from services.query.served import Access, Viewer, chosen_format, respond
from services.query.times import texts_of

router = APIRouter(prefix="/v1", tags=["places"])


class PlacesIn(BaseModel):
    """Which part of the tenant is asked for."""

    model_config = ConfigDict(populate_by_name=True)

    zone: NameText | None = None
    limit: int = Field(1000, ge=1, le=MOST_POINTS, description="most rows")
    after: NameText | None = Field(
        None, description="only what comes after this name: where the answer before ended"
    )
    form: Format | None = Field(None, alias="format", description="else by the header Accept")


class DeviceOut(BaseModel):
    """A device that has spoken; where it is, if it or the registry says so."""

    device_id: str
    product: str
    zone: str | None
    lat: float | None
    lng: float | None
    time: str
    """Its newest reading's."""
    metrics: int


class ZoneOut(BaseModel):
    """A zone with the middle of its devices."""

    zone: str
    devices: int
    lat: float | None
    lng: float | None
    time: str


class DevicesOut(BaseModel):
    """Devices by name."""

    tenant: str
    points_out: int
    truncated: bool
    points: list[DeviceOut]


class ZonesOut(BaseModel):
    """Zones by name."""

    tenant: str
    points_out: int
    truncated: bool
    points: list[ZoneOut]


@router.get("/devices", responses={**contents(DevicesOut)})
def devices(access: Viewer, request: Request, wanted: Annotated[PlacesIn, Query()]) -> Response:
    """Return devices of the tenant or of a zone."""
    rows = places.devices(access.service.latest.state(), access.tenant, wanted.zone)
    rows = _after(rows, "device_id", wanted)
    return respond(request, _body(access, rows, wanted, chosen_format(request, wanted.form)))


@router.get("/zones", responses={**contents(ZonesOut)})
def zones(access: Viewer, request: Request, wanted: Annotated[PlacesIn, Query()]) -> Response:
    """Return the zones of the tenant."""
    rows = places.zones(access.service.latest.state(), access.tenant)
    if wanted.zone is not None:
        rows = rows.filter(pl.col("zone") == wanted.zone)
    rows = _after(rows, "zone", wanted)
    return respond(request, _body(access, rows, wanted, chosen_format(request, wanted.form)))


def _after(rows: pl.DataFrame, name: str, wanted: PlacesIn) -> pl.DataFrame:
    return rows if wanted.after is None else rows.filter(pl.col(name) > wanted.after)


def _body(access: Access, rows: pl.DataFrame, wanted: PlacesIn, form: Format) -> Body:
    shown = rows.head(wanted.limit)
    said = {
        "tenant": access.tenant,
        "points_out": len(shown),
        "truncated": len(shown) < len(rows),
    }
    if form != "json":
        return table_body(shown.to_arrow(), said, form)
    times = pl.Series("time", texts_of(shown["time"].cast(pl.Int64).to_numpy()), pl.String())
    points = shown.with_columns(times).to_dicts()
    return body_of(orjson.dumps(said | {"points": points}), MEDIA[form])

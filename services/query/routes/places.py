"""`/v1/devices` and `/v1/zones`: what there is to look at, where it is, and how old it is."""

from typing import Annotated

import orjson
import polars as pl
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from services.query import places
from services.query.asked import MOST_POINTS, NameText, ZoneText
from services.query.formats import MEDIA, Body, Format, body_of, table_body
from services.query.latest import State
from services.query.latest_rows import of_zone
from services.query.openapi import contents
from services.query.routes.latest import TIERS
from services.query.served import Access, Viewer, chosen_format, respond
from services.query.times import texts_of
from telemetry.tables import DEVICES

router = APIRouter(prefix="/v1", tags=["places"])


class PlacesIn(BaseModel):
    """Which part of the tenant is asked for."""

    model_config = ConfigDict(populate_by_name=True)

    zone: ZoneText | None = None
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


class PlacesOut(BaseModel):
    """How a list came to be."""

    tenant: str
    resolution: str
    method: str
    points_in: int
    """How many there are, from `after` on."""
    points_out: int
    tiers: list[str]
    truncated: bool
    complete_until: str | None
    """The least of the watermarks of the products in it."""


class DevicesOut(PlacesOut):
    """Devices by name."""

    points: list[DeviceOut]


class ZonesOut(PlacesOut):
    """Zones by name."""

    points: list[ZoneOut]


@router.get("/devices", responses={**contents(DevicesOut)})
def devices(access: Viewer, request: Request, wanted: Annotated[PlacesIn, Query()]) -> Response:
    """Return devices of the tenant or of a zone."""
    marks, state = access.service.watermarks.now(), access.service.latest.state()
    rows = places.devices(state, access.tenant, wanted.zone)
    until = marks.least(access.tenant, _products(state, access.tenant, wanted))
    body = _body(access, (_after(rows, "device_id", wanted), until), wanted, request)
    return respond(request, body)


@router.get("/zones", responses={**contents(ZonesOut)})
def zones(access: Viewer, request: Request, wanted: Annotated[PlacesIn, Query()]) -> Response:
    """Return the zones of the tenant."""
    marks, state = access.service.watermarks.now(), access.service.latest.state()
    rows = places.zones(state, access.tenant)
    if wanted.zone is not None:
        rows = rows.filter(pl.col("zone") == wanted.zone)
    until = marks.least(access.tenant, _products(state, access.tenant, wanted))
    return respond(request, _body(access, (_after(rows, "zone", wanted), until), wanted, request))


def _products(state: State, tenant: str, wanted: PlacesIn) -> list[str]:
    rows = state.rows.filter(pl.col("tenant") == tenant)
    if wanted.zone is not None:
        rows = rows.filter(of_zone(wanted.zone))
    return rows["product"].unique().to_list()


def _after(rows: pl.DataFrame, name: str, wanted: PlacesIn) -> pl.DataFrame:
    return rows if wanted.after is None else rows.filter(pl.col(name) > wanted.after)


def _body(
    access: Access, found: tuple[pl.DataFrame, str | None], wanted: PlacesIn, request: Request
) -> Body:
    """Encode what was found, and up to when it is complete."""
    rows, until = found
    shown, form = rows.head(wanted.limit), chosen_format(request, wanted.form)
    said = {
        "tenant": access.tenant,
        "resolution": "raw",
        "method": "latest",
        "points_in": len(rows),
        "points_out": len(shown),
        "tiers": [*TIERS, DEVICES.name],
        "truncated": len(shown) < len(rows),
        "complete_until": until,
    }
    if form != "json":
        return table_body(shown.to_arrow(), said, form)
    times = pl.Series("time", texts_of(shown["time"].cast(pl.Int64).to_numpy()), pl.String())
    points = shown.with_columns(times).to_dicts()
    return body_of(orjson.dumps(said | {"points": points}), MEDIA[form])

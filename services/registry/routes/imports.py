"""Devices by the thousand over HTTP: in with progress, and out."""

import sys
from collections.abc import Iterator
from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated, Literal

import anyio.to_thread
import orjson
from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict

from services.problems import Problem, ProblemDetails
from services.registry import bulk
from services.registry.served import Access, Operator, Viewer
from services.registry.words import Name

router = APIRouter(prefix="/v1", tags=["bulk"])
LARGEST_BODY = 64 * 1024 * 1024
NDJSON, CSV = "application/x-ndjson", "text/csv"
TEXT = {"schema": {"type": "string"}}


class ImportOptions(BaseModel):
    """How an import is taken."""

    model_config = ConfigDict(extra="forbid")

    tenant: Name | None = None
    product: Name | None = None
    """Of names without a dot and without a product."""
    with_secrets: bool = False
    """Issue a secret to each device that has none, and show it in the answer, this once."""


@router.post(
    "/imports",
    openapi_extra={"requestBody": {"required": True, "content": {NDJSON: TEXT, CSV: TEXT}}},
    responses={
        200: {"content": {NDJSON: TEXT}},
        413: {"model": ProblemDetails, "description": "Larger than 64 MiB"},
    },
    response_class=StreamingResponse,
    # It counts for itself, and says what to do.
    max_body_size=sys.maxsize,
)
async def import_devices(
    request: Request, options: Annotated[ImportOptions, Query()], access: Operator
) -> StreamingResponse:
    """Enrol the devices of NDJSON or CSV: a wrong line leaves the registry as it was.

    The answer is NDJSON, a line for each group of lines: `{"read", "of", "written", "issued"}`.
    """
    declared = bulk.DeviceText(await _text(request), access.tenant, options.product)
    count = await anyio.to_thread.run_sync(_count, access, declared, options.with_secrets)
    lines = _progress(access, declared, count, with_secrets=options.with_secrets)
    return StreamingResponse(lines, media_type=NDJSON)


def _count(access: Access, declared: bulk.DeviceText, with_secrets: bool) -> int:
    """Count the devices once all of them can be enrolled: later there is no answer to say why."""
    count, products = declared.checked()
    with access.registry.store.reading() as reading:
        bulk.check_tenant(reading, access.tenant)
        bulk.check_products(reading, access.tenant, products)
        if with_secrets:
            bulk.check_owners(reading, declared)
    return count


def _progress(
    access: Access, declared: bulk.DeviceText, count: int, *, with_secrets: bool
) -> Iterator[bytes]:
    read, written = 0, 0
    for group in declared.groups():
        done = bulk.enrol_group(access, group, with_secrets=with_secrets)
        read, written = read + len(group), written + done.written
        issued = [asdict(one) for one in done.issued]
        line = {"read": read, "of": count, "written": written, "issued": issued}
        yield orjson.dumps(line) + b"\n"
    if not count:
        yield orjson.dumps({"read": 0, "of": 0, "written": 0, "issued": []}) + b"\n"


async def _text(request: Request) -> str:
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > LARGEST_BODY:
            raise Problem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"an import has {LARGEST_BODY >> 20} MiB at most: send it in parts",
            )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"not UTF-8: {error}") from error


@router.get(
    "/export",
    responses={200: {"content": {NDJSON: TEXT, CSV: TEXT}}},
    response_class=StreamingResponse,
)
def export_devices(
    access: Viewer, form: Annotated[Literal["ndjson", "csv"], Query(alias="format")] = "ndjson"
) -> StreamingResponse:
    """Give out all devices of the tenant, as an import reads them."""
    pieces = _rows(access) if form == "csv" else map(bulk.as_lines, bulk.pages(access))
    return StreamingResponse(pieces, media_type=CSV if form == "csv" else NDJSON)


def _rows(access: Access) -> Iterator[bytes]:
    yield bulk.as_rows([], with_header=True)
    yield from map(bulk.as_rows, bulk.pages(access))

"""Products: what kinds of devices there are, and what they may say."""

from datetime import datetime
from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from services.registry import products
from services.registry.served import Admin, Viewer
from services.registry.store import Entry
from services.registry.words import Name, Words
from telemetry.changes import ProductBody
from telemetry.products import (
    MOST_VERSION,
    Compatibility,
    MetricKind,
    MetricType,
    product_from_dict,
)

router = APIRouter(prefix="/v1/products", tags=["products"])


class MetricIn(BaseModel):
    """What one metric may say."""

    model_config = ConfigDict(extra="forbid")

    type: MetricType = "double"
    unit: Words | None = None
    kind: MetricKind = "gauge"
    min: float | None = Field(default=None, allow_inf_nan=False)
    max: float | None = Field(default=None, allow_inf_nan=False)
    required: bool = False
    sentinels: list[float | Words] = []
    values: list[Words] = []


class VersionIn(BaseModel):
    """One version of a schema."""

    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=1, le=MOST_VERSION)
    metrics: dict[Words, MetricIn] = Field(min_length=1)


class SlidingIn(BaseModel):
    """Sliding windows, such as 1 h every 5 min."""

    model_config = ConfigDict(extra="forbid")

    width: Words = "1 h"
    every: Words = "5 min"


class ProductIn(BaseModel):
    """A product's declaration."""

    model_config = ConfigDict(extra="forbid")

    lateness: Words | None = Field(default=None, examples=["30 s", "unbounded"])
    max_age: Words | None = Field(default=None, examples=["7 d"])
    retention: Words | None = Field(default=None, examples=["default", "history", "30 d"])
    dedup_horizon: Words | None = Field(default=None, examples=["1 d"])
    compatibility: Compatibility = "BACKWARD"
    versions: list[VersionIn] = []
    sliding: SlidingIn | None = None
    session_gap: Words | None = None


class ProductOut(BaseModel):
    """A product."""

    product: str
    tenant: str
    edition: int
    changed_at: datetime
    declaration: dict[str, object]


class BreakOut(BaseModel):
    """What a declaration would break."""

    version: int
    against: int
    metric: str
    rule: str
    reason: str


class CheckOut(BaseModel):
    """Whether a declaration would be taken."""

    is_compatible: bool
    breaks: list[BreakOut]


class SecretOut(BaseModel):
    """A secret; it is shown this once."""

    secret: str


@router.get("")
def list_products(access: Viewer) -> list[ProductOut]:
    """List the tenant's products."""
    with access.registry.store.reading() as reading:
        return [_out(one) for one in products.listed(reading, access.tenant)]


@router.get("/{product}")
def show_product(product: Name, access: Viewer) -> ProductOut:
    """Show one product."""
    return _out(access.entry("product", product))


@router.put("/{product}")
def put_product(product: Name, wanted: ProductIn, access: Admin) -> ProductOut:
    """Add a product, or change it; a new version must be compatible with those before."""
    declared = product_from_dict(_declaration(access.tenant, product, wanted))
    with access.writing() as writing:
        found = _out(products.put(writing, declared))
    access.registry.wake()
    return found


@router.post("/{product}/check")
def check_product(product: Name, wanted: ProductIn, access: Viewer) -> CheckOut:
    """Say whether a declaration would be taken, and change nothing."""
    declared = product_from_dict(_declaration(access.tenant, product, wanted))
    with access.registry.store.reading() as reading:
        breaks = products.breaks(reading, declared)
    return CheckOut(is_compatible=not breaks, breaks=[BreakOut(**one._asdict()) for one in breaks])


@router.post("/{product}/registration", status_code=HTTPStatus.CREATED)
def allow_registration(product: Name, access: Admin) -> SecretOut:
    """Let devices of the product register themselves with a secret of the product, made here."""
    access.entry("product", product)
    with access.writing() as writing:
        return SecretOut(
            secret=products.open_registration(writing, access.registry.ring, access.tenant, product)
        )


@router.delete("/{product}/registration")
def forbid_registration(product: Name, access: Admin) -> dict[Literal["was_open"], bool]:
    """Let no device of the product register itself any more."""
    access.entry("product", product)
    with access.writing() as writing:
        return {"was_open": products.close_registration(writing, access.tenant, product)}


def _declaration(tenant: str, product: str, wanted: ProductIn) -> dict[str, object]:
    said = wanted.model_dump(exclude_none=True, exclude_unset=True)
    return {"product": product, "tenant": tenant, **said}


def _out(found: Entry) -> ProductOut:
    assert isinstance(found.body, ProductBody)
    return ProductOut(
        product=found.key.name,
        tenant=found.key.tenant,
        edition=found.edition,
        changed_at=found.changed_at,
        declaration=found.body.declaration,
    )

"""The registry's HTTP application."""

from fastapi import FastAPI
from pydantic import BaseModel, Field

from services.front import show_document_in_front
from services.problems import (
    LARGEST_BODY,
    RESPONSES,
    TOO_LARGE,
    answer_problems,
    describe_problems,
)
from services.registry.devices import devices_of_class
from services.registry.routes import (
    api_keys,
    audit,
    certificates,
    credentials,
    devices,
    imports,
    jwt_keys,
    products,
    registration,
    rules,
    tenants,
)
from services.registry.served import Registry, Served

MODULES = (
    tenants, products, devices, credentials, certificates, jwt_keys, registration, imports,
    rules, api_keys, audit,
)  # fmt: skip
DESCRIPTION = """\
Tenants, products, devices, credentials, keys and rules. Every change goes to the Kafka topic
`registry.changes` in the order of its commit, and to the audit trail."""


class HealthOut(BaseModel):
    """How far the registry is: its newest change, and up to which one each reader has all."""

    status: str
    edition: int
    published: dict[str, int]
    consumer_devices: int = Field(
        description="devices of class consumer: what they are acknowledged is outside the promise"
    )


def application(registry: Registry) -> FastAPI:
    """Return the application over a registry's parts."""
    app = FastAPI(
        title="Headwater registry",
        version="1",
        description=DESCRIPTION,
        responses=RESPONSES | TOO_LARGE,
        docs_url=None,
        redoc_url=None,
        max_body_size=LARGEST_BODY,
    )
    app.state.registry = registry
    answer_problems(app)
    describe_problems(app)
    for module in MODULES:
        app.include_router(module.router)
    app.get("/health", tags=["health"], responses={})(show_health)
    show_document_in_front(app)
    return app


def show_health(served: Served) -> HealthOut:
    """Say how far the registry is."""
    with served.store.reading() as reading:
        edition, consumers = reading.edition(), devices_of_class(reading, "consumer")
    published = served.store.positions()
    return HealthOut(status="ok", edition=edition, published=published, consumer_devices=consumers)

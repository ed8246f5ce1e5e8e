"""The alerts service's HTTP application."""

from datetime import datetime, timedelta
from http import HTTPStatus

from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy import func, select

from services.alerts.figures import show_metrics
from services.alerts.routes import alerts, people, silences
from services.alerts.served import Served, Service
from services.alerts.tables import ALERTS, MESSAGES, REFUSED
from services.front import show_document_in_front
from services.problems import (
    LARGEST_BODY,
    RESPONSES,
    TOO_LARGE,
    answer_problems,
    describe_problems,
    described,
)

MODULES = (alerts, silences, people)
DESCRIPTION = """\
Alerts of devices, from when something fires to when it is over: who is told, who has taken it on,
and why."""


class HealthOut(BaseModel):
    """How much there is to do, and why the newest configuration is not in force, if so."""

    status: str
    open: int
    waiting: int
    oldest_waiting: datetime | None
    refused: int
    complaint: str | None


def application(parts: Service) -> FastAPI:
    """Return the application over a service's parts."""
    app = FastAPI(
        title="Headwater alerts",
        version="1",
        description=DESCRIPTION,
        responses=RESPONSES | TOO_LARGE | described(HTTPStatus.SERVICE_UNAVAILABLE),
        docs_url=None,
        redoc_url=None,
        max_body_size=LARGEST_BODY,
    )
    app.state.service = parts
    answer_problems(app)
    for module in MODULES:
        app.include_router(module.router)
    app.get("/health", tags=["health"], responses={})(show_health)
    app.get("/metrics", include_in_schema=False)(show_metrics)
    show_document_in_front(app)
    describe_problems(app)
    return app


def show_health(served: Served) -> HealthOut:
    """Say how much there is to do."""
    engine, waiting = served.engine, MESSAGES.c.state == "waiting"
    counted = func.count()
    day_ago = engine.now() - timedelta(days=1)
    with engine.turns.reading() as connection:
        is_open = ALERTS.c.phase == "open"
        opened = connection.execute(select(counted).select_from(ALERTS).where(is_open)).scalar_one()
        held = select(counted, func.min(MESSAGES.c.created_at)).where(waiting)
        number, oldest = connection.execute(held).one()
        bad = select(counted).select_from(REFUSED).where(REFUSED.c.at > day_ago)
        refused = connection.execute(bad).scalar_one()
    return HealthOut(
        status="ok" if served.complaint is None else "degraded",
        open=opened,
        waiting=number,
        oldest_waiting=oldest,
        refused=refused,
        complaint=served.complaint,
    )

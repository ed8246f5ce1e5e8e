"""People and receivers: who there is, what was decided about a person, whether a sink works."""

from datetime import datetime
from http import HTTPStatus

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select

from services.alerts.configuration import Configuration, serves
from services.alerts.routes.steps import AskedSteps, StepsOut, steps_out
from services.alerts.served import Access, Operator, Viewer, Words
from services.alerts.tables import MESSAGES
from services.alerts.trail import person_trail
from services.problems import not_found
from telemetry.alerts import Severity

router = APIRouter(prefix="/v1", tags=["people"])


class PersonOut(BaseModel):
    """Somebody who may be told: by which receivers, from which severity on."""

    name: str
    receivers: dict[str, Severity]
    mute: list[str]
    messages: int
    within_s: float


class TestIn(BaseModel):
    """A person, team or receiver."""

    model_config = ConfigDict(extra="forbid")

    to: Words


class TestOut(BaseModel):
    """The messages that were sent; ask for each how it went."""

    messages: list[str]


class MessageOut(BaseModel):
    """A message of the outbox."""

    key: str
    receiver: str
    person: str | None
    kind: str
    state: str
    alerts: int
    tries: int
    created_at: datetime
    settled_at: datetime | None


@router.get("/people")
def list_people(access: Viewer) -> list[PersonOut]:
    """List who may be told of the tenant's alerts."""
    return [
        PersonOut(
            name=one.name,
            receivers=dict(one.receivers),
            mute=list(one.mute),
            messages=one.limit.messages,
            within_s=one.limit.within.total_seconds(),
        )
        for one in access.engine.configuration.people.values()
        if serves(one.tenants, access.tenant)
    ]


@router.get("/people/{name}/trail")
def show_person_trail(name: Words, asked: AskedSteps, access: Viewer) -> StepsOut:
    """Show what was decided about a person, and how each delivery went: a page at a time."""
    with access.engine.turns.reading() as connection:
        page = person_trail(connection, access.tenant, name, asked.asked())
    if not page.steps and name not in _reachable(access.engine.configuration, access.tenant):
        raise not_found("person", name)
    return steps_out(page)


@router.post("/tests", status_code=HTTPStatus.ACCEPTED)
def send_test(wanted: TestIn, access: Operator) -> TestOut:
    """Send a test to a person, team or receiver."""
    known = access.engine.configuration
    if not set(known.members(wanted.to)) & _reachable(known, access.tenant):
        raise not_found("person, team or receiver", wanted.to)
    return TestOut(messages=access.engine.test(access.tenant, wanted.to))


@router.get("/messages/{key}")
def show_message(key: Words, access: Viewer) -> MessageOut:
    """Show how far a message is."""
    return _message(access, key)


def _message(access: Access, key: str) -> MessageOut:
    query = select(MESSAGES).where(MESSAGES.c.key == key, MESSAGES.c.tenant == access.tenant)
    with access.engine.turns.reading() as connection:
        row = connection.execute(query).mappings().first()
    if row is None:
        raise not_found("message", key)
    return MessageOut(**{name: row[name] for name in MessageOut.model_fields})


def _reachable(known: Configuration, tenant: str) -> set[str]:
    """Return the people and receivers that may hear of a tenant."""
    people = {one.name for one in known.people.values() if serves(one.tenants, tenant)}
    return people | {one.name for one in known.receivers.values() if serves(one.tenants, tenant)}

"""Silences: put in force, listed, ended."""

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import select

from services.alerts.matching import FIELDS, match_of
from services.alerts.served import Operator, Viewer, Words
from services.alerts.silences import Silence
from services.alerts.tables import SILENCES
from services.moments import SaidTime
from services.problems import Problem, not_found

router = APIRouter(prefix="/v1/silences", tags=["silences"])
LONGEST = timedelta(days=90)
Fields = dict[str, Annotated[list[Words], Field(min_length=1, max_length=50)]]


class SilenceIn(BaseModel):
    """What is not to be told, until when and why; `*` in a value stands for anything."""

    model_config = ConfigDict(extra="forbid")

    match: Annotated[Fields, Field(min_length=1)]
    comment: Annotated[str, StringConstraints(min_length=1, max_length=1000)]
    ends_at: SaidTime
    starts_at: SaidTime | None = Field(default=None, description="default: now")


class SilenceOut(BaseModel):
    """A silence."""

    silence_id: str
    match: dict[str, list[str]]
    author: str
    comment: str
    starts_at: datetime
    ends_at: datetime
    ended_by: str | None = None


@router.get("")
def list_silences(access: Viewer) -> list[SilenceOut]:
    """List the silences that have not ended."""
    query = (
        select(SILENCES)
        .where(
            SILENCES.c.tenant == access.tenant,
            SILENCES.c.ends_at > access.engine.now(),
            SILENCES.c.ended_by.is_(None),
        )
        .order_by(SILENCES.c.ends_at)
    )
    with access.engine.turns.reading() as connection:
        rows = connection.execute(query).mappings().all()
    names = [name for name in SilenceOut.model_fields if name != "match"]
    return [SilenceOut(match=row["fields"], **{name: row[name] for name in names}) for row in rows]


@router.post("", status_code=HTTPStatus.CREATED)
def put_silence(wanted: SilenceIn, access: Operator) -> SilenceOut:
    """Silence alerts; the author is whose key this is."""
    now = access.engine.now()
    starts_at = wanted.starts_at or now
    unknown = sorted(set(wanted.match) - set(FIELDS))
    if unknown:
        detail = f"match: there is no field {unknown[0]!r}; there are {', '.join(FIELDS)}"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    lasts = wanted.ends_at - starts_at
    if not timedelta() < lasts <= LONGEST or wanted.ends_at <= now:
        detail = f"ends_at: behind its start and now, at most {LONGEST.days} days long"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    match, author = match_of(wanted.match), access.caller.actor
    asked = Silence("", access.tenant, match, author, wanted.comment, starts_at, wanted.ends_at)
    made = access.engine.silence(asked)
    return SilenceOut(
        silence_id=made.silence_id,
        match=made.match.as_json(),
        author=made.author,
        comment=made.comment,
        starts_at=made.starts_at,
        ends_at=made.ends_at,
    )


@router.delete("/{silence_id}")
def end_silence(silence_id: Words, access: Operator) -> dict[Literal["ended"], str]:
    """End a silence now."""
    if not access.engine.end_silence(access.tenant, silence_id, access.caller.actor):
        raise not_found("silence", silence_id)
    return {"ended": silence_id}

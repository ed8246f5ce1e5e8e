"""Times in the database: aware UTC in and out, whatever the database keeps."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AwareDatetime, Field
from sqlalchemy import DateTime, Dialect
from sqlalchemy.types import TypeDecorator

SaidTime = Annotated[
    AwareDatetime,
    Field(ge=datetime(1970, 1, 1, tzinfo=UTC), le=datetime.max.replace(tzinfo=UTC)),
]
"""A time that a client says, of 1970 to 9999 in UTC whatever its zone."""


class Moment(TypeDecorator[datetime]):
    """A time in UTC; SQLite keeps it without a zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the database UTC."""
        if value is None:
            return None
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Take UTC from it."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

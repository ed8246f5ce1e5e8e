"""What every route acts on, and for whom."""

from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import StringConstraints

from services.alerts.engine import Engine
from services.callers import Caller
from services.directory import Directory
from services.problems import Problem
from telemetry.changes import ALL_TENANTS, Role

BEARER = HTTPBearer(auto_error=False, description="An API key (hw_…), or a JWT of a known key.")
DEFAULT_TENANT = "default"
Words = Annotated[str, StringConstraints(min_length=1, max_length=300)]


@dataclass(slots=True)
class Service:
    """The parts that routes act on; `complaint`: why the newest file is not in force."""

    engine: Engine
    directory: Directory
    complaint: str | None = field(default=None)


@dataclass(frozen=True, slots=True)
class Access:
    """A caller who may do what the route asks, in one tenant."""

    engine: Engine
    caller: Caller
    tenant: str


def service(request: Request) -> Service:
    """Return the application's service."""
    served = request.app.state.service
    assert isinstance(served, Service)
    return served


Served = Annotated[Service, Depends(service)]


def known_caller(
    served: Served,
    given: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)],
) -> Caller:
    """Return whose key or token the request carries."""
    return served.directory.known(given.credentials if given else "", served.engine.now())


KnownCaller = Annotated[Caller, Depends(known_caller)]


def access(role: Role) -> Callable[[Service, Caller, str | None], Access]:
    """Return the dependency of routes that need a role."""

    def checked(served: Served, who: KnownCaller, tenant: Words | None = None) -> Access:
        wanted = tenant or (DEFAULT_TENANT if who.tenant == ALL_TENANTS else who.tenant)
        if not who.may_see(wanted):
            raise Problem(HTTPStatus.FORBIDDEN, f"this key is not of tenant {wanted}")
        if not who.may(role, wanted):
            raise Problem(
                HTTPStatus.FORBIDDEN, f"this needs a key of role {role}; this one is {who.role}"
            )
        return Access(served.engine, who, wanted)

    return checked


Viewer = Annotated[Access, Depends(access("viewer"))]
Operator = Annotated[Access, Depends(access("operator"))]
